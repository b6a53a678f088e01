"""What goes wrong between a library and its server: one line, nothing lost, the next succeeds."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from index import (
    InputError,
    Library,
    LibraryBusy,
    LibraryMismatch,
    LibraryUnreachable,
    LibraryUnwritable,
    PilcrowError,
)
from index.storage.postgres.address import parse_address
from index.types import Receipt
from rag.settings import Settings
from tests.index.storage.postgres_server import PASSWORD, Given, Server
from tests.index.storage.proxy import Proxy
from tests.support.fakes import BagOfWordsEncoder
from tests.support.programs import PATIENCE

pytestmark = pytest.mark.adapters
ROOT = Path(__file__).resolve().parents[3]
SECRET = PASSWORD.split()[-1]


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    folder = tmp_path / "articles"
    folder.mkdir()
    for name, text in {
        "kyoto.txt": "The forum opened in Kyoto on Sunday. More than 8,000 people came.\n",
        "moon.txt": "A comet passed close to the moon. Nobody on the island slept.\n",
        "rice.txt": "Rice was harvested late. The rain came early this year.\n",
    }.items():
        (folder / name).write_text(text)
    return folder


def opened(address: str) -> Library:
    return Library.open(address, encoder=BagOfWordsEncoder())


def commanded(folder: Path, store: str, *command: str) -> subprocess.CompletedProcess[str]:
    """What the command line did with a store, its own files in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "ui.cli", "--store", store, *command],
        capture_output=True, text=True, cwd=ROOT,
        env=os.environ | {"XDG_DATA_HOME": str(folder), "PILCROW_STORE": store},
    )  # fmt: skip


def said(error: pytest.ExceptionInfo[PilcrowError]) -> str:
    """The message, which has one line and no password."""
    message = str(error.value)
    assert "\n" not in message
    assert SECRET not in message
    return message


# --- at the start -----------------------------------------------------------------------------


@pytest.mark.fault("P1")
def test_a_server_that_is_down_is_named_and_the_next_try_succeeds(
    own_server: Server, tmp_path: Path
) -> None:
    address = own_server.address()
    own_server.stop()
    try:
        with pytest.raises(LibraryUnreachable) as told:
            opened(address)
        done = commanded(tmp_path, address, "ask", "--no-model", "Who came?")
    finally:
        own_server.start()
    assert "does not answer" in said(told)
    assert done.returncode == 69
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "Start it, then try again" in said(told)
    opened(address).close()


@pytest.mark.fault("P2")
def test_a_wrong_password_is_told_and_shown_to_nobody(own_server: Server, tmp_path: Path) -> None:
    wrong = own_server.address(password="Tr0ub4dor")
    with pytest.raises(LibraryUnreachable) as told:
        opened(wrong)
    assert "does not let you in" in said(told)
    for command in (["list"], ["search", "who?"]):
        done = commanded(tmp_path, wrong, *command)
        assert "Tr0ub4dor" not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert done.returncode == 69
    assert "Tr0ub4dor" not in own_server.log()
    assert "Tr0ub4dor" not in repr(parse_address(wrong)) + repr(Settings(store=wrong))
    opened(own_server.address()).close()


@pytest.mark.fault("P3")
def test_a_library_of_a_newer_pilcrow_is_refused_with_the_way_out(
    server: Given | Server, shelf: Path
) -> None:
    from index.storage.postgres.connections import connect
    from index.storage.postgres.schema import MIGRATIONS

    address = server.address()
    with opened(address) as library:
        library.update([shelf])
    with closing(connect(parse_address(address))) as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE key = 'format'")
    with pytest.raises(LibraryMismatch) as told:
        opened(address)
    assert "format 99" in said(told)
    assert "pip install -U pilcrow-rag" in said(told)
    with closing(connect(parse_address(address))) as connection:  # the newer one has it still
        connection.execute(
            "UPDATE meta SET value = %s WHERE key = 'format'", (str(len(MIGRATIONS)),)
        )
    with opened(address) as library:
        assert len(library.documents()) == 3
        assert library.check().ok


@pytest.mark.fault("P3")
def test_a_library_of_an_older_one_is_brought_up_once_by_whoever_comes_first(
    server: Given | Server, shelf: Path
) -> None:
    from index.storage.postgres.connections import Connections
    from index.storage.postgres.schema import MIGRATIONS, open_schema

    address = server.address()
    with opened(address) as library:
        library.update([shelf])
    newer = (*MIGRATIONS, "CREATE TABLE added_later (id bigint PRIMARY KEY)")
    connections = Connections(parse_address(address))
    threads = [
        threading.Thread(target=open_schema, args=(connections,), kwargs=KNOWN | {"migrations": m})
        for m in (newer, newer, newer)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    open_schema(connections, create=False, migrations=newer)
    with connections.reading() as connection:
        assert connection.execute("SELECT count(*) FROM added_later").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM documents").fetchone() == (3,)
    connections.close()


KNOWN = {"create": False}


@pytest.mark.fault("P3")
def test_a_library_from_before_there_were_collections_has_them_from_now_on(
    server: Given | Server, shelf: Path
) -> None:
    from index.storage.postgres.connections import Connections
    from index.storage.postgres.schema import MIGRATIONS, open_schema

    address = server.address()
    connections = Connections(parse_address(address))
    open_schema(connections, create=True, migrations=MIGRATIONS[:2])
    connections.close()
    with opened(address) as library:
        library.update([shelf], collection="Papers")
        assert {record.collection for record in library.documents()} == {"Papers"}
        assert library.check().ok


@pytest.mark.parametrize(
    "place",
    ["postgresql://host/db?schema=Bad-Name", "postgresql://[::1/db", "postgres://h/d?schema="],
)
def test_an_address_that_is_none_is_refused(place: str) -> None:
    with pytest.raises(InputError) as told:
        Library.open(place)
    said(told)


# --- in the middle ----------------------------------------------------------------------------


@pytest.mark.fault("P4")
def test_a_server_that_goes_down_between_two_questions(own_server: Server, shelf: Path) -> None:
    with opened(own_server.address()) as library:
        library.update([shelf])
        hits = library.search("forum and moon")
        own_server.stop()
        try:
            with pytest.raises(LibraryUnreachable) as told:
                library.search("forum and moon")
            said(told)
        finally:
            own_server.start()
        assert library.search("forum and moon") == hits


@pytest.mark.fault("P4")
def test_a_server_that_is_killed_in_the_middle_of_a_question(
    own_server: Server, shelf: Path
) -> None:
    proxy = Proxy(own_server.port)
    direct = own_server.address()
    with opened(direct) as library, opened(through(proxy, direct)) as library_behind:
        library.update([shelf])
        hits = library_behind.search("forum and moon")
        proxy.arm()
        library_behind.search("forum and moon")
        proxy.arm(proxy.said // 2, own_server.kill)
        with pytest.raises(LibraryUnreachable) as told:
            library_behind.search("forum and moon")
        said(told)
        proxy.arm()
        own_server.start()
        assert library_behind.search("forum and moon") == hits
    proxy.close()


def through(proxy: Proxy, address: str) -> str:
    port = parse_address(address).url.rpartition(":")[2].partition("/")[0]
    return address.replace(f":{port}/", f":{proxy.port}/")


@dataclass(frozen=True)
class Change:
    """Something that is done to a library of three articles."""

    make: Callable[[Library, Path], object]
    prepare: Callable[[Library, Path], object] = lambda library, shelf: None


def _write(shelf: Path, name: str, text: str) -> None:
    (shelf / name).write_text(text)


def _restore(library: Library, shelf: Path) -> None:
    from index.types import Origin, Receipt

    origin = Origin("moon.txt", str(shelf), str(shelf / "moon.txt"))
    library.restore(Receipt(("moon.txt",), 0, 0, 0, 0, (origin,)))


def _remove(library: Library, shelf: Path) -> None:
    if any(record.id == "moon.txt" for record in library.documents()):
        library.remove(["moon.txt"])


def _forget(library: Library, shelf: Path) -> None:
    if library.places():
        library.forget(shelf)


CHANGES = {
    "add": Change(
        lambda library, shelf: library.update([shelf]),
        lambda library, shelf: _write(shelf, "new.txt", "Tea was served. Nobody drank it.\n"),
    ),
    "change": Change(
        lambda library, shelf: library.update([shelf]),
        lambda library, shelf: _write(shelf, "moon.txt", "The moon was full. A dog barked.\n"),
    ),
    "move": Change(
        lambda library, shelf: library.rebuild(),
        lambda library, shelf: (shelf / "moon.txt").rename(shelf / "night.txt"),
    ),
    "remove": Change(_remove),
    "restore": Change(_restore, lambda library, shelf: library.remove(["moon.txt"])),
    "forget": Change(_forget),
    "tag": Change(lambda library, shelf: library.tag(["rice.txt"], "food")),
    "rebuild --full": Change(lambda library, shelf: library.rebuild(full=True)),
}
POINTS = 0 if os.environ.get("PILCROW_FAULT_POINTS") == "all" else 2


def state(library: Library) -> tuple[object, ...]:
    """What a person sees of a library."""
    records = [(r.id, r.content_hash, r.path, r.tags) for r in library.documents()]
    hits = [
        (hit.document_id, hit.text, round(hit.score, 6))
        for hit in library.search("forum, moon, rain, tea", 20)
    ]
    return records, sorted(hits), library.places(), sorted(library.removed_files())


@pytest.fixture
def behind(own_server: Server) -> Iterator[Proxy]:
    proxy = Proxy(own_server.port)
    yield proxy
    proxy.arm()
    proxy.close()


@pytest.mark.fault("P5")
@pytest.mark.parametrize("kind", CHANGES)
def test_a_server_that_is_killed_in_the_middle_of_a_change(
    own_server: Server, behind: Proxy, shelf: Path, tmp_path: Path, kind: str
) -> None:
    change, articles = CHANGES[kind], tmp_path / "kept"
    shutil.copytree(shelf, articles)

    def prepared() -> str:
        shutil.rmtree(shelf)
        shutil.copytree(articles, shelf)
        address = own_server.address()
        with opened(address) as library:
            library.update([shelf])
            change.prepare(library, shelf)
        return address

    with opened(through(behind, prepared())) as library:
        before = state(library)
        behind.arm()
        change.make(library, shelf)
        acts, after = behind.said, state(library)
    assert before != after or kind == "rebuild --full"
    points = range(1, acts + 1) if not POINTS else chosen(acts)
    for point in points:
        address = prepared()
        with opened(through(behind, address)) as library:
            library.documents()  # connected
            behind.arm(point, own_server.kill)
            try:
                change.make(library, shelf)
            except LibraryUnreachable as error:
                assert SECRET not in str(error)
                assert "\n" not in str(error)
            behind.arm()
        own_server.start()
        with opened(address) as library:
            assert state(library) in (before, after), f"at {point} of {acts}"
            assert library.check().ok
            change.make(library, shelf)
            assert state(library) == after
            assert library.check().ok


def chosen(acts: int) -> list[int]:
    """Some moments, the same in each run; the last ones are those where a change is kept."""
    some = random.Random(acts).sample(range(1, acts), min(POINTS - 1, acts - 1))
    return sorted({*some, max(1, acts - 4)})


@pytest.mark.fault("P5")
def test_what_was_embedded_before_the_server_died_serves_the_next_run(
    own_server: Server, tmp_path: Path
) -> None:
    article = tmp_path / "long.txt"
    article.write_text("\n\n".join(f"Paragraph {i} is about cable {i}." for i in range(80)))

    class Killing(BagOfWordsEncoder):
        def encode(self, passages):  # type: ignore[no-untyped-def]
            if self.encoded == 64:
                own_server.kill()
            return super().encode(passages)

    address = own_server.address()
    with Library.open(address, encoder=Killing()) as library, pytest.raises(LibraryUnreachable):
        library.update([article])
    own_server.start()
    with opened(address) as library:
        assert library.documents() == []
        assert library.update([article]).reused == 64
        assert library.check().ok


@pytest.mark.fault("P6")
def test_a_full_disk_on_the_server_leaves_the_library_as_it_was(
    own_server: Server, shelf: Path
) -> None:
    if shutil.which("cc") is None:
        pytest.skip("needs a C compiler (cc)")
    with opened(own_server.address()) as library:
        library.update([shelf])
        before = state(library)
        (shelf / "new.txt").write_text("\n\n".join(f"Tea {i} was served." for i in range(200)))
        own_server.full.touch()
        try:
            with pytest.raises(LibraryUnwritable) as told:
                library.update([shelf])
            assert "disk" in said(told) and "Free some space" in said(told)
            assert state(library) == before
        finally:
            own_server.full.unlink()
        assert library.update([shelf]).added == ("new.txt",)
        assert library.check().ok


# --- many at once -----------------------------------------------------------------------------


@pytest.mark.fault("P7")
def test_when_all_connections_are_in_use_that_is_said(server: Given | Server) -> None:
    from index.storage.postgres.store import PostgresStore

    store = PostgresStore(parse_address(server.address()), create=True, most=1, wait=0.05)
    errors: list[BaseException] = []

    def ask() -> None:
        try:
            with store.reading():
                pass
        except LibraryBusy as error:
            errors.append(error)

    with store.reading():
        other = threading.Thread(target=ask)
        other.start()
        other.join()
    ask()
    store.close()
    assert ["all 1 connections" in str(error) for error in errors] == [True]


@pytest.mark.fault("P7")
def test_when_the_server_has_no_connection_left_that_is_said(own_server: Server) -> None:
    import psycopg

    address = own_server.address()
    opened(address).close()
    url, taken = parse_address(address).url, []
    try:
        with pytest.raises(psycopg.OperationalError):
            while True:
                taken.append(psycopg.connect(url))
        with pytest.raises(LibraryBusy) as told:
            opened(address)
        assert "no connection left" in said(told)
    finally:
        for connection in taken:
            connection.close()
    opened(address).close()


@pytest.mark.fault("P7")
def test_more_people_than_connections_all_get_their_answers(
    server: Given | Server, shelf: Path
) -> None:
    address = server.address()
    with opened(address) as library:
        library.update([shelf])
        wanted = library.search("forum and moon")
    from index.search.server_search import ServerSearch
    from index.storage.postgres.store import PostgresStore

    store = PostgresStore(parse_address(address), create=False, most=2)
    library = Library(store, ServerSearch(store, 100), BagOfWordsEncoder(), 1)
    answers: list[object] = []

    def ask() -> None:
        answers.append(library.search("forum and moon"))

    people = [threading.Thread(target=ask) for _ in range(32)]
    for person in people:
        person.start()
    for person in people:
        person.join()
    library.close()
    assert answers == [wanted] * 32


@pytest.mark.fault("P8")
def test_two_writers_of_the_same_document(server: Given | Server, shelf: Path) -> None:
    from index.ingest.run import IngestRun
    from index.storage.postgres.store import PostgresStore

    address = server.address()
    with opened(address) as library:
        library.update([shelf])
        (shelf / "moon.txt").write_text("The moon was full. A dog barked.\n")
        quick = PostgresStore(parse_address(address), create=False, wait=0.1)
        with library._store.writing() as writer:
            writer.claim(["moon.txt"])
            with pytest.raises(LibraryBusy) as told:
                IngestRun(quick, BagOfWordsEncoder(), None, None).run([shelf])
            assert "the same documents" in said(told)
        assert library.check().ok
        assert library.update([shelf]).updated == ("moon.txt",)
        quick.close()


@pytest.mark.fault("P8")
def test_many_writers_of_different_documents(server: Given | Server, tmp_path: Path) -> None:
    address, shelves = server.address(), []
    opened(address).close()
    for number in range(4):
        shelf = tmp_path / f"shelf-{number}"
        shelf.mkdir()
        for name in range(5):
            words = f"The forum number {name} of shelf {number} met. It was about cables.\n"
            (shelf / f"{number}-{name}.txt").write_text(words)
        (shelf / f"{number}-twin.txt").write_text("Everybody has this article on the moon.\n")
        shelves.append(shelf)
    errors: list[BaseException] = []

    def write(shelf: Path) -> None:
        try:
            with opened(address) as library:
                library.update([shelf])
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(shelf,)) for shelf in shelves]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with opened(address) as library:
        assert len(library.documents()) == 24
        assert library.change == 4
        assert library.check().ok
        twins = library.search("moon", 1)[0]
        assert len({twins.document_id, *twins.also}) == 4


@pytest.mark.fault("P8")
def test_many_writers_of_the_same_documents_in_any_order(
    server: Given | Server, tmp_path: Path
) -> None:
    address, shelf = server.address(), tmp_path / "shelf"
    for number in range(3):
        (shelf / f"d{number}").mkdir(parents=True)
    opened(address).close()
    bugs: list[BaseException] = []

    def work(seed: int) -> None:
        chance = random.Random(seed)
        receipts: list[Receipt] = []
        with opened(address) as library:
            for _ in range(12):
                folder = shelf / f"d{chance.randrange(3)}"
                words = " ".join(chance.choices("cable forum rice moon island".split(), k=6))
                try:
                    match chance.choice("write write update rebuild remove restore tag".split()):
                        case "write":
                            (folder / f"{chance.randrange(4)}.txt").write_text(f"{words}.\n")
                            library.update([folder])
                        case "update":
                            library.update([shelf])
                        case "rebuild":
                            library.rebuild(full=chance.random() < 0.3)
                        case "restore" if receipts:
                            library.restore(receipts.pop())
                        case kind if held := [record.id for record in library.documents()]:
                            if kind == "remove":
                                receipts.append(library.remove([chance.choice(held)]))
                            else:
                                library.tag([chance.choice(held)], "mine")
                    library.search(words)
                except (LibraryBusy, InputError):
                    pass  # somebody else has it, or has removed it
                except BaseException as error:
                    bugs.append(error)
                    raise

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bugs == []
    with opened(address) as library:
        assert [line for line in library.check().lines if not line.ok] == []
        library.update([shelf])
        with opened(server.address()) as fresh:
            fresh.update([shelf])
            held = {r.path: r.content_hash for r in library.documents()}
            wanted = {r.path: r.content_hash for r in fresh.documents()}
        left_out = library.removed_files()
        assert held == {path: hash_ for path, hash_ in wanted.items() if path not in left_out}


@pytest.mark.fault("P10")
def test_two_writers_who_choose_the_same_new_id(server: Given | Server, tmp_path: Path) -> None:
    """Both have looked at the library before either writes: no document takes another's place."""
    both = threading.Barrier(2, timeout=PATIENCE)

    class Waiting(BagOfWordsEncoder):
        def encode(self, passages):  # type: ignore[no-untyped-def]
            if not self.encoded:
                both.wait()
            return super().encode(passages)

    address, shelves, errors = server.address(), [], []
    opened(address).close()
    for number in range(2):
        (shelf := tmp_path / f"shelf-{number}").mkdir()
        for name in ("a.txt", f"own-{number}.txt"):
            (shelf / name).write_text(f"The forum of shelf {number} met. It was about {name}.\n")
        shelves.append(shelf)

    def write(shelf: Path) -> None:
        try:
            with Library.open(address, encoder=Waiting()) as library:
                library.update([shelf])
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(shelf,)) for shelf in shelves]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with opened(address) as library:
        assert library.check().ok
        held = {record.path: record.id for record in library.documents()}
        assert held.keys() == {str(path) for shelf in shelves for path in shelf.iterdir()}
        first, second = (held[str(shelf / "a.txt")] for shelf in shelves)
        assert {first, second} in ({"a.txt", "shelf-1/a.txt"}, {"a.txt", "shelf-0/a.txt"})
        assert len(library.update(shelves).unchanged) == 4


@pytest.mark.fault("P11")
@pytest.mark.parametrize("kind", ["collect", "tag", "remove"])
def test_who_changes_the_same_documents_in_another_order_waits(
    server: Given | Server, tmp_path: Path, kind: str
) -> None:
    shelf, address = tmp_path / "shelf", server.address()
    shelf.mkdir()
    names = [f"{number}.txt" for number in range(12)]
    for name in names:
        (shelf / name).write_text(f"The forum met for {name}. It was about cables.\n")
    with opened(address) as library:
        library.update([shelf])
    errors: list[BaseException] = []

    def change(order: list[str], mine: str) -> None:
        try:
            with opened(address) as library:
                for turn in range(10):
                    if kind == "collect":
                        library.collect(order, f"{mine} {turn}")
                    elif kind == "tag":
                        library.tag([order[turn]], mine)
                    else:
                        library.restore(library.remove(order[turn : turn + 2]))
        except InputError:  # the other one has removed it just now
            pass
        except BaseException as error:
            errors.append(error)

    threads = [
        threading.Thread(target=change, args=(order, mine))
        for order, mine in ((names, "up"), (names[::-1], "down"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with opened(address) as library:
        assert library.check().ok
        records = library.documents()
        if kind == "collect":
            assert len({record.collection for record in records}) == 1
        if kind == "tag":
            tagged = {record.id: set(record.tags) for record in records}
            assert [name for name in names[:10] if "up" not in tagged[name]] == []
            assert [name for name in names[2:] if "down" not in tagged[name]] == []


@pytest.mark.fault("P12")
def test_a_clock_of_the_server_that_jumps_costs_no_more_than_work(
    server: Given | Server, tmp_path: Path
) -> None:
    """Drafts are abandoned by their age: those of a run that goes on may look a week old."""
    from index.storage.postgres.connections import connect

    article, other = tmp_path / "long.txt", tmp_path / "other.txt"
    article.write_text("\n\n".join(f"Paragraph {i} is about cable {i}." for i in range(80)))
    other.write_text("Tea was served. Nobody drank it.\n")
    address = server.address()

    class Jumping(BagOfWordsEncoder):
        def encode(self, passages):  # type: ignore[no-untyped-def]
            if self.encoded == 64:
                with closing(connect(parse_address(address))) as connection:
                    connection.execute("UPDATE drafts SET at = at - interval '10 days'")
                with opened(address) as library:
                    library.update([other])
            return super().encode(passages)

    with Library.open(address, encoder=Jumping()) as library:
        assert library.update([article]).added == ("long.txt",)
        assert len(library.documents()) == 2
        assert library.check().ok
    with closing(connect(parse_address(address))) as connection:  # and back: from the future
        connection.execute("UPDATE changes SET at = at + interval '10 years'")
    with opened(address) as library:
        before = library.change
        library.tag(["long.txt"], "cables")
        assert library.change == before + 1
        assert library.check().ok


@pytest.mark.fault("P8")
def test_who_makes_everything_anew_is_alone(server: Given | Server, shelf: Path) -> None:
    with opened(server.address()) as library:
        library.update([shelf])
        store = library._store
        with store.changing(alone=True), pytest.raises(LibraryBusy) as told, store.changing():
            pass
        assert "Try again when it is done" in said(told)
        library.rebuild(full=True)


@pytest.mark.fault("P9")
def test_readers_hear_of_changes_that_others_make(server: Given | Server, shelf: Path) -> None:
    from index.storage.postgres.store import PostgresStore

    address = server.address()
    heard: list[int] = []
    listening = threading.Event()
    with opened(address) as library, opened(address) as other:
        store = other._store
        assert isinstance(store, PostgresStore)

        def listen() -> None:
            for number in store.changes(60, begun=listening.set):
                heard.append(number)
                if number == 2:
                    return

        listener = threading.Thread(target=listen)
        listener.start()
        listening.wait()
        library.update([shelf])
        library.tag(["moon.txt"], "sky")
        listener.join()
        assert heard == [1, 2]
        assert other.change == 2
        assert other.documents()[1].tags == ("sky",)
