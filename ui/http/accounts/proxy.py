"""Who is believed when a request says for whom it comes: a trusted proxy alone."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


class OnlyFromProxy:
    """Takes a header away from requests that do not come from the trusted proxy itself.

    It has to be outermost: further inside, the address is already what the proxy says it is.
    """

    def __init__(self, app: ASGIApp, header: str, trusted_proxy: str) -> None:
        """Wrap `app`.

        Args:
            app: believes the header.
            header: its name.
            trusted_proxy: address or network.
        """
        self._app = app
        self._header = header.lower().encode("latin-1")
        self._trusted = ipaddress.ip_network(trusted_proxy)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on."""
        if scope["type"] == "http" and not self._is_trusted(scope):
            kept = [line for line in scope["headers"] if line[0].lower() != self._header]
            scope = {**scope, "headers": kept}
        await self._app(scope, receive, send)

    def _is_trusted(self, scope: Scope) -> bool:
        try:
            address = ipaddress.ip_address(str((scope.get("client") or ("", 0))[0]))
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return (mapped or address) in self._trusted


def header_values(scope: Scope, header: str) -> list[bytes]:
    """What each line of a request's header of this name holds."""
    wanted = header.lower().encode("latin-1")
    return [value for name, value in scope["headers"] if name.lower() == wanted]
