"""The model in use is changed between answers, and the old one goes when its last answer ends."""

from __future__ import annotations

from contextlib import ExitStack

from hypothesis import given
from hypothesis import strategies as st

from rag.llm.current import CurrentModel, ModelChoice
from tests.support.fakes import ScriptedGenerator


class Watched:
    """A model, and how often it was let go."""

    def __init__(self, *, named: bool = True, small: bool = False) -> None:
        self.gone = 0
        self.choice = ModelChoice(ScriptedGenerator(small=small), named, let_go=self.let_go)

    def let_go(self) -> None:
        self.gone += 1


def test_an_unused_model_goes_at_once() -> None:
    old, new = Watched(), Watched()
    current = CurrentModel(old.choice)
    current.change(new.choice)
    assert (old.gone, new.gone) == (1, 0)
    assert current.choice is new.choice


@given(st.lists(st.sampled_from(["begin", "end first", "end last", "change"]), max_size=30))
def test_nobody_loses_the_model_that_writes_for_them(deeds: list[str]) -> None:
    """Whatever begins and ends when: it goes once, after its last answer, and never the current."""
    models = [Watched()]
    current = CurrentModel(models[0].choice)
    answers: list[tuple[ExitStack, ModelChoice]] = []
    for deed in deeds:
        if deed == "begin":
            stack = ExitStack()
            answers.append((stack, stack.enter_context(current.in_use())))
            assert answers[-1][1] is models[-1].choice
        elif deed == "change":
            models.append(Watched())
            current.change(models[-1].choice)
        elif answers:
            answers.pop(0 if deed == "end first" else -1)[0].close()
        used = {id(choice) for _, choice in answers} | {id(models[-1].choice)}
        assert [model.gone for model in models] == [
            0 if id(model.choice) in used else 1 for model in models
        ]


def test_a_small_model_writes_only_where_it_was_named() -> None:
    assert Watched(named=True, small=True).choice.writer is not None
    assert Watched(named=False, small=True).choice.writer is None
    assert Watched(named=False, small=False).choice.writer is not None


def test_what_fails_late_does_not_cost_the_model_that_took_its_place() -> None:
    old, new = Watched(), Watched()
    current = CurrentModel(old.choice)
    with current.in_use() as choice:
        current.change(new.choice)
        current.lose(choice.writer, "the file is gone")
    assert current.choice is new.choice
    current.lose(new.choice.writer, "the file is gone")
    assert current.choice.writer is None and current.choice.missing == "the file is gone"
    current.lose(None, "there never was one")
    assert current.choice.missing == "the file is gone"
