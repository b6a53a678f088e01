"""What is told of each of the things compared, and what is told of them together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from index import Library
from index.types import EVERYWHERE
from rag.query.question import analyze
from rag.query.task import Request, understand
from rag.replies.extractive.composer import Composer
from rag.types import Quotation, Ranking
from tests.support.fakes import BagOfWordsEncoder

FAIRS = """Two Fairs
Published: 2024-05-02

The fair had two rounds. The first round met in Vintrop in May and drew 300 people. The second \
round met in Solnes in June and drew 500 people. Vintrop made a plan; Solnes kept to it.

Vintrop is an old harbour. Its fishermen own nine boats.

Solnes has no harbour. A bridge leads there.

Both towns lie on the coast. Nobody knows which is older.
"""


@pytest.fixture
def composer(tmp_path: Path) -> Iterator[Composer]:
    (tmp_path / "fairs.txt").write_text(FAIRS, encoding="utf-8")
    with Library.open(tmp_path / "library", encoder=BagOfWordsEncoder()) as made:
        made.update([tmp_path / "fairs.txt"])
        yield Composer(made)


def compared(composer: Composer, *subjects: str, aspect: str = "") -> dict[str, list[Quotation]]:
    topic = " ".join(subjects)
    request = Request("compare", topic, subjects=subjects, aspect=aspect)
    question = replace(analyze(topic), request=request)
    sides: dict[str, list[Quotation]] = {}
    for quotation in composer.compose(question, topic, Ranking((), 0.0), EVERYWHERE):
        sides.setdefault(quotation.label, []).append(quotation)
    return sides


def test_a_sentence_that_names_one_side_is_told_of_it_alone(composer: Composer) -> None:
    sides = compared(composer, "Vintrop", "Solnes")
    first = " ".join(run.text for run in sides["Vintrop"])
    second = " ".join(run.text for run in sides["Solnes"])
    assert "Solnes" not in first
    assert "Vintrop" not in second


def test_what_names_both_sides_comes_first_and_once(composer: Composer) -> None:
    sides = compared(composer, "Vintrop", "Solnes")
    assert next(iter(sides)) == "Vintrop and Solnes"
    told = [run.text for runs in sides.values() for run in runs]
    assert sum("Vintrop made a plan" in text for text in told) == 1


def test_a_side_is_told_nothing_that_does_not_name_it(composer: Composer) -> None:
    told = " ".join(run.text for run in compared(composer, "Vintrop", "Lundby").get("Lundby", []))
    assert told == ""


def test_nothing_names_both_where_one_has_the_others_name(composer: Composer) -> None:
    sides = compared(composer, "the fair", "the fair in Solnes")
    assert not any(" and " in label for label in sides)


@pytest.mark.parametrize(
    ("question", "subjects", "aspect"),
    [
        ("compare Norway and Chile on salmon farming", ("Norway", "Chile"), "salmon farming"),
        ("compare salmon and cod", ("salmon", "cod"), ""),
        ("compare the fairs in Oslo and Rome", ("fairs in Oslo", "Rome"), ""),
    ],
)
def test_in_what_things_are_compared_is_none_of_them(
    question: str, subjects: tuple[str, ...], aspect: str
) -> None:
    request = understand(question)
    assert (request.task, request.subjects, request.aspect) == ("compare", subjects, aspect)
