"""Serving programs alone, without the page."""

from __future__ import annotations

from collections.abc import Callable

from index import Library
from index.system.offline import stay_offline
from rag import Assistant
from ui.api.app import ApiOptions, build_api
from ui.http.accounts.sharing import SignIn
from ui.http.server import address_of, listen, make_server, require_key


def serve_api(
    assistant: Assistant,
    library: Library,
    *,
    host: str = "127.0.0.1",
    port: int = 7861,
    key: str | None = None,
    trusted_proxy: str = "",
    allow_changes: bool = False,
    accounts: SignIn | None = None,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serve programs until it is interrupted.

    Args:
        assistant: Answers the questions.
        library: The library it answers from.
        host: Address to listen on. Any other than this computer's own needs a key.
        port: Port to listen on; 0 takes a free one.
        key: What every program has to know.
        trusted_proxy: Address or network of a proxy that is believed where a request comes from.
        allow_changes: Whether agents may change the library.
        accounts: How people sign in who have accounts; None where there are none.
        on_ready: Called with the address once it answers.

    Raises:
        PilcrowError: The address is open to others without a key, or the port is taken.
    """
    stay_offline()
    require_key(host, key or accounts)
    listening = listen(host, port)
    address = address_of(host, listening.getsockname()[1])
    options = ApiOptions(key=key, address=address, allow_changes=allow_changes, accounts=accounts)
    app = build_api(assistant, library, options)

    def ready() -> None:
        if on_ready:
            on_ready(address)

    header = accounts.header if accounts else ""
    make_server(app, ready, trusted_proxy, header).run(sockets=[listening])


def serve_mcp(
    assistant: Assistant, library: Library, *, page: str, allow_changes: bool = False
) -> None:
    """Serve one agent over standard input and output until it goes.

    Args:
        assistant: Answers the questions.
        library: The library it answers from.
        page: Where the chat page is, when it is open; links lead there.
        allow_changes: Whether the agent may change the library.
    """
    from ui.api.links import Links
    from ui.api.mcp_server import build_mcp
    from ui.api.service import Service

    stay_offline()
    links = Links(page.rstrip("/"), page=True)
    build_mcp(Service(assistant, library), links, allow_changes=allow_changes).run("stdio")
