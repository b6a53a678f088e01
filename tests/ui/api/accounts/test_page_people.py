"""The page where several people share it: who is let in, to what, and whose is what."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from index.errors import PilcrowError
from rag.types import Answer
from tests.support.page_fakes import HeldLibrary, ScriptedAssistant, quoting
from tests.ui.api.accounts.sharing_people import (
    HOME,
    PASSWORDS,
    Visitor,
    make_shared,
    shared_page,
)
from ui.http.accounts.audit import audit_of
from ui.http.accounts.sharing import SignIn
from ui.http.accounts.store import accounts_of
from ui.http.server import behind_proxy
from ui.page.app import PageOptions, build_app
from ui.page.conversations import Conversations, Turn, new_key
from ui.page.middleware.security import _NEEDED

HIDDEN = ("zyxword", "zyxcable", "Qwertzing", "Harbour", "cables", "hushword", "Vladivostok",
          "secret", "Nobody Weekly")  # fmt: skip
"""Words of what `rita` may not see."""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HeldLibrary]:
    with make_shared(tmp_path_factory.mktemp("people")) as made:
        yield made


@pytest.fixture(scope="module")
def visitor(library: HeldLibrary) -> Iterator[Any]:
    with shared_page(library) as made:
        yield made


@pytest.fixture(scope="module")
def rita(visitor: Any) -> Visitor:
    made: Visitor = visitor("rita")
    return made


@pytest.fixture(scope="module")
def edda(visitor: Any) -> Visitor:
    made: Visitor = visitor("edda")
    return made


@pytest.fixture(scope="module")
def adam(visitor: Any) -> Visitor:
    made: Visitor = visitor("adam")
    return made


# --- who is let in --------------------------------------------------------------------------------


def test_nobody_gets_the_login_form_and_nothing_else(visitor: Any) -> None:
    nobody: Visitor = visitor()
    assert nobody.look().get("auth_required")
    shown = {"/", "/logout", "/theme.css", "/manifest.json", "/favicon.ico", "/gradio_api/app_id"}
    paths = [path for part in _NEEDED["GET"] for path in examples(part)]
    assert "/gradio_api/queue/data" in paths
    for path in paths:
        if path not in shown and not path.startswith(("/assets/", "/static/")):
            assert nobody.client.get(path).status_code == 401, path
    for path in (path for part in _NEEDED["POST"] for path in examples(part)):
        if path != "/login":
            assert nobody.client.post(path, json={}).status_code == 401, path


def examples(pattern: str) -> list[str]:
    """The paths of a pattern of `security`, with a letter for each of its parts."""
    paths = [pattern]
    while any("(?:" in path for path in paths):
        path = next(path for path in paths if "(?:" in path)
        begin = path.index("(?:")
        depth, end = 0, begin
        for end in range(begin, len(path)):
            depth += {"(": 1, ")": -1}.get(path[end], 0)
            if not depth:
                break
        parts = re.split(r"\|(?![^(]*\))", path[begin + 3 : end])
        paths.remove(path)
        paths += [f"{path[:begin]}{part}{path[end + 1 :]}" for part in parts]
    flat = [one for path in paths for one in path.split("|")]
    cleaned = [re.sub(r"\[[^\]]*\]\+|\\w\+", "x", path) for path in flat]
    return [re.sub(r"/\?$", "", path).replace("\\", "") for path in cleaned]


@pytest.mark.fault("U1")
def test_a_wrong_password_is_refused_in_the_same_words_as_a_wrong_name(visitor: Any) -> None:
    nobody: Visitor = visitor()
    said = set()
    for name in ("rita", "no such person"):
        given = {"username": name, "password": "not the password"}
        response = nobody.client.post("/login", data=given)
        said.add((response.status_code, response.text))
    assert len(said) == 1
    assert nobody.sign_in("rita") == 200


@pytest.mark.fault("U1")
def test_attempts_are_limited(library: HeldLibrary) -> None:
    with shared_page(library) as visitor:
        nobody: Visitor = visitor()
        tried = [nobody.sign_in("nobody", "wrong password") for _ in range(6)]
        assert tried == [400] * 5 + [429]
        assert nobody.sign_in("rita") == 429


@pytest.mark.fault("U2")
def test_a_session_ends_with_its_account_and_with_its_password(
    library: HeldLibrary, visitor: Any
) -> None:
    accounts = accounts_of(library)
    accounts.add("temp", "reader", (), "a temporary one")
    there: Visitor = visitor()
    assert there.sign_in("temp", "a temporary one") == 200
    assert there.ask("library")["documents"] == 3
    accounts.set_role("temp", "editor")
    assert there.ask("library")["person"]["role"] == "editor", "what is changed holds at once"
    accounts.set_password("temp", "quite another one")
    assert there.post("library").status_code == 401
    assert there.look().get("auth_required")
    assert there.sign_in("temp", "quite another one") == 200
    accounts.remove("temp")
    assert there.post("library").status_code == 401
    accounts.add("temp", "admin", (), "quite another one")
    assert there.post("library").status_code == 401, "another person of the same name"
    accounts.remove("temp")


def test_who_signs_out_is_out(visitor: Any) -> None:
    there: Visitor = visitor("rita")
    there.client.get("/logout", follow_redirects=False)
    assert there.post("library").status_code == 401


# --- what each may see ----------------------------------------------------------------------------


@pytest.mark.fault("U8")
def test_nothing_hidden_is_in_any_reply(library: HeldLibrary, rita: Visitor) -> None:
    asked = sorted(requests_of(library))
    hidden = ["harbour/cables.md", "secret.txt"]
    key = rita.question("How many participants registered in Kyoto?")
    for name in asked:
        for words, id_ in zip(
            ("", "plan ship", "zyxword"), (*hidden, "forum/kyoto.txt"), strict=True
        ):
            given = {
                "words": words, "document": id_, "ids": json.dumps([id_]), "key": key,
                "id": "c" * 32, "conversation": "c" * 32, "collection": "harbour", "topic": 0,
                "folder": "harbour", "names": "secret.txt\nkyoto.txt", "tag": "x", "page": 1,
                "number": 1, "place": "/", "model": "x", "order": "folder",
            }  # fmt: skip
            told = json.dumps(rita.ask(name, **given), ensure_ascii=False)
            for sent in given.values():  # what was sent may come back
                told = told.replace(str(sent), "") if sent else told
            for word in HIDDEN:
                assert word.casefold() not in told.casefold(), (name, words, id_, told)
    assert library.documents()[0].tags == ()


def requests_of(library: HeldLibrary) -> set[str]:
    """The names of all small requests of the page."""
    from ui.page.app import build_services

    services = build_services(ScriptedAssistant(library), library, PageOptions())
    names = set(services.api._requests)
    services.chat.close()
    return names


def test_what_is_counted_is_what_may_be_seen(rita: Visitor, edda: Visitor, adam: Visitor) -> None:
    assert [v.ask("library")["documents"] for v in (rita, edda, adam)] == [1, 1, 3]
    assert "harbour" not in rita.ask("library", collection="harbour")["slots"]["collections"]
    assert rita.ask("names", words="cables")["names"] == []
    assert [n for n, *_ in edda.ask("names", words="cables")["names"]] == ["harbour/cables.md"]
    assert rita.ask("taken", names="secret.txt")["taken"] == []


def test_an_answer_of_documents_that_one_may_not_see_any_more_is_withheld(
    library: HeldLibrary, visitor: Any
) -> None:
    accounts = accounts_of(library)
    person = accounts.add("vera", "reader", (), "vera may see all")
    there: Visitor = visitor()
    there.sign_in("vera", "vera may see all")
    cited = quoting(library, "The plan?", "The hushword plan costs 77 million and begins in "
                    "Vladivostok.")  # fmt: skip
    listed = Answer("What is there?", "answered", "The hidden plan of Vladivostok and more",
                    complete=True, stage="done")  # fmt: skip
    keys = [new_key(), new_key()]
    kept = Conversations(library.path, person.id)
    for key, answer in zip(keys, (cited, listed), strict=True):
        assert kept.keep("d" * 32, Turn(key, answer.question, answer))
    for key in keys:
        assert "Vladivostok" in there.ask("turn", key=key, number=1)["html"]
    accounts.set_collections("vera", ["forum"])
    for key in keys:
        for name in ("turn", "sources", "why", "copy", "export", "follow"):
            assert "Vladivostok" not in json.dumps(there.ask(name, key=key, number=1)), name
    assert "Vladivostok" not in json.dumps(there.ask("open", id="d" * 32))
    assert "d" * 32 not in json.dumps(there.ask("conversations", words="Vladivostok"))
    accounts.remove("vera")


# --- whose is what --------------------------------------------------------------------------------


@pytest.mark.fault("U7")
def test_nobody_gets_at_anothers_conversation(rita: Visitor, edda: Visitor) -> None:
    key = rita.question("How many participants registered in Kyoto?", conversation="a" * 32)
    conversation = "a" * 32
    assert conversation in json.dumps(rita.ask("conversations"))
    assert conversation not in json.dumps(edda.ask("conversations"))
    given = {"key": key, "id": conversation, "conversation": conversation, "number": 1,
             "before": 9, "way": "up", "title": "Mine now", "kind": "json"}  # fmt: skip
    for name in ("open", "turn", "sources", "why", "rate", "copy", "export", "follow"):
        assert "problem" in edda.ask(name, **given), name
    for name in ("earlier", "all-sources", "stop", "rename", "delete", "read"):
        assert "participants" not in json.dumps(edda.ask(name, **given)), name
    assert "problem" in edda.ask("undelete", **given)
    listed = json.dumps(rita.ask("conversations"))
    assert "How many participants" in listed
    assert "Mine now" not in listed
    # a question that says it belongs to it, or takes its answer's place, is in one of edda's own
    edda.question("How many days?", conversation=conversation, replaces=key, again=key)
    assert "days" not in json.dumps(rita.ask("open", id=conversation))
    assert "participants" not in json.dumps(edda.ask("open", id=conversation))
    assert "problem" not in rita.ask("turn", key=key, number=1)


def test_each_has_their_own_thumbs(library: HeldLibrary, rita: Visitor) -> None:
    kept = Conversations(library.path, accounts_of(library).by_name("rita").id)  # type: ignore[union-attr]
    answer = quoting(library, "How many?", "More than 9,000 participants from 178 countries "
                     "registered.")  # fmt: skip
    key = new_key()
    kept.keep("b" * 32, Turn(key, "How many?", answer))
    assert "problem" not in rita.ask("rate", key=key, way="up")
    assert not list(library.path.glob("feedback*.jsonl"))
    (noted,) = library.path.glob("feedback/*/feedback.jsonl")
    assert key in noted.read_text()


@pytest.mark.fault("U7")
def test_names_of_tabs_and_uploads_are_each_accounts_own(adam: Visitor, edda: Visitor) -> None:
    uploads = [
        visitor.client.post(
            "/gradio_api/upload?upload_id=same", files={"files": ("note.txt", text)}
        ).json()
        for visitor, text in ((adam, b"A note of one."), (edda, b"A note of another."))
    ]
    config = edda.look()
    add = next(
        d["id"] for d in config["dependencies"] if d["queue"] and len(d["inputs"]) == 2
        and d["targets"] and d["targets"][0][1] == "upload"
    )  # fmt: skip

    def join(visitor: Visitor, path: str) -> int:
        file = {"path": path, "meta": {"_type": "gradio.FileData"}, "orig_name": "note.txt"}
        call = {"fn_index": add, "data": [[file], "[]"], "session_hash": "same"}
        status: int = visitor.client.post("/gradio_api/queue/join", json=call).status_code
        return status

    assert join(edda, uploads[0][0]) == 403, "what adam uploaded"
    assert join(adam, uploads[1][0]) == 403


# --- what each may do -----------------------------------------------------------------------------

CHANGES: dict[str, dict[str, object]] = {
    "remove": {"sure": True}, "tag": {"tag": "x"}, "collect": {"collection": "forum"},
    "restore": {}, "put-back": {}, "keep": {"place": "/"}, "let-be": {"place": "/"},
    "get-model": {"model": "x"}, "stop-model": {}, "use-model": {"model": "x"},
    "own-words": {}, "use-encoder": {"model": "x"}, "stop-encoder": {},
}  # fmt: skip


@pytest.mark.fault("U9")
def test_a_reader_changes_nothing(library: HeldLibrary, rita: Visitor) -> None:
    change = library.change
    for name, given in CHANGES.items():
        reply = rita.ask(name, ids=json.dumps(["forum/kyoto.txt"]), **given)
        assert "problem" in reply, (name, reply)
    sent = rita.client.post("/gradio_api/upload", files={"files": ("x.txt", b"An x. It is.")})
    assert sent.status_code == 403
    assert library.change == change


@pytest.mark.fault("U9")
def test_an_editor_changes_what_they_see_and_no_settings(
    library: HeldLibrary, edda: Visitor, rita: Visitor
) -> None:
    for ids in (["forum/kyoto.txt"], ["secret.txt"], ["harbour/cables.md", "secret.txt"]):
        change = library.change
        for name in ("remove", "tag", "collect"):
            assert "problem" in edda.ask(name, ids=json.dumps(ids), **CHANGES[name])
        assert library.change == change
    own = json.dumps(["harbour/cables.md"])
    assert "problem" in edda.ask("collect", ids=own, collection="forum"), "not theirs to see"
    assert "toast" in edda.ask("tag", ids=own, tag="ships")
    assert "toast" in edda.ask("remove", ids=own)
    assert "problem" in rita.ask("restore", ids=own), "another's undo"
    assert edda.ask("library")["documents"] == 0
    assert "toast" in edda.ask("restore", ids=own)
    (back,) = [r for r in library.documents() if r.id == "harbour/cables.md"]
    assert back.collection == "harbour"
    for name in ("get-model", "own-words", "use-model", "use-encoder"):
        assert "problem" in edda.ask(name, model="x")
    lines = [json.loads(line) for line in audit_of(library).lines()]
    noted = [(line["who"], line["what"]) for line in lines if "documents" in line]
    assert noted[-3:] == [("edda", "tag"), ("edda", "remove"), ("edda", "restore")]


def test_everyone_has_their_own_undo(library: HeldLibrary, edda: Visitor, adam: Visitor) -> None:
    own, other = json.dumps(["harbour/cables.md"]), json.dumps(["secret.txt"])
    assert "toast" in edda.ask("remove", ids=own)
    assert "toast" in adam.ask("remove", ids=other)
    assert "problem" in adam.ask("restore", ids=own)
    assert "toast" in edda.ask("restore", ids=own)
    assert "toast" in adam.ask("restore", ids=other)
    assert len(library.documents()) == 3


# --- by a proxy -----------------------------------------------------------------------------------

HEADER = "X-Forwarded-User"


def proxied(library: HeldLibrary, sign_in: SignIn, address: str) -> TestClient:
    app = build_app(ScriptedAssistant(library), library, options=PageOptions(accounts=sign_in))
    return TestClient(
        behind_proxy(app, "10.0.0.0/8", HEADER), base_url=HOME, client=(address, 1234)
    )


@pytest.mark.fault("U3")
def test_the_proxy_alone_says_who_asks(library: HeldLibrary) -> None:
    def status(client: TestClient, name: str, **more: str) -> int:
        call = {"data": {"name": "library"}, "component_id": 1, "fn_name": "x"}
        headers = {HEADER: name, **more}
        return client.post("/gradio_api/component_server", json=call, headers=headers).status_code

    inside = proxied(library, SignIn(HEADER), "10.1.2.3")
    assert status(inside, "rita") == 400, "let in, and it is no request of the page"
    assert status(inside, "RITA ") == 400
    assert status(inside, "nobody at all") == 401
    assert status(inside, "") == 401
    assert status(inside, "rita", **{"X-Forwarded-For": "8.8.8.8"}) == 400
    outside = proxied(library, SignIn(HEADER), "8.8.8.8")
    assert status(outside, "rita") == 401, "forged"
    assert status(outside, "adam", **{"X-Forwarded-For": "10.1.2.3"}) == 401
    assert outside.get("/").status_code == 401


@pytest.mark.fault("U3")
def test_two_names_are_nobodys(library: HeldLibrary) -> None:
    client = proxied(library, SignIn(HEADER), "10.1.2.3")
    headers = [(HEADER, "rita"), (HEADER.lower(), "adam")]
    assert client.get("/", headers=headers).status_code == 401


def test_a_default_role_makes_accounts_for_whom_the_proxy_names(library: HeldLibrary) -> None:
    client = proxied(library, SignIn(HEADER, "reader"), "10.1.2.3")
    assert client.get("/", headers={HEADER: "New Person"}).status_code == 200
    made = accounts_of(library).by_name("new person")
    assert made is not None
    assert (made.role, made.has_password) == ("reader", False)
    accounts_of(library).remove("new person")


@pytest.mark.fault("U3")
def test_without_a_trusted_proxy_no_header_is_believed() -> None:
    with pytest.raises(PilcrowError, match="PILCROW_TRUSTED_PROXY"):
        behind_proxy(None, "", HEADER)  # type: ignore[arg-type]


# --- when accounts cannot be read -----------------------------------------------------------------


@pytest.mark.fault("U4")
def test_nobody_is_let_in_while_the_accounts_cannot_be_read(tmp_path: Path) -> None:
    with make_shared(tmp_path) as library, shared_page(library) as visitor:
        there: Visitor = visitor("rita")
        path = library.path / "accounts.sqlite"
        whole = path.read_bytes()
        path.write_bytes(b"damaged, and long enough to be looked at as a database" * 20)
        refused = there.post("library")
        assert refused.status_code == 503
        assert "accounts" in refused.json()["detail"]
        path.write_bytes(whole)
        assert there.ask("library")["documents"] == 1
    assert PASSWORDS
