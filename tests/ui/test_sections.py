"""An answer in parts: nothing is lost, nothing is said twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.types import Answer, Group, Statement
from ui.sections import asked_back, date_in_words, parts_of_reply, sections_of

FORMS = st.sampled_from(["prose", "bullets", "table", "columns", "conflict", ""])
GROUPS = st.lists(
    st.builds(Group, st.text(max_size=3), st.lists(st.integers(-1, 7)).map(tuple)), max_size=4
).map(tuple)


@given(st.integers(0, 6), GROUPS, FORMS)
def test_each_statement_stands_in_one_section(
    count: int, groups: tuple[Group, ...], form: str
) -> None:
    statements = tuple(Statement(str(n), "supported", (n,)) for n in range(count))
    sections = sections_of(Answer("q", "answered", "", statements, form=form, groups=groups))
    lines = [line.statement for section in sections for line in section.lines]
    assert sorted(lines, key=lambda statement: int(statement.text)) == list(statements)
    assert all(section.lines for section in sections)


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("2023", "2023"), ("2023-12", "December 2023"), ("2023-12-08", "8 December 2023"),
        ("2023-13", ""), ("2023-02-30", ""), ("Oslo", ""), ("12 members", ""), ("0000", ""),
    ],
)  # fmt: skip
def test_a_date_is_read_in_words_and_nothing_else_is(label: str, words: str) -> None:
    assert date_in_words(label) == words


@given(st.text(st.sampled_from("ab“”(); ."), max_size=40))
def test_a_reply_in_parts_says_what_it_said(text: str) -> None:
    parts = parts_of_reply(text, {"a": "1", "b": "2", "ab": "3"})
    said = "".join(
        part if isinstance(part, str) else "".join(f"{d.name}{d.details}" for d in part)
        for part in parts
    )
    letters = [character for character in text if character in "ab"]
    assert [character for character in said if character in "ab"] == letters


def test_a_question_back_keeps_its_words_where_its_options_are_not_in_them() -> None:
    assert asked_back(Answer("q", "partial", "Which one?", options=("A", "B"))) == "Which one?"
    assert asked_back(Answer("q", "answered", "Hello: “A”!")) == "Hello: “A”!"
