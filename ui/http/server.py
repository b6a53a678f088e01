"""Listening at an address, and the web server that does."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from index.errors import PilcrowError
from index.system.offline import is_loopback

if TYPE_CHECKING:
    from starlette.types import ASGIApp


def make_server(app: ASGIApp, ready: Callable[[], None], trusted_proxy: str) -> Any:
    """The web server, an unstarted `uvicorn.Server`; calls `ready` once it answers."""
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            ready()

    return Server(server_config(app, trusted_proxy))


def server_config(app: Any, trusted_proxy: str, **options: Any) -> Any:
    """How it serves, a `uvicorn.Config`.

    Args:
        app: the application, or with `factory` what makes it.
        trusted_proxy: address or network of a proxy that is believed where a request comes from.
        options: of uvicorn, in the place of ours.
    """
    import uvicorn

    # Open tabs hold a heartbeat connection; without a limit Ctrl-C would wait for each of them.
    given: dict[str, Any] = {"timeout_graceful_shutdown": 1} | options
    return uvicorn.Config(
        app,
        log_level="warning",
        ws="none",
        # anybody on this computer, and any tunnel, could say to come from another address
        proxy_headers=bool(trusted_proxy),
        forwarded_allow_ips=trusted_proxy,
        **given,
    )


def require_key(host: str, key: str | None) -> None:
    """Refuse to answer others than this computer without a key.

    Raises:
        PilcrowError: when that is what would happen.
    """
    if not key and not is_loopback(host):
        raise PilcrowError(
            f"{host} can be reached by others: set PILCROW_API_KEY, or serve on 127.0.0.1."
        )


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there; port 0 takes a free one.

    Raises:
        PilcrowError: when it cannot.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family)
        # else a reply's second part waits 40 ms for the first to be acknowledged; asyncio sees to
        # it only for sockets that it made itself
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening
    except OSError as error:
        raise PilcrowError(
            f"Cannot listen on {host} port {port} ({error.strerror}): choose another port."
        ) from error


def address_of(host: str, port: int) -> str:
    """Where a browser on this computer finds it."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{shown}:{port}/"
