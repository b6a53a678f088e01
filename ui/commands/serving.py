"""Servers: `chat`, the page for people; `serve` for programs and `mcp` for agents."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from ui.commands.model import folder_of, larger_model_hint
from ui.commands.session import (
    GpuLayersOption,
    ModelOption,
    NoModelOption,
    Session,
    StoreOption,
    say,
    session_of,
    settings_of,
)
from ui.language.catalogue import gettext, gettext_noop, speaking
from ui.terminal import harmless_output

if TYPE_CHECKING:
    from pydantic import SecretStr
    from starlette.applications import Starlette

    from index import Library
    from rag import Assistant
    from rag.settings import Settings
    from ui.api.metrics import Metrics
    from ui.http.accounts.sharing import SignIn
    from ui.page.app import PageOptions
    from ui.page.models import ModelOptions

_PORT = 7861
"""Of `serve`; the page has 7860."""


_EMPTY = gettext_noop(
    "the library is empty: add articles on the page, or with `pilcrow add ARTICLES`"
)


def secret(value: SecretStr | None) -> str | None:
    """A secret as it is compared."""
    return value.get_secret_value() if value else None


def sign_in_of(settings: Settings, library: Library) -> SignIn | None:
    """How people sign in to a library that has accounts; None where it has none.

    As soon as there is an account everybody signs in, without being asked to by an option: one that
    is forgotten at some start would open what is one person's to all.

    Raises:
        InputError: when the settings do not fit together.
    """
    from index.errors import InputError
    from ui.http.accounts.sharing import SignIn
    from ui.http.accounts.store import accounts_of

    header = settings.account_header
    if not header and not accounts_of(library):
        return None
    if header and not settings.trusted_proxy:
        raise InputError(
            f"PILCROW_ACCOUNT_HEADER={header} needs PILCROW_TRUSTED_PROXY=ADDRESS: the proxy that "
            "alone is believed who asks"
        )
    if settings.password or settings.api_key:
        name = "PILCROW_PASSWORD" if settings.password else "PILCROW_API_KEY"
        raise InputError(
            f"this library has accounts, so {name} would be a way around them: unset it. Programs "
            "have keys of their own: pilcrow accounts key NAME"
        )
    return SignIn(header, settings.account_default_role)


def chat(
    ctx: typer.Context,
    model: ModelOption = None,
    gpu_layers: GpuLayersOption = None,
    no_model: NoModelOption = False,
    get: Annotated[
        str | None,
        typer.Option(
            "--get",
            metavar="auto|NAME",
            help="Fetch a larger model while you chat, and use it from then on. auto: where this "
            "machine is good for one, a person is at the terminal, and nobody has declined.",
        ),
    ] = None,
    host: Annotated[
        str | None, typer.Option("--host", help="Address to listen on (PILCROW_HOST).")
    ] = None,
    port: Annotated[
        int | None, typer.Option("--port", min=1, max=65535, help="Port (PILCROW_PORT, 7860).")
    ] = None,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in your browser.")
    ] = False,
    store: StoreOption = None,
) -> None:
    """Serve the page where you ask and read.

    With PILCROW_PASSWORD set, the page asks for it. Programs are answered at the same address, as
    by `pilcrow serve`; where there is a password they need PILCROW_API_KEY. Where there are
    accounts (`pilcrow accounts`) everybody signs in.
    """
    session = session_of(ctx, store, False)
    spoken = session.language
    settings = _listening(settings_of(session, model, gpu_layers), host, port)
    models = _model_options(session, settings, no_model, get)
    with session.library(create=True) as library:
        if not library.documents():
            with speaking(spoken):
                say(gettext(_EMPTY))
        assistant = session.parts.make_assistant(library, settings, no_model)
        if hint := "" if no_model or assistant.missing or get else larger_model_hint(settings):
            say(hint)
        accounts = sign_in_of(settings, library)
        with harmless_output():
            session.parts.serve(
                assistant,
                library,
                options=_page_options(session, settings, assistant, library, models, accounts),
                host=settings.host,
                port=settings.port,
                open_browser=browser,
                on_ready=partial(_page_ready, assistant, spoken),
                password=secret(settings.password),
                trusted_proxy=str(settings.trusted_proxy or ""),
            )


def _listening(settings: Settings, host: str | None, port: int | None) -> Settings:
    """The settings, with `--host` and `--port` taking the place of the environment's."""
    at = {"host": host or settings.host, "port": port or settings.port}
    return settings.model_copy(update=at)


def _model_options(
    session: Session, settings: Settings, no_model: bool, get: str | None
) -> ModelOptions:
    """What the page may do about the language model; whoever is to be asked is asked now."""
    from ui.commands.larger_model import model_to_get
    from ui.page.models import ModelOptions

    named = no_model or settings.model is not None
    to_get = model_to_get(get, settings, named, session.parts.at_terminal) if get else ""
    folder = folder_of(settings)
    used = "" if no_model else settings.model or folder.default or ""
    return ModelOptions(folder, used, named, to_get, say, encoder_named=bool(settings.encoder))


def _page_options(
    session: Session,
    settings: Settings,
    assistant: Assistant,
    library: Library,
    models: ModelOptions,
    accounts: SignIn | None,
) -> PageOptions:
    """What else the page gets than what answers and what it answers from."""
    import seeds
    from ui.api.metrics import Metrics
    from ui.page.app import PageOptions

    metrics = Metrics()
    return PageOptions(
        quick=session.parts.make_assistant(library, settings, True),
        samples=seeds.articles(),
        notice=assistant.missing,
        sends_to=assistant.sends_to,
        fetcher=session.fetcher,
        models=models,
        beside=_api_beside(settings, assistant, library, metrics, accounts),
        answered=partial(metrics.answered, "page"),
        accounts=accounts,
    )


def _api_beside(
    settings: Settings,
    assistant: Assistant,
    library: Library,
    metrics: Metrics,
    accounts: SignIn | None,
) -> Starlette | None:
    """What answers programs at the page's address; None where nobody could tell who they are."""
    from ui.api.app import ApiOptions, build_api
    from ui.http.server import address_of

    key = secret(settings.api_key)
    if settings.password and not key:  # whom the page asks for it, a program may not pass by
        return None
    address = address_of(settings.host, settings.port)
    options = ApiOptions(key=key, page=True, address=address, accounts=accounts)
    return build_api(assistant, library, options, metrics)


def _page_ready(assistant: Assistant, spoken: str, url: str) -> None:
    with speaking(spoken):
        say(gettext("Pilcrow is at {url} (Ctrl-C stops it)", url=url))
    # while the person types the first question; one that ends first is not waited for
    threading.Thread(target=assistant.warm_up, daemon=True).start()


def serve(
    ctx: typer.Context,
    model: ModelOption = None,
    gpu_layers: GpuLayersOption = None,
    no_model: NoModelOption = False,
    host: Annotated[
        str | None, typer.Option("--host", help="Address to listen on (PILCROW_HOST).")
    ] = None,
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port.")] = _PORT,
    workers: Annotated[
        int,
        typer.Option(
            "--workers",
            min=1,
            help="Processes that answer, each with its own encoder and model; SIGHUP renews them "
            "one by one.",
        ),
    ] = 1,
    store: StoreOption = None,
) -> None:
    """Serve programs: OpenAI-compatible and native HTTP.

    The schema is at /openapi.json. With PILCROW_API_KEY set, every request needs it as bearer key;
    without it only this computer is answered. Where there are accounts each has a key of its own.
    """
    session = session_of(ctx, store, False)
    settings = settings_of(session, model, gpu_layers)
    if workers == 1:
        _serve_programs(session, settings, no_model, host, port)
    else:
        _serve_by_many(session, settings, no_model, host, port, workers)


def mcp(
    ctx: typer.Context,
    http: Annotated[
        bool, typer.Option("--http", help="Listen (streamable HTTP) instead of stdin and stdout.")
    ] = False,
    allow_changes: Annotated[
        bool, typer.Option("--allow-changes", help="Offer tools that add and remove documents.")
    ] = False,
    model: ModelOption = None,
    gpu_layers: GpuLayersOption = None,
    no_model: NoModelOption = False,
    host: Annotated[str | None, typer.Option("--host", help="Address for --http.")] = None,
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port for --http.")] = _PORT,
    store: StoreOption = None,
) -> None:
    """Serve an agent: the Model Context Protocol, for Claude, VS Code, ChatGPT and others.

    Tools: search, fetch, ask, list_documents. Over stdin and stdout, or with --http at /mcp, where
    PILCROW_API_KEY guards it as it does `pilcrow serve`.
    """
    session = session_of(ctx, store, False)
    settings = settings_of(session, model, gpu_layers)
    if http:
        _serve_programs(session, settings, no_model, host, port, allow_changes=allow_changes)
        return
    with session.library(create=True) as library:
        assistant = session.parts.make_assistant(library, settings, no_model)
        threading.Thread(target=assistant.warm_up, daemon=True).start()
        session.parts.serve_mcp(
            assistant,
            library,
            page=f"http://127.0.0.1:{settings.port}",
            allow_changes=allow_changes,
        )


def _serve_programs(
    session: Session,
    settings: Settings,
    no_model: bool,
    host: str | None,
    port: int,
    *,
    allow_changes: bool = False,
) -> None:
    """Serves HTTP, OpenAI's and ours, and MCP."""
    with session.library(create=True) as library:
        if not library.documents():
            say("the library is empty: add articles with `pilcrow add ARTICLES` or POST them")
        accounts = sign_in_of(settings, library)
        assistant = session.parts.make_assistant(library, settings, no_model)
        if assistant.missing:
            say(f"answers are quotes only: {assistant.missing}")

        def ready(url: str) -> None:
            say(f"Pilcrow answers programs at {url}v1 and agents at {url}mcp (Ctrl-C stops it)")
            threading.Thread(target=assistant.warm_up, daemon=True).start()

        with harmless_output():
            session.parts.serve_api(
                assistant,
                library,
                host=host or settings.host,
                port=port,
                key=secret(settings.api_key),
                allow_changes=allow_changes,
                accounts=accounts,
                on_ready=ready,
                trusted_proxy=str(settings.trusted_proxy or ""),
            )


def _serve_by_many(
    session: Session,
    settings: Settings,
    no_model: bool,
    host: str | None,
    port: int,
    workers: int,
) -> None:
    """Serves HTTP and MCP by several processes."""
    from ui.api.app import ApiOptions

    with session.library(create=True) as library:  # what is wrong with it is told once, and here
        if not library.documents():
            say("the library is empty: add articles with `pilcrow add ARTICLES` or POST them")
        accounts = sign_in_of(settings, library)
        if missing := session.parts.make_assistant(library, settings, no_model).missing:
            say(f"answers are quotes only: {missing}")
    each = settings.model_copy(update={"threads": max(1, settings.threads // workers)})

    def ready(url: str) -> None:
        say(f"Pilcrow answers programs at {url}v1 by {workers} workers (Ctrl-C stops it)")

    with harmless_output():
        session.parts.serve_by_many(
            partial(_opened, session, each, no_model),
            workers,
            options=ApiOptions(key=secret(settings.api_key), accounts=accounts),
            host=host or settings.host,
            port=port,
            on_ready=ready,
            trusted_proxy=str(settings.trusted_proxy or ""),
        )


def _opened(session: Session, settings: Settings, no_model: bool) -> tuple[Assistant, Library]:
    """What one of several processes answers with and from."""
    library = session.parts.open_library(session.path, False, settings.threads)
    if settings.encoder:
        library.use_encoder(session.find_encoder(settings.encoder))
    return session.parts.make_assistant(library, settings, no_model), library
