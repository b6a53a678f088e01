"""The few sentences the model sees: numbered, best first, inside the budget, understandable."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.types import Hit
from rag.grounding.evidence import LIMITS, LastPrompt, reuse_prefix, select, top
from rag.llm import prompt
from rag.types import Citation, Evidence, RankedSentence
from tests.support.sentences import hit


def read(one: Hit, position: int, score: float = 0.5) -> RankedSentence:
    return RankedSentence.of(one, position, score)


def words_of(text: str) -> int:
    return len(text.split())


def test_ids_count_from_one_and_the_best_stands_last_beside_the_question() -> None:
    first, second = hit("The forum met in Kyoto.", name="a"), hit("Cables were cut.", name="b")
    chosen = select([read(second, 0, 0.9), read(first, 0, 0.1)], words_of, 100)
    assert [(e.id, e.document_id, e.is_primary) for e in chosen] == [(1, "a", True), (2, "b", True)]
    assert top(chosen).document_id == "b"


def test_a_sentence_that_leans_brings_the_one_before_it() -> None:
    one = hit("Fumio Kishida opened the forum.", "He spoke of false information.")
    chosen = select([read(one, 1)], words_of, 100)
    assert [(e.text, e.is_primary) for e in chosen] == [
        ("Fumio Kishida opened the forum.", False),
        ("He spoke of false information.", True),
    ]


def test_a_sentence_is_not_there_twice() -> None:
    one = hit("Fumio Kishida opened the forum.", "He spoke of false information.")
    chosen = select([read(one, 0), read(one, 1), read(one, 0)], words_of, 100)
    assert sorted(e.text for e in chosen) == sorted(s.text for s in one.sentences)


def test_the_best_sentence_is_there_whatever_the_budget() -> None:
    assert len(select([read(hit("A long sentence about cables."), 0)], words_of, 0)) == 1


def test_a_citation_copies_the_place_and_the_words_of_its_sentence() -> None:
    (one,) = select([read(hit("It rained.", "The forum met.", at=40), 1)], words_of, 100)
    cited = Citation.of(one, 7)
    assert (cited.number, cited.document_id, cited.quote) == (7, "a.txt", "The forum met.")
    assert (cited.start, cited.end) == (one.start, one.end) == (51, 65)


def test_only_the_last_prompt_of_this_state_of_the_library_is_remembered() -> None:
    shown = numbered("One.", "Two.", best="Two.")
    last = LastPrompt()
    assert last.sentences("", 0) == ()
    last.keep("Who?", 3, shown)
    assert last.sentences("Who?", 3) == shown
    assert last.sentences("Who?", 4) == last.sentences("When?", 3) == ()
    last.keep("When?", 3, shown[:1])
    assert last.sentences("Who?", 3) == ()


def numbered(*texts: str, best: str) -> tuple[Evidence, ...]:
    """Sentences as `select` gives them: the best one last."""
    ordered = [*(t for t in texts if t != best), best]
    found = [read(hit(t, name=t), 0, 0.9 if t == best else 0.1) for t in reversed(ordered)]
    return select(found, words_of, 100)


def texts_of(chosen: Sequence[Evidence]) -> list[str]:
    return [one.text for one in chosen]


def test_a_follow_up_goes_on_with_the_prompt_before_and_the_best_stands_last() -> None:
    before = numbered("One old.", "Two stays.", "Three best.", best="Three best.")
    chosen = numbered("Two stays.", "Three best.", "Four new.", best="Two stays.")
    both = reuse_prefix(before, chosen, words_of, 100)
    assert texts_of(both)[: len(before)] == texts_of(before)
    assert texts_of(both)[len(before) :] == ["Four new.", "Two stays."]
    assert {one.text: one.id for one in both if one.is_primary} == {
        "Three best.": 3, "Four new.": 4, "Two stays.": 5,
    }  # fmt: skip
    assert top(both).id == 5


def test_another_subject_begins_a_prompt_of_its_own() -> None:
    before = numbered("One.", "Two.", best="Two.")
    chosen = numbered("Three.", "Four.", "Two.", best="Three.")
    assert reuse_prefix(before, chosen, words_of, 100) == chosen


def test_a_prompt_that_would_grow_too_long_begins_anew() -> None:
    before = numbered("One.", "Two.", best="Two.")
    assert reuse_prefix(before, before, words_of, 5) == before


@given(
    st.lists(st.sampled_from("ABCDEF"), min_size=1, unique=True),
    st.lists(st.sampled_from("ABCDEF"), min_size=1, unique=True),
)
def test_only_what_was_chosen_may_be_pointed_at(old: list[str], new: list[str]) -> None:
    before, chosen = numbered(*old, best=old[0]), numbered(*new, best=new[0])
    both = reuse_prefix(before, chosen, words_of, 100)
    assert sorted(one.text for one in both if one.is_primary) == sorted(texts_of(chosen))
    assert [one.id for one in both] == list(range(1, len(both) + 1))
    assert top(both) == both[-1] and both[-1].text == top(chosen).text


@pytest.mark.fault("D5")
@given(
    st.lists(st.lists(st.sampled_from("forum cable it he treaty the vote".split()), min_size=1,
                      max_size=12), min_size=1, max_size=12),
    st.integers(0, 60),
)  # fmt: skip
def test_the_budget_and_the_number_of_leads_hold(texts: list[list[str]], budget: int) -> None:
    every = [read(hit(" ".join(words) + ".", name=str(i)), 0) for i, words in enumerate(texts)]
    chosen = select(every, words_of, budget)
    assert len(chosen) == 1 or sum(words_of(e.text) + 5 for e in chosen) <= budget
    assert sum(e.is_primary for e in chosen) <= LIMITS.primary
    assert [e.id for e in chosen] == list(range(1, len(chosen) + 1))


@given(st.text(max_size=300))
def test_no_text_can_pose_as_a_marker_in_the_prompt(text: str) -> None:
    shown = prompt.plain(text)
    assert not set(shown) & set("[]【】\n\r\u2028")


def test_the_prompt_numbers_sentences_and_ends_with_the_question() -> None:
    chosen = select([read(hit("The forum [1] met\nin Kyoto."), 0)], words_of, 100)
    *_, asked = prompt.messages("Where did it meet?", chosen)
    assert asked["content"] == "[1] The forum (1) met in Kyoto.\n\nQuestion: Where did it meet?"
