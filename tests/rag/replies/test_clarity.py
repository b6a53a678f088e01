"""What a question does not say, it is asked back for."""

from __future__ import annotations

from pathlib import Path

import pytest

from index import Library
from rag import Assistant
from rag.query.question import analyze
from rag.replies.clarity import NAMES, clarity_features, pointer_of, says_which_one
from rag.types import Ranking
from tests.support.fakes import BagOfWordsEncoder
from tests.support.seeded import seeded_copy


@pytest.mark.parametrize(
    ("question", "pointer"),
    [
        ("what did the minister say?", "the minister"),
        ("Who signed it?", "it"),
        ("When did the Paris summit end?", ""),
        ("capital gains", ""),
    ],
)
def test_a_question_points_by_a_pronoun_or_by_a_common_noun(question: str, pointer: str) -> None:
    assert pointer_of(question) == pointer


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("Who steered the talks on the digital charter?", True),
        ("Who won the battle of the ford?", True),
        ("Who steered the talks?", False),
        ("Who steered it, and the talks on the charter?", False),
        ("What did the minister say about this type of talks?", False),
    ],
)
def test_a_common_noun_may_be_told_apart_by_what_follows_it(question: str, said: bool) -> None:
    assert says_which_one(question) is said


def test_features_say_what_a_question_lacks(tmp_path: Path) -> None:
    (tmp_path / "harbour.txt").write_text("Vintrop has a harbour.", encoding="utf-8")
    with Library.open(tmp_path / "library", encoder=BagOfWordsEncoder()) as library:
        library.update([tmp_path / "harbour.txt"])

        def features(text: str, *history: tuple[str, str]) -> dict[str, float]:
            made = clarity_features(library, analyze(text, history), [], Ranking((), 0.0))
            return dict(zip(NAMES, made.tolist(), strict=True))

        bare = features("What did the minister say about it?")
        assert (bare["definite"], bare["pronouns"], bare["numbers"]) == (1.0, 1.0, 0.0)
        assert bare["previous"] == bare["gap"] == bare["spread"] == 0.0
        again = features("Is this harbour old?", ("Is this harbour old?", "Yes."))
        assert again["previous"] == pytest.approx(1.0)
        assert again["this"] == 1.0
        assert features("What is from 2024?")["numbers"] == 1.0


@pytest.mark.model
@pytest.mark.parametrize(
    ("question", "back"),
    [
        ("tell me about the treaty", True),
        ("when did the EU AI Act enter into force?", False),
        ("Where was the first AI Safety Summit held?", False),
    ],
)
def test_a_question_that_fits_many_articles_is_asked_back(
    seeded: Library, question: str, back: bool
) -> None:
    answer = Assistant(seeded, None).answer(question)
    assert bool(answer.options) is back
    assert answer.text.endswith("?") is back


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Library:
    return Library.open(seeded_copy(tmp_path_factory))
