"""Follow-ups: what leans on the turn before it is completed, what stands alone is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.query.follow_ups import (
    asked_of_another,
    attribution_of,
    needs_context,
    query_variants,
)
from rag.query.question import analyze

HISTORY = [("Who opened the Internet Governance Forum in Kyoto?", "Fumio Kishida did. [1]")]


@given(st.text(max_size=200))
def test_without_history_a_question_is_passed_through_byte_for_byte(question: str) -> None:
    assert query_variants(question, ()) == (question,)


@pytest.mark.parametrize(
    "question",
    [
        "And in 2024?",
        "When was it?",
        "What did he say there?",
        "Why?",
        "How many people came to it?",
        "How many countries signed?",
    ],
)
def test_a_leaning_follow_up_carries_the_subject_along(question: str) -> None:
    typed, asked, told = query_variants(question, HISTORY)
    assert typed == question
    assert asked.endswith(question)
    assert told.endswith(question)
    assert {"forum", "kyoto"} <= set(asked.lower().split())
    assert "kishida" in told.split()


@pytest.mark.parametrize(
    "question",
    [
        "Which fines does the EU AI Act provide for?",
        "How many submarine cables cross the Atlantic Ocean?",
        "What did Antonio Guterres say about that digital divide?",
    ],
)
def test_a_change_of_topic_stands_alone(question: str) -> None:
    assert query_variants(question, HISTORY) == (question,)


@pytest.mark.parametrize(
    ("first", "then", "asked"),
    [
        ("When did the Solnes fair open?", "And in Orrin?", "When did the Orrin fair open?"),
        ("Did Norway sign the Solnes Charter?", "and in Orrin?", "Did Norway sign in Orrin?"),
        ("How many came to the IGF in Solnes?", "And in Orrin?",
         "How many came to the IGF in Orrin?"),
        ("What did Ada Quillfeather say?", "What about Bo Tamsin?", "What did Bo Tamsin say?"),
        ("When was the Salt Act passed?", "and the Ferry Act?", "When was the Ferry Act passed?"),
        ("Who opened the forum?", "And in Orrin?", ""),
        ("When did the Solnes fair open?", "And in 2024?", ""),
        ("When did the Solnes fair open?", "And who closed it in Orrin?", ""),
        ("Wann war die Messe in Solnes?", "Und in Orrin?", ""),
    ],
)  # fmt: skip
def test_another_name_is_asked_what_the_first_one_was(first: str, then: str, asked: str) -> None:
    assert asked_of_another(then, [(first, "…")]) == asked
    question = analyze(then, [(first, "…")])
    if asked:
        assert question.as_typed.text == asked
        assert question.previous == first
        assert not question.is_follow_up


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        ("Why?", True),
        ("it", True),
        ("Who signed it?", True),
        ("Who signed the Paris Agreement?", False),
    ],
)
def test_leaning(question: str, wanted: bool) -> None:
    assert needs_context(question) is wanted


def test_the_speaker_is_looked_for_apart_from_what_was_said() -> None:
    apart = attribution_of("How many netizens are there, according to Li Junru?")
    assert apart == ("How many netizens are there?", frozenset({"li", "junru"}))
    assert attribution_of("How many netizens are there?") is None
    assert attribution_of("According to whom?") is None


@pytest.mark.parametrize(
    ("first", "then", "alone"),
    [
        ("Wer hat die Brücke in Solnes gebaut?", "Und wann?", "Wann wurde die Kirche gebaut?"),
        ("Wer hat die Brücke in Solnes gebaut?", "Wann wurde er geboren?", "Wo liegt Solnes?"),
        ("Qui a construit le pont ?", "Et combien a-t-il coûté ?",
         "Quand le pont a-t-il été ouvert ?"),
        ("¿Quién construyó el puente?", "¿Y cuándo?", "¿Dónde está la ciudad más antigua?"),
        ("Кто построил мост в Сольнесе?", "А когда он родился?", "Где находится музей железа?"),
        ("谁建造了索尔内斯的桥？", "他什么时候出生？", "其他桥梁在哪里建造？"),
        ("橋を建てたのは誰ですか？", "それはいつですか？", "市役所はどこにありますか？"),
        ("من هو الذي بنى الجسر؟", "ومتى ولد؟", "أين تقع المدينة القديمة؟"),
    ],
)  # fmt: skip
def test_follow_ups_in_other_languages(first: str, then: str, alone: str) -> None:
    talk = [(first, "…")]
    assert analyze(then, talk).is_follow_up
    assert not analyze(alone, talk).is_follow_up
    assert analyze(then, talk).language == analyze(first).language != "en"
