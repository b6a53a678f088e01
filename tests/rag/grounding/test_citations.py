"""From whatever a model writes to statements whose pointers hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.grounding.citations import StatementParser, drafts, number_citations, text_of
from rag.grounding.support import quote, support, verify
from rag.types import Draft, Evidence
from tests.support import sentences

SENTENCES = [
    "The Panthers defense gave up just 308 points, ranking sixth in the league.",
    "Kishida opened the forum in Kyoto on October 8.",
    "The treaty did not enter into force before 2024.",
    "He met Guterres there.",
]
MET = "They met."


def evidence(*texts: str) -> tuple[Evidence, ...]:
    return sentences.evidence(*(texts or SENTENCES))


def read(text: str, piece: int = 3) -> list[Draft]:
    parser = StatementParser()
    found = [d for at in range(0, len(text), piece) for d in parser.feed(text[at : at + piece])]
    return found + parser.close()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("[2] They met.\n", [Draft((2,), "They met.")]),
        ("[1, 2] They met.", [Draft((1, 2), "They met.")]),
        ("[1][2] They met.\n[3] They left.", [Draft((1, 2), MET), Draft((3,), "They left.")]),
        ("They met [1]. They left [2][3].", [Draft((1,), MET), Draft((2, 3), "They left.")]),
        ("They met. [1] They left. [2]", [Draft((1,), "They met."), Draft((2,), "They left.")]),
        ("They met【1】。", [Draft((1,), "They met。")]),
        ("They met ［4］.", [Draft((4,), "They met.")]),
        ("They met [1] [1] [1].", [Draft((1,), "They met.")]),
        ("- [2] They met.", [Draft((2,), "They met.")]),
        ("They met.", [Draft((), "They met.")]),
        ("[^1] They met.", [Draft((1,), "They met.")]),
        ("[1]", []),
        ("", []),
        ("[not a marker] They met.", [Draft((), "[not a marker] They met.")]),
    ],
)  # fmt: skip
def test_pointers_are_read_in_every_common_form(text: str, wanted: list[Draft]) -> None:
    assert read(text) == wanted


@given(st.text(alphabet="[]【】1234567890,; \n.abcX", max_size=300), st.integers(1, 40))
def test_pieces_do_not_matter_and_nothing_is_slow_or_lost(text: str, piece: int) -> None:
    assert read(text, piece) == read(text, max(len(text), 1))


def test_a_long_run_of_digits_is_read_in_no_time() -> None:
    assert len(drafts("[" + "1 " * 50_000)) <= 1


@pytest.mark.parametrize(
    "statement",
    [
        "The Panthers defense gave up 309 points.",  # another number
        "The Broncos defense gave up just 308 points.",  # another name
        "The Panthers defense did not give up 308 points.",  # the opposite
        "Quarterbacks threw interceptions throughout the winter season.",  # something else
    ],
)
def test_false_statements_have_no_support(statement: str) -> None:
    assert support(statement, [SENTENCES[0]]) < 0.7


@pytest.mark.parametrize(
    "statement",
    [
        "The Panthers defense gave up just 308 points.",
        "The defense of the Panthers gave up 308 points, ranking sixth.",
    ],
)
def test_true_statements_have_support(statement: str) -> None:
    assert support(statement, [SENTENCES[0]]) >= 0.7


@pytest.mark.parametrize(
    ("statement", "source", "carried"),
    [
        ("Sales fell by 5 percent in 2019.", "Sales rose by 5 percent in 2019.", False),
        ("Sales rose by 5 percent in 2019.", "Sales rose by 5 percent in 2019.", True),
        # both words in the source: which of them is meant, words alone do not tell
        ("Sales rose in 2019.", "Sales rose in 2019 and fell in 2020.", True),
        ("Sales rose in 2019 and fell later.", "Sales rose in 2019 and later.", True),
    ],
)
def test_no_statement_turns_its_source_round(statement: str, source: str, carried: bool) -> None:
    assert (support(statement, [source]) >= 0.7) is carried


def test_a_supported_statement_is_kept_with_its_source() -> None:
    verified = verify(Draft((2,), "Kishida opened the forum in Kyoto."), evidence())
    assert verified is not None
    assert (verified.outcome, [e.id for e in verified.evidence]) == ("kept", [2])


def test_a_statement_pointing_at_the_wrong_sentence_is_pointed_at_the_right_one() -> None:
    verified = verify(Draft((1,), "Kishida opened the forum in Kyoto."), evidence())
    assert verified is not None
    assert (verified.outcome, [e.id for e in verified.evidence]) == ("re-pointed", [2])


def test_a_statement_without_a_pointer_finds_its_source() -> None:
    verified = verify(Draft((), "Kishida opened the forum in Kyoto."), evidence())
    assert verified is not None
    assert [e.id for e in verified.evidence] == [2]


def test_an_unsupported_statement_gives_way_to_the_sentence_it_points_at() -> None:
    verified = verify(Draft((2,), "Macron closed the forum in Paris."), evidence())
    assert verified is not None
    assert (verified.text, verified.quoted) == (SENTENCES[1], True)


@pytest.mark.parametrize("ids", [(), (99,), (0,)])
def test_an_unsupported_statement_that_points_nowhere_is_dropped(ids: tuple[int, ...]) -> None:
    assert verify(Draft(ids, "Macron closed the forum in Paris."), evidence()) is None


def test_of_several_pointers_only_those_that_carry_something_stay() -> None:
    draft = Draft((2, 4, 1), "Kishida opened the forum in Kyoto.")
    verified = verify(draft, evidence())
    assert verified is not None
    assert [e.id for e in verified.evidence] == [2]


def test_citations_are_numbered_by_first_use_and_shared() -> None:
    first, second, third, _ = evidence()
    statements, cited = number_citations([quote(third), quote(first), quote(third), quote(second)])
    assert [s.citations for s in statements] == [(1,), (2,), (1,), (3,)]
    assert [c.quote for c in cited] == [SENTENCES[2], SENTENCES[0], SENTENCES[1]]


@given(st.lists(st.text(min_size=1, max_size=60), min_size=1, max_size=5))
def test_every_marker_in_the_joined_text_is_ours(texts: list[str]) -> None:
    statements, cited = number_citations([quote(one) for one in evidence(*texts)])
    joined = text_of(statements)
    marks = [m for d in drafts(joined.replace("\n", " ")) for m in d.ids]
    assert set(marks) <= {c.number for c in cited}


def test_a_marker_inside_a_source_does_not_pose_as_ours() -> None:
    statements, _ = number_citations(
        [quote(one) for one in evidence("As shown before [7], it rained.")]
    )
    assert text_of(statements) == "As shown before (7), it rained. [1]"
