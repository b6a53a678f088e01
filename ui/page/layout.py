"""The page's panes and what their controls do: Gradio components, laid out and wired.

Drawing is in `ui.page.views`, looks are in the style sheets, and what is done is done by the
services behind the page. Gradio itself is handed in, for `ui.page.app` alone imports it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from index.formats.registry import KINDS, suffixes
from index.library import LONGEST_TAG
from index.sources.fetching import is_address
from index.sources.watching import FolderWatches
from index.sources.zotero import is_zotero
from index.system.roots import settled
from index.tokenization import sound
from ui.page.api import PageApi
from ui.page.chat import AT_ONCE, AskRequest, Chat, Run
from ui.page.jobs import JobRunner
from ui.page.middleware import uploads
from ui.page.middleware.call_gate import Calls, Kind
from ui.page.models import Models
from ui.page.suggester import Suggester
from ui.page.views import answers, jobs, panes

_LONGEST_PATH = 4_000
"""Characters of a folder's path; disks allow 4,096 bytes."""
_SESSIONS = 500
"""Tabs whose state Gradio keeps, 0.1 MB each; of the others only the Stop button is lost."""


@dataclass(frozen=True, slots=True)
class PlaceRequest:
    """A folder or an address that the page names. Comes from a browser: read, never trusted."""

    path: str = ""
    keep: bool = False
    """Whether it is to be kept up to date."""
    collection: str = ""
    """What it is put into; empty for none."""

    @property
    def folder(self) -> Path:
        """The folder that is meant, `~` made a home; what is not named whole stays as it is."""
        given = Path(self.path)
        with suppress(RuntimeError):  # nobody is called so
            given = given.expanduser()
        return settled(given) if given.is_absolute() else given

    @classmethod
    def read(cls, sent: str) -> PlaceRequest:
        """The request in a JSON text; what is not well-formed is as if it were not there."""
        try:
            given = json.loads(sent)
            path, keep, into = given["path"], given["keep"], given.get("collection", "")
        except (ValueError, TypeError, KeyError, RecursionError):
            return cls()
        well = isinstance(path, str) and len(path) <= _LONGEST_PATH and "\0" not in path
        collection = sound(into)[:LONGEST_TAG] if isinstance(into, str) else ""
        return cls(sound(path).strip(), keep is True, collection) if well else cls()


@dataclass(frozen=True)
class Services:
    """What stands behind the page."""

    chat: Chat
    jobs: JobRunner
    api: PageApi
    suggester: Suggester
    watches: FolderWatches
    models: Models
    samples: Path | None
    by_path: bool
    """Whether folders may be named by their paths."""
    sends_to: str
    """Another computer whose model reads questions and passages; empty for none."""


def make_page(gr: Any, services: Services) -> Any:
    """The page, an unmounted `gradio.Blocks`: three panes and their wiring."""

    def ask(request: object) -> dict[str, Any]:  # Gradio takes functions, not methods
        return services.api.ask(request)

    with gr.Blocks(title="Pilcrow", fill_width=True, analytics_enabled=False) as page:
        run = gr.State(None)
        gr.HTML(  # through this the page's script reaches the API
            "",
            elem_id="api",
            apply_default_css=False,
            server_functions=[ask],
            js_on_load="window.pilcrowApi = server; element.dataset.ready = '';",
        )
        request_box = gr.Textbox("", elem_id="ask-request", container=False, show_label=False)
        _html(gr, "masthead", panes.masthead(services.sends_to))
        with gr.Row(elem_id="panes"):
            left = _left(gr, by_path=services.by_path)
            centre = _centre(gr)
            with gr.Column(elem_id="sources"):
                _html(gr, "reader", panes.slot("reader"))
                _html(gr, "beside", panes.slot("beside"))
                _html(gr, "past-sources", panes.slot("past-sources"))
                sources = _html(gr, "current-sources", answers.no_sources())
        _wire_chat(gr, services.chat, run, request_box, sources, left, centre)
        _wire_jobs(gr, page, services, request_box, left)
    # whoever is one too many is told so by `Chat`, in words, so Gradio's own queue refuses nobody
    page.max_threads = 2 * AT_ONCE
    page.state_session_capacity = _SESSIONS
    page.queue(default_concurrency_limit=4)
    # Gradio looks where named files lie only on a page that was launched, as mounting does not
    page.has_launched = True
    return page


def calls_of(gr: Any, page: Any) -> Calls:
    """The calls that the page can make, read from its own components."""

    def kind(component: Any) -> Kind:
        if isinstance(component, gr.State):
            return "nothing"
        return "files" if isinstance(component, gr.File) else "text"

    functions = {number: fn for number, fn in page.fns.items() if fn.fn}
    inputs = {
        number: [kind(component) for component in fn.inputs] for number, fn in functions.items()
    }
    queued = {number for number, fn in functions.items() if fn.queue is not False}
    api = next(n for n, block in page.blocks.items() if getattr(block, "elem_id", "") == "api")
    return Calls(
        at_once={n: kinds for n, kinds in inputs.items() if n not in queued},
        queued={n: kinds for n, kinds in inputs.items() if n in queued},
        api=api,
    )


def _left(gr: Any, *, by_path: bool) -> dict[str, Any]:
    """New chat, conversations, library, and the work on it."""
    made = {}
    with gr.Column(elem_id="left"):
        made["new"] = gr.Button("New chat", elem_id="new-chat")
        _html(gr, "tabs", panes.tabs())
        _html(gr, "chats", panes.search("chat-words", "Search conversations", "conversations"))
        library = "library-words", "Find in the library", "library"
        _html(gr, "library", panes.search(*library, is_sorted=True))
        made["job"] = _html(gr, "job")
        made["cancel"] = gr.Button("Cancel", elem_id="cancel")
        made["files"] = gr.File(
            label="Add documents",
            show_label=False,
            file_count="multiple",
            file_types=list(suffixes()),
            elem_id="upload",
        )
        _html(gr, "folder", panes.folder(KINDS, by_path=by_path))
        made["place"] = gr.Button("Add it", elem_id="add-place")
        made["rebuild"] = gr.Button("Rebuild the index", elem_id="rebuild")
        made["samples"] = gr.Button("Sample articles", elem_id="samples")
        made["leave"] = gr.Button("Leave", elem_id="leave")
    return made


def _centre(gr: Any) -> dict[str, Any]:
    """The conversation and the box."""
    made = {}
    with gr.Column(elem_id="centre"):
        with gr.Column(elem_id="conversation"):
            _html(gr, "welcome", panes.slot("welcome"))
            _html(gr, "past", panes.slot("past"))
            made["current"] = _html(gr, "current")
        _html(gr, "scope", panes.scope())
        with gr.Row(elem_id="composer"):
            made["question"] = gr.Textbox(
                label="Question",
                show_label=False,
                container=False,
                placeholder="Ask your articles",
                lines=1,
                max_lines=8,
                elem_id="question",
            )
            made["ask"] = gr.Button("Ask", elem_id="ask")
            made["stop"] = gr.Button("Stop", elem_id="stop")
    return made


_QUIET = {"show_progress": "hidden", "api_visibility": "private"}
# Only the script knows what goes along with a question: the conversation, the scope.
_WITH_REQUEST = "(question, request, run) => [question, window.pilcrow.askRequest(question), run]"


def _wire_chat(
    gr: Any,
    chat: Chat,
    run: Any,
    request_box: Any,
    sources: Any,
    left: dict[str, Any],
    centre: dict[str, Any],
) -> None:
    """Asking and stopping."""
    current, question = centre["current"], centre["question"]

    def begin(typed: str, sent: str, run: Run | None) -> Sequence[Any]:
        request = AskRequest.read(sent)
        asked = request.question or typed
        if not (asked.strip() or request.again) or (run and not run.over.is_set()):
            return [gr.skip()] * 3
        return chat.begin(asked, request)

    def answer(run: Run | None) -> Iterator[Sequence[Any]]:
        # what has not changed is said again: for each `skip` Gradio keeps a component for good
        beside = answers.no_sources()
        for turn, fresh in chat.answer(run):
            beside = beside if fresh is None else fresh
            if run and run.left.is_set():
                yield [gr.skip()] * 2
            else:
                yield turn, beside

    begun = gr.on(
        [question.submit, centre["ask"].click],
        begin,
        [question, request_box, run],
        [current, sources, run],
        queue=False,
        js=_WITH_REQUEST,
        **_QUIET,
    )
    # all at once: the evidence is for everybody, and only the model takes one after the other
    answering = begun.success(answer, run, [current, sources], concurrency_limit=None, **_QUIET)
    centre["stop"].click(lambda run: run and run.stop.set(), run, None, queue=False, **_QUIET)
    _wire_leaving(gr, [left["new"].click, left["leave"].click], answering, run, current, sources)


def _wire_leaving(
    gr: Any, ways: Sequence[Any], answering: Any, run: Any, current: Any, sources: Any
) -> None:
    """A new chat, or another conversation, in the middle of an answer or after it."""

    def leave(run: Run | None) -> None:
        if run:
            run.left.set()
            run.stop.set()

    # in two steps: what was on its way to the page when the run was left is cleared as well
    gone = gr.on(ways, leave, run, None, cancels=[answering], queue=False, **_QUIET)
    gone.then(
        lambda: ("", answers.no_sources(), None),
        None,
        [current, sources, run],
        queue=False,
        **_QUIET,
    )


# Only the script knows what was dropped together with the files and was not sent.
_WITH_PLACE = "() => [window.pilcrow.place()]"
_WITH_LEFT_OUT = "(files, request) => [files, window.pilcrow.leftOut()]"


def _wire_jobs(
    gr: Any, page: Any, services: Services, request_box: Any, left: dict[str, Any]
) -> None:
    """Adding, rebuilding, cancelling; a page that is opened meanwhile sees the work under way."""
    runner = services.jobs

    def draw(views: Iterator[jobs.JobView]) -> Iterator[str]:
        for view in views:
            yield jobs.draw(view)

    # generator functions, not lambdas: Gradio streams only what it can see is one
    def open_page() -> Iterator[str]:
        yield ""
        if runner.busy:
            yield from draw(runner.watch())

    def add(uploaded: list[str], left_out: str) -> Iterator[tuple[Any, str]]:
        left, replacing = uploads.left_behind(left_out), uploads.to_replace(left_out)
        into = uploads.collection_of(left_out)
        for drawn in draw(runner.add(uploaded, left, replacing, into)):
            yield None, drawn

    def add_samples() -> Iterator[str]:
        if services.samples:
            yield from draw(runner.add_folder(services.samples))

    def add_place(sent: str) -> Iterator[str]:
        yield from draw(added_place(services, sent))

    def renew() -> Iterator[str]:
        yield from draw(runner.rebuild())

    job, shown = left["job"], {"concurrency_limit": None, **_QUIET}
    page.load(open_page, None, job, **shown)
    left["files"].upload(
        add, [left["files"], request_box], [left["files"], job], js=_WITH_LEFT_OUT, **shown
    )
    left["samples"].click(add_samples, None, job, **shown)
    left["place"].click(add_place, request_box, job, js=_WITH_PLACE, **shown)
    left["rebuild"].click(renew, None, job, **shown)
    left["cancel"].click(runner.cancel, None, None, queue=False, **_QUIET)


def added_place(services: Services, sent: str) -> Iterator[jobs.JobView]:
    """The work of adding what the page names, which only who sits at this computer may."""
    place = PlaceRequest.read(sent)
    if not services.by_path or not place.path:
        return
    if is_address(place.path):
        yield from services.jobs.add_address(place.path, place.collection)
        return
    if is_zotero(place.path):
        yield from services.jobs.add_zotero(place.path, place.collection)
        return
    yield from services.jobs.add_place(place.folder, place.collection)
    if place.keep and place.folder in services.api.folders():
        services.watches.begin(place.folder)


def _html(gr: Any, elem_id: str, value: str = "") -> Any:
    """A place for HTML that our modules have escaped; never a template of its own."""
    return gr.HTML(value, elem_id=elem_id, apply_default_css=False, js_on_load=None)
