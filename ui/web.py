"""The chat page: Gradio Blocks on FastAPI, served by uvicorn.

The only file that imports gradio, and only inside `build_app`, so importing this module is free.
Read it in four parts: the conversation (`Chat`), work on the library (`Works`), the page
(`build_app`), and what stands between it and the network (`Shield`, `serve`).
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import logging
import os
import re
import shutil
import socket
import threading
import time
import webbrowser
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from index.errors import PilcrowError
from index.types import Document, DocumentRecord, Passage, Progress, UpdateReport
from rag.types import Answer, Citation
from ui import render

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

ASSETS = Path(__file__).parent / "assets"
SUFFIXES = (".txt", ".md", ".html", ".htm", ".pdf", ".docx")
UPDATES_PER_SECOND = 15
TURNS_REMEMBERED = 3
"""Earlier questions handed to the assistant with a new one."""

log = logging.getLogger(__name__)

ProgressCall = Callable[[Progress], None]
CancelCheck = Callable[[], bool]


class LibraryLike(Protocol):
    """The part of `index.library.Library` the page uses."""

    @property
    def path(self) -> Path: ...  # noqa: D102
    def documents(self) -> list[DocumentRecord]: ...  # noqa: D102
    def document(self, document_id: str, /) -> Document: ...  # noqa: D102
    def passages(self, document_id: str, /) -> list[Passage]: ...  # noqa: D102
    def update(  # noqa: D102
        self,
        paths: Sequence[str | Path],
        *,
        progress: ProgressCall | None = None,
        cancelled: CancelCheck | None = None,
    ) -> UpdateReport: ...
    def rebuild(  # noqa: D102
        self, *, progress: ProgressCall | None = None, cancelled: CancelCheck | None = None
    ) -> UpdateReport: ...


class AssistantLike(Protocol):
    """The part of `rag.assistant.Assistant` the page uses."""

    def stream(  # noqa: D102
        self,
        question: str,
        history: Sequence[tuple[str, str]] = (),
        *,
        stop: Callable[[], bool] | None = None,
    ) -> Iterator[Answer]: ...


# --- the conversation -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Turn:
    """A finished question, as it is remembered and as it stays on screen."""

    question: str
    text: str
    drawn: str
    sources: str


@dataclass(frozen=True, slots=True)
class Run:
    """One question on its way; the stop button and the stream meet here."""

    question: str
    number: int
    asked: float = field(default_factory=time.monotonic)
    stop: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    left: threading.Event = field(default_factory=threading.Event)
    """Set when its conversation was left: what it still says is not drawn and not remembered."""

    @property
    def seconds(self) -> float:
        """Time since the question was sent."""
        return time.monotonic() - self.asked


class Chat:
    """Answers one question after another. Holds no conversation: that lives in each tab's state."""

    def __init__(self, assistant: AssistantLike, library: LibraryLike) -> None:
        self._assistant = assistant
        self._library = library

    def begin(self, question: str, turns: tuple[Turn, ...]) -> tuple[str, str, str, str, str, Run]:
        """Puts the question on screen at once, before it waits for its turn.

        Returns:
            The text box, earlier turns, their sources, the current turn, its sources, the run.
        """
        run = Run(question.strip(), len(turns) + 1)
        return (
            "",
            "".join(t.drawn for t in turns),
            "".join(t.sources for t in turns),
            render.waiting(run.question, run.number),
            render.no_sources(),
            run,
        )

    def answer(
        self, run: Run | None, turns: tuple[Turn, ...]
    ) -> Iterator[tuple[str, str, tuple[Turn, ...]]]:
        """Streams the current turn: its HTML, its sources' HTML, and the turns so far."""
        if run is None or run.over.is_set():
            return
        latest: Answer | None = None
        drawn, source_list = "", render.no_sources()
        try:
            for latest, source_list in self._snapshots(run, turns):
                drawn = render.answer(latest, run.number, "running", run.seconds)
                yield drawn, source_list, turns
            if latest is not None:
                phase: render.Phase = "stopped" if run.stop.is_set() else "done"
                drawn = render.answer(latest, run.number, phase, run.seconds)
        except PilcrowError as error:
            drawn = render.failure(run.question, run.number, str(error))
        except Exception:
            log.exception("the question could not be answered")
            drawn = render.failure(
                run.question,
                run.number,
                "Something went wrong inside Pilcrow. The terminal it runs in says more.",
            )
        finally:
            run.stop.set()
            run.over.set()
        kept = (latest.text, drawn, source_list) if latest else ("", drawn, "")
        yield drawn, source_list, (*turns, Turn(run.question, *kept))

    def _snapshots(self, run: Run, turns: tuple[Turn, ...]) -> Iterator[tuple[Answer, str]]:
        """The snapshots worth drawing, each with its sources."""
        history = [(t.question, t.text) for t in turns[-TURNS_REMEMBERED:] if t.text]
        shown: Answer | None = None
        drawn_at = 0.0
        source_list = ""
        for new in self._assistant.stream(run.question, history, stop=run.stop.is_set):
            now = time.monotonic()
            if not worth_drawing(new, shown, now - drawn_at):
                continue
            if shown is None or _sources_differ(new, shown):
                source_list = render.sources(new, run.number, self._contexts(new))
            shown, drawn_at = new, now
            yield new, source_list

    def _contexts(self, shown: Answer) -> dict[int, render.Context]:
        found = {c.number: paragraph_around(self._library, c) for c in shown.citations}
        if not found and shown.headline:
            found[render.HEADLINE] = paragraph_around(self._library, shown.headline)
        return found


def worth_drawing(new: Answer, shown: Answer | None, elapsed: float) -> bool:
    """Whether a snapshot goes to the page: always when something new stands in it, else by time.

    A new stage, headline, statement or citation is drawn at once; words growing inside a statement
    are drawn at most `UPDATES_PER_SECOND` times a second.
    """
    if shown is None or new.complete or _sources_differ(new, shown):
        return True
    if (new.stage, len(new.statements)) != (shown.stage, len(shown.statements)):
        return True
    return elapsed >= 1 / UPDATES_PER_SECOND


def _sources_differ(new: Answer, shown: Answer) -> bool:
    return (
        new.citations != shown.citations
        or new.headline != shown.headline
        or new.passages != shown.passages
        or new.complete != shown.complete
    )


def paragraph_around(library: LibraryLike, cited: Citation) -> render.Context:
    """The cited sentence inside its whole paragraph, read from storage.

    A long paragraph is stored as several passages; they are joined again. When the document is gone
    or no longer holds the quote at its offsets, nothing is marked by guess: the quote stands alone.
    """
    try:
        text = library.document(cited.document_id).text
        passages = library.passages(cited.document_id)
    except (PilcrowError, KeyError):
        return render.Context("", cited.quote, "", "removed")
    if text[cited.start : cited.end] != cited.quote:
        return render.Context("", cited.quote, "", "changed")
    parts = [p for p in passages if p.paragraph == cited.paragraph]
    start = min([p.start for p in parts] + [cited.start])
    end = max([p.end for p in parts] + [cited.end])
    return render.Context(text[start : cited.start], cited.quote, text[cited.end : end])


# --- work on the library --------------------------------------------------------------------------


class Works:
    """Runs one change of the library at a time in a thread and says how far it is.

    The work belongs to the server, not to a tab: reloading the page or closing it stops nothing,
    and every tab sees the same progress.
    """

    def __init__(self, library: LibraryLike) -> None:
        self._library = library
        self._lock = threading.Lock()
        self._view: render.JobView | None = None
        self._over = threading.Event()
        self._over.set()
        self._cancel = threading.Event()

    def rebuild(self) -> Iterator[render.JobView]:
        """Reads every place that was ever added again; yields progress until it is over."""
        return self._run(
            ("Rebuilding the library", "Library rebuilt"),
            lambda: self._library.rebuild(progress=self._report, cancelled=self._cancel.is_set),
        )

    def add(self, files: Sequence[str]) -> Iterator[render.JobView]:
        """Copies files into the library's folder and indexes them; yields progress."""
        names = keep_uploads(files, self._library.path / "uploads")
        folder = self._library.path / "uploads"
        count = render.plural(len(names), "file")
        return self._run(
            (f"Adding {count}", f"Finished with {count}"),
            lambda: self._library.update(
                [folder], progress=self._report, cancelled=self._cancel.is_set
            ),
            only=names,
        )

    def watch(self) -> Iterator[render.JobView]:
        """The work under way, if any, until it is over; about ten looks a second."""
        while (view := self._view) is not None:
            yield view
            if not view.running:
                return
            self._over.wait(0.1)

    def cancel(self) -> None:
        """Asks the work under way to end early; what is finished stays."""
        self._cancel.set()

    @property
    def busy(self) -> bool:
        """Whether something is under way."""
        return not self._over.is_set()

    def _run(
        self,
        titles: tuple[str, str],
        work: Callable[[], UpdateReport],
        *,
        only: Sequence[str] | None = None,
    ) -> Iterator[render.JobView]:
        """`titles` say what is being done and, afterwards, what was."""
        doing, done = titles
        while not self._begin(doing):
            yield from self.watch()
        threading.Thread(target=self._work, args=(done, work, only), daemon=True).start()
        yield from self.watch()

    def _begin(self, title: str) -> bool:
        with self._lock:
            if self.busy:
                return False
            self._over.clear()
            self._cancel.clear()
            self._rows: dict[str, render.JobRow] = {}
            self._stage, self._stage_began, self._stage_from = "", time.monotonic(), 0
            self._view = render.JobView(title)
            return True

    def _work(
        self, title: str, work: Callable[[], UpdateReport], only: Sequence[str] | None
    ) -> None:
        assert self._view is not None
        outcome: dict[str, Any]
        try:
            before = _paragraphs(self._library)
            report = work()
            gained = _paragraphs(self._library) - before
            line = render.summary(report, gained, only=only)
            cancelled = self._cancel.is_set()
            outcome = {"title": "Cancelled" if cancelled else title, "summary": line}
        except PilcrowError as error:
            outcome = {"problem": str(error)}
        except Exception:
            log.exception("the library could not be changed")
            outcome = {"problem": "Something went wrong inside Pilcrow; the terminal says more."}
        self._view = replace(self._view, running=False, rate=None, eta=None, **outcome)
        self._over.set()

    def _report(self, progress: Progress) -> None:
        """Called by the library, in the worker thread, for every step."""
        assert self._view is not None
        now = time.monotonic()
        if progress.document_id:
            self._rows[progress.document_id] = render.JobRow(
                progress.document_id, progress.state or progress.stage, progress.detail
            )
        if not progress.total:  # news of one file, not of how far the whole is
            self._view = replace(self._view, rows=tuple(self._rows.values()))
            return
        if progress.stage != self._stage:
            self._stage, self._stage_began, self._stage_from = progress.stage, now, progress.done
        done, seconds = progress.done - self._stage_from, now - self._stage_began
        rate = done / seconds if done > 0 and seconds > 0 else None
        self._view = replace(
            self._view,
            stage=progress.stage,
            done=progress.done,
            total=progress.total,
            rate=rate,
            eta=(progress.total - progress.done) / rate if rate else None,
            rows=tuple(self._rows.values()),
        )


def keep_uploads(files: Iterable[str], folder: Path) -> list[str]:
    """Copies uploaded files into `folder`, each under its bare name, and returns the names.

    A name is hostile: only its last part is used, without leading dots or control characters. A
    file of the same name is replaced, which the library sees as an updated document.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for file in files:
        bare = Path(file.replace("\\", "/")).name
        name = "".join(c for c in bare if c.isprintable()).lstrip(". ")[-120:] or "article.txt"
        partial = folder / f".{name}.part"
        shutil.copyfile(file, partial)
        partial.replace(folder / name)
        names.append(name)
    return names


def _paragraphs(library: LibraryLike) -> int:
    return sum(record.paragraphs for record in library.documents())


# --- the page -------------------------------------------------------------------------------------


def build_app(
    assistant: AssistantLike, library: LibraryLike, *, password: str | None = None
) -> FastAPI:
    """The whole web face as one FastAPI application.

    Args:
        assistant: Answers the questions.
        library: Where the documents are listed, added and rebuilt.
        password: When given, the page asks for the user `pilcrow` and this password.
    """
    # Gradio reads these when it is imported or when a component is made: it must not call home, and
    # what people upload must not lie in the machine-wide temporary folder.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_TEMP_DIR"] = str(library.path / "incoming")
    import gradio as gr
    from fastapi import FastAPI
    from fastapi.responses import FileResponse
    from starlette.staticfiles import StaticFiles

    page = _page(gr, Chat(assistant, library), Works(library), library)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.mount("/pilcrow", StaticFiles(directory=ASSETS))

    @app.get("/favicon.ico", include_in_schema=False)
    def favicon() -> FileResponse:
        return FileResponse(ASSETS / "icon.svg", media_type="image/svg+xml")

    app = gr.mount_gradio_app(
        app,
        page,
        path="/",
        auth=("pilcrow", password) if password else None,
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
    app.add_middleware(Shield, any_host=bool(password))
    mounted: FastAPI = app
    return mounted


def _page(gr: Any, chat: Chat, works: Works, library: LibraryLike) -> Any:
    """Lays the three panes out and wires them; drawing is `ui.render`'s, looks are the CSS's."""
    quiet = {"show_progress": "hidden", "api_visibility": "private"}
    with gr.Blocks(
        title="Pilcrow", fill_width=True, analytics_enabled=False, delete_cache=(3600, 3600)
    ) as page:
        turns, run = gr.State(()), gr.State(None)
        masthead = _html(gr, "masthead")
        with gr.Row(elem_id="panes"):
            with gr.Column(elem_id="left"):
                new = gr.Button("New chat", elem_id="new-chat")
                documents = _html(gr, "library")
                job = _html(gr, "job")
                cancel = gr.Button("Cancel", elem_id="cancel")
                files = gr.File(
                    label="Add documents",
                    show_label=False,
                    file_count="multiple",
                    file_types=list(SUFFIXES),
                    elem_id="upload",
                )
                rebuild = gr.Button("Rebuild the index", elem_id="rebuild")
            with gr.Column(elem_id="centre"):
                with gr.Column(elem_id="conversation"):
                    welcome, past, current = (_html(gr, i) for i in ("welcome", "past", "current"))
                with gr.Row(elem_id="composer"):
                    question = gr.Textbox(
                        label="Question",
                        show_label=False,
                        container=False,
                        placeholder="Ask your articles",
                        lines=1,
                        max_lines=8,
                        elem_id="question",
                    )
                    ask = gr.Button("Ask", elem_id="ask")
                    stop = gr.Button("Stop", elem_id="stop")
            with gr.Column(elem_id="sources"):
                past_sources = _html(gr, "past-sources")
                current_sources = _html(gr, "current-sources", render.no_sources())

        shelf = [documents, masthead, welcome]
        conversation = [past, past_sources, current, current_sources]

        def draw_shelf() -> tuple[str, str, str]:
            records = library.documents()
            paragraphs = sum(r.paragraphs for r in records)
            return (
                render.library(records),
                render.masthead(len(records), paragraphs),
                render.welcome(len(records), paragraphs),
            )

        def draw_work(views: Iterator[render.JobView]) -> Iterator[tuple[Any, ...]]:
            for view in views:
                shelf_now = [gr.skip()] * len(shelf) if view.running else draw_shelf()
                yield (render.job(view), *shelf_now)

        def open_page() -> Iterator[tuple[Any, ...]]:
            yield ("", *draw_shelf())
            if works.busy:
                yield from draw_work(works.watch())

        def add(uploaded: list[str]) -> Iterator[tuple[Any, ...]]:
            for drawn in draw_work(works.add(uploaded)):
                yield (None, *drawn)

        def renew() -> Iterator[tuple[Any, ...]]:
            # a generator function, not a lambda: Gradio streams only what it can see is one
            yield from draw_work(works.rebuild())

        def begin(asked: str, turns: tuple[Turn, ...], run: Run | None) -> Sequence[Any]:
            if not asked.strip() or (run and not run.over.is_set()):
                return [gr.skip()] * 6
            return chat.begin(asked, turns)

        def answer(run: Run | None, turns: tuple[Turn, ...]) -> Iterator[Sequence[Any]]:
            for drawn in chat.answer(run, turns):
                yield [gr.skip()] * 3 if run and run.left.is_set() else drawn

        def leave(run: Run | None) -> None:
            if run:
                run.left.set()
                run.stop.set()

        def start_over() -> tuple[Any, ...]:
            return ("", "", "", render.no_sources(), (), None)

        page.load(open_page, None, [job, *shelf], concurrency_limit=None, **quiet)
        begun = gr.on(
            [question.submit, ask.click],
            begin,
            [question, turns, run],
            [question, *conversation, run],
            queue=False,
            **quiet,
        )
        answering = begun.success(
            answer,
            [run, turns],
            [current, current_sources, turns],
            concurrency_id="llm",
            concurrency_limit=1,
            **quiet,
        )
        stop.click(lambda run: run and run.stop.set(), run, None, queue=False, **quiet)
        # in two steps: what was on its way to the page when the run was left is cleared as well
        gone = new.click(leave, run, None, cancels=[answering], queue=False, **quiet)
        gone.then(start_over, None, [*conversation, turns, run], queue=False, **quiet)
        work = {"concurrency_limit": None, **quiet}
        files.upload(add, files, [files, job, *shelf], **work)
        rebuild.click(renew, None, [job, *shelf], **work)
        cancel.click(works.cancel, None, None, queue=False, **quiet)
    page.queue(max_size=16, default_concurrency_limit=4)
    return page


def _html(gr: Any, elem_id: str, value: str = "") -> Any:
    """A place for HTML that `ui.render` has escaped; never a template of its own."""
    return gr.HTML(value, elem_id=elem_id, apply_default_css=False, js_on_load=None)


def _theme(gr: Any) -> Any:
    """Gradio's own controls in our colours; `pilcrow.css` defines the variables for both modes."""
    sans = ["Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif"]
    return gr.themes.Base(font=sans, font_mono=["ui-monospace", "monospace"]).set(
        # literal, because the page is painted with these before the stylesheet is there
        body_background_fill="#fbfcfb",
        body_background_fill_dark="#131716",
        body_text_color="#1a211f",
        body_text_color_dark="#e4eae8",
    )


def _head() -> str:
    """Links to our stylesheet, script and icon; the hash in the address renews them on upgrade."""
    address = {
        path.name: f"/pilcrow/{path.name}?{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"
        for path in ASSETS.iterdir()
    }
    return (
        f'<link rel="stylesheet" href="{address["pilcrow.css"]}">'
        f'<link rel="icon" type="image/svg+xml" href="{address["icon.svg"]}">'
        f'<script src="{address["pilcrow.js"]}"></script>'
    )


# --- between the page and the network -------------------------------------------------------------

SAFETY_HEADERS = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_INLINE_SCRIPT = re.compile(rb"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL)


class Shield:
    """Headers that keep the page to itself, and the refusal of requests from elsewhere.

    The content security policy names no origin but our own, so nothing a document says can make the
    browser fetch or send anything. Scripts: our files, and the page's own inline scripts by their
    hashes, computed as each page passes; an `onerror=` smuggled into the page is refused.
    `'unsafe-eval'` stays because Gradio 6 builds every HTML component through `Function()`; our
    values go in as its argument, never as its source. Inline styles stay because its components set
    `style` attributes.

    A site that points its own name at this address (DNS rebinding) or posts to it from its pages is
    turned away: the Host must be the one we serve, and the Origin, if any, must be that Host.
    """

    def __init__(self, app: ASGIApp, *, any_host: bool) -> None:
        """Wraps `app`; `any_host` when a password guards it under whatever name it is reached."""
        self._app = app
        self._any_host = any_host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or refuses it, and dresses the response."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        from starlette.datastructures import MutableHeaders
        from starlette.responses import PlainTextResponse

        headers = MutableHeaders(scope=scope)
        # Pages are hashed on their way out, so they must pass uncompressed.
        del headers["accept-encoding"]
        host, origin = headers.get("host", ""), headers.get("origin")
        app = self._app
        if not (self._any_host or is_loopback(_hostname(host))):
            app = PlainTextResponse("Pilcrow answers only under its own address.", 403)
        elif origin is not None and urlsplit(origin).netloc != host:
            app = PlainTextResponse("Pilcrow answers only its own page.", 403)
        await app(scope, receive, _Dressed(send))


class _Dressed:
    """Adds the headers to one response; holds a page back until its scripts are hashed."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None
        self._page = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            from starlette.datastructures import MutableHeaders

            headers = MutableHeaders(scope=message)
            headers.update(SAFETY_HEADERS)
            if headers.get("content-type", "").startswith("text/html"):
                self._start = message
                return
            headers["Content-Security-Policy"] = "default-src 'none'"
        elif self._start is not None:
            self._page += message.get("body", b"")
            if message.get("more_body"):
                return
            policy = content_policy(self._page).encode()
            self._start["headers"].append((b"content-security-policy", policy))
            await self._send(self._start)
            message = {"type": "http.response.body", "body": self._page}
            self._start = None
        await self._send(message)


def content_policy(page: bytes) -> str:
    """The Content-Security-Policy of one HTML page, with the hashes of its inline scripts."""
    scripts = _INLINE_SCRIPT.findall(page)
    hashes = (base64.b64encode(hashlib.sha256(s).digest()).decode() for s in scripts)
    allowed = " ".join(f"'sha256-{h}'" for h in dict.fromkeys(hashes))
    return (
        "default-src 'none'; "
        f"script-src 'self' 'unsafe-eval' {allowed}; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; manifest-src 'self'; base-uri 'self'; form-action 'self'; "
        "frame-ancestors 'none'"
    )


def serve(
    assistant: AssistantLike,
    library: LibraryLike,
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    password: str | None = None,
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
    app = build_app(assistant, library, password=password)

    def ready() -> None:
        if on_ready:
            on_ready(address)
        if open_browser:
            webbrowser.open(address)

    _server(app, ready).run(sockets=[listening])


def _server(app: FastAPI, ready: Callable[[], None]) -> Any:
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            ready()

    # Open tabs hold a heartbeat connection; without a limit Ctrl-C would wait for each of them.
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1)
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


def _hostname(host: str) -> str:
    """The name in a Host header, without port and brackets."""
    return urlsplit(f"//{host}").hostname or ""


def is_loopback(host: str) -> bool:
    """Whether `host` can only be reached from this computer."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
