"""What is uploaded and removed on the page: nothing comes back or is lost, no copy is left."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from typer.testing import CliRunner

from index import Library
from tests.support.fakes import BagOfWordsEncoder
from tests.support.nobody import open_library
from ui.cli import app
from ui.commands.session import Parts
from ui.page import upload_copies
from ui.page.api import PageApi
from ui.page.conversations import Conversations
from ui.page.jobs import JobRunner, in_turns
from ui.page.middleware import uploads
from ui.page.suggester import Suggester
from ui.page.views.jobs import JobView

FALCON = "The falcon dives at 300 kilometres an hour.\n"
HERON = "The heron stands in the water and waits.\n"
LATER = "The falcon of another article breeds on towers.\n"


class Page:
    """Library, works and api of one process, and a browser's uploads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.uploads = folder.resolve() / "store" / "uploads"
        self.number = 0
        self.start()

    def start(self) -> None:
        """As a new process does."""
        self.library = Library.open(self.folder / "store", encoder=BagOfWordsEncoder(), threads=1)
        self.works = JobRunner(self.library)
        self.works.tidy()
        self.api = PageApi(
            self.library, Conversations(self.library.path), self.works,
            Suggester(self.library, None),
        )  # fmt: skip

    def crash(self) -> None:
        """The process is killed, and the next one starts."""
        self.library.close()
        self.start()

    def end(self) -> None:
        self.works.tidy()
        self.library.close()

    def send(self, **files: str) -> JobView:
        """Uploads files, named without their suffix; the job when it is over."""
        return self.send_named({f"{name}.txt": text for name, text in files.items()})

    def replace(self, **files: str) -> JobView:
        """Uploads files that are to take the place of those called so."""
        named = {f"{name}.txt": text for name, text in files.items()}
        return self.send_named(named, replacing=named)

    def send_named(self, files: dict[str, str], replacing: Collection[str] = ()) -> JobView:
        self.number += 1
        coming = self.folder / "store" / "incoming" / str(self.number)
        coming.mkdir(parents=True)
        for name, text in files.items():
            (coming / name).write_text(text)
        *_, last = self.works.add([str(coming / name) for name in files], (), replacing)
        return last

    def remove(self, document: str) -> dict[str, Any]:
        return self.api.ask({"name": "remove", "ids": json.dumps([document])})

    @property
    def held(self) -> dict[str, str]:
        return {
            document.id: self.library.document(document.id).text
            for document in self.library.documents()
        }

    @property
    def kept(self) -> set[str]:
        return {one.name for one in self.uploads.iterdir()} if self.uploads.exists() else set()


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    made = Page(tmp_path)
    yield made
    made.library.close()


@pytest.mark.fault("G36")
def test_what_was_removed_does_not_come_back_when_another_file_is_added(page: Page) -> None:
    page.send(falcon=FALCON)
    page.remove("falcon.txt")
    view = page.send(heron=HERON)
    assert page.held == {"heron.txt": HERON}
    assert "+1 paragraph" in view.summary
    list(page.works.rebuild())
    assert page.held == {"heron.txt": HERON}


@pytest.mark.fault("G36")
def test_a_parcel_touches_itself_alone(page: Page) -> None:
    page.send(falcon=FALCON)
    (page.uploads / "falcon.txt").write_text(LATER)
    (page.uploads / "heron.txt").write_text(HERON)
    page.send(moon="The moon is far.\n")
    assert page.held == {"falcon.txt": FALCON, "moon.txt": "The moon is far.\n"}
    list(page.works.rebuild())  # that is what looks at everything
    assert page.held["falcon.txt"] == LATER and "heron.txt" in page.held


@pytest.mark.fault("G37")
def test_a_copy_goes_when_removing_can_no_longer_be_undone(page: Page) -> None:
    page.send(falcon=FALCON, heron=HERON, moon="The moon is far.\n")
    undo = page.remove("falcon.txt")["toast"]["undo"]
    assert page.kept == {"falcon.txt", "heron.txt", "moon.txt"}
    assert "problem" not in page.api.ask(undo)
    page.remove("heron.txt")
    assert page.kept == {"falcon.txt", "heron.txt", "moon.txt"}
    page.remove("moon.txt")
    assert page.kept == {"falcon.txt", "moon.txt"}
    page.end()
    assert page.kept == {"falcon.txt"}
    page.start()
    assert page.library.removed_files() == set()
    assert page.held == {"falcon.txt": FALCON}


@pytest.mark.fault("G37")
def test_a_crash_between_removing_and_deleting_brings_nothing_back(page: Page) -> None:
    page.send(falcon=FALCON, heron=HERON)
    page.remove("falcon.txt")
    page.crash()
    assert (page.kept, page.held) == ({"heron.txt"}, {"heron.txt": HERON})
    page.library.remove(["heron.txt"])
    (page.uploads / "heron.txt").unlink()
    page.crash()  # after the file was deleted, before that was noted
    assert page.library.removed_files() == set()
    assert page.held == {}
    assert "already" not in page.send(heron=HERON).summary
    assert page.held == {"heron.txt": HERON}


@pytest.mark.fault("G37")
def test_what_was_taken_in_before_a_crash_is_not_lost(page: Page) -> None:
    page.send(falcon=FALCON)
    coming = page.folder / "heron.txt"
    coming.write_text(HERON)
    upload_copies.take_in([str(coming)], page.uploads, {})
    page.crash()
    assert page.kept == {"falcon.txt", "heron.txt"}
    list(page.works.rebuild())
    assert page.held == {"falcon.txt": FALCON, "heron.txt": HERON}


@pytest.mark.fault("G37")
def test_files_of_the_person_are_never_deleted(page: Page) -> None:
    (page.folder / "articles").mkdir()
    (page.folder / "articles" / "falcon.txt").write_text(FALCON)
    page.library.update([page.folder / "articles"])
    page.remove("falcon.txt")
    page.crash()
    page.send(heron=HERON)
    page.remove("heron.txt")
    page.end()
    assert (page.folder / "articles" / "falcon.txt").read_text() == FALCON
    page.start()
    assert page.library.removed_files() == {str(page.folder / "articles" / "falcon.txt")}


@pytest.mark.fault("G37")
def test_the_command_line_deletes_the_copy_as_well(page: Page) -> None:
    page.send(falcon=FALCON, heron=HERON)
    for words in (("remove", "falcon.txt"), ("forget", page.uploads / "heron.txt")):
        given = ["--store", str(page.folder / "store"), *map(str, words)]
        done = CliRunner().invoke(app, given, obj=Parts(open_library=open_library))
        assert done.exit_code == 0
    assert (page.held, page.kept) == ({}, set())


@pytest.mark.fault("G37")
def test_what_could_not_be_read_leaves_no_copy(page: Page) -> None:
    view = page.send(falcon=FALCON, nothing="")
    assert {row.document_id: row.state for row in view.rows} == {
        "falcon.txt": "done", "nothing.txt": "failed",
    }  # fmt: skip
    assert page.kept == {"falcon.txt"}
    *_, rebuilt = page.works.rebuild()
    assert "failed" not in rebuilt.summary


@pytest.mark.fault("G38")
def test_another_file_of_the_same_name_is_kept_beside_the_first(page: Page) -> None:
    page.send(falcon=FALCON)
    view = page.send(falcon=LATER)
    assert page.held == {"falcon.txt": FALCON, "falcon (2).txt": LATER}
    assert page.kept == {"falcon.txt", "falcon (2).txt"}
    assert "“falcon.txt” is kept as “falcon (2).txt”" in view.summary
    (row,) = view.rows
    assert (row.document_id, row.state) == ("falcon (2).txt", "done")
    assert "falcon.txt" in row.detail


@pytest.mark.fault("G38")
def test_a_file_can_take_the_place_of_another_and_give_it_back(page: Page) -> None:
    page.send(bird=FALCON)
    assert page.api.ask({"name": "taken", "names": "bird.txt\nowl.txt\n"}) == {
        "taken": [["bird.txt", "bird"]]
    }
    job = page.replace(bird=HERON)
    assert job.replaced and job.summary == "“bird” read again: +0 paragraphs"
    assert [r.id for r in page.library.documents()] == ["bird.txt"]
    assert "heron" in page.library.document("bird.txt").text
    reply = page.api.ask({"name": "put-back"})
    assert reply["toast"]["text"] == "1 document as before."
    assert page.library.document("bird.txt").text == FALCON
    assert (page.uploads / "bird.txt").read_text() == FALCON
    assert "no longer" in page.api.ask({"name": "put-back"})["problem"]
    assert [p.name for p in page.uploads.iterdir()] == ["bird.txt"]


def test_what_was_replaced_goes_for_good_with_the_next_parcel_and_the_next_start(
    page: Page,
) -> None:
    page.send(bird=FALCON)
    page.replace(bird=HERON)
    page.send(owl=LATER)
    assert "no longer" in page.api.ask({"name": "put-back"})["problem"]
    page.replace(bird=FALCON)
    page.crash()
    assert "no longer" in page.api.ask({"name": "put-back"})["problem"]
    assert sorted(p.name for p in page.uploads.iterdir()) == ["bird.txt", "owl.txt"]
    assert page.library.document("bird.txt").text == FALCON


def test_a_file_that_cannot_be_read_takes_no_place(page: Page) -> None:
    page.send(bird=FALCON)
    job = page.replace(bird="\0\1\2" * 500)
    assert [(row.state, row.again) for row in job.rows] == [("failed", True)]
    assert not job.replaced
    assert (page.uploads / "bird.txt").read_text() == FALCON
    assert page.library.document("bird.txt").text == FALCON
    assert "no longer" in page.api.ask({"name": "put-back"})["problem"]


def test_small_files_can_be_asked_about_while_a_long_one_is_read(page: Page) -> None:
    reached, go_on = threading.Event(), threading.Event()
    update = page.library.update

    def held(paths: list[Path], **options: Any) -> Any:
        if any(path.name == "annals.txt" for path in paths):
            reached.set()
            go_on.wait()
        return update(paths, **options)

    held_works = HeldWorks(page.library, held)
    files = {"annals.txt": "In this year nothing happened at all. " * 4000}
    files |= {f"note {n}.txt": f"Note number {n} is about birds.\n" for n in range(9)}
    coming = page.folder / "store" / "incoming" / "held"
    coming.mkdir(parents=True)
    for name, text in files.items():
        (coming / name).write_text(text)
    views = held_works.add([str(coming / name) for name in files])
    try:
        next(views)
        reached.wait()
        assert len(page.library.documents()) == 9
        assert held_works.unread == 1
        states = {row.document_id: row.state for row in next(views).rows}
        assert states["note 4.txt"] == "done" and states["annals.txt"] == "waiting"
    finally:
        go_on.set()
    *_, last = views
    assert held_works.unread == 0
    assert last.summary.startswith("10 documents (“note 0”, “note 1” and 8 more) added: +10")


class HeldWorks(JobRunner):
    """Works on a library in a way of its own."""

    def __init__(self, library: Library, update: Any) -> None:
        super().__init__(library)
        self._update_library = update

    def _update(self, paths: Any, folder: Path | None = None, collection: str = "") -> Any:
        return self._update_library(paths, folder=folder, progress=self._report)


@given(st.lists(st.integers(0, 2_000_000), max_size=40))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_turns_hold_every_file_once_the_smallest_first(sizes: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{n}.txt" for n in range(len(sizes))]
        for path, size in zip(paths, sizes, strict=True):
            with path.open("wb") as file:
                file.truncate(size)
        turns = list(in_turns(paths))
        flat = [path for turn in turns for path in turn]
        assert sorted(flat) == sorted(paths)
        assert [p.stat().st_size for p in flat] == sorted(sizes)
        assert all(sum(p.stat().st_size for p in turn[:-1]) <= 512_000 for turn in turns)


def test_a_text_that_is_there_is_told_by_its_document(page: Page) -> None:
    page.send(falcon=FALCON)
    view = page.send(falcon=FALCON, raptor=FALCON, heron=HERON)
    assert page.held == {"falcon.txt": FALCON, "heron.txt": HERON}
    assert page.kept == {"falcon.txt", "heron.txt"}
    assert "“falcon.txt” is already in the library as “falcon.txt” (and 1 more)" in view.summary
    told = {row.document_id: (row.state, row.detail) for row in view.rows}
    assert told["raptor.txt"] == ("unchanged", "already in the library as “falcon.txt”")
    assert told["heron.txt"][0] == "done"
    assert "Nothing new" in page.send(falcon=FALCON).summary


@pytest.mark.fault("G38")
def test_what_was_removed_may_be_uploaded_again(page: Page) -> None:
    page.send(falcon=FALCON, heron=HERON)
    undo = page.remove("falcon.txt")["toast"]["undo"]
    page.send(falcon=FALCON)
    assert page.held == {"falcon.txt": FALCON, "heron.txt": HERON}
    assert "problem" not in page.api.ask(undo)
    page.remove("heron.txt")
    assert page.kept == {"falcon.txt", "heron.txt"}
    page.crash()
    assert (page.kept, page.held) == ({"falcon.txt"}, {"falcon.txt": FALCON})


@pytest.mark.fault("G33")
@pytest.mark.parametrize("letter", ["x", "é", "\U0001f6a2"])
def test_a_name_that_is_too_long_is_cut(page: Page, letter: str) -> None:
    longest = letter * (250 // len(letter.encode())) + ".txt"
    page.send_named({longest: FALCON})
    (kept,) = page.kept
    assert kept.endswith(f"{letter}.txt") and len(kept.encode()) <= 120
    page.send_named({longest: LATER})
    assert sorted(page.held.values()) == sorted([FALCON, LATER])
    assert uploads.bare("y" * 1_000_000 + ".txt").endswith("y.txt")


def test_a_file_that_cannot_be_taken_in_is_one_line(page: Page) -> None:
    nowhere = str(page.folder / "nowhere.txt")
    parcel = upload_copies.take_in([nowhere], page.uploads, {})
    assert [(one.path, one.reason) for one in parcel.failed] == [("nowhere.txt", "no such file")]
    *_, view = page.works.add([nowhere])
    assert "nowhere.txt: was not uploaded here" in view.summary


NAMES = st.sampled_from(["a", "b"])
TEXTS = st.sampled_from([FALCON, HERON, LATER])


class CopiesMachine(RuleBasedStateMachine):
    """Any order of uploads, removals, undoing, rebuilds, ends and crashes."""

    def __init__(self) -> None:
        super().__init__()
        memory = Path("/dev/shm")  # what is tested is not the disk
        made = tempfile.mkdtemp(dir=memory if os.access(memory, os.W_OK) else None)
        self.page = Page(Path(made))
        self.texts: set[str] = set()
        self.undo: tuple[str, dict[str, Any]] | None = None

    def teardown(self) -> None:
        self.page.library.close()
        shutil.rmtree(self.page.folder)

    @rule(name=NAMES, text=TEXTS)
    def send(self, name: str, text: str) -> None:
        self.page.send(**{name: text})
        self.texts.add(text)

    @precondition(lambda self: self.texts)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        document = data.draw(st.sampled_from(sorted(self.page.held)))
        text = self.page.held[document]
        self.undo = text, self.page.remove(document)["toast"]["undo"]
        if text not in self.page.held.values():  # one brought back may say the same as another
            self.texts.discard(text)

    @precondition(lambda self: self.undo)
    @rule()
    def restore_files(self) -> None:
        assert self.undo is not None
        text, undo = self.undo
        self.undo = None
        assert "problem" not in self.page.api.ask(undo)
        self.texts.add(text)

    @rule()
    def rebuild(self) -> None:
        list(self.page.works.rebuild())

    @rule(crashed=st.booleans())
    def start_anew(self, crashed: bool) -> None:
        if not crashed:
            self.page.works.tidy()
        self.page.crash()
        self.undo = None

    @invariant()
    def holds_what_was_sent_and_not_removed(self) -> None:
        assert set(self.page.held.values()) == self.texts
        undone = {self.undo[0]} if self.undo else set()
        lying = {(self.page.uploads / name).read_text() for name in self.page.kept}
        assert self.texts <= lying <= self.texts | undone


CopiesMachine.TestCase.settings = settings(
    max_examples=25, stateful_step_count=12, deadline=None, print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
test_any_order_of_uploads_and_removals = CopiesMachine.TestCase
