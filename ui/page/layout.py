"""The page's panes and what their controls do: Gradio components, laid out and wired.

Drawing is in `ui.page.views`, looks are in the style sheets, and what is done is done by the
services behind the page. Gradio itself is handed in, for `ui.page.app` alone imports it.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
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
from ui.http.accounts.people import PERSON, NotPermitted, steps_for
from ui.http.attempts import ATTEMPTS, PAUSE
from ui.language.catalogue import gettext, language_of, steps_in
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
_LOOKS_EVERY = 0.02
"""Seconds between Gradio's looks for work; its own thousand looks a second keep a laptop busy."""


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
    kept_on: str
    """Another computer that the library is kept on; empty where it is this one."""


def frame_texts(services: Services) -> dict[str, dict[str, str]]:
    """What stands in the page before anything is asked, in the language that is spoken.

    Properties of components by the component's id: HTML of our places, words of Gradio's controls.
    """
    drawn = {
        "masthead": panes.masthead(services.sends_to, services.kept_on),
        "tabs": panes.tabs(),
        "chats": panes.search("chat-words", gettext("Search conversations"), "conversations"),
        "library": panes.search(
            "library-words", gettext("Find in the library"), "library", is_sorted=True
        ),
        "folder": panes.folder(KINDS, by_path=services.by_path),
        "scope": panes.scope(),
        "current-sources": answers.no_sources(),
        "new-chat": gettext("New chat"),
        "cancel": gettext("Cancel"),
        "add-place": gettext("Add it"),
        "rebuild": gettext("Rebuild the index"),
        "samples": gettext("Sample articles"),
        "leave": gettext("Leave"),
        "ask": gettext("Ask"),
        "stop": gettext("Stop"),
    }
    return {
        **{id_: {"value": value} for id_, value in drawn.items()},
        "login": {"auth_message": wrong_passwords()},
        "upload": {"label": gettext("Add documents")},
        "question": {"label": gettext("Question"), "placeholder": gettext("Ask your articles")},
    }


def wrong_passwords() -> str:
    """What the login form says of them."""
    return gettext(
        "After {n} wrong passwords, wait {seconds} seconds.", n=ATTEMPTS, seconds=f"{PAUSE:.0f}"
    )


def make_page(gr: Any, frame: Services, now: Callable[[], Services]) -> Any:
    """The page, an unmounted `gradio.Blocks`: three panes and their wiring.

    Args:
        gr: Gradio.
        frame: what the frame is drawn from, the same for everybody.
        now: the services of whoever asks.
    """

    def ask(request: object) -> dict[str, Any]:  # Gradio takes functions, not methods
        return now().api.ask(request)

    texts = frame_texts(frame)
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
        _html(gr, "masthead", **texts["masthead"])
        with gr.Row(elem_id="panes"):
            left = _left(gr, texts)
            centre = _centre(gr, texts)
            with gr.Column(elem_id="sources"):
                _html(gr, "reader", panes.slot("reader"))
                _html(gr, "beside", panes.slot("beside"))
                _html(gr, "past-sources", panes.slot("past-sources"))
                sources = _html(gr, "current-sources", **texts["current-sources"])
        _wire_chat(gr, now, run, request_box, sources, left, centre)
        _wire_jobs(gr, page, now, request_box, left)
    # whoever is one too many is told so by `Chat`, in words, so Gradio's own queue refuses nobody
    page.max_threads = 2 * AT_ONCE
    page.state_session_capacity = _SESSIONS
    page.queue(default_concurrency_limit=4)
    page._queue.sleep_when_free = page._queue.progress_update_sleep_when_free = _LOOKS_EVERY
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


def _left(gr: Any, texts: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """New chat, conversations, library, and the work on it."""
    made = {}
    with gr.Column(elem_id="left"):
        made["new"] = gr.Button(elem_id="new-chat", **texts["new-chat"])
        for name in ("tabs", "chats", "library"):
            _html(gr, name, **texts[name])
        made["job"] = _html(gr, "job")
        made["cancel"] = gr.Button(elem_id="cancel", **texts["cancel"])
        made["files"] = gr.File(
            **texts["upload"],
            show_label=False,
            file_count="multiple",
            file_types=list(suffixes()),
            elem_id="upload",
        )
        _html(gr, "folder", **texts["folder"])
        for key, name in (("place", "add-place"), ("rebuild", "rebuild"),
                          ("samples", "samples"), ("leave", "leave")):  # fmt: skip
            made[key] = gr.Button(elem_id=name, **texts[name])
    return made


def _centre(gr: Any, texts: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """The conversation and the box."""
    made = {}
    with gr.Column(elem_id="centre"):
        with gr.Column(elem_id="conversation"):
            _html(gr, "welcome", panes.slot("welcome"))
            _html(gr, "past", panes.slot("past"))
            made["current"] = _html(gr, "current")
        _html(gr, "scope", **texts["scope"])
        with gr.Row(elem_id="composer"):
            made["question"] = gr.Textbox(
                **texts["question"],
                show_label=False,
                container=False,
                lines=1,
                max_lines=8,
                elem_id="question",
            )
            made["ask"] = gr.Button(elem_id="ask", **texts["ask"])
            made["stop"] = gr.Button(elem_id="stop", **texts["stop"])
    return made


_QUIET = {"show_progress": "hidden", "api_visibility": "private"}
# Only the script knows what goes along with a question: the conversation, the scope.
_WITH_REQUEST = "(question, request, run) => [question, window.pilcrow.askRequest(question), run]"


def _wire_chat(
    gr: Any,
    now: Callable[[], Services],
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
        return now().chat.begin(asked, request)

    def answer(run: Run | None) -> Generator[Sequence[Any], None, None]:
        # what has not changed is said again: for each `skip` Gradio keeps a component for good
        beside = answers.no_sources()
        for turn, fresh in now().chat.answer(run):
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
    answering = begun.success(
        _for_its_visitor(gr, answer), run, [current, sources], concurrency_limit=None, **_QUIET
    )
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
    gr: Any, page: Any, now: Callable[[], Services], request_box: Any, left: dict[str, Any]
) -> None:
    """Adding, rebuilding, cancelling; a page that is opened meanwhile sees the work under way."""

    def draw(views: Callable[[JobRunner], Iterator[jobs.JobView]]) -> Iterator[str]:
        try:
            for view in views(now().jobs):
                yield jobs.draw(view)
        except NotPermitted as error:
            refused = gettext("Nothing was changed")
            yield jobs.draw(jobs.JobView(refused, running=False, problem=str(error)))

    # generator functions, not lambdas: Gradio streams only what it can see is one
    def open_page() -> Generator[str, None, None]:
        yield ""
        if now().jobs.busy:
            yield from draw(lambda runner: runner.watch())

    def add(uploaded: list[str], left_out: str) -> Generator[tuple[Any, str], None, None]:
        left, replacing = uploads.left_behind(left_out), uploads.to_replace(left_out)
        into = uploads.collection_of(left_out)
        for drawn in draw(lambda runner: runner.add(uploaded, left, replacing, into)):
            yield None, drawn

    def add_samples() -> Generator[str, None, None]:
        if samples := now().samples:
            yield from draw(lambda runner: runner.add_folder(samples))

    def add_place(sent: str) -> Generator[str, None, None]:
        yield from draw(lambda _: added_place(now(), sent))

    def renew() -> Generator[str, None, None]:
        yield from draw(lambda runner: runner.rebuild())

    def cancel() -> None:
        now().jobs.cancel()

    def spoken(steps: Callable[..., Generator[Any, None, None]]) -> Any:
        return _for_its_visitor(gr, steps)

    job, shown = left["job"], {"concurrency_limit": None, **_QUIET}
    page.load(spoken(open_page), None, job, **shown)
    left["files"].upload(
        spoken(add), [left["files"], request_box], [left["files"], job], js=_WITH_LEFT_OUT, **shown
    )
    left["samples"].click(spoken(add_samples), None, job, **shown)
    left["place"].click(spoken(add_place), request_box, job, js=_WITH_PLACE, **shown)
    left["rebuild"].click(spoken(renew), None, job, **shown)
    left["cancel"].click(cancel, None, None, queue=False, **_QUIET)


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


def _for_its_visitor(gr: Any, steps: Callable[..., Generator[Any, None, None]]) -> Any:
    """A function of Gradio's queue whose steps are for whoever asks, in their language.

    What waits in the queue runs apart from the request that put it there; Gradio hands that in.
    """
    count = len(inspect.signature(steps).parameters)

    def in_language(*given: Any) -> Generator[Any, None, None]:
        *inputs, request = given
        person = request.request.scope.get(PERSON)
        yield from steps_for(person, steps_in(language_of(request.headers), steps(*inputs)))

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    names = [*(f"input_{number}" for number in range(count)), "request"]
    vars(in_language)["__signature__"] = inspect.Signature(
        [inspect.Parameter(name, kind) for name in names]
    )
    in_language.__annotations__ = {"request": gr.Request}
    return in_language


def _html(gr: Any, elem_id: str, value: str = "") -> Any:
    """A place for HTML that our modules have escaped; never a template of its own."""
    return gr.HTML(value, elem_id=elem_id, apply_default_css=False, js_on_load=None)
