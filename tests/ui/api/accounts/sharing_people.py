"""People who share a library in tests: a page and a server for programs, and each of them there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from starlette.testclient import TestClient

from index import Library
from tests.support.page_fakes import HeldLibrary, ScriptedAssistant, make_library
from ui.api.app import ApiOptions, build_api
from ui.http.accounts.sharing import SignIn
from ui.http.accounts.store import Accounts, accounts_of
from ui.page.app import PageOptions, build_app

HOME = "http://127.0.0.1:7860"
PASSWORDS = {
    "rita": "rita reads a forum", "edda": "edda edits a harbour", "adam": "adam administers",
}  # fmt: skip
"""A reader of `forum`, an editor of `harbour`, an admin of everything."""
ARTICLES = {
    "forum/kyoto.txt": "Kyoto hosts the Internet Governance Forum\nSource: The Link\n"
    "Published: 2023-10-12\n\nThe forum was held in Kyoto. More than 9,000 participants from 178 "
    "countries registered.\n",
    "harbour/cables.md": "---\ntitle: Cables under the sea\nsource: Harbour Review\n"
    "date: 2024-03\ntags: [zyxcable]\n---\n\n# Qwertzing heading\n\nAbout 600 cables carry the "
    "traffic between continents. A zyxword ship needs eight days to reach a fault.\n",
    "secret.txt": "The hidden plan of Vladivostok\nSource: Nobody Weekly\nPublished: 2022-01-02\n\n"
    "The hushword plan costs 77 million and begins in Vladivostok.\n",
}


def make_shared(folder: Path) -> HeldLibrary:
    """A library with documents in two collections and in none, and accounts for three people."""
    library = make_library(folder, ARTICLES)
    for record in library.documents():
        name, slash, _ = record.id.partition("/")
        if slash:
            library.collect([record.id], name)
    accounts = accounts_of(library)
    accounts.add("rita", "reader", ["forum"], PASSWORDS["rita"])
    accounts.add("edda", "editor", ["harbour"], PASSWORDS["edda"])
    accounts.add("adam", "admin", (), PASSWORDS["adam"])
    return library


@dataclass
class Visitor:
    """Somebody at the page, with a browser of their own."""

    client: TestClient
    api: int = 0
    """The component that small requests go to."""

    def sign_in(self, name: str, password: str = "") -> int:
        """The status of an attempt."""
        given = {"username": name, "password": password or PASSWORDS[name]}
        status = self.client.post("/login", data=given).status_code
        if status == 200:
            self.look()
        return status

    def look(self) -> dict[str, Any]:
        """The page's configuration."""
        page = self.client.get("/").text
        found = re.search(r"window\.gradio_config = (\{.*?\});</script>", page, re.DOTALL)
        assert found
        config: dict[str, Any] = json.loads(found[1])
        for component in config["components"]:
            if component["props"].get("elem_id") == "api":
                self.api = component["id"]
        return config

    def post(self, name: str, **given: object) -> Any:
        """The response to a small request of the page."""
        call = {"data": {"name": name, **given}, "component_id": self.api, "fn_name": "ask"}
        return self.client.post("/gradio_api/component_server", json=call | {"session_hash": "tab"})

    def ask(self, name: str, **given: object) -> dict[str, Any]:
        """What is answered to a small request of the page."""
        response = self.post(name, **given)
        assert response.status_code == 200, response.text
        reply: dict[str, Any] = response.json()
        return reply

    def question(self, words: str, **more: object) -> str:
        """The key of a turn that was begun and kept, in a conversation of its own."""
        config = self.look()
        begin = next(
            d["id"] for d in config["dependencies"] if not d["queue"] and len(d["inputs"]) == 3
        )
        sent = json.dumps({"question": words, "conversation": "c" * 32, **more})
        tab = uuid4().hex  # in each, one question is answered at a time
        call = {"fn_index": begin, "data": [words, sent, None], "session_hash": tab}
        reply = self.client.post("/gradio_api/run/predict", json=call).json()
        found = re.search(r'data-key="(\w{32})"', reply["data"][0])
        assert found, reply
        return found[1]


@contextmanager
def shared_page(library: Library, options: PageOptions | None = None) -> Iterator[Any]:
    """The page as an application, running; gives what makes its visitors."""
    wanted = options or PageOptions(accounts=SignIn())
    app = build_app(ScriptedAssistant(library), library, options=wanted)
    with ExitStack() as stack:
        stack.enter_context(TestClient(app, base_url=HOME))

        def visitor(name: str = "") -> Visitor:
            made = Visitor(TestClient(app, base_url=HOME))
            if name:
                assert made.sign_in(name) == 200
            return made

        yield visitor


@contextmanager
def shared_api(library: Library, accounts: Accounts) -> Iterator[dict[str, TestClient]]:
    """What programs are served, running: a client for each person, and one for nobody (“”)."""
    options = ApiOptions(accounts=SignIn(), allow_changes=True)
    app = build_api(ScriptedAssistant(library), library, options)
    clients = {"": TestClient(app, base_url=HOME)}
    for name in PASSWORDS:
        key = accounts.new_key(name)
        headers = {"Authorization": f"Bearer {key}"}
        clients[name] = TestClient(app, base_url=HOME, headers=headers)
    with TestClient(app, base_url=HOME):
        yield clients
