"""What somebody may see of a library: no scope and no request widens it."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from index import Library
from index.errors import InputError, PilcrowError
from index.types import SearchScope
from rag import Assistant
from tests.support.page_fakes import HeldLibrary, make_library
from ui.api.scope import Filters, scope_of
from ui.http.accounts.audit import Audit
from ui.http.accounts.people import NotPermitted, Person, Role
from ui.http.accounts.permitted import PermittedLibrary, PermittedPart

ROOMS = ("alpha", "beta", "gamma", "")
WORDS = {"alpha": "quarzite", "beta": "bramblewood", "gamma": "gossamer", "": "nonesuch"}
"""By collection: a word that stands in its documents alone."""
SAME = "The treaty was signed in 1998 by twelve states and costs 40 million a year."
"""A sentence of every document."""


def article(room: str, number: int) -> str:
    word = WORDS[room]
    return (
        f"---\ntitle: The {word} report {number}\nauthor: {word.title()} Author\nsource: {word} "
        f"news\ndate: 200{number}-03\ntags: [{word}tag]\n---\n\n# {word} heading\n\n{SAME} The "
        f"{word} of number {number} opened in the harbour.\n\nA second {word} paragraph is here.\n"
    )


class Kept(list[str]):
    """Lines of an audit."""

    def lines(self) -> Iterator[str]:
        return iter(self)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HeldLibrary]:
    articles = {
        f"{room or 'none'}/{number}.md": article(room, number)
        for room in ROOMS
        for number in (1, 2)
    }
    # one text at two paths, of which one collection holds one
    articles |= {"alpha/twin.txt": f"A twin\n\n{SAME}\n", "beta/twin.txt": f"A twin\n\n{SAME}\n"}
    with make_library(tmp_path_factory.mktemp("permitted"), articles) as made:
        for record in made.documents():
            room = record.id.partition("/")[0]
            if room in ROOMS:
                made.collect([record.id], room)
        yield made


def share_of(
    library: Library, collections: tuple[str, ...], role: Role = "reader"
) -> tuple[PermittedLibrary, Kept]:
    kept = Kept()
    person = Person("1", "ada", role, collections)
    return PermittedLibrary(PermittedPart(library, collections), person, Audit(kept)), kept


def hidden_of(library: Library, collections: tuple[str, ...]) -> tuple[set[str], list[str]]:
    """What may not be seen: ids, and words."""
    ids = {r.id for r in library.documents() if r.collection not in collections}
    return ids, [word for room, word in WORDS.items() if room not in collections]


texts = st.sampled_from([*ROOMS, *WORDS.values(), "alpha/1.md", "beta/twin.txt", "none", "md", "x"])
scopes = st.builds(
    SearchScope,
    documents=st.none() | st.lists(texts, max_size=3).map(tuple),
    dates=st.none() | st.just(("1990", "2030")) | st.just(("2001", "2001")),
    tags=st.lists(texts.map(lambda t: f"{t}tag"), max_size=2).map(tuple),
    authors=st.lists(texts, max_size=2).map(tuple),
    sources=st.lists(texts, max_size=2).map(tuple),
    folders=st.lists(texts, max_size=2).map(tuple),
    kinds=st.lists(st.sampled_from(["md", "txt"]), max_size=2).map(tuple),
    sections=st.lists(texts, max_size=1).map(tuple),
    collections=st.lists(texts, max_size=3).map(tuple),
)
permitted = st.lists(st.sampled_from(ROOMS[:3]), min_size=1, max_size=2, unique=True).map(tuple)
questions = st.sampled_from([
    "When was the treaty signed?", "How many documents are there?", "What is this library about?",
    "What does the quarzite report say?", "Compare the bramblewood and the gossamer report.",
    "What is the quarzit?", "List what opened in the harbour.", "Who wrote about nonesuch?",
    "Summarise the gossamer report 1.", "Timeline of the treaty", "hello", "bramblewod",
])  # fmt: skip


@pytest.mark.fault("U8")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(permitted, scopes, questions)
def test_no_document_outside_appears(
    library: HeldLibrary, rooms: tuple[str, ...], scope: SearchScope, question: str
) -> None:
    view, _ = share_of(library, rooms)
    hidden, words = hidden_of(library, rooms)
    for hit in view.search(question, 20, scope=scope):
        assert not {hit.document_id, *hit.also} & hidden
    chosen = view.select(scope)
    assert chosen is not None
    assert not chosen & hidden
    assert all(view.idf([word], scope=scope)[word] == 1 for word in words), "is nowhere"
    answer = Assistant(library, None, reader="none").within(view)
    *_, last = answer.stream(
        question, [("What is it about?", "A pact.")], scope=scope, explain=True
    )
    told = json.dumps(asdict(last))
    for id_ in hidden:
        assert f'"{id_}"' not in told
    asked = json.dumps(question).strip('"').casefold()
    for word in words:
        if word not in asked and not (word == "quarzite" and "quarzit" in asked):
            assert word not in told.casefold(), (question, told)
    if "quarzite" in words and question == "What is the quarzit?":
        assert "Searched for" not in told, "a correction would tell a hidden word"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(permitted, st.lists(texts, max_size=2).map(tuple), st.sampled_from([
    "documents", "authors", "sources", "tags", "folders", "kinds", "sections", "collections",
]))  # fmt: skip
def test_what_is_said_of_filters_names_nothing_hidden(
    library: HeldLibrary, rooms: tuple[str, ...], names: tuple[str, ...], kind: str
) -> None:
    view, _ = share_of(library, rooms)
    hidden, words = hidden_of(library, rooms)
    try:
        chosen: dict[str, Any] = {kind: names}
        scope = scope_of(view, Filters(**chosen))
    except InputError as error:
        said = str(error)
        for name in names:
            said = said.replace(repr(name), "")
        assert not any(word in said for word in words)
        assert not any(id_ in said for id_ in hidden)
    else:
        assert not set(scope.documents or ()) & hidden


@pytest.mark.parametrize("rooms", [("alpha",), ("ALPHA",), ("beta", "gamma")])
def test_every_way_to_look_leaves_the_others_out(
    library: HeldLibrary, rooms: tuple[str, ...]
) -> None:
    view, _ = share_of(library, rooms)
    folded = tuple(room.lower() for room in rooms)
    hidden, words = hidden_of(library, folded)
    seen = {record.id for record in view.documents()}
    assert seen == {r.id for r in library.documents()} - hidden
    assert view.stats().documents == len(seen)
    assert set(view.document_vectors()[0]) == seen
    assert not any(word in heading for heading in view.headings() for word in words)
    assert not any(word in view.vocabulary() for word in words)
    assert view.places() == []
    assert view.unreachable() == ()
    assert view.removed_files() == set()
    for id_ in hidden:
        assert view.passages(id_) == []
        assert view.embedded_passages(id_) == []
        calls: tuple[Any, ...] = (view.document, view.card, view.expect_pages)
        for call in calls:
            with pytest.raises(InputError, match="no document"):
                call(id_)
        with pytest.raises(InputError, match="no document"):
            view.page_picture(id_, 1)


def test_whatever_a_library_can_do_is_said_here_how(library: HeldLibrary) -> None:
    same = {"open", "__enter__", "__exit__"}
    public = {
        name for name, _ in inspect.getmembers(Library)
        if not name.startswith("_") and name not in same
    }  # fmt: skip
    assert public <= set(vars(PermittedLibrary))
    view, _ = share_of(library, ())
    assert not hasattr(view, "_store"), "what is not said here cannot be done"


def test_who_may_see_all_sees_all(library: HeldLibrary) -> None:
    view, _ = share_of(library, ())
    assert view.documents() == library.documents()
    assert view.stats() == library.stats()
    assert dict(view.vocabulary()) == dict(library.vocabulary())
    assert view.headings() == library.headings()
    assert view.search("the treaty") == library.search("the treaty")
    assert view.select(SearchScope()) is None


# --- changing -------------------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path: Path) -> Iterator[HeldLibrary]:
    with make_library(
        tmp_path, {"a/1.txt": "One\n\nAn alpha.\n", "b/2.txt": "Two\n\nBeta.\n"}
    ) as it:
        it.collect(["a/1.txt"], "alpha")
        it.collect(["b/2.txt"], "beta")
        yield it


def changes(view: PermittedLibrary, folder: Path) -> dict[str, Any]:
    """Every way to change a library."""
    receipt = None
    return {
        "update": lambda: view.update([folder / "new.txt"]),
        "rebuild": lambda: view.rebuild(),
        "look_again": lambda: view.look_again([folder]),
        "remove": lambda: view.remove(["a/1.txt"]),
        "tag": lambda: view.tag(["a/1.txt"], "x"),
        "collect": lambda: view.collect(["a/1.txt"], "alpha"),
        "forget": lambda: view.forget(folder),
        "restore": lambda: view.restore(receipt),  # type: ignore[arg-type]
        "forget_removed": lambda: view.forget_removed(["x"]),
        "check": lambda: view.check(repair=True),
        "use_encoder": lambda: view.use_encoder(view.encoder),
    }


@pytest.mark.fault("U9")
def test_a_reader_changes_nothing_whatever_is_called(small: HeldLibrary, tmp_path: Path) -> None:
    for rooms in ((), ("alpha",)):
        view, kept = share_of(small, rooms)
        before = small.change
        for name, change in changes(view, tmp_path / "articles").items():
            with pytest.raises(NotPermitted):
                change()
            assert small.change == before, name
        assert kept == []


def test_an_editor_of_some_collections_stays_in_them(small: HeldLibrary, tmp_path: Path) -> None:
    view, kept = share_of(small, ("alpha",), "editor")
    files = tmp_path / "articles"
    before = small.documents()
    for refused in (
        lambda: view.rebuild(),
        lambda: view.look_again([files]),
        lambda: view.forget(files),
        lambda: view.remove(["b/2.txt"]),
        lambda: view.tag(["a/1.txt", "b/2.txt"], "x"),
        lambda: view.collect(["b/2.txt"], "alpha"),
        lambda: view.collect(["a/1.txt"], "beta"),
        lambda: view.update([files / "b" / "2.txt"]),
        lambda: view.update([files], collection="alpha"),
        lambda: view.update([files / "new.txt"], collection="beta"),
    ):
        with pytest.raises(PilcrowError):
            refused()
    assert small.documents() == before
    assert kept == []
    (files / "new.txt").write_text("New\n\nA new one.\n")
    view.update([files / "new.txt"])
    (new,) = [record for record in view.documents() if record.title == "New"]
    assert new.collection == "alpha", "where nothing is named, into the first that is permitted"
    view.tag([new.id], "x")
    receipt = view.remove([new.id])
    assert view.restore(receipt).added or view.documents()
    noted = [json.loads(line) for line in kept]
    assert [(line["who"], line["what"]) for line in noted] == [
        ("ada", "add"), ("ada", "tag"), ("ada", "remove"), ("ada", "restore"),
    ]  # fmt: skip
    assert noted[0]["added"] == [new.id]


def test_an_admin_alone_changes_the_encoder(small: HeldLibrary) -> None:
    editor, _ = share_of(small, (), "editor")
    with pytest.raises(NotPermitted, match="settings"):
        editor.rebuild(encoder=small.encoder)
    admin, kept = share_of(small, (), "admin")
    admin.use_encoder(small.encoder)
    assert admin.check().ok
    assert kept == []
