"""An import by many workers: the library that `add` would have made, whoever dies meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from index import Library, ModelMissing, PilcrowError, Progress, UpdateReport
from index.ingest.parcels import Workers
from index.storage.postgres.address import is_address
from tests.index.storage import ray_workers
from tests.index.storage.postgres_server import Given, Server
from tests.programs.wiretap import STRACE, calls_out, tapped
from tests.support.fakes import BagOfWordsEncoder
from tests.support.programs import PATIENCE

pytestmark = [
    pytest.mark.adapters,
    pytest.mark.skipif(find_spec("ray") is None, reason="needs ray: make test-extras"),
]
ROOT = Path(__file__).resolve().parents[3]
TWO = Workers(count=2, make_encoder=ray_workers.bag_of_words)


@pytest.fixture(scope="module")
def shared_cluster() -> Iterator[None]:
    """One cluster for those who do it no harm: each takes some seconds to begin."""
    from index.ingest import cluster

    with cluster.running(Workers(count=2)):
        yield


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """Forty short articles, a long one, twins, one in a folder, one that is none."""
    folder = tmp_path / "articles"
    (folder / "sub").mkdir(parents=True)
    for number in range(40):
        words = f"Forum {number}\n\nThe forum number {number} met in Kyoto. It spoke of cables.\n"
        (folder / f"{number}.txt").write_text(words)
    long = "\n\n".join(f"Paragraph {i} is about cable {i} under the sea." for i in range(100))
    (folder / "long.md").write_text(f"# Cables\n\n{long}\n")
    (folder / "twin.txt").write_text((folder / "3.txt").read_text())
    (folder / "sub" / "page.html").write_text(
        "<html><head><title>Moon</title></head><body><article><p>A comet passed close to the moon."
        " Nobody on the island slept that night.</p></article></body></html>"
    )
    (folder / "binary.txt").write_bytes(bytes(range(256)) * 8)
    (folder / "picture.xyz").write_bytes(b"no article")
    return folder


def opened(place: str) -> Library:
    return Library.open(place, encoder=BagOfWordsEncoder())


def told(report: UpdateReport) -> UpdateReport:
    """What a report says, in an order of its own."""
    return replace(
        report, change=0, added=tuple(sorted(report.added)), updated=tuple(sorted(report.updated)),
        unchanged=tuple(sorted(report.unchanged)),
        failed=tuple(sorted(report.failed, key=lambda failed: failed.path)),
        skipped=tuple(sorted(report.skipped, key=lambda skipped: skipped.path)),
    )  # fmt: skip


def state(library: Library) -> tuple[object, ...]:
    """All that a library knows, but when it learnt it."""
    assert [line for line in library.check().lines if not line.ok] == []
    records = library.documents()
    embedded = {
        record.id: [
            (passage.start, passage.end, passage.text, np.round(vectors, 6).tolist())
            for passage, vectors in library.embedded_passages(record.id)
        ]
        for record in records
    }
    hits = [
        (hit.document_id, sorted(hit.also), hit.text, round(hit.score, 6))
        for hit in library.search("which cable is under the sea near the moon?", 20)
    ]
    documents = [library.document(record.id) for record in records]
    return records_told(library), documents, embedded, sorted(map(str, hits)), library.places()


def records_told(library: Library) -> list[object]:
    return [(r.id, r.title, r.content_hash, r.path, r.collection) for r in library.documents()]


def added(place: str, shelf: Path) -> tuple[UpdateReport, tuple[object, ...]]:
    """What adding in one process makes."""
    with opened(place) as library:
        return told(library.update([shelf], collection="Papers")), state(library)


@pytest.mark.skipif(STRACE is None, reason="needs strace to see system calls")
@pytest.mark.fault("G20")
def test_an_import_reaches_for_nobody(shelf: Path, tmp_path: Path) -> None:
    program = [sys.executable, "-m", "tests.index.storage.ray_workers"]
    command = tapped([*program, str(tmp_path / "library"), str(shelf)], tmp_path / "calls")
    subprocess.run(command, cwd=ROOT, check=True, timeout=2 * PATIENCE)
    assert calls_out(tmp_path / "calls") == []


def test_nobody_else_reaches_a_cluster_of_this_machines_own(place: str, shelf: Path) -> None:
    open_to_others: list[str] = []

    def look(step: Progress) -> None:
        if step.stage == "importing" and step.done:
            open_to_others.extend(listening_to_others(os.getpid()))

    with opened(place) as library:
        library.update([shelf], workers=TWO, progress=look)
    assert open_to_others == []
    assert not list(Path("/tmp").glob(f"pilcrow-ray-{os.getpid()}-*"))


@pytest.mark.fault("R3")
def test_a_cluster_that_is_not_there_is_told_in_one_line(
    server: Given | Server, shelf: Path
) -> None:
    with opened(server.address()) as library:
        with pytest.raises(PilcrowError, match="no Ray cluster can be used") as error:
            library.update([shelf], workers=Workers("127.0.0.1:1"))
        assert "\n" not in str(error.value)


@pytest.mark.usefixtures("shared_cluster")
def test_an_import_makes_the_library_that_adding_makes(
    new_place: Callable[[], str], shelf: Path
) -> None:
    wanted, made = added(new_place(), shelf)
    steps: list[Progress] = []
    with opened(new_place()) as library:
        report = library.update([shelf], collection="Papers", workers=TWO, progress=steps.append)
        assert told(report) == wanted
        assert state(library) == made
        assert [f.path for f in report.failed] == [str(shelf / "binary.txt")]
        whole = [(s.done, s.total) for s in steps if s.stage == "importing"]
        assert (whole[0], whole[-1]) == ((0, 44), (44, 44))
        change = library.change
        again = library.update([shelf], workers=TWO)
        assert (len(again.unchanged), again.embedded, library.change) == (43, 0, change)


@pytest.mark.usefixtures("shared_cluster")
def test_an_import_takes_the_difference_and_lets_go_of_what_vanished(
    new_place: Callable[[], str], shelf: Path
) -> None:
    plain, imported = new_place(), new_place()
    for place in (plain, imported):
        with opened(place) as library:
            library.update([shelf])
    (shelf / "7.txt").write_text("Tea was served. Nobody drank it.\n")
    (shelf / "8.txt").unlink()
    (shelf / "9.txt").rename(shelf / "moved.txt")
    with opened(plain) as library:
        wanted, made = told(library.update([shelf])), state(library)
    with opened(imported) as library:
        assert told(library.update([shelf], workers=TWO)) == wanted
        assert state(library) == made


@pytest.mark.usefixtures("shared_cluster")
@pytest.mark.fault("R1")
def test_a_worker_that_is_killed_is_replaced_and_its_parcel_done_again(
    new_place: Callable[[], str], shelf: Path, tmp_path: Path
) -> None:
    _, made = added(new_place(), shelf)
    kill = partial(ray_workers.killing, tmp_path / "killed", 0)
    with opened(new_place()) as library:
        report = library.update(
            [shelf], collection="Papers", workers=Workers(count=2, make_encoder=kill)
        )
        assert (tmp_path / "killed").exists()
        assert len(report.added) == 43
        assert state(library) == made
        passages = library.stats().passages
    parcel = 16 + 100 if not is_address(str(library.path)) else 32
    assert len((tmp_path / "encoded").read_text()) <= passages + parcel


@pytest.mark.fault("R2")
def test_an_import_that_is_killed_is_finished_by_the_next(
    new_place: Callable[[], str], shelf: Path, tmp_path: Path
) -> None:
    _, made = added(new_place(), shelf)
    place = new_place()
    done = subprocess.run(
        [sys.executable, "-m", "tests.index.storage.ray_workers", place, shelf, tmp_path / "k"],
        cwd=ROOT, timeout=PATIENCE, capture_output=True,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    with opened(place) as library:
        before = len(library.documents())
        assert before < 43
        report = library.update([shelf], collection="Papers", workers=TWO)
        assert len(report.added) + len(report.unchanged) + len(report.updated) == 43
        assert state(library) == made


@pytest.mark.usefixtures("shared_cluster")
@pytest.mark.fault("R3")
def test_what_a_worker_lacks_is_told_in_one_line_and_nothing_is_lost(
    place: str, shelf: Path
) -> None:
    with opened(place) as library:
        with pytest.raises(ModelMissing, match=r"no model\.safetensors"):
            library.update([shelf], workers=Workers(make_encoder=ray_workers.missing))
        assert library.documents() == []
        assert len(library.update([shelf], workers=TWO).added) == 43


def listening_to_others(process: int) -> list[str]:
    """Addresses, but this machine's own, that a process and all it started listen at."""
    shown = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True).stdout
    parents = [tuple(map(int, line.split())) for line in shown.splitlines()]
    family = {process}
    while more := {pid for pid, parent in parents if parent in family} - family:
        family |= more
    sockets = set[str]()
    for pid in family:
        for descriptor in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                sockets.add(str(descriptor.readlink()))
            except OSError:  # gone since
                continue
    found = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                found.append(fields[1])
    own = ("0100007F:", "00000000000000000000000001000000:", "0000000000000000FFFF00000100007F:")
    return [address for address in found if not address.startswith(own)]
