"""The panel about the model and the machine: what it says, and what it may change."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

from index import Library
from index.embedding.encoder import Encoder
from index.errors import InputError, LibraryBusy
from index.types import Progress
from rag import ModelMissing
from rag.llm.catalogue.background import FetchState
from rag.llm.catalogue.entries import known_entry
from rag.llm.catalogue.folder import ModelFolder, Speed
from rag.llm.catalogue.mirrors import Arriving
from rag.llm.current import ModelChoice
from tests.support.browsers import served, tab
from tests.support.fakes import BagOfWordsEncoder, ScriptedGenerator
from tests.support.gguf_files import vocabulary, write_gguf
from tests.support.page_fakes import HOSTILE, ScriptedAssistant, make_library
from tests.support.programs import PATIENCE
from ui.page.app import PageOptions
from ui.page.jobs import JobRunner
from ui.page.models import ModelOptions, Models
from ui.page.views import machine

if TYPE_CHECKING:
    from playwright.sync_api import Browser

QWEN = known_entry("qwen-1.5b")


class Owner(ScriptedAssistant):
    """Has the models that lie in a folder, without running them."""

    def __init__(self, library: Library, folder: ModelFolder) -> None:
        self.folder = folder
        super().__init__(library)
        self.used: list[str | None] = []

    def _default_choice(self, model: str | None) -> ModelChoice:
        self.used.append(model)
        if model is None:
            return ModelChoice(ScriptedGenerator(small=True))
        if not self.folder.has(known_entry(model)):
            raise ModelMissing(f"the language model {model} is not here")
        return ModelChoice(Fast(), named=True)


class Fast(ScriptedGenerator):
    name = "some-file"
    speed = Speed(65.0, 16.0, 2)


class Mirror:
    """Gives the head of a file, and the rest when it is let."""

    def __init__(self) -> None:
        self.go_on = Event()

    def read_from(self, offset: int, arriving: Arriving) -> Iterator[bytes]:
        if not offset:
            yield b"x"
        assert self.go_on.wait(PATIENCE)


class ManyLanguages(BagOfWordsEncoder):
    """Said to know every language."""

    is_english = False


class Desk:
    """The panel's requests, and what came of them."""

    def __init__(self, folder: ModelFolder, library: Library, **options: Any) -> None:
        self.folder = folder
        self.assistant = Owner(library, folder)
        self.said: SimpleQueue[str] = SimpleQueue()
        self.mirror = Mirror()
        here = options.pop("here", True)
        self.jobs = JobRunner(library)
        self.encoder = ManyLanguages(16).with_identity(name="multilingual-e5-small")
        self.go_on = Event()
        self.go_on.set()

        def find(name: str, _: ModelFolder, progress: Callable[[Progress], None]) -> Encoder:
            progress(Progress("fetching", 36_000_000, 72_000_000))
            assert self.go_on.wait(PATIENCE)
            progress(Progress("fetching", 72_000_000, 72_000_000))
            return self.encoder if name == "multilingual" else library_encoder

        library_encoder = library.encoder
        options.setdefault("find_encoder", find)
        made = ModelOptions(folder, say=self.said.put, mirror=lambda *_: self.mirror, **options)
        self.models = Models(self.assistant, library, made, here=here, jobs=self.jobs)

    def wait(self) -> None:
        """Until what is being fetched has ended."""
        run = self.models._fetch and self.models._fetch._run
        assert run and run.thread
        run.thread.join(PATIENCE)

    def ask(self, name: str, model: str = "qwen-1.5b") -> dict[str, Any]:
        return self.models.requests[name]({"model": model})

    def panel(self) -> str:
        return str(self.ask("machine")["slots"]["machine"])


@pytest.fixture
def folder(tmp_path: Path) -> ModelFolder:
    return ModelFolder(tmp_path / "models")


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with make_library(tmp_path) as library:
        yield library


@pytest.fixture
def desk(folder: ModelFolder, library: Library) -> Desk:
    return Desk(folder, library)


def put(folder: ModelFolder) -> None:
    """A file in the larger model's place: its head and its size, and no weights."""
    folder.path.mkdir()
    os.truncate(write_gguf(folder.file(QWEN), vocabulary(["h e"])), QWEN.bytes)


def test_it_says_what_answers_are_made_with_and_what_is_sent(desk: Desk) -> None:
    panel = desk.panel()
    assert "your articles’ own sentences" in panel
    assert "works offline, nothing is sent or fetched" in panel
    assert desk.assistant.library.encoder.identity.name in panel
    assert "Qwen2.5 Coder 1.5B Instruct" in panel and "1.1 GB · Apache-2.0" in panel
    assert "Fetch and use it" in panel and desk.folder.path.exists() is False


def test_articles_are_embedded_anew_with_another_encoder_and_back(
    desk: Desk, library: Library
) -> None:
    stats, before = library.stats(), library.made_with
    panel = desk.panel()
    assert "What articles are read with" in panel and "multilingual-e5-small" in panel
    assert f"{stats.passages} passages of {stats.documents} documents are embedded" in panel
    assert "Fetch it and embed anew" in panel and "72 MB" in panel
    desk.go_on.clear()
    reply = desk.ask("use-encoder", "multilingual")
    assert reply["fetching"] and "Embedding anew with multilingual-e5-small" in desk.panel()
    assert library.made_with == before and library.search("forum", 1)
    with pytest.raises(LibraryBusy):
        desk.ask("use-encoder", "multilingual")
    desk.go_on.set()
    *_, last = desk.jobs.watch()
    assert not last.problem
    assert library.made_with == desk.encoder.identity and library.search("forum", 1)
    reply = desk.ask("machine-progress")
    assert not reply["fetching"]
    assert reply["ended"] == "Your articles are read with multilingual-e5-small now."
    assert "Go back to it: all-MiniLM-L6-v2" in desk.panel()
    desk.ask("use-encoder", "english")
    *_, last = desk.jobs.watch()
    assert library.made_with == before and "Go back" not in desk.panel()


def test_embedding_anew_is_stopped_and_the_articles_stay_as_they_are(
    desk: Desk, library: Library
) -> None:
    before = library.made_with
    desk.go_on.clear()
    desk.ask("use-encoder", "multilingual")
    desk.ask("stop-encoder")
    desk.go_on.set()
    assert list(desk.jobs.watch())
    assert library.made_with == before
    assert "stopped; what came is kept" in desk.ask("machine-progress")["ended"]


def test_the_encoder_stays_where_it_was_named_or_others_look_on(
    folder: ModelFolder, library: Library
) -> None:
    for options, why in (
        ({"encoder_named": True}, "PILCROW_ENCODER"),
        ({"here": False}, "Another"),
    ):
        desk = Desk(folder, library, **options)
        assert "What articles are read with" not in desk.panel()
        with pytest.raises(InputError, match=why):
            desk.ask("use-encoder", "multilingual")
    with pytest.raises(InputError, match="not offered"):
        Desk(folder, library).ask("use-encoder", "/etc")


def test_how_late_the_first_word_would_come_is_said_where_it_is_known(desk: Desk) -> None:
    assert "first word" not in desk.panel()
    desk.folder.remember("bundled", Speed(352.0, 44.0, 1))
    assert "first word after about 15 s here" in desk.panel()
    desk.folder.remember("bundled", Speed(35.0, 4.0, 1))
    assert "its first word would take about" in desk.panel()


def test_a_model_that_is_here_is_used_and_left_again(desk: Desk) -> None:
    put(desk.folder)
    assert "Use it" in desk.panel()
    reply = desk.ask("use-model")
    assert "words some answers now" in reply["toast"]["text"]
    assert desk.assistant.writer and desk.folder.default == "qwen-1.5b"
    panel = desk.panel()
    assert "first word after about 10 s; reads 65 tokens a second" in panel
    assert "2.0 GB for the model" in panel and "is checked" in panel
    desk.ask("own-words")
    assert desk.assistant.writer is None
    assert desk.folder.chosen and desk.folder.default is None
    assert desk.folder.speeds() == {"qwen-1.5b": Speed(65.0, 16.0, 2)}, "for the next start"
    assert desk.assistant.used == ["qwen-1.5b", None]


def test_a_model_that_cannot_be_used_leaves_everything_as_it_was(desk: Desk) -> None:
    with pytest.raises(ModelMissing, match="is not here"):
        desk.ask("use-model")
    assert desk.assistant.writer is None and desk.folder.default is None


def test_a_model_is_fetched_only_when_it_is_asked_for(desk: Desk) -> None:
    desk.models.begin()
    desk.panel()
    assert desk.ask("machine-progress")["fetching"] is False
    assert not desk.folder.path.exists()
    desk.models.close()


def test_fetching_says_how_far_it_is_and_stopping_is_remembered(desk: Desk) -> None:
    reply = desk.ask("get-model")
    assert reply["fetching"] and "of 1,117 MB" in reply["slots"]["machine-progress"]
    assert reply["slots"]["machine-news"] == "fetching a model: 0%"
    assert "nothing of yours is sent" in desk.panel() and "Stop" in desk.panel()
    reply = desk.ask("stop-model")
    assert not reply["fetching"] and "what came is kept" in reply["ended"]
    assert desk.folder.chosen, "nothing is fetched by itself at the next start"
    desk.mirror.go_on.set()
    desk.models.close()


def test_what_was_asked_for_at_the_start_is_used_once_it_is_here(
    folder: ModelFolder, library: Library
) -> None:
    put(folder)
    folder.file(QWEN).rename(folder.partial_file(QWEN))
    desk = Desk(folder, library, get="qwen-1.5b")
    desk.mirror.go_on.set()
    desk.models.begin()
    # its digest is another one: what is fetched is never believed
    desk.wait()
    reply = desk.ask("machine-progress")
    assert "could not be fetched: what came is another file" in reply["ended"]
    assert "another file" in desk.panel() and desk.assistant.writer is None
    assert "Answers go on as before" in desk.said.get(timeout=PATIENCE)
    desk.models.close()


def test_why_it_failed_is_said_without_what_only_a_terminal_could_do(
    folder: ModelFolder, library: Library
) -> None:
    desk = Desk(folder, library, get="qwen-1.5b")
    desk.models.begin()
    desk.mirror.go_on.set()
    desk.wait()
    panel = desk.panel()
    assert "cut off after 1 of 1,117,320,768 bytes.</p>" in panel and "command" not in panel
    assert "Go on fetching it" in panel
    desk.models.close()


def test_arriving_it_takes_over_and_is_told(desk: Desk) -> None:
    put(desk.folder)
    desk.models._arrived(QWEN)
    assert desk.assistant.writer and desk.folder.default == "qwen-1.5b"
    assert "words some answers from the next question on" in desk.said.get(timeout=PATIENCE)


@pytest.mark.parametrize("name", ["get-model", "use-model", "stop-model", "own-words"])
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"named": True, "encoder_named": True}, "as Pilcrow was started"),
        ({"here": False}, "at the computer that"),
    ],
)
def test_who_may_not_change_it_sees_why_and_changes_nothing(
    folder: ModelFolder, library: Library, name: str, options: dict[str, Any], words: str
) -> None:
    desk = Desk(folder, library, **options)
    panel = desk.panel()
    assert words in panel and "<button" not in panel
    with pytest.raises(Exception, match=words):
        desk.ask(name)
    assert not folder.path.exists() and desk.assistant.used == []


@pytest.mark.parametrize("model", ["bundled", "granite-3.3-2b", "../../etc/passwd", "", HOSTILE])
@pytest.mark.parametrize("name", ["get-model", "use-model"])
def test_only_what_was_offered_can_be_named(desk: Desk, name: str, model: str) -> None:
    with pytest.raises(Exception, match="not offered"):
        desk.ask(name, model)
    assert not desk.folder.path.exists()


def test_without_options_it_only_says_what_there_is(library: Library) -> None:
    models = Models(ScriptedAssistant(library), library, None, here=True)
    models.begin()
    panel = models.requests["machine"]({})["slots"]["machine"]
    assert "your articles’ own sentences" in panel and "<button" not in panel
    models.close()


def test_what_is_said_of_a_failure_is_inert() -> None:
    state = FetchState(QWEN, "failed", problem=f"the mirror says {HOSTILE}")
    drawn = machine.draw(machine.MachineView("", {"Language model": HOSTILE}, fetching=state))
    assert "<img" not in drawn and "<script" not in drawn and "${" not in drawn


@pytest.mark.parametrize(
    ("state", "pace"),
    [
        (FetchState(QWEN), "0 of 1,117 MB · waiting for an answer"),
        (FetchState(QWEN, "fetching", 340_000_000), "340 of 1,117 MB"),
        (FetchState(QWEN, "fetching", 340_000_000, 200.0), "340 of 1,117 MB · 3 min left"),
        (FetchState(QWEN, "checking", QWEN.bytes), "1,117 of 1,117 MB · checking it"),
        (replace(FetchState(QWEN), stage="here"), ""),
        (None, ""),
    ],
)
def test_how_far_it_is_reads_well(state: FetchState | None, pace: str) -> None:
    assert machine.pace(state) == pace
    assert (pace in machine.progress(state)) and bool(machine.progress(state)) is bool(pace)


@pytest.mark.browser
def test_the_panel_opens_follows_a_fetch_and_is_accessible(
    browser: Browser, folder: ModelFolder, library: Library
) -> None:
    mirror = Mirror()
    go_on = Event()

    def find(*_: object) -> Encoder:
        assert go_on.wait(PATIENCE)
        return ManyLanguages(16).with_identity(name="multilingual-e5-small")

    options = ModelOptions(folder, mirror=lambda *_: mirror, find_encoder=find)
    assistant = Owner(library, folder)
    with (
        served(assistant, library, PageOptions(models=options)) as address,
        tab(browser, address) as opened,
    ):
        page = opened.page
        page.focus(".machine summary")
        page.keyboard.press("Enter")
        page.wait_for_selector(".machine[open] [data-action=get-model]")
        assert opened.inaccessible() == []
        page.click(".machine [data-action=get-model]")
        page.wait_for_selector(".machine .fetching progress")
        assert "fetching a model: 0%" in page.inner_text(".machine summary")
        assert page.evaluate("document.activeElement.dataset.action") == "stop-model"
        assert opened.inaccessible() == []
        page.click(".machine [data-action=stop-model]")
        page.wait_for_selector(".machine [data-action=get-model]")
        page.click(".machine [data-action=use-encoder]")
        page.wait_for_selector(".machine [data-action=stop-encoder]")
        assert "Embedding anew with" in page.inner_text(".machine .fetching")
        assert opened.inaccessible() == []
        go_on.set()
        page.wait_for_selector(".machine [data-action=use-encoder][data-model=english]")
        page.keyboard.press("Escape")
        page.wait_for_selector(".machine:not([open])")
        mirror.go_on.set()
