"""The runs that answer a plain question, without a library."""

from __future__ import annotations

from rag.query.task import Request
from rag.replies.extractive.plain import plain_runs
from rag.types import RankedSentence
from tests.support.sentences import hit

ADOPTED = "The pact of Vintrop was adopted at the opening of the fair."
ELSEWHERE = "Solnes was one of the towns that wrote the pact."
DENIES = "It is not a treaty, and no court can enforce it."


def told(*sentences: tuple[str, str, float], follow_up: bool = False) -> list[str]:
    ranked = [
        RankedSentence.of(hit(text, name=name, at=100 * place, score=0.6), 0, score)
        for place, (text, name, score) in enumerate(sentences)
    ]
    asked = Request("yes_no", "is the pact binding", follow_up=follow_up)
    return [run.text for run in plain_runs(asked, ranked)]


def test_what_denies_stands_beside_what_speaks_to_a_claim() -> None:
    ranked = (ADOPTED, "pact.txt", 0.6), (ELSEWHERE, "towns.txt", 0.05), (DENIES, "pact.txt", 0.02)
    assert told(*ranked) == [ADOPTED, DENIES]


def test_what_another_document_denies_is_no_nearer_than_the_rest() -> None:
    ranked = (ADOPTED, "pact.txt", 0.6), (ELSEWHERE, "towns.txt", 0.05), (DENIES, "law.txt", 0.02)
    assert told(*ranked) == [ADOPTED, ELSEWHERE]


def test_in_a_talk_what_denies_stands_there_too() -> None:
    ranked = (ADOPTED, "pact.txt", 0.6), (ELSEWHERE, "towns.txt", 0.3), (DENIES, "pact.txt", 0.02)
    assert told(*ranked, follow_up=True) == [ADOPTED, DENIES]
