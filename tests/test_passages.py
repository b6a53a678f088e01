"""Splitting: every value is a true slice of its document, nothing is lost, nothing is too long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.passages import paragraphs, passages, sentences
from index.types import Document, Span

TEXTS = st.text(
    st.one_of(
        st.characters(codec="utf-8", exclude_characters="\r"),
        st.sampled_from(' \n\n.。!?"“”0123456789aAbB'),
    ),
    max_size=400,
)


def words_of(text: str) -> int:
    return len(text.split())


def document(text: str, *furniture: Span) -> Document:
    return Document("a.txt", "", text, furniture=furniture)


@pytest.mark.fault("C4")
@given(TEXTS, st.integers(1, 30))
def test_everything_is_a_slice_and_nothing_is_lost(text: str, budget: int) -> None:
    made = passages(document(text), words_of, budget)
    kept = ""
    at = 0
    for passage in made:
        assert text[passage.start : passage.end] == passage.text
        assert at <= passage.start < passage.end
        at = passage.end
        inside = passage.start
        for sentence in passage.sentences:
            assert text[sentence.start : sentence.end] == sentence.text
            assert inside <= sentence.start < sentence.end <= passage.end
            inside = sentence.end
            kept += sentence.text
    assert "".join(kept.split()) == "".join(text.split())


@given(TEXTS, st.integers(1, 30))
def test_no_passage_exceeds_the_budget(text: str, budget: int) -> None:
    assert all(words_of(p.text) <= budget for p in passages(document(text), words_of, budget))


@given(TEXTS, st.data())
def test_furniture_never_becomes_prose(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    for span in paragraphs(document(text, Span(start, end))):
        assert span.end <= start or span.start >= end or start == end


def test_blank_lines_part_paragraphs() -> None:
    text = "One line\nand its rest.\n \n\nAnother.\n"
    found = [text[p.start : p.end] for p in paragraphs(document(text))]
    assert found == ["One line\nand its rest.", "Another."]


def test_long_lines_are_paragraphs_of_their_own() -> None:
    line = "A sentence that a news export puts on a line of its own, however long it gets. " * 3
    text = f"{line}\nShort heading\n{line}"
    assert len(paragraphs(document(text))) == 3


def test_hand_wrapped_lines_stay_together() -> None:
    text = "a line that was wrapped by hand at\nabout sixty characters and goes on\nfor three lines"
    assert len(paragraphs(document(text))) == 1


def test_a_long_paragraph_is_cut_at_sentences_into_like_parts() -> None:
    text = " ".join(f"This is sentence number {i} of them." for i in range(20))
    made = passages(document(text), words_of, 100)
    assert len(made) == 2
    assert {p.paragraph for p in made} == {1}
    assert all(p.text.endswith("of them.") for p in made)
    assert abs(words_of(made[0].text) - words_of(made[1].text)) <= 7


def test_chinese_sentences_end_at_their_own_full_stops() -> None:
    text = "网民达到53亿。“他们属于谁？”这是一个问题！"
    found = [s.text for s in sentences(text, Span(0, len(text)))]
    assert found == ["网民达到53亿。", "“他们属于谁？”", "这是一个问题！"]


def test_abbreviations_and_decimals_do_not_end_sentences() -> None:
    text = "Dr. Smith counted 5.3 billion users in the U.S. and elsewhere. He stopped."
    found = [s.text for s in sentences(text, Span(0, len(text)))]
    assert len(found) == 2
