"""An explanation is as long as one, also where every paragraph is a line."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from index.languages.splitting import passages
from index.types import Document
from rag.replies.extractive.stretch import stretched
from rag.types import Quotation

PAGE = """Menu

Sharps Disposal

Needles go into a red box. The box is free.

Full boxes are taken at any station.

Contact"""


def words(text: str) -> int:
    return len(text.split())


def run_of(document: Document, said: str) -> Quotation:
    start = document.text.index(said)
    return Quotation("page", "", "", "", 2, start, start + len(said), said, 1.0)


def longer(text: str, said: str, budget: int) -> Quotation:
    document = Document(id="page", title="", text=text)
    made = passages(document, words, 50)
    return stretched(run_of(document, said), document, made, budget)


def test_what_a_heading_announces_is_quoted_with_it() -> None:
    run = longer(PAGE, "Sharps Disposal", 12)
    assert run.text == "Sharps Disposal\n\nNeedles go into a red box. The box is free."
    assert run.paragraph == 2


def test_at_the_end_of_a_document_what_stands_before_is_quoted() -> None:
    run = longer(PAGE, "Full boxes are taken at any station.", 12)
    assert run.text == "The box is free.\n\nFull boxes are taken at any station.\n\nContact"
    assert run.paragraph == 3


@given(
    st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=3), min_size=1, max_size=6),
    st.integers(0, 80),
    st.data(),
)
def test_a_run_grows_within_its_budget_and_stays_a_quote(
    paragraphs: list[list[int]], budget: int, data: st.DataObject
) -> None:
    numbered = iter(range(1000))
    sentences = [[" ".join(["Word"] * n) + f" {next(numbered)}." for n in p] for p in paragraphs]
    text = "\n\n".join(" ".join(p) for p in sentences)
    said = data.draw(st.sampled_from([s for p in sentences for s in p]))
    run = longer(text, said, budget)
    assert text[run.start : run.end] == run.text
    assert said in run.text
    assert words(run.text) <= max(budget, words(said))


def test_a_quote_does_not_run_over_a_heading() -> None:
    text = "Boats sank.\n\nHarbour\n\nA wall was built. It is long."
    start = text.index("Harbour")
    kept = [p for p in passages(Document("page", "", text), words, 50) if p.start != start]
    document = Document("page", "", text)
    for said, whole in (
        ("A wall was built.", "A wall was built. It is long."),
        ("Boats sank.", "Boats sank."),
    ):
        assert stretched(run_of(document, said), document, kept, 40).text == whole
