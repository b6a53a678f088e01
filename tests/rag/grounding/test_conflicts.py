"""Where two documents give different values for the same thing, both are shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from index import Library
from rag import Assistant
from rag.types import Answer
from tests.support.fakes import BagOfWordsEncoder


def asked(tmp_path: Path, question: str, *texts: str) -> Answer:
    folder = tmp_path / "articles"
    folder.mkdir()
    for number, text in enumerate(texts):
        (folder / f"{number}.txt").write_text(text)
    library = Library.open(tmp_path / "library", encoder=BagOfWordsEncoder())
    library.update([folder])
    answer = Assistant(library, None).answer(question)
    for citation in answer.citations:
        text = library.document(citation.document_id).text
        assert text[citation.start : citation.end] == citation.quote
    return answer


def article(date: str, sentence: str) -> str:
    return f"Report on the Kyoto Forum\nPublished: {date}\n\n{sentence}\n"


def test_different_numbers_for_the_same_thing_are_both_shown_with_their_dates(
    tmp_path: Path,
) -> None:
    answer = asked(
        tmp_path,
        "How many delegates came to the Kyoto forum?",
        article("Oct 9, 2023", "About 6,000 delegates came to the Kyoto forum."),
        article("Nov 2, 2023", "In all 8,000 delegates came to the Kyoto forum."),
    )
    assert "6,000" in answer.text
    assert "8,000" in answer.text
    assert {citation.date for citation in answer.citations} == {"2023-10-09", "2023-11-02"}
    assert any("disagree" in note for note in answer.notes)
    assert answer.short is None


@pytest.mark.parametrize(
    ("question", "first", "second"),
    [
        (  # the same value
            "How many delegates came to the Kyoto forum?",
            "About 8,000 delegates came to the Kyoto forum.",
            "Some 8,000 delegates came to the forum in Kyoto.",
        ),
        (  # another thing
            "How many delegates came to the Kyoto forum?",
            "About 8,000 delegates came to the Kyoto forum.",
            "The Kyoto forum cost 12 million dollars.",
        ),
        (  # another unit
            "How many delegates came to the Kyoto forum?",
            "About 8,000 delegates came to the Kyoto forum.",
            "Delegates came to the Kyoto forum from 175 countries.",
        ),
        (  # nothing to compare
            "Why did delegates come to the Kyoto forum?",
            "Delegates came to the Kyoto forum to talk.",
            "Delegates came to the Kyoto forum to listen.",
        ),
    ],
)
def test_what_does_not_contradict_is_no_conflict(
    tmp_path: Path, question: str, first: str, second: str
) -> None:
    answer = asked(tmp_path, question, article("Oct 9, 2023", first), article("2024", second))
    assert not any("disagree" in note for note in answer.notes)


def test_one_document_does_not_contradict_itself(tmp_path: Path) -> None:
    both = "Some 6,000 delegates came to the Kyoto forum. Later 8,000 delegates came to it."
    answer = asked(tmp_path, "How many delegates came to the Kyoto forum?", article("2023", both))
    assert not any("disagree" in note for note in answer.notes)


def test_who_and_when_can_disagree_too(tmp_path: Path) -> None:
    answer = asked(
        tmp_path,
        "When was the old bridge of Orn built?",
        article("2001", "The old bridge of Orn was built in 1887."),
        article("2002", "The old bridge of Orn was built in 1891."),
    )
    assert "1887" in answer.text
    assert "1891" in answer.text


BRIDGE = "What did the council do about the bridge at Orn?"


@pytest.mark.parametrize(
    ("question", "old", "new"),
    [
        ("Did the council approve the bridge at Orn?", "did not approve", "approved"),
        (BRIDGE, "did not approve", "approved"),
        (
            "What did the council do about the bridge at Orn?",
            "gave 5 million for",
            "gave 7 million for",
        ),
        (
            "What did the council do about the bridge at Orn?",
            "asked Holm Steel for",
            "asked Lund Marine for",
        ),
    ],
)
def test_two_versions_that_differ_in_a_value_or_a_not_are_set_against_each_other(
    tmp_path: Path, question: str, old: str, new: str
) -> None:
    sentence = "On Monday the council {} the new bridge at Orn."
    headline = "A bridge for the town of Orn\nPublished: {}\n\n"
    texts = [
        headline.format(date) + sentence.format(did)
        for date, did in (("Jan 2, 2024", old), ("Mar 2, 2024", new))
    ]
    answer = asked(tmp_path, question, *texts)
    assert answer.form == "conflict"
    assert [group.label for group in answer.groups] == ["2024-03-02", "2024-01-02"]
    newest, oldest = (answer.statements[group.statements[0] - 1] for group in answer.groups)
    assert (newest.text, oldest.text) == (sentence.format(new), sentence.format(old))


OTHERWISE = (
    "The club of Orn liked the forum. Ada Lind, who was there, put the attendance in Kyoto at "
    "9,000, counting those who watched."
)


@pytest.mark.parametrize(
    ("question", "other", "disagrees"),
    [
        ("How many people attended the Kyoto forum?", OTHERWISE, True),
        ("How many people attended the Kyoto forum?", OTHERWISE.replace("9,000", "8,000"), False),
        ("How many people attended the Kyoto forum?", OTHERWISE.replace("9,000", "19,000"), False),
        ("How many people attended the Kyoto forum?", OTHERWISE.replace("Kyoto", "Oslo"), False),
        ("How many people attended the Kyoto forum in 2023?", OTHERWISE, False),
    ],
    ids=["another figure", "the same", "of another size", "of another place", "of another year"],
)
def test_a_figure_in_quite_other_words_is_another_one_for_the_same(
    tmp_path: Path, question: str, other: str, disagrees: bool
) -> None:
    first = "By Wednesday 8,000 people had attended the Kyoto forum of 2023."
    second = f"Who Was There\nPublished: May 1, 2025\n\n{other}\n"
    answer = asked(tmp_path, question, article("Oct 13, 2023", first), second)
    assert "8,000" in answer.text
    assert (answer.form == "conflict") == disagrees


def test_what_the_question_tells_apart_is_no_conflict(tmp_path: Path) -> None:
    answer = asked(
        tmp_path,
        "What does club 5 of the Orn league do?",
        article("Jan 2, 2024", "Club 5 of the Orn league sails."),
        article("Mar 2, 2024", "Club 9 of the Orn league sails."),
    )
    assert not answer.groups
    assert answer.form == "prose"


def test_another_version_of_an_article_is_no_copy_of_it(tmp_path: Path) -> None:
    told = (
        "The new breakwater at Vintrop will be {} metres long. It will be built of granite from "
        "the quarry at Solnes and opened by the mayor in the summer of 2026. The council has set "
        "aside the money for it. Fishermen have asked for the wall since the storm of 1998."
    )
    answer = asked(
        tmp_path,
        "How many metres long will the breakwater at Vintrop be?",
        article("Jan 2, 2024", told.format("840")),
        article("Mar 2, 2024", told.format("910")),
    )
    assert "840 metres" in answer.text
    assert "910 metres" in answer.text
    assert any("disagree" in note for note in answer.notes)
    assert not any(citation.also for citation in answer.citations)
