"""Any order of changes, on a server: it equals a dictionary, and answers as a folder's library."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import ClassVar

import pytest
from hypothesis import settings

from index import Library
from tests.index.storage.postgres_server import Given, Server
from tests.index.test_library_machine import LibraryMachine

pytestmark = pytest.mark.adapters


class ServedMachine(LibraryMachine):
    """Everything that may happen; what is built from scratch to compare lies in a folder."""

    new_address: ClassVar[Callable[[], str]]

    def open(self, name: str) -> Library:
        if name != "library":
            return super().open(name)
        if not hasattr(self, "address"):
            self.address = ServedMachine.new_address()
        return Library.open(self.address, encoder=self.encoder, threads=1)


@pytest.fixture(autouse=True, scope="module")
def _on_the_server(server: Given | Server) -> Iterator[None]:
    ServedMachine.new_address = staticmethod(server.address)
    yield


ServedMachine.TestCase.settings = settings(
    max_examples=12, stateful_step_count=15, deadline=None, print_blob=True
)
test_any_order_of_changes_on_a_server = ServedMachine.TestCase
