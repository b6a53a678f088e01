"""The chat page: Gradio Blocks on FastAPI, served by uvicorn.

The only file that imports gradio, and only inside `build_app`, so importing this module is free.
What the page does is elsewhere: `ui.page.chat` answers, `ui.page.jobs` changes the library,
`ui.page.api` serves the small requests of the page's script, `ui.page.views` draws and
`ui.page.middleware` guards.
"""

from __future__ import annotations

import hashlib
import os
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from index import Library
from index.sources.fetching import Fetcher
from index.sources.watching import FolderWatches
from index.system.files import make_folder
from index.system.offline import stay_offline
from rag import Assistant
from rag.types import Answer
from ui.http.accounts.people import Person, asking
from ui.http.accounts.sessions import Sessions
from ui.http.accounts.sharing import Shared, SignIn
from ui.http.body_limit import BodyLimit
from ui.page.api import PageApi
from ui.page.chat import AT_ONCE, GRACE, Chat, may_see
from ui.page.conversations import Conversations, drawer_of
from ui.page.jobs import JobRunner, OneAtATime
from ui.page.layout import Services, calls_of, frame_texts, make_page, wrong_passwords
from ui.page.middleware import uploads
from ui.page.middleware.body_limit import most_bytes
from ui.page.middleware.call_gate import CallGate
from ui.page.middleware.file_data import FileDataGate
from ui.page.middleware.login_throttle import LoginThrottle
from ui.page.middleware.page_language import PageLanguage
from ui.page.middleware.page_policy import PagePolicy
from ui.page.middleware.people_gate import PeopleGate
from ui.page.middleware.security import SecurityHeaders
from ui.page.models import ModelOptions, Models
from ui.page.suggester import Suggester
from ui.page.views import panes

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.applications import Starlette

ASSETS = Path(__file__).parent / "assets"
_ASSETS_AT = "/pilcrow"
_MOST_ROOMS = 500
"""People whose services are kept at hand; those of others are made anew."""


@dataclass(frozen=True)
class PageOptions:
    """What the page can do without."""

    quick: Assistant | None = None
    """Answers with quotes only; finds out which questions can be suggested."""
    samples: Path | None = None
    """A folder of articles to try it with while the library is empty."""
    notice: str = ""
    """What the welcome screen says about a missing language model."""
    sends_to: str = ""
    """Another computer whose model reads questions and passages; empty where all stays here."""
    grace: float = GRACE
    """Seconds that an answer goes on after its page has gone, until another looks at it."""
    by_path: bool = False
    """Whether folders of this computer may be named by their paths: whoever can reach the page is
    at this computer."""
    fetcher: Fetcher | None = None
    """What asks the web for addresses that are typed; one with the usual limits when None."""
    models: ModelOptions | None = None
    """What the page may do about the language model; None for nothing."""
    beside: Starlette | None = None
    """What answers programs at the same address; it starts and ends with the page."""
    answered: Callable[[Answer], None] | None = None
    """Told of every question that the page has answered."""
    accounts: SignIn | None = None
    """How people sign in who have accounts; None where there are none, and all are one person."""


# --- the page -------------------------------------------------------------------------------------


def build_app(
    assistant: Assistant,
    library: Library,
    *,
    password: str | None = None,
    options: PageOptions = PageOptions(),
    clock: Callable[[], float] = time.monotonic,
) -> FastAPI:
    """The whole web face as one FastAPI application.

    Args:
        assistant: Answers the questions.
        library: Where the documents are listed, added and rebuilt.
        password: When given, the page asks for the user `pilcrow` and this password.
        options: What it can do without.
        clock: Seconds, for those who have to wait after wrong passwords.
    """
    stay_offline()  # before gradio is imported, and with it the hub library
    incoming = _folder_for_uploads(library)
    gr = _import_gradio()
    shared = Shared(assistant, library, options.accounts) if options.accounts else None
    rooms = Rooms(assistant, library, options, shared)
    rooms.frame.jobs.tidy()
    sessions = Sessions(shared) if shared else None
    by_proxy = shared is not None and bool(shared.sign_in.header)
    password_of: Any = ("pilcrow", password) if password else None
    if sessions is not None and not by_proxy:
        password_of = sessions.check
    files = assets_address()
    page = make_page(gr, rooms.frame, rooms.now)
    app: FastAPI = gr.mount_gradio_app(
        _app_with_assets(rooms, options.beside, files),
        page,
        path="/",
        auth=password_of,
        auth_dependency=_name_of_who_asks if by_proxy else None,
        auth_message=wrong_passwords(),
        allowed_paths=[],
        max_file_size="20mb",
        show_error=False,
        footer_links=[],
        run_history=False,
        enable_monitoring=False,
        ssr_mode=False,
        theme=_theme(gr),
        head=panes.head(files),
    )
    if sessions is not None and not by_proxy:
        app.routes[-1].app.tokens = sessions  # type: ignore[attr-defined]
    app.add_middleware(uploads.UploadLimit, folder=incoming)
    app.add_middleware(FileDataGate, folder=incoming)
    app.add_middleware(CallGate, calls=calls_of(gr, page))
    if shared is not None and sessions is not None:
        app.add_middleware(PeopleGate, shared=shared, sessions=sessions)
    app.add_middleware(LoginThrottle, clock=clock)
    app.add_middleware(BodyLimit, most=most_bytes)
    app.add_middleware(PageLanguage, texts=lambda: frame_texts(rooms.frame))
    policy = PagePolicy(_template(gr), panes.first_script(f"{files}/reload.js"))
    # a tunnel or a proxy that nobody named would lead strangers to where folders can be named
    any_host = bool(password or shared) and not options.by_path
    app.add_middleware(SecurityHeaders, any_host=any_host, files=files, policy=policy)
    return app


def _app_with_assets(rooms: Rooms, beside: Starlette | None, files: str) -> FastAPI:
    """An application that serves our files at an address, and runs what is behind the page."""
    from fastapi import FastAPI
    from fastapi.responses import FileResponse
    from starlette.middleware.gzip import GZipMiddleware
    from starlette.staticfiles import StaticFiles

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with _running(beside):
            rooms.models.begin()
            yield
        rooms.close()

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.mount(files, GZipMiddleware(StaticFiles(directory=ASSETS)))

    @app.get("/favicon.ico", include_in_schema=False)
    def favicon() -> FileResponse:
        return FileResponse(ASSETS / "icon.svg", media_type="image/svg+xml")

    return app


class _WithoutStubs(MetaPathFinder):
    """Finds Gradio's module that describes its components for editors, and leaves that out.

    For it Gradio parses the source of each component and of its stub, which is a third of what its
    import costs, and may write beside its own files, which are not ours to change.
    """

    def find_spec(self, name: str, path: Any, target: object = None) -> ModuleSpec | None:
        if name != "gradio.component_meta":
            return None
        spec = PathFinder.find_spec(name, path)
        if spec and (loader := spec.loader):
            execute = loader.exec_module

            def without_stubs(module: ModuleType) -> None:
                execute(module)
                vars(module).update(create_or_modify_pyi=lambda *_: None)

            vars(loader).update(exec_module=without_stubs)
        return spec


def _import_gradio() -> Any:
    sys.meta_path.insert(0, finder := _WithoutStubs())
    try:
        import gradio
    finally:
        sys.meta_path.remove(finder)
    return gradio


def _running(app: Starlette | None) -> AbstractAsyncContextManager[Any]:
    """What has all that `app` needs there for as long as it is entered."""
    return app.router.lifespan_context(app) if app else nullcontext()


def _folder_for_uploads(library: Library) -> Path:
    """The folder that Gradio is told to put uploads in; what is stale in it has gone."""
    incoming = library.path / "incoming"
    with suppress(OSError):  # where nothing may be written nothing can be uploaded
        make_folder(incoming)
    uploads.clear(incoming)
    # What people upload must not lie in the machine-wide temporary folder.
    os.environ["GRADIO_TEMP_DIR"] = str(incoming)
    return incoming


def _name_of_who_asks(_: object) -> str | None:
    """What Gradio calls whoever has signed in at a proxy."""
    person = asking()
    return person.name if person else None


class Rooms:
    """What stands behind the page: for everybody the same, or for each who has an account."""

    def __init__(
        self, assistant: Assistant, library: Library, options: PageOptions, shared: Shared | None
    ) -> None:
        """Make what all of them have in common."""
        self._assistant = assistant
        self._library = library
        self._options = options
        self._shared = shared
        self._others = OneAtATime()
        self._seats = threading.Semaphore(AT_ONCE)
        self._lock = threading.Lock()
        self._made: OrderedDict[tuple[object, ...], Services] = OrderedDict()
        self._runner = JobRunner(library, options.fetcher, self._others)
        self._watches = FolderWatches(library)
        self.models = Models(
            assistant, library, options.models, here=options.by_path, jobs=self._runner,
            people=shared is not None,
        )  # fmt: skip
        self.frame = self._services(None, assistant, library, self._runner)
        """Those of nobody: where there are accounts, what the page's frame is drawn from."""

    def now(self) -> Services:
        """Those of whoever asks; everybody's where there are no accounts.

        Raises:
            NotPermitted: when there are, and nobody has signed in.
        """
        if self._shared is None:
            return self.frame
        person, share = asking(), self._shared.now()
        assert person is not None
        key = person.id, person.name, person.role, person.collections
        with self._lock:
            if key not in self._made:
                runner = JobRunner(share.library, self._options.fetcher, self._others)
                self._made[key] = self._services(person, share.assistant, share.library, runner)
            self._made.move_to_end(key)
            while len(self._made) > _MOST_ROOMS:
                _, oldest = self._made.popitem(last=False)
                oldest.chat.close()
            return self._made[key]

    def close(self) -> None:
        """End what is under way."""
        self.models.close()
        self._watches.close()
        with self._lock:
            rooms = [self.frame, *self._made.values()]
        for services in rooms:
            services.chat.close()
        for services in rooms:
            services.suggester.close()
        self._runner.tidy()

    def _services(
        self, person: Person | None, assistant: Assistant, library: Library, runner: JobRunner
    ) -> Services:
        options, is_whole = self._options, not (person and person.collections)
        manages = person is None or (person.may_be("admin") and is_whole)
        edits = person is None or (person.may_be("editor") and is_whole)
        conversations = Conversations(
            drawer_of(library), person.id if person else "", partial(may_see, library)
        )
        quick = options.quick.within(library) if options.quick and person else options.quick

        def ask(question: str) -> Answer:
            assert quick is not None
            *_, last = quick.stream(question)
            return last

        chat = Chat(
            assistant,
            library,
            conversations,
            grace=options.grace,
            unread=lambda: runner.unread,
            answered=options.answered,
            seats=self._seats,
        )
        suggester = Suggester(
            library, ask if quick else None, busy=lambda: runner.anybody_busy or chat.busy,
            kept=is_whole,
        )  # fmt: skip
        by_path = options.by_path and manages
        api = PageApi(
            library,
            conversations,
            runner,
            suggester,
            talk=chat,
            notice=options.notice,
            samples=options.samples is not None and edits,
            watches=self._watches if by_path else None,
            more=self.models.requests,
            person=person,
            signs_out=not (options.accounts and options.accounts.header),
        )
        return Services(
            chat, runner, api, suggester, self._watches, self.models,
            options.samples if edits else None, by_path, options.sends_to, library.elsewhere,
        )  # fmt: skip


def build_services(assistant: Assistant, library: Library, options: PageOptions) -> Services:
    """What stands behind the page of a library without accounts, connected."""
    return Rooms(assistant, library, options, None).frame


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


def assets_address() -> str:
    """Where our files are served; the hash in it renews them all on an upgrade."""
    files = sorted(path for path in ASSETS.iterdir() if path.is_file())
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    return f"{_ASSETS_AT}/{digest[:12]}"


def _template(gr: Any) -> str:
    """The page as Gradio keeps it, before values are filled in."""
    path = Path(gr.__file__).parent / "templates" / "frontend" / "index.html"
    return path.read_text(encoding="utf-8")
