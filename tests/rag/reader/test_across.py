"""Questions in another language than their documents: told by vectors, and said where unread."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from index import Library
from index.embedding.encoder import Embeddable, PassageVectors, QuestionVectors
from index.languages.detection import language
from index.types import EVERYWHERE
from rag import Assistant
from rag.query.question import QueryVariant, analyze
from rag.query.text_features import TextFeatures
from rag.reader.across import (
    GATE_NAMES,
    RANKED_BY,
    Pairing,
    Script,
    believe_words,
    covered_characters,
    fitted,
    fitted_words,
    gate_row,
    language_of,
    pairing_of,
    ranking_rows,
    score_across,
    words_gate_names,
    words_row,
)
from rag.reader.features import NAMES, Matrix, weigh
from rag.reader.ranker import Ranker
from rag.reader.rerankers import load_reranker
from rag.replies.extractive.composer import Composer
from rag.types import RankedSentence, Ranking
from tests.support.fakes import BagOfWordsEncoder
from tests.support.sentences import hit

ENGLISH = {
    "bridge.txt": "The bridge\n\nThe new bridge over the river was opened by the town in May. It "
    "is made of steel.\n",
    "bread.txt": "The bread\n\nThe dough rests for two hours before it is baked. Salt is last.\n",
}
ARTIKEL = {
    "bruecke.txt": "Die Br\u00fccke\n\nDie neue Br\u00fccke \u00fcber den Fluss wurde von der "
    "Stadt im Mai er\u00f6ffnet. Sie ist aus Stahl und nicht sehr breit.\n",
    "brot.txt": "Das Brot\n\nDer Teig ruht zwei Stunden, bevor er gebacken wird. Das Salz kommt "
    "zuletzt, und er darf nicht zu warm stehen.\n",
}
GERMAN = "Wann wurde die neue Br\u00fccke er\u00f6ffnet?"
_SAME = {
    "br\u00fccke": "bridge", "neue": "new", "er\u00f6ffnet": "opened", "wurde": "was",
    "fluss": "river", "\u6865": "bridge", "\u65b0": "new", "teig": "dough",
}  # fmt: skip


def translated(text: str) -> str:
    """A text with the words that the encoder below knows in English."""
    text = text.lower()
    for word, english in _SAME.items():
        text = text.replace(word, f" {english} ")
    return text


class TwoLanguages(BagOfWordsEncoder):
    """Words of two languages that mean the same have one direction."""

    is_english = False

    def encode_query(self, text: str) -> QuestionVectors:
        return super().encode_query(translated(text))

    def encode(self, passages: Sequence[Embeddable]) -> list[PassageVectors]:
        return super().encode(passages)


@pytest.fixture
def articles(tmp_path: Path) -> Path:
    folder = tmp_path / "articles"
    folder.mkdir()
    for name, text in ENGLISH.items():
        (folder / name).write_text(text)
    return folder


def library(folder: Path, encoder: BagOfWordsEncoder) -> Library:
    made = Library.open(folder.parent / encoder.identity.name, encoder=encoder)
    made.update([folder])
    return made


@pytest.mark.parametrize(
    ("question", "code"),
    [
        ("When was the bridge opened?", "en"),
        ("Kyoto 2023", "en"),
        (GERMAN, "de"),
        ("Wer leitet das Forum?", "de"),
        ("Quand le pont a-t-il \u00e9t\u00e9 inaugur\u00e9 ?", "fr"),
        ("\u00bfCu\u00e1ndo se abri\u00f3 el puente?", "es"),
        ("\u65b0\u6865\u4ec0\u4e48\u65f6\u5019\u5f00\u901a\uff1f", "zh"),
        ("IANA\u79fb\u4ea4\u662f\u4ec0\u4e48\uff1f", "zh"),
        ("\u6a4b\u306f\u3044\u3064\u958b\u901a\u3057\u307e\u3057\u305f\u304b\uff1f", "ja"),
        ("متى افتتح الجسر؟", "ar"),
        ("Когда открыли мост?", "ru"),
    ],
)  # fmt: skip
def test_the_language_of_a_question_is_told_by_its_letters_and_small_words(
    question: str, code: str
) -> None:
    assert language(question) == code


def test_a_question_in_another_language_is_answered_by_the_right_sentence(articles: Path) -> None:
    with library(articles, TwoLanguages(name="two")) as made:
        hits = made.search(GERMAN)
        assert pairing_of(GERMAN, hits, made.encoder) == "near"
        ranking = Ranker(made).rank(QueryVariant.of(GERMAN), hits)
        assert "opened by the town in May" in ranking.sentences[0].text


def test_with_an_encoder_for_english_all_is_ranked_as_ever(articles: Path) -> None:
    asked = "When was the bridge opened?"
    with library(articles, TwoLanguages(name="two")) as made:
        assert pairing_of(asked, made.search(asked), made.encoder) == "same"
    with library(articles, BagOfWordsEncoder(name="one")) as made:
        assert pairing_of(asked, made.search(asked), made.encoder) is None
        assert pairing_of(GERMAN, made.search(GERMAN), made.encoder) is None


def test_with_an_encoder_for_english_the_way_out_is_told_in_one_line(articles: Path) -> None:
    with library(articles, BagOfWordsEncoder(name="one")) as made:
        answer = Assistant(made, None).answer(GERMAN)
    assert answer.state == "not_found"
    (told,) = answer.missing
    assert told.startswith("The question is in German and the closest documents are in English")
    assert "pilcrow model get multilingual && pilcrow rebuild --encoder multilingual" in told
    assert "\n" not in told


def test_no_word_of_another_language_is_taken_for_a_slip(articles: Path) -> None:
    with library(articles, BagOfWordsEncoder(name="one")) as made:
        asked, changes = Assistant(made, None).analyze("Wer \u00f6ffnete die Brigde im Mai?")
    assert changes == []
    assert "Brigde" in asked.text


@pytest.mark.parametrize(
    ("language_", "pieces", "content"),
    [
        ("en", ["who", "leads", "the", "for", "##um", "?"], [0, 1, 0, 0, 1, 0]),
        ("de", ["wer", "leitet", "das", "forum", "##an", "?"], [0, 1, 0, 1, 1, 0]),
        ("zh", ["2023", "##年", "##的", "##主席", "##是谁", "?"], [1, 1, 0, 1, 0, 0]),
        ("ar", ["من", "القيادة", "في", "##كم", "؟"], [0, 1, 0, 1, 0]),
        ("xx", ["the", "forum"], [0, 1]),
    ],
)
def test_small_words_of_a_language_name_nothing(
    language_: str, pieces: list[str], content: list[int]
) -> None:
    told = weigh(TextFeatures(" ".join(pieces)), {}, pieces, language_).is_content
    assert told.astype(int).tolist() == content


def test_where_languages_differ_more_passages_are_told_each_in_fewer_words(
    tmp_path: Path,
) -> None:
    texts = [" ".join(f"w{number}x{word}" for word in range(30)) + "." for number in range(5)]
    hits = [hit(f"The {text}", f"And the {text}", at=1000 * n) for n, text in enumerate(texts)]
    sentences = tuple(RankedSentence.of(one, 0, 0.5**n) for n, one in enumerate(hits))
    with library_in(tmp_path) as made:
        compose = Composer(made).compose
        across = compose(analyze(GERMAN), GERMAN, Ranking(sentences, 0.9), EVERYWHERE)
        asked = "When was the bridge opened?"
        same = compose(analyze(asked), asked, Ranking(sentences, 0.9), EVERYWHERE)
    assert [run.start for run in across] == [0, 1000, 2000]
    assert sum(run.length for run in across) <= 170
    assert len(same) < 3


def library_in(folder: Path) -> Library:
    return Library.open(folder / "empty", encoder=TwoLanguages(name="two"))


def matrix(**values: float) -> Matrix:
    row = np.zeros((1, len(NAMES)), np.float32)
    for name, value in values.items():
        row[0, NAMES.index(name)] = value
    return row


@pytest.mark.parametrize("kind", ["same", "near", "far"])
def test_nothing_that_speaks_for_an_answer_counts_against_it(kind: Pairing) -> None:
    ranking, gate = fitted(kind)
    assert len(ranking.weights) == len(RANKED_BY)
    assert len(gate.weights) == len(GATE_NAMES)
    assert (gate.weights >= 0).all()
    near = {"cosine": 0.6, "late": 0.7, "late_content": 0.7, "passage": 0.5, "dense": 0.6}
    close = np.concatenate([matrix(**near), matrix(late=0.2)])
    far = np.concatenate([matrix(late=0.2), matrix(late=0.2)])
    scores, logit = score_across(close, kind)
    assert scores[0] > scores[1]
    assert logit > score_across(far, kind)[1]
    assert ranking_rows(close).shape == (2, len(RANKED_BY))
    assert gate_row(close, scores).shape == (len(GATE_NAMES),)


@pytest.mark.parametrize("script", ["latin", "cjk"])
def test_what_an_encoder_for_english_cannot_read_is_believed_by_its_words(script: Script) -> None:
    gate = fitted_words(script)
    assert len(gate.weights) == len(words_gate_names(script))
    assert (gate.weights >= 0).all()
    held = {"overlap": 0.8, "overlap_near": 0.9, "overlap_passage": 0.9, "bm25": 0.7}
    close = np.concatenate([matrix(**held), matrix(overlap=0.1)])
    far = np.concatenate([matrix(overlap=0.1), matrix(overlap=0.1)])
    scores = np.array([2.0, 0.0])
    believed = believe_words(
        words_row("桥是什么时候建成的？", ["别的"], far, scores, script), script
    )
    assert believed < 0
    near = words_row("桥是什么时候建成的？", ["大桥建成于去年"], close, scores, script)
    assert believe_words(near, script) > believed + 1


@pytest.mark.parametrize(
    ("question", "passages", "share"),
    [
        ("哪支参赛队赢得了比赛？", ["两支队伍参加了比赛，一方赢得", "别的"], 1.0),
        ("主席来自哪个国家？", ["主席", "别的国家"], 1 / 2),
        ("谁是主席？", ["主任出席了"], 1.0),
        ("是谁？", ["谁是主席"], 0.0),
        ("人口有多少？", ["人口"], 1.0),
        ("", [], 0.0),
        ("主席团在哪里？", [], 0.0),
    ],
)
def test_the_characters_of_a_question_are_looked_for_without_its_frame(
    question: str, passages: list[str], share: float
) -> None:
    assert covered_characters(question, passages) == pytest.approx(share)


def test_a_capital_tells_no_name_where_every_noun_has_one(tmp_path: Path) -> None:
    folder = tmp_path / "artikel"
    folder.mkdir()
    for name, text in ARTIKEL.items():
        (folder / name).write_text(text)
    with library(folder, BagOfWordsEncoder(name="one")) as made:
        asked = "Wann wurde die neue Br\u00fccke \u00fcber den Fluss als Bauwerk er\u00f6ffnet?"
        answer = Assistant(made, None).answer(asked)
    assert answer.state != "not_found"
    assert "im Mai" in answer.text


def test_what_is_english_is_read_closely_with_an_encoder_for_many_languages_too() -> None:
    assert load_reranker("own", TwoLanguages(name="two"), 1) is not None
    assert load_reranker("own", BagOfWordsEncoder(name="one"), 1) is None
    assert load_reranker("none", TwoLanguages(name="two"), 1) is None


def test_the_closest_passage_of_a_mixed_library_decides_in_which_language_it_is_read() -> None:
    chinese = hit("这座城市在五月开通了新桥。")
    german = hit("Die Stadt hat im Mai die neue Brücke über den Fluss eröffnet, und sie ist breit.")
    assert language_of([chinese, german, german], "zh") == "zh"
    assert language_of([german, chinese, german], "zh") == "de"
    assert language_of([german, german], "en") == "de"
    assert language_of([], "zh") == "en"
