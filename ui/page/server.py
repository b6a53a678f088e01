"""Serving the page: the address it listens on, the web server, the browser that is opened."""

from __future__ import annotations

import socket
import webbrowser
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from index import Library
from index.errors import PilcrowError
from rag import Assistant
from ui.page.app import PageOptions, build_app
from ui.page.middleware.security import is_loopback

if TYPE_CHECKING:
    from fastapi import FastAPI


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
    if not password and not is_loopback(host):
        raise PilcrowError(
            f"{host} can be reached by others: give a password, or serve on 127.0.0.1."
        )
    listening = _listen(host, port)
    address = _address(host, listening.getsockname()[1])
    app = build_app(assistant, library, password=password, options=options or PageOptions())

    def ready() -> None:
        if on_ready:
            on_ready(address)
        if open_browser:
            webbrowser.open(address)

    make_server(app, ready, trusted_proxy).run(sockets=[listening])


def make_server(app: FastAPI, ready: Callable[[], None], trusted_proxy: str) -> Any:
    """The web server for the page, an unstarted `uvicorn.Server`; calls `ready` once it answers."""
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
