"""Composed answers: runs of sentences that are copied from their documents, within a length."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from index.types import Document, Hit, Passage, ScoredSentence, Sentence
from rag.grounding import composition
from rag.grounding.layout import groups_of, lay_out
from rag.types import Quotation, RankedSentence, SourcedStatement, Statement

WORDS = st.lists(st.sampled_from("It the ship met oslo cable rose in 1998 and".split()), min_size=1)
SENTENCES = st.lists(WORDS.map(lambda words: " ".join(words) + "."), min_size=1, max_size=8)


def hit_of(sentences: list[str], start: int = 7, id_: str = "a.txt") -> Hit:
    scored, at = [], start
    for text in sentences:
        scored.append(ScoredSentence(at, at + len(text), text, 0.5))
        at += len(text) + 1
    text = " ".join(sentences)
    return Hit(id_, "A title", "", start, start + len(text), text, 0.5, 1, sentences=tuple(scored))


@given(SENTENCES, st.integers(1, 60), st.data())
def test_a_run_is_a_slice_around_its_best_sentence(
    sentences: list[str], budget: int, data: st.DataObject
) -> None:
    hit = hit_of(sentences)
    best = data.draw(st.integers(0, len(sentences) - 1))
    first, last = composition.window(hit, best, [0.0] * len(sentences), budget)
    assert 0 <= first <= best <= last < len(sentences)
    run = composition.quotation(hit, first, last, 1.0)
    assert run.text == hit.text[run.start - hit.start : run.end - hit.start]
    alone = len(sentences[best].split())
    assert run.length <= max(alone, budget * composition.LIMITS.overrun)


def test_a_dateline_is_no_part_of_an_answer() -> None:
    hit = hit_of(["KYOTO, Oct 12 - The forum ended.", "It was large."])
    run = composition.quotation(hit, 0, 0, 1.0)
    assert run.text == "The forum ended."
    assert run.holds(RankedSentence.of(hit, 0, 1.0))
    assert not run.holds(RankedSentence.of(hit, 1, 1.0))


def test_a_sentence_that_leans_takes_the_one_before_along() -> None:
    hit = hit_of(["Ann Olsen leads the body.", "She signed it in Oslo."])
    run, *_ = composition.runs([RankedSentence.of(hit, 1, 1.0)], 9)
    assert run.text == "Ann Olsen leads the body. She signed it in Oslo."


def test_another_passage_is_quoted_only_when_it_answers_nearly_as_well() -> None:
    first, second = hit_of(["One cable broke."]), hit_of(["A ship mended it."], 90, "b.txt")
    ranked = [RankedSentence.of(first, 0, 0.6), RankedSentence.of(second, 0, 0.3)]
    assert len(composition.runs(ranked, 60, share=0.4)) == 2
    assert len(composition.runs(ranked, 60, share=0.6)) == 1


@given(SENTENCES, st.integers(1, 30), st.data())
def test_what_is_told_is_not_told_again(
    sentences: list[str], budget: int, data: st.DataObject
) -> None:
    hit = hit_of(sentences)
    ranked = [RankedSentence.of(hit, i, 1.0 / (i + 1)) for i in range(len(sentences))]
    first = composition.runs(ranked, budget, most=1)
    rest = [one for one in ranked if not first[0].holds(one)]
    for run in composition.runs(rest, budget, most=1, told=first):
        assert run.end <= first[0].start or first[0].end <= run.start


def test_a_summary_prefers_what_covers_more_of_the_document() -> None:
    texts = [
        "The harbour of Vintrop gets a breakwater of stone this year.",
        "Nobody who was there on that evening seemed much surprised.",
        "The breakwater will keep storms from the harbour and its boats.",
        "Storms had sunk boats in the harbour of Vintrop before the breakwater.",
    ]
    made = composition.summary(*one_paragraph(texts), np.ones((4, 2), np.float32), 2)
    assert [one.text for one in made] == [texts[0], texts[2]]


def one_paragraph(texts: list[str]) -> tuple[Document, list[Passage]]:
    sentences, at = [], 0
    for text in texts:
        sentences.append(Sentence(at, at + len(text), text))
        at += len(text) + 1
    whole = " ".join(texts)
    return Document("a.txt", "A", whole), [Passage(1, 0, len(whole), whole, tuple(sentences))]


def test_a_summary_has_a_sentence_of_each_paragraph_in_order() -> None:
    texts = [f"Paragraph {n} tells at some length of its own matter number {n}." for n in range(4)]
    passages, at = [], 0
    for number, text in enumerate(texts, start=1):
        span = Sentence(at, at + len(text), text)
        passages.append(Passage(number, at, at + len(text), text, (span,)))
        at += len(text) + 2
    document = Document("a.txt", "A", "\n\n".join(texts))
    made = composition.summary(document, passages, np.eye(4, dtype=np.float32), None)
    assert [one.text for one in made] == texts
    assert all(document.text[one.start : one.end] == one.text for one in made)
    assert len(composition.summary(document, passages, np.eye(4, dtype=np.float32), 2)) == 2


def quoted(text: str, label: str = "") -> Quotation:
    return Quotation("a.txt", "A", "", "", 1, 0, len(text), text, 1.0, label)


def test_the_layout_follows_from_statements_and_groups() -> None:
    quotations = [quoted("It rose.", "Oslo"), quoted("It fell.", "Rome"), quoted("It met.", "Rome")]
    statements = [
        Statement(one.text, "supported", (n,), True) for n, one in enumerate(quotations, start=1)
    ]
    groups = groups_of([SourcedStatement.of_quotation(quotation) for quotation in quotations])
    assert [(g.label, g.statements) for g in groups] == [("Oslo", (1,)), ("Rome", (2, 3))]
    assert lay_out(statements, "columns", groups) == (
        "Oslo: It rose. [1]\n\nRome: It fell. [2] It met. [3]"
    )
    assert lay_out(statements, "bullets", groups).splitlines()[1] == "- Rome: It fell. [2]"
    assert lay_out(statements, "table", groups).splitlines()[2] == "| Oslo | It rose. [1] |"
    assert lay_out(statements, "prose") == "It rose. [1] It fell. [2] It met. [3]"


def test_events_are_told_by_their_dates() -> None:
    later, earlier = quoted("It ended in 1999.", "1999"), quoted("It began in 1998.", "1998")
    assert composition.chronological([later, earlier]) == [earlier, later]
