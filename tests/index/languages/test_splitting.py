"""Splitting: every value is a true slice of its document, nothing is lost, nothing is too long."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from index.formats.plain.text import plain
from index.languages.splitting import Most, TooManyParts, paragraphs, passages, sentences
from index.types import Document, Sentence, Span

SEEDS = Path(__file__).resolve().parents[3] / "seeds" / "articles"

TEXTS = st.text(
    st.one_of(
        st.characters(codec="utf-8", exclude_characters="\r"),
        st.sampled_from(' \n\n.。!?"“”0123456789aAbB'),
    ),
    max_size=400,
)


def words_of(text: str) -> int:
    return len(text.split())


def document(text: str, *boilerplate: Span) -> Document:
    return Document("a.txt", "", text, boilerplate=boilerplate)


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


# ---------------------------------------------------------------- long texts

PROSE = "The ship lifted the broken end of the cable. Dr. Smith said that it had taken nine hours. "


class Counter:
    """Counts words, and what it was given to count."""

    def __init__(self) -> None:
        self.characters = self.longest = 0

    def __call__(self, text: str) -> int:
        self.characters += len(text)
        self.longest = max(self.longest, len(text))
        return words_of(text)


def counted_whole(text: str, parts: list[Sentence], budget: int) -> list[tuple[int, int]]:
    """Sentences put together as the rule says, everything counted, however long."""
    start, end = parts[0].start, parts[-1].end
    if words_of(text[start:end]) <= budget or len(parts) == 1:
        return [(start, end)]
    middle = (start + end) / 2
    cut = min(range(1, len(parts)), key=lambda i: abs(parts[i].start - middle))
    return [
        *counted_whole(text, parts[:cut], budget),
        *counted_whole(text, parts[cut:], budget),
    ]


ORDINARY = st.lists(
    st.lists(st.text("abcdefghij", min_size=1, max_size=15), min_size=1, max_size=12).map(
        lambda words: " ".join(words).capitalize() + "."
    ),
    min_size=1,
    max_size=80,
).map(" ".join)


@given(ORDINARY, st.integers(12, 40))
def test_what_is_surely_too_long_is_cut_as_if_it_had_been_counted(text: str, budget: int) -> None:
    whole = sentences(text, Span(0, len(text)))
    assume(all(words_of(one.text) <= budget for one in whole))
    made = passages(document(text), words_of, budget)
    assert [(one.start, one.end) for one in made] == counted_whole(text, whole, budget)


def test_articles_are_cut_as_they_always_were() -> None:
    """Libraries hold passages that were cut so; another digest needs another name for the rules,
    or where articles are read otherwise another edition of their readers."""
    digest = hashlib.sha256()
    for path in sorted(SEEDS.rglob("*.txt")):
        article = plain(path.name, path.read_bytes())
        for budget in (40, 200):
            for passage in passages(article, words_of, budget):
                spans = [[s.start, s.end] for s in passage.sentences]
                digest.update(
                    json.dumps([passage.paragraph, passage.start, passage.end, spans]).encode()
                )
    assert digest.hexdigest()[:16] == "8c0b54af9d72af52"


@pytest.mark.fault("G24")
def test_no_long_text_is_counted_as_a_whole() -> None:
    """Counting takes two hundred bytes for each: what is counted at a time is bounded."""
    count = Counter()
    text = PROSE * 20_000
    made = passages(document(text), count, 100)
    assert "".join(p.text for p in made).replace(" ", "") == text.replace(" ", "")
    assert count.longest <= 2_000
    assert count.characters < 4 * len(text)


@pytest.mark.fault("G25")
@pytest.mark.parametrize("text", [PROSE * 20_000, "A.B.C.D. " * 100_000, "x" * 1_000_000])
def test_whoever_wants_to_stop_is_asked_all_the_time(text: str) -> None:
    count, asked, seen = Counter(), 0, 0

    def pause() -> None:
        nonlocal asked, seen
        asked += 1
        assert count.characters - seen <= 400_000
        seen = count.characters

    made = passages(document(text), count, 100, pause)
    assert asked >= max(len(made), len(text) // 100_000)


@pytest.mark.fault("G24")
@pytest.mark.parametrize(
    ("crumbs", "reason"),
    [("a\n\n", "too big: more than 200 passages"), ("A? ", "too big: more than 900 sentences")],
)
def test_a_text_of_crumbs_is_refused(crumbs: str, reason: str) -> None:
    most = Most(passages=200, sentences=900)
    assert passages(document(crumbs * 200), words_of, 20, most=most)
    with pytest.raises(TooManyParts, match=reason):
        passages(document(crumbs * 2_000), words_of, 20, most=most)
