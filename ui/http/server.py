"""Listening at an address, and the web server that does."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from index.errors import InputError, PilcrowError
from index.system.offline import is_loopback
from ui.http.accounts.proxy import OnlyFromProxy

if TYPE_CHECKING:
    from starlette.types import ASGIApp


def make_server(
    app: ASGIApp, ready: Callable[[], None], trusted_proxy: str, account_header: str = ""
) -> Any:
    """The web server, an unstarted `uvicorn.Server`; calls `ready` once it answers."""
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            ready()

    if account_header:
        return Server(server_config(behind_proxy(app, trusted_proxy, account_header), ""))
    return Server(server_config(app, trusted_proxy))


def behind_proxy(app: ASGIApp, trusted_proxy: str, account_header: str) -> ASGIApp:
    """The application, told by a proxy alone who asks and from where.

    Args:
        app: believes both.
        trusted_proxy: address or network of the proxy.
        account_header: in which it says whose account it is.

    Raises:
        InputError: when no proxy is trusted, so that anybody could say to be anybody.
    """
    from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

    if not trusted_proxy:
        raise InputError(
            f"whoever sends {account_header} could be anybody: name the proxy that alone may, "
            "PILCROW_TRUSTED_PROXY=ADDRESS"
        )
    told: Any = ProxyHeadersMiddleware(app, trusted_hosts=trusted_proxy)  # type: ignore[arg-type]
    return OnlyFromProxy(told, account_header, trusted_proxy)


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


def require_key(host: str, key: object) -> None:
    """Refuse to answer others than this computer without a key, or accounts that have keys.

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
