"""The chat page: Gradio Blocks on FastAPI, served by uvicorn.

The only file that imports gradio, and only inside `build_app`, so importing this module is free.
What the page does is elsewhere: `ui.page.chat` answers, `ui.page.jobs` changes the library,
`ui.page.api` serves the small requests of the page's script, `ui.page.views` draws and
`ui.page.middleware` guards.
"""

from __future__ import annotations

import hashlib
import os
import socket
import time
import webbrowser
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from index import Library
from index.errors import PilcrowError
from index.formats.registry import SUFFIXES
from index.system.files import make_folder
from index.system.offline import stay_offline
from rag import Assistant
from rag.types import Answer
from ui.page.api import PageApi
from ui.page.chat import AT_ONCE, AskRequest, Chat, Run
from ui.page.conversations import Conversations
from ui.page.jobs import JobRunner
from ui.page.middleware import uploads
from ui.page.middleware.body_limit import BodyLimit
from ui.page.middleware.call_gate import CallGate, Calls, Kind
from ui.page.middleware.file_data import FileDataGate
from ui.page.middleware.login_throttle import ATTEMPTS, PAUSE, LoginThrottle
from ui.page.middleware.page_policy import PagePolicy
from ui.page.middleware.security import SecurityHeaders, is_loopback
from ui.page.suggester import Suggester
from ui.page.views import answers, jobs, panes

if TYPE_CHECKING:
    from fastapi import FastAPI

ASSETS = Path(__file__).parent / "assets"
_ASSETS_AT = "/pilcrow"
_SESSIONS = 500
"""Tabs whose state Gradio keeps, 0.1 MB each; of the others only the Stop button is lost."""


@dataclass(frozen=True)
class PageOptions:
    """What the page can do without."""

    quick: Assistant | None = None
    """Answers with quotes only; finds out which questions can be suggested."""
    samples: Path | None = None
    """A folder of articles to try it with while the library is empty."""
    notice: str = ""
    """What the welcome screen says about a missing language model."""


# --- the page -------------------------------------------------------------------------------------


def build_app(
    assistant: Assistant,
    library: Library,
    *,
    password: str | None = None,
    extras: PageOptions = PageOptions(),
    clock: Callable[[], float] = time.monotonic,
) -> FastAPI:
    """The whole web face as one FastAPI application.

    Args:
        assistant: Answers the questions.
        library: Where the documents are listed, added and rebuilt.
        password: When given, the page asks for the user `pilcrow` and this password.
        extras: What it can do without.
        clock: Seconds, for those who have to wait after wrong passwords.
    """
    stay_offline()  # before gradio is imported, and with it the hub library
    incoming = library.path / "incoming"
    with suppress(OSError):  # where nothing may be written nothing can be uploaded
        make_folder(incoming)
    uploads.clear(incoming)
    # What people upload must not lie in the machine-wide temporary folder.
    os.environ["GRADIO_TEMP_DIR"] = str(incoming)
    import gradio as gr
    from fastapi import FastAPI
    from fastapi.responses import FileResponse
    from starlette.staticfiles import StaticFiles

    room = build_services(assistant, library, extras)
    room.works.tidy()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        room.suggester.close()
        room.works.tidy()

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.mount(files := _assets_at(), StaticFiles(directory=ASSETS))

    @app.get("/favicon.ico", include_in_schema=False)
    def favicon() -> FileResponse:
        return FileResponse(ASSETS / "icon.svg", media_type="image/svg+xml")

    page = _page(gr, room)
    app = gr.mount_gradio_app(
        app,
        page,
        path="/",
        auth=("pilcrow", password) if password else None,
        auth_message=f"After {ATTEMPTS} wrong passwords, wait {PAUSE:.0f} seconds.",
        allowed_paths=[],
        max_file_size="20mb",
        show_error=False,
        footer_links=[],
        run_history=False,
        enable_monitoring=False,
        ssr_mode=False,
        theme=_theme(gr),
        head=_head(),
    )
    app.add_middleware(uploads.UploadLimit, folder=incoming)
    app.add_middleware(FileDataGate, folder=incoming)
    app.add_middleware(CallGate, calls=_calls(gr, page))
    app.add_middleware(LoginThrottle, clock=clock)
    app.add_middleware(BodyLimit)
    policy = PagePolicy(_template(gr), f"{files}/reload.js")
    app.add_middleware(SecurityHeaders, any_host=bool(password), files=files, policy=policy)
    mounted: FastAPI = app
    return mounted


@dataclass(frozen=True)
class Services:
    """What stands behind the page."""

    chat: Chat
    works: JobRunner
    desk: PageApi
    suggester: Suggester
    samples: Path | None


def build_services(assistant: Assistant, library: Library, extras: PageOptions) -> Services:
    """What stands behind the page of a library, connected."""
    conversations, works = Conversations(library.path), JobRunner(library)
    quick = extras.quick

    def ask(question: str) -> Answer:
        assert quick is not None
        *_, last = quick.stream(question)
        return last

    chat = Chat(assistant, library, conversations)
    suggester = Suggester(library, ask if quick else None, busy=lambda: works.busy or chat.busy)
    desk = PageApi(
        library,
        conversations,
        works,
        suggester,
        live=chat.is_live,
        notice=extras.notice,
        samples=extras.samples is not None,
    )
    return Services(chat, works, desk, suggester, extras.samples)


def _page(gr: Any, room: Services) -> Any:
    """Lays the three panes out and wires them; drawing is elsewhere, looks are the CSS's."""

    def ask(request: object) -> dict[str, Any]:  # Gradio takes functions, not methods
        return room.desk.ask(request)

    with gr.Blocks(title="Pilcrow", fill_width=True, analytics_enabled=False) as page:
        run = gr.State(None)
        gr.HTML(  # through this the page's script reaches the desk
            "",
            elem_id="desk",
            apply_default_css=False,
            server_functions=[ask],
            js_on_load="window.pilcrowApi = server; element.dataset.ready = '';",
        )
        wishes = gr.Textbox("", elem_id="wishes", container=False, show_label=False)
        _html(gr, "masthead", panes.masthead())
        with gr.Row(elem_id="panes"):
            left = _left(gr)
            centre = _centre(gr)
            with gr.Column(elem_id="sources"):
                _html(gr, "reader", _slot("reader"))
                _html(gr, "past-sources", _slot("past-sources"))
                sources = _html(gr, "current-sources", answers.no_sources())
        _wire_chat(gr, room.chat, run, wishes, sources, left, centre)
        _wire_works(gr, page, room, wishes, left)
    # whoever is one too many is told so by `Chat`, in words, so Gradio's own queue refuses nobody
    page.max_threads = 2 * AT_ONCE
    page.state_session_capacity = _SESSIONS
    page.queue(default_concurrency_limit=4)
    # Gradio looks where named files lie only on a page that was launched, as mounting does not
    page.has_launched = True
    return page


def _calls(gr: Any, page: Any) -> Calls:
    """What can be called on the page, read from the page itself."""

    def kind(component: Any) -> Kind:
        if isinstance(component, gr.State):
            return "nothing"
        return "files" if isinstance(component, gr.File) else "text"

    functions = {number: fn for number, fn in page.fns.items() if fn.fn}
    inputs = {number: [kind(one) for one in fn.inputs] for number, fn in functions.items()}
    queued = {number for number, fn in functions.items() if fn.queue is not False}
    desk = next(n for n, one in page.blocks.items() if getattr(one, "elem_id", "") == "desk")
    return Calls(
        at_once={n: kinds for n, kinds in inputs.items() if n not in queued},
        queued={n: kinds for n, kinds in inputs.items() if n in queued},
        desk=desk,
    )


def _left(gr: Any) -> dict[str, Any]:
    """New chat, conversations, library, and the work on it."""
    made = {}
    with gr.Column(elem_id="left"):
        made["new"] = gr.Button("New chat", elem_id="new-chat")
        _html(gr, "tabs", panes.tabs())
        _html(gr, "chats", panes.search("chat-words", "Search conversations", "conversations"))
        _html(gr, "library", panes.search("library-words", "Filter documents", "library"))
        made["job"] = _html(gr, "job")
        made["cancel"] = gr.Button("Cancel", elem_id="cancel")
        made["files"] = gr.File(
            label="Add documents",
            show_label=False,
            file_count="multiple",
            file_types=list(SUFFIXES),
            elem_id="upload",
        )
        _html(gr, "folder", panes.folder())
        made["rebuild"] = gr.Button("Rebuild the index", elem_id="rebuild")
        made["samples"] = gr.Button("Sample articles", elem_id="samples")
        made["leave"] = gr.Button("Leave", elem_id="leave")
    return made


def _centre(gr: Any) -> dict[str, Any]:
    """The conversation and the box."""
    made = {}
    with gr.Column(elem_id="centre"):
        with gr.Column(elem_id="conversation"):
            _html(gr, "welcome", _slot("welcome"))
            _html(gr, "past", _slot("past"))
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
_WITH_WISHES = "(question, wishes, run) => [question, window.pilcrow.wishes(), run]"


def _wire_chat(
    gr: Any,
    chat: Chat,
    run: Any,
    wishes: Any,
    sources: Any,
    left: dict[str, Any],
    centre: dict[str, Any],
) -> None:
    """Asking and stopping."""
    current, question = centre["current"], centre["question"]

    def begin(asked: str, sent: str, run: Run | None) -> Sequence[Any]:
        wished = AskRequest.read(sent)
        asked = wished.question or asked
        if not (asked.strip() or wished.again) or (run and not run.over.is_set()):
            return [gr.skip()] * 4
        # a question from elsewhere leaves in the box what is being written there
        return (gr.skip() if wished.question or wished.again else "", *chat.begin(asked, wished))

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
        [question, wishes, run],
        [question, current, sources, run],
        queue=False,
        js=_WITH_WISHES,
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
_WITH_LEFT_OUT = "(files, wishes) => [files, window.pilcrow.leftOut()]"


def _wire_works(gr: Any, page: Any, room: Services, wishes: Any, left: dict[str, Any]) -> None:
    """Adding, rebuilding, cancelling; a page that is opened meanwhile sees the work under way."""
    works = room.works

    def draw(views: Iterator[jobs.JobView]) -> Iterator[str]:
        for view in views:
            yield jobs.draw(view)

    # generator functions, not lambdas: Gradio streams only what it can see is one
    def open_page() -> Iterator[str]:
        yield ""
        if works.busy:
            yield from draw(works.watch())

    def add(uploaded: list[str], left_out: str) -> Iterator[tuple[Any, str]]:
        for drawn in draw(works.add(uploaded, uploads.left_behind(left_out))):
            yield None, drawn

    def add_samples() -> Iterator[str]:
        if room.samples:
            yield from draw(works.add_folder(room.samples))

    def renew() -> Iterator[str]:
        yield from draw(works.rebuild())

    job, work = left["job"], {"concurrency_limit": None, **_QUIET}
    page.load(open_page, None, job, **work)
    left["files"].upload(
        add, [left["files"], wishes], [left["files"], job], js=_WITH_LEFT_OUT, **work
    )
    left["samples"].click(add_samples, None, job, **work)
    left["rebuild"].click(renew, None, job, **work)
    left["cancel"].click(works.cancel, None, None, queue=False, **_QUIET)


def _html(gr: Any, elem_id: str, value: str = "") -> Any:
    """A place for HTML that our modules have escaped; never a template of its own."""
    return gr.HTML(value, elem_id=elem_id, apply_default_css=False, js_on_load=None)


def _slot(name: str) -> str:
    """A place that the page's script fills with HTML from the desk."""
    return f'<div data-slot="{name}"></div>'


def _theme(gr: Any) -> Any:
    """Gradio's own controls in our colours; `frame.css` defines the variables for both modes."""
    sans = ["Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif"]
    return gr.themes.Base(font=sans, font_mono=["ui-monospace", "monospace"]).set(
        # literal, because the page is painted with these before the stylesheet is there
        body_background_fill="#fbfcfb",
        body_background_fill_dark="#131716",
        body_text_color="#1a211f",
        body_text_color_dark="#e4eae8",
    )


def _assets_at() -> str:
    """Where our files are served: the hash in the address renews them all on an upgrade."""
    files = sorted(path for path in ASSETS.iterdir() if path.is_file())
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    return f"{_ASSETS_AT}/{digest[:12]}"


def _template(gr: Any) -> str:
    """The page as Gradio keeps it, before values are filled in."""
    path = Path(gr.__file__).parent / "templates" / "frontend" / "index.html"
    return path.read_text(encoding="utf-8")


def _head() -> str:
    """Links to our stylesheets, script and icon."""
    at = _assets_at()
    styles = "".join(
        f'<link rel="stylesheet" href="{at}/{name}.css">' for name in ("frame", "left", "answer")
    )
    return (
        f'{styles}<link rel="icon" type="image/svg+xml" href="{at}/icon.svg">'
        f'<script type="module" src="{at}/main.js"></script>'
    )


# --- serving --------------------------------------------------------------------------------------


def serve(
    assistant: Assistant,
    library: Library,
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    password: str | None = None,
    trusted_proxy: str = "",
    extras: PageOptions = PageOptions(),
    open_browser: bool = False,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serves the page until it is interrupted.

    Args:
        assistant: Answers the questions.
        library: The library it answers from.
        host: Address to listen on. Any other than this computer's own needs a password.
        port: Port to listen on; 0 takes a free one.
        password: Asked for together with the user name `pilcrow`.
        trusted_proxy: Address or network of a proxy that is believed where a request comes from.
        extras: What the page can do without.
        open_browser: Whether to open the page once it is there.
        on_ready: Called with the page's address once it answers.

    Raises:
        PilcrowError: The address is open to others without a password, or the port is taken.
    """
    if not password and not is_loopback(host):
        raise PilcrowError(
            f"{host} can be reached by others: give a password, or serve on 127.0.0.1."
        )
    listening = _listen(host, port)
    address = _address(host, listening.getsockname()[1])
    app = build_app(assistant, library, password=password, extras=extras)

    def ready() -> None:
        if on_ready:
            on_ready(address)
        if open_browser:
            webbrowser.open(address)

    _server(app, ready, trusted_proxy).run(sockets=[listening])


def _server(app: FastAPI, ready: Callable[[], None], trusted_proxy: str) -> Any:
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            ready()

    # Open tabs hold a heartbeat connection; without a limit Ctrl-C would wait for each of them.
    config = uvicorn.Config(
        app,
        log_level="warning",
        timeout_graceful_shutdown=1,
        ws="none",
        # anybody on this computer, and any tunnel, could say to come from another address
        proxy_headers=bool(trusted_proxy),
        forwarded_allow_ips=trusted_proxy,
    )
    return Server(config)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise PilcrowError(
            f"Cannot listen on {host} port {port} ({error.strerror}): choose another port."
        ) from error


def _address(host: str, port: int) -> str:
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{shown}:{port}/"
