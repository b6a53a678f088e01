"""The shelf keeps its promises: the articles' form, and gold spans that point at answers."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import seeds

ROOT = Path(__file__).resolve().parents[1]
SHARED_SEEDS = ROOT.parent / "shared" / "seeds"

ARTICLES = {
    path.name: path.read_text(encoding="utf-8") for path in sorted(seeds.articles().iterdir())
}
QUESTIONS: list[dict[str, Any]] = [
    json.loads(line) for line in seeds.questions().read_text(encoding="utf-8").splitlines()
]
ANSWERABLE = [question for question in QUESTIONS if question["answerable"]]
UNANSWERABLE = [question for question in QUESTIONS if not question["answerable"]]

DATE = re.compile(r"(\w{3} \d{2}, \d{4}|\d{1,2} [A-Z]\w+ \d{4}|\d{4}-\d{2}-\d{2})")
KEYS = [
    "id",
    "question",
    "answers",
    "document",
    "answer_start",
    "gold",
    "need",
    "paragraph",
    "answerable",
    "kind",
]


def _id(question: dict[str, Any]) -> str:
    return str(question["id"])


def _plain(text: str) -> str:
    """Lower-case words with single spaces: quotes and lost spaces hide no copy."""
    return " ".join(re.findall(r"\w+", text.lower()))


def test_there_are_enough_articles_of_two_formats() -> None:
    assert len(ARTICLES) >= 12
    assert {Path(name).suffix for name in ARTICLES} == {".txt", ".md"}


@pytest.mark.parametrize("name", ARTICLES)
def test_article_has_the_form_of_a_news_text(name: str) -> None:
    text = ARTICLES[name]
    headline, by, published, source, blank, first = text.split("\n", 6)[:6]

    assert headline.startswith("# ") == name.endswith(".md")
    assert 20 <= len(headline) <= 100
    assert by.startswith("By ")
    assert published.startswith("Published: ")
    assert DATE.fullmatch(published.removeprefix("Published: "))
    assert source == "Source: written for the Pilcrow project"
    assert blank == ""
    assert first
    assert 400 <= len(text.split()) <= 900


@pytest.mark.parametrize("name", ARTICLES)
def test_article_is_its_own_canonical_text(name: str) -> None:
    # offsets count characters of the decoded file: no BOM, no CR, no stray blanks to disagree about
    raw = (seeds.articles() / name).read_bytes().decode("utf-8")
    assert raw == ARTICLES[name]
    assert not raw.startswith("\ufeff")
    assert not re.search(r"\r|\t|[ \n]\n\n|[ ]\n|[ ]{2}", raw)
    assert raw.endswith("\n")


def test_titles_are_distinct() -> None:
    titles = Counter(text.split("\n", 1)[0] for text in ARTICLES.values())
    assert len(titles) == len(ARTICLES)


def test_thirty_questions_are_answerable_and_ten_are_not() -> None:
    assert Counter(question["kind"] for question in QUESTIONS) == {
        "answerable": 30,
        "near_unanswerable": 5,
        "far_unanswerable": 5,
    }
    for question in QUESTIONS:
        assert question["answerable"] == (question["kind"] == "answerable")


def test_questions_share_one_shape_and_have_ids_of_their_own() -> None:
    assert all(list(question) == KEYS for question in QUESTIONS)
    assert len({question["id"] for question in QUESTIONS}) == len(QUESTIONS)
    assert len({question["question"] for question in QUESTIONS}) == len(QUESTIONS)
    assert all(question["question"].endswith("?") for question in QUESTIONS)


def test_every_article_is_asked_about() -> None:
    asked = {span["document"] for question in ANSWERABLE for span in question["gold"]}
    assert asked == set(ARTICLES)


@pytest.mark.parametrize("question", ANSWERABLE, ids=_id)
def test_gold_spans_lie_on_the_answer(question: dict[str, Any]) -> None:
    gold = question["gold"]
    answers = {_plain(answer) for answer in question["answers"]}
    for span in gold:
        text = ARTICLES[span["document"]]
        assert 0 <= span["start"] < span["end"] <= len(text)
        quote = text[span["start"] : span["end"]]
        assert quote == quote.strip()
        # whole words: the characters around the span belong to other words
        assert not re.match(r"\w\w", text[span["start"] - 1 : span["start"] + 1])
        assert not re.match(r"\w\w", text[span["end"] - 1 : span["end"] + 1])
        if span is gold[0] or question["need"] == "any":
            assert _plain(quote) in answers
    assert (question["document"], question["answer_start"]) == (
        gold[0]["document"],
        gold[0]["start"],
    )


@pytest.mark.parametrize("question", ANSWERABLE, ids=_id)
def test_comparisons_need_two_articles(question: dict[str, Any]) -> None:
    documents = {span["document"] for span in question["gold"]}
    assert question["need"] in {"any", "all"}
    if question["need"] == "all":
        assert len(documents) == 2
    if len(documents) > 1:
        assert question["paragraph"] is None


@pytest.mark.parametrize(
    "question", [question for question in QUESTIONS if question["paragraph"]], ids=_id
)
def test_paragraph_is_a_whole_paragraph_around_the_gold(question: dict[str, Any]) -> None:
    span = question["paragraph"]
    text = ARTICLES[span["document"]]
    assert text[span["start"] : span["end"]] in text.rstrip("\n").split("\n\n")
    assert span["document"] == question["document"]
    for gold in question["gold"]:
        assert span["start"] <= gold["start"] < gold["end"] <= span["end"]


@pytest.mark.parametrize("question", UNANSWERABLE, ids=_id)
def test_unanswerable_questions_have_no_gold(question: dict[str, Any]) -> None:
    assert question["answers"] == []
    assert question["gold"] == []
    assert question["answer_start"] is None
    near = question["kind"] == "near_unanswerable"
    assert (question["document"] in ARTICLES) == near
    assert (question["paragraph"] is not None) == near


@pytest.mark.shared
def test_no_sentence_is_taken_from_the_shared_articles() -> None:
    if not SHARED_SEEDS.is_dir():
        pytest.skip(f"the shared sample articles are not beside the checkout ({SHARED_SEEDS})")
    ours = " | ".join(_plain(text) for text in ARTICLES.values())
    sources = sorted(SHARED_SEEDS.glob("*.txt"))
    assert sources
    for source in sources:
        # "?" stands for lost spaces in one of them, so it does not end a sentence here
        text = source.read_text(encoding="utf-8").replace("?", " ")
        for sentence in re.split(r"(?<=[.!\u2026\"\u201d])\s+|\n+", text):
            words = _plain(sentence)
            if len(words.split()) >= 6:
                assert words not in ours, f"copied from {source.name}: {sentence!r}"
