"""Several processes that answer programs at one address, over one socket that listens.

uvicorn starts them, replaces one that dies or hangs, and on SIGHUP puts a new one into service for
each before the old one, having finished what it had begun, goes. They share nothing but the
library: whatever one was told, any other can answer.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from index import Library
from index.errors import PilcrowError
from index.system.offline import stay_offline
from rag import Assistant
from ui.api.app import ApiOptions, build_api
from ui.http.attempts import ATTEMPTS
from ui.http.server import address_of, behind_proxy, listen, require_key, server_config
from ui.terminal import clean, harmless_output

if TYPE_CHECKING:
    from starlette.types import ASGIApp

FINISHING = 20
"""Seconds that a worker which is to go has for answers it has begun; then whoever waits for one
goes on with another worker, by the number of the last event that came."""
_STARTING = 120
"""Seconds in which a worker has to be warm, its language model loaded."""


@dataclass(frozen=True, slots=True)
class Worker:
    """What each process serves; a value, since it is sent to each of them."""

    open: Callable[[], tuple[Assistant, Library]]
    """What it answers with and from."""
    options: ApiOptions
    trusted_proxy: str = ""

    def __call__(self) -> ASGIApp:
        """The application, open and warm: whoever asks first waits for nothing."""
        from uvicorn.config import STARTUP_FAILURE

        stay_offline()
        output = ExitStack()
        output.enter_context(harmless_output())
        try:
            assistant, library = self.open()
            assistant.warm_up()
        except PilcrowError as error:
            sys.stderr.write(f"pilcrow: {clean(str(error))}\n")
            raise SystemExit(STARTUP_FAILURE) from None
        app = build_api(assistant, library, self.options)
        app.state.output = output  # as long as the process lives
        accounts = self.options.accounts
        if accounts and accounts.header:
            return behind_proxy(app, self.trusted_proxy, accounts.header)
        return app


def serve_by_many(
    worker: Worker,
    count: int,
    *,
    host: str = "127.0.0.1",
    port: int = 7861,
    on_ready: Callable[[str], None] | None = None,
    trusted_proxy: str = "",
) -> None:
    """Serve programs until it is interrupted; SIGHUP renews the workers one after the other.

    Args:
        worker: what each process serves.
        count: how many processes.
        host: address to listen on; any other than this computer's own needs a key.
        port: port to listen on; 0 takes a free one.
        on_ready: called with the address once all of them answer.
        trusted_proxy: address or network of a proxy that is believed where a request comes from.

    Raises:
        PilcrowError: the address is open to others without a key, the port is taken, or workers
            cannot start.
    """
    from uvicorn.config import STARTUP_FAILURE
    from uvicorn.supervisors import Multiprocess

    require_key(host, worker.options.key or worker.options.accounts)
    listening = listen(host, port)
    address = address_of(host, listening.getsockname()[1])
    # each worker counts for itself, and a guesser's requests come to any of them
    options = replace(
        worker.options, address=address, stateless=True, attempts=max(1, ATTEMPTS // count)
    )
    worker = replace(worker, options=options, trusted_proxy=trusted_proxy)
    # where a header is believed each worker sees to the proxy itself
    outer_proxy = "" if options.accounts and options.accounts.header else trusted_proxy
    config = server_config(
        worker, outer_proxy, factory=True, workers=count, timeout_graceful_shutdown=FINISHING,
        timeout_worker_healthcheck=_STARTING,
    )  # fmt: skip

    class Workers(Multiprocess):
        def init_processes(self) -> None:
            super().init_processes()
            warm = [p.wait_until_ready(_STARTING, self.should_exit) for p in self.processes]
            if all(warm) and on_ready:
                on_ready(address)

    supervisor = Workers(config, [listening])
    supervisor.run()
    if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
        raise PilcrowError("a worker could not start; what it said is above")
