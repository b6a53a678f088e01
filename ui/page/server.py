"""Serving the page: the address it listens on, the web server, the browser that is opened."""

from __future__ import annotations

import socket
import webbrowser
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from index import Library
from index.errors import PilcrowError
from index.system.offline import is_loopback
from rag import Assistant
from ui.http.beside import Beside
from ui.http.server import address_of, listen, make_server
from ui.page.app import PageOptions, build_app

if TYPE_CHECKING:
    from starlette.types import ASGIApp


def serve(
    assistant: Assistant,
    library: Library,
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    password: str | None = None,
    trusted_proxy: str = "",
    options: PageOptions | None = None,
    open_browser: bool = False,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serve the page until it is interrupted.

    Args:
        assistant: Answers the questions.
        library: The library it answers from.
        host: Address to listen on. Any other than this computer's own needs a password.
        port: Port to listen on; 0 takes a free one.
        password: Asked for together with the user name `pilcrow`.
        trusted_proxy: Address or network of a proxy that is believed where a request comes from.
        options: What the page can do without.
        open_browser: Whether to open the page once it is there.
        on_ready: Called with the page's address once it answers.

    Raises:
        PilcrowError: The address is open to others without a password, or the port is taken.
    """

    def ready(address: str) -> None:
        if on_ready:
            on_ready(address)
        if open_browser:
            webbrowser.open(address)

    server, listening = page_server(
        assistant, library, ready, host=host, port=port, password=password,
        trusted_proxy=trusted_proxy, options=options,
    )  # fmt: skip
    server.run(sockets=[listening])


def page_server(
    assistant: Assistant,
    library: Library,
    on_ready: Callable[[str], None],
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    password: str | None = None,
    trusted_proxy: str = "",
    options: PageOptions | None = None,
) -> tuple[Any, socket.socket]:
    """The page's web server, an unstarted `uvicorn.Server`, and the socket it is to run on.

    The arguments, and what is raised, are those of `serve`.
    """
    accounts = options.accounts if options else None
    if not password and not accounts and not is_loopback(host):
        raise PilcrowError(
            f"{host} can be reached by others: give a password, or serve on 127.0.0.1."
        )
    listening = listen(host, port)
    address = address_of(host, listening.getsockname()[1])
    # a proxy stands before pages for people who are elsewhere
    here = is_loopback(host) and not trusted_proxy
    options = replace(options or PageOptions(), by_path=here)
    app: ASGIApp = build_app(assistant, library, password=password, options=options)
    if options.beside:
        app = Beside(app, options.beside)
    header = accounts.header if accounts else ""
    return make_server(app, lambda: on_ready(address), trusted_proxy, header), listening
