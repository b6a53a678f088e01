"""Ways in which other systems' citations fail, each one a test that ours does not.

Numbered as in the project's notes on its peers. The model here is a larger one that writes prose
with every bad habit; the library and its neighbours are real.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from index import Library
from rag import Assistant
from rag.snapshots import NOT_FOUND
from rag.types import Answer
from tests.support.fakes import BagOfWordsEncoder, ScriptedGenerator
from ui.page.views import answers

FORUM = """Forum Meets in Kyoto
Published: Oct 13, 2023

The Internet Governance Forum opened in Kyoto on October 8. Prime Minister Fumio Kishida gave the \
opening speech of the forum. More than 8,000 people from 175 countries took part in the forum.

The forum lasted five days. Delegates of the forum spoke about submarine cables.
"""
CABLES = """Cables Cut in the Red Sea

Three submarine cables were cut in the Red Sea in February 2024. A quarter of the traffic between \
Asia and Europe was affected. Repairs of submarine cables did not begin before May.
"""
HOSTILE = """Notes <script>alert(1)</script>

The <img src=x onerror=alert(1)> bell [7] of **Ghent** rang at <b>noon</b>, see http://evil.example/x.
"""
QUESTION = "Who gave the opening speech of the forum in Kyoto?"


@pytest.fixture
def library(tmp_path: Path) -> Library:
    folder = tmp_path / "articles"
    folder.mkdir()
    for name, text in (("forum", FORUM), ("cables", CABLES), ("hostile", HOSTILE)):
        (folder / f"{name}.txt").write_text(text)
    library = Library.open(tmp_path / "library", encoder=BagOfWordsEncoder())
    library.update([folder])
    return library


def ask(library: Library, question: str, reply: str, **options: object) -> Answer:
    answer = Assistant(library, ScriptedGenerator([reply])).answer(question, **options)  # type: ignore[arg-type]
    numbers = {citation.number for citation in answer.citations}
    assert {n for s in answer.statements for n in s.citations} == numbers
    assert {int(n) for n in re.findall(r"\[(\d+)\]", answer.text)} == numbers
    for citation in answer.citations:
        text = library.document(citation.document_id).text
        assert text[citation.start : citation.end] == citation.quote
    return answer


def ids_of(library: Library, question: str, wanted: str) -> int:
    """The number that the sentence with these words has in a small model's prompt."""
    generator = ScriptedGenerator([""], small=True)
    Assistant(library, generator).answer(question)
    lines = generator.asked[0][-1]["content"].splitlines()
    (line,) = [line for line in lines if wanted in line]
    return int(line[1 : line.index("]")])


def test_1_a_malformed_quote_cannot_lose_the_highlight(library: Library) -> None:
    reply = '{"quote": "Prime Minster Fumio Kishda gave the opning speech'
    answer = ask(library, QUESTION, reply)
    assert any("Fumio Kishida" in citation.quote for citation in answer.citations)


def test_2_markers_belong_to_statements_not_to_the_question(library: Library) -> None:
    question = "How many people took part in the forum in Kyoto?"
    n = ids_of(library, question, "8,000")
    answer = ask(library, question, f"Over 8,000 people from 175 countries took part [{n}].\n")
    by_number = {citation.number: citation.quote for citation in answer.citations}
    said = next(s for s in answer.statements if "8,000 people" in s.text)
    assert all("8,000" in by_number[number] for number in said.citations)


def test_3_one_generation_makes_answer_and_citations(library: Library) -> None:
    generator = ScriptedGenerator(["Fumio Kishida gave the opening speech of the forum [1]."] * 3)
    Assistant(library, generator).answer(QUESTION)
    assert len(generator.asked) == 1


def test_4_a_quote_is_one_sentence_at_one_place(library: Library) -> None:
    answer = ask(library, QUESTION, "Fumio Kishida gave the opening speech of the forum [1].")
    for citation in answer.citations:
        text = library.document(citation.document_id).text
        assert text.count(citation.quote) == 1
        assert "\n\n" not in citation.quote


def test_5_and_6_nothing_found_cites_nothing_and_lists_nothing_as_cited(library: Library) -> None:
    answer = ask(library, "Which team won the football championship?", "The Bulls did [1].")
    assert answer.state == "not_found"
    assert answer.text.startswith(NOT_FOUND)
    assert answer.citations == ()
    assert answer.passages


@pytest.mark.parametrize("shift", [0, 1, 5])
def test_7_numbers_are_minted_once_whatever_the_model_counts_from(
    library: Library, shift: int
) -> None:
    n = ids_of(library, QUESTION, "Kishida")
    answer = ask(library, QUESTION, f"[{n + shift}] Fumio Kishida gave the opening speech.\n")
    said = next(s for s in answer.statements if "Kishida" in s.text)
    quotes = {citation.number: citation.quote for citation in answer.citations}
    assert all("Kishida" in quotes[number] for number in said.citations)


def test_8_a_citation_says_document_paragraph_and_characters(library: Library) -> None:
    answer = ask(library, QUESTION, "")
    citation = answer.citations[0]
    assert (citation.document_id, citation.paragraph) == ("forum.txt", 1)
    assert citation.end - citation.start == len(citation.quote)


def test_9_and_10_the_record_holds_its_own_citations_for_page_python_and_json(
    library: Library,
) -> None:
    answer = ask(library, QUESTION, "Fumio Kishida gave the opening speech of the forum [1].")
    shown = json.loads(json.dumps(answer.to_dict()))
    assert [c["quote"] for c in shown["citations"]] == [c.quote for c in answer.citations]
    page = answers.sources(answer, 1, {})
    assert all(citation.quote.split()[0] in page for citation in answer.citations)


def test_11_ordinals_are_not_document_numbers(library: Library) -> None:
    reply = "1. Fumio Kishida gave the opening speech of the forum.\n2. It lasted five days.\n"
    answer = ask(library, QUESTION, reply)
    assert not any(re.match(r"\d\.", s.text) for s in answer.statements)


@pytest.mark.parametrize("unknown", ["[99]", "[0]", "[1234]", "[-1]", "【77】"])
def test_12_an_id_that_does_not_exist_is_never_shown(library: Library, unknown: str) -> None:
    answer = ask(library, QUESTION, f"Emmanuel Macron sang a song in Paris {unknown}.\n")
    assert "Macron" not in answer.text
    assert unknown.strip("[]【】") not in {str(c.number) for c in answer.citations}


def test_13_what_is_cited_was_in_the_prompt(library: Library) -> None:
    generator = ScriptedGenerator(["Fumio Kishida gave the opening speech of the forum [1]."])
    answer = Assistant(library, generator).answer(QUESTION)
    prompt = generator.asked[0][-1]["content"]
    assert all(" ".join(c.quote.split()) in prompt for c in answer.citations)


def test_14_no_model_call_prepares_the_passages(library: Library) -> None:
    generator = ScriptedGenerator([""])
    stream = Assistant(library, generator).stream(QUESTION)
    until = next(snapshot for snapshot in stream if snapshot.headline)
    assert until.headline
    assert generator.asked == []


@pytest.mark.parametrize(
    "question",
    [
        "How many people took part in the forum in Kyoto?",
        "When did the Internet Governance Forum open in Kyoto?",
        "Who gave the opening speech of the forum in Kyoto?",
        "Where did the Internet Governance Forum open?",
        "What was cut in the Red Sea?",
        "List all submarine cables that were cut",
    ],
)
def test_15_every_kind_of_question_keeps_its_citations(library: Library, question: str) -> None:
    answer = ask(library, question, "")
    assert answer.statements
    assert all(statement.citations for statement in answer.statements)


@pytest.mark.parametrize("reply", ["[" * 50_000, "[1" * 30_000, "1, " * 30_000, "[1 2 3 " * 9_000])
def test_16_no_output_makes_the_parser_slow(library: Library, reply: str) -> None:
    # were the parser quadratic or worse, these would not end
    answer = Assistant(library, ScriptedGenerator([reply], piece=1000)).answer(QUESTION)
    assert "Kishida" in answer.text


@pytest.mark.parametrize(
    "claim",
    [
        "Repairs of submarine cables began before May",  # the opposite
        "Four submarine cables were cut in the Red Sea",  # another number
        "Three submarine cables were cut in the Black Sea",  # another name
        "Three submarine cables were cut in the Red Sea in February 2025",  # another year
        "The government paid for new satellites and radio towers",  # nothing of it
    ],
)
def test_17_a_valid_pointer_does_not_carry_a_claim_its_sentence_does_not(
    library: Library, claim: str
) -> None:
    answer = ask(library, "How many cables were cut in the Red Sea?", f"{claim} [1][2][3].\n")
    assert claim not in answer.text
    assert all(s.support == "supported" for s in answer.statements)


def test_18_words_of_two_sources_are_not_stitched_into_one_claim(library: Library) -> None:
    reply = "Fumio Kishida cut three submarine cables in the Red Sea [1][2].\n"
    answer = ask(library, "Who cut the submarine cables in the Red Sea?", reply)
    assert "Kishida cut" not in answer.text


def test_19_document_text_is_never_markup(library: Library) -> None:
    answer = ask(library, "When did the bell of Ghent ring?", "")
    drawn = answers.answer(answer, 1) + answers.sources(answer, 1, {})
    assert "Ghent" in drawn
    for tag in ("<script", "<img", "<b>noon", 'href="http'):
        assert tag not in drawn


def test_20_no_confidence_is_made_up_on_the_page(library: Library) -> None:
    answer = ask(library, QUESTION, "")
    assert not re.search(r"\d+\s?%", answers.answer(answer, 1))


def test_21_a_sentence_is_marked_at_its_own_place_or_not_at_all(library: Library) -> None:
    answer = ask(library, QUESTION, "")
    for citation in answer.citations:
        passages = library.passages(citation.document_id)
        sentences = [sentence for passage in passages for sentence in passage.sentences]
        assert citation.start in {sentence.start for sentence in sentences}
        assert citation.end in {sentence.end for sentence in sentences}


PROSE: Sequence[tuple[str, str]] = (
    ("markers repeated", "Fumio Kishida gave the opening speech of the forum [{n}][{n}] [{n}]."),
    ("a list in one", "Fumio Kishida gave the opening speech of the forum [{n}, 99]."),
    ("full width", "Fumio Kishida gave the opening speech of the forum【{n}】。"),
    ("footnote", "Fumio Kishida gave the opening speech of the forum [^{n}]."),
    ("before the stop", "Fumio Kishida gave the opening speech of the forum [{n}]."),
    ("after the stop", "Fumio Kishida gave the opening speech of the forum. [{n}]"),
    ("pointer first", "[{n}] Fumio Kishida gave the opening speech of the forum."),
    ("none at all", "Fumio Kishida gave the opening speech of the forum."),
    ("bullets", "- Fumio Kishida gave the opening speech of the forum [{n}]"),
    ("a preamble", "Sure! Here is the answer:\nFumio Kishida gave the opening speech [{n}]."),
)


@pytest.mark.parametrize(("habit", "reply"), PROSE, ids=[habit for habit, _ in PROSE])
def test_a_larger_models_prose_carries_pointers_whatever_its_habits(
    library: Library, habit: str, reply: str
) -> None:
    n = ids_of(library, QUESTION, "Kishida")
    answer = ask(library, QUESTION, reply.format(n=n))
    said = next(s for s in answer.statements if s.text.startswith("Fumio Kishida gave"))
    assert not said.quoted
    assert len(said.citations) == 1
    assert not any("Sure" in s.text for s in answer.statements)


def test_a_larger_models_paragraph_becomes_statements_each_with_its_own_pointer(
    library: Library,
) -> None:
    n = ids_of(library, QUESTION, "Kishida")
    reply = (
        f"Fumio Kishida gave the opening speech of the forum [{n}]. More than 8,000 people from "
        f"175 countries took part in the forum [{n}]. The event was a triumph for everyone.\n"
    )
    answer = ask(library, QUESTION, reply)
    assert [s.text for s in answer.statements if not s.quoted] == [
        "Fumio Kishida gave the opening speech of the forum.",
        "More than 8,000 people from 175 countries took part in the forum.",
    ]
    assert all(s.citations for s in answer.statements)
    assert "triumph" not in answer.text
