"""Files that cannot be seen are not gone, and what a person removed stays removed."""

from __future__ import annotations

import errno
import json
import os
import pty
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from index import InputError, Library, LibraryUnwritable
from index.formats.registry import visible
from index.ingest.run import IngestRun
from index.storage.sqlite.store import SQLiteStore
from tests.support.fakes import BagOfWordsEncoder
from tests.support.nobody import open_library
from ui.cli import app
from ui.commands.session import Parts

ROOT = Path(__file__).resolve().parents[2]
TEXTS = {
    "kyoto.txt": "The forum met in Kyoto on a Sunday.\n",
    "cables.txt": "Cables lie under the sea.\n",
    "sub/rice.txt": "Rice was harvested late.\n",
    "sub/comet.txt": "A comet passed the moon.\n",
    "sub/deep/castle.txt": "The castle stands on the island.\n",
}
SUB = {"sub/rice.txt", "sub/comet.txt", "sub/deep/castle.txt"}
LONG = "x" * 300 + ".txt"


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    return fill(tmp_path / "articles")


def fill(folder: Path) -> Path:
    for name, text in TEXTS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library.open(tmp_path / "library", encoder=BagOfWordsEncoder()) as opened:
        yield opened


def ids(library: Library) -> set[str]:
    return {document.id for document in library.documents()}


Nobody = Callable[[list[list[str]]], list[tuple[int, str, str]]]


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that nobody may enter; pytest's own are its owner's alone."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o755)
        yield folder
        for path in folder.rglob("*"):
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o700)


@pytest.fixture
def nobody(home: Path) -> Nobody:
    """Runs commands without special rights."""

    def run(steps: list[list[str]]) -> list[tuple[int, str, str]]:
        done = subprocess.run(
            [sys.executable, "-m", "tests.support.nobody", home],
            input=json.dumps(steps),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        told = [(code, out, err) for code, out, err in json.loads(done.stdout)]
        for words, (_, _, err) in zip(steps, told, strict=True):
            assert "Traceback" not in err, (words, err)
        return told

    return run


# --- what cannot be seen --------------------------------------------------------------------------


@pytest.mark.fault("G30")
@pytest.mark.parametrize("mode", ["000", "444", "111"])
def test_a_folder_that_is_closed_keeps_its_documents(nobody: Nobody, home: Path, mode: str) -> None:
    fill(home / "docs")
    added, _, rebuilt, full, listed, found, opened, again = nobody(
        [
            ["--store", "lib", "add", "docs"],
            ["chmod", mode, "docs/sub"],
            ["--store", "lib", "rebuild", "--json"],
            ["--store", "lib", "rebuild", "--full", "--json"],
            ["--store", "lib", "list"],
            ["--store", "lib", "search", "comet at the moon", "-k", "1"],
            ["chmod", "755", "docs/sub"],
            ["--store", "lib", "rebuild", "--json"],
        ]
    )
    assert added[0] == 0
    for code, out, _ in (rebuilt, full):
        report = json.loads(out)
        assert (code, report["removed"], report["failed"]) == (4, [], [])
        (away,) = report["unreachable"]
        assert away["path"] == str(home.resolve() / "docs" / "sub")
        assert (set(away["documents"]), away["lost"]) == (SUB, False)
        assert "permission" in away["reason"]
    assert listed[1].count("\n") == len(TEXTS)
    if mode != "111":  # then each file can be seen, only not found
        assert "unreachable, kept: " in listed[2] and "pilcrow forget " in listed[2]
    assert "A comet passed the moon." in found[1]
    assert opened[0] == 0
    report = json.loads(again[1])
    assert (again[0], report["unreachable"], len(report["unchanged"])) == (0, [], len(TEXTS))


@pytest.mark.fault("G30")
def test_a_closed_parent_closes_no_other_place(nobody: Nobody, home: Path) -> None:
    fill(home / "safe" / "docs")
    (home / "open").mkdir()
    (home / "open" / "lima.txt").write_text("It rained in Lima.\n")
    (home / "safe" / "alone.txt").write_text("Alone it was added.\n")
    steps = [
        ["--store", "lib", "add", "safe/docs", "safe/alone.txt", "open"],
        ["chmod", "000", "safe"],
        ["--store", "lib", "rebuild", "--json"],
        ["--store", "lib", "add", "safe/docs", "safe/new.txt", "open", "--json"],
        ["--store", "lib", "rebuild", "--forget", "--json"],
    ]
    first, _, *reports = nobody(steps)
    assert first[0] == 0
    for code, out, _ in reports:
        report = json.loads(out)
        assert (code, report["removed"], report["unchanged"]) == (4, [], ["lima.txt"])
        kept = {name for one in report["unreachable"] for name in one["documents"]}
        assert kept >= set(TEXTS)
    assert [Path(load["path"]).name for load in json.loads(reports[1][1])["failed"]] == ["new.txt"]
    assert "alone.txt" in str(json.loads(reports[0][1])["unreachable"])


@pytest.mark.fault("G31")
def test_a_store_that_cannot_be_looked_at_is_one_line(nobody: Nobody, home: Path) -> None:
    (home / "closed").mkdir()
    (home / "a.txt").write_text("It met in Kyoto.\n")
    commands = (["list"], ["add", "a.txt"], ["rebuild"], ["search", "why"], ["chat"], ["check"])
    stores = ("closed/lib", "y" * 300)
    steps = [["--store", store, *words] for store in stores for words in commands]
    for code, out, err in nobody([["chmod", "000", "closed"], *steps])[1:]:
        assert (code, out, len(err.splitlines())) == (74, "", 1)
        assert "--store" in err
    for code, out, err in nobody([["--store", store, "doctor"] for store in stores]):
        assert (code, err) == (1, "")
        assert "FIX library" in out


@pytest.mark.fault("G30")
def test_a_folder_whose_disk_fails_keeps_its_documents(tmp_path: Path, shelf: Path) -> None:
    def failing(folder: Path) -> Iterable[Path]:
        if folder.name == "sub":
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(folder))
        return folder.iterdir()

    told: dict[Path, str] = {}
    seen = visible(shelf, onerror=lambda path, why: told.update({path: why}), lister=failing)
    assert [path.name for path in seen] == ["cables.txt", "kyoto.txt"]
    assert told == {shelf / "sub": "input/output error"}
    with Library.open(tmp_path / "library", encoder=BagOfWordsEncoder()) as library:
        library.update([shelf])
        store = SQLiteStore(tmp_path / "library" / "library.sqlite")
        for full in (False, True):
            work = IngestRun(store, BagOfWordsEncoder(), None, None)
            report = work.run([shelf], full=full, implied=True, forget=True, lister=failing)
            (away,) = report.unreachable
            assert (report.removed, report.failed, set(away.documents)) == ((), (), SUB)
        assert ids(library) == set(TEXTS)
        store.close()


@pytest.mark.fault("G30")
def test_a_mount_point_that_is_empty_keeps_its_documents(library: Library, shelf: Path) -> None:
    library.update([shelf])
    disk = shelf / "sub"
    disk.rename(shelf.parent / "unplugged")
    disk.mkdir()
    other = fill(shelf.parent / "other" / "more")
    (other / "sub" / "rice.txt").write_text("Rice of another sort.\n")
    for report in (library.rebuild(), library.update([shelf]), library.rebuild(full=True)):
        (away,) = report.unreachable
        assert (report.removed, away.path, set(away.documents)) == ((), str(disk), SUB)
        assert (away.lost, "mounted" in away.reason) == (True, True)
    assert [one.documents for one in library.unreachable()] == [tuple(sorted(SUB))]
    library.update([other])  # files with the same names do not take the documents' place
    assert library.document("sub/rice.txt").text == TEXTS["sub/rice.txt"]
    disk.rmdir()
    (shelf.parent / "unplugged").rename(disk)
    report = library.rebuild()
    assert (report.unreachable, report.removed) == ((), ())
    assert ids(library) >= set(TEXTS)


@pytest.mark.fault("G30")
@pytest.mark.parametrize("left", ["nothing", "an empty folder"])
def test_files_added_one_by_one_are_kept_while_their_disk_is_away(
    library: Library, shelf: Path, left: str
) -> None:
    library.update([shelf / "kyoto.txt", shelf / "cables.txt"])
    shelf.rename(shelf.parent / "unplugged")
    if left != "nothing":
        shelf.mkdir()
    report = library.rebuild()
    assert (report.removed, report.failed) == ((), ())
    assert {name for one in report.unreachable for name in one.documents} == ids(library)
    assert ids(library) == {"kyoto.txt", "cables.txt"}
    if left != "nothing":
        shelf.rmdir()
    (shelf.parent / "unplugged").rename(shelf)
    report = library.rebuild()
    assert (report.unchanged, report.unreachable) == (("cables.txt", "kyoto.txt"), ())
    (shelf / "kyoto.txt").unlink()  # that is another thing: its neighbours are there
    assert library.rebuild().removed == ("kyoto.txt",)


# --- what is gone ---------------------------------------------------------------------------------

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a command; `yes` is what the person says when asked, None when nobody is there."""
    asked: list[str] = []

    def command(*words: object, yes: bool | None = None) -> tuple[int, str]:
        def confirm(question: str) -> bool:
            asked.append(question)
            return bool(yes)

        parts = Parts(open_library=open_library) if yes is None else Parts(
            open_library=open_library, confirm=confirm
        )  # fmt: skip
        given = ["--store", str(tmp_path / "library"), *map(str, words)]
        done = CliRunner().invoke(app, given, obj=parts)
        assert done.exception is None or isinstance(done.exception, SystemExit)
        assert bool(asked) == (yes is not None)
        asked.clear()
        return done.exit_code, done.stdout + done.stderr

    return command


@pytest.mark.fault("G32")
def test_more_than_half_of_a_place_is_not_forgotten_unasked(
    run: Run, library: Library, shelf: Path
) -> None:
    run("add", shelf)
    for name in ("kyoto.txt", "sub/rice.txt", "sub/comet.txt"):
        (shelf / name).unlink()
    code, said = run("rebuild")
    assert (code, ids(library)) == (4, set(TEXTS))
    assert "3 of 5 documents are gone at once" in said and "pilcrow rebuild --forget" in said
    assert run("add", shelf)[0] == 4
    assert run("rebuild", yes=False)[0] == 4
    assert ids(library) == set(TEXTS)
    code, said = run("rebuild", yes=True)
    assert (code, "3 removed" in said) == (0, True)
    assert ids(library) == {"cables.txt", "sub/deep/castle.txt"}
    (shelf / "cables.txt").unlink()  # half is not more than half
    assert run("rebuild")[0] == 0
    assert ids(library) == {"sub/deep/castle.txt"}


@pytest.mark.fault("G32")
@pytest.mark.parametrize(("typed", "meant"), [(b"y\n", "True"), (b"\n", "False"), (b"", "False")])
def test_who_sits_at_a_terminal_is_asked(typed: bytes, meant: str) -> None:
    ours, theirs = pty.openpty()
    program = "from ui.commands.session import Parts; print(Parts().confirm('Forget?'))"
    child = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=theirs if typed else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=theirs,
        cwd=ROOT,
        text=True,
    )
    os.write(ours, typed)
    out, _ = child.communicate()
    os.close(ours)
    os.close(theirs)
    assert out.strip() == meant


@pytest.mark.fault("G32")
def test_with_forget_nothing_is_asked(run: Run, library: Library, shelf: Path) -> None:
    run("add", shelf)
    shutil.rmtree(shelf)
    shelf.mkdir()
    assert "5 removed" not in run("rebuild", "--dry-run")[1]
    assert "5 removed" in run("rebuild", "--dry-run", "--forget")[1]
    assert ids(library) == set(TEXTS)
    assert run("rebuild", "--forget")[0] == 0
    assert ids(library) == set()


@pytest.mark.fault("G32")
def test_what_has_moved_is_not_lost(library: Library, shelf: Path) -> None:
    library.update([shelf])
    (shelf / "all").mkdir()
    for name in TEXTS:
        (shelf / name).rename(shelf / "all" / Path(name).name)
    report = library.rebuild()
    assert (len(report.added), len(report.removed), report.unreachable) == (5, 5, ())
    assert ids(library) == {f"all/{Path(name).name}" for name in TEXTS}


@pytest.mark.fault("G32")
def test_a_place_that_is_gone_for_good_is_forgotten_by_name(
    run: Run, library: Library, shelf: Path, tmp_path: Path
) -> None:
    (tmp_path / "lima.txt").write_text("It rained in Lima.\n")
    run("add", shelf, tmp_path / "lima.txt")
    library.remove(["kyoto.txt"])
    shelf.rename(tmp_path / "renamed away")
    for way in ((), ("--forget",)):  # that is for what can be seen to be missing
        code, said = run("rebuild", *way)
        assert (code, f"pilcrow forget {shelf}" in said) == (4, True)
    code, said = run("forget", shelf)
    assert (code, "removed cables.txt" in said, "0 of them are left" in said) == (0, True, True)
    assert ids(library) == {"lima.txt"}
    assert run("rebuild")[0] == 0
    assert library.check().ok
    code, said = run("forget", shelf)
    assert (code, len(said.splitlines())) == (2, 1)
    (tmp_path / "renamed away").rename(shelf)
    assert set(library.update([shelf]).added) == set(TEXTS)  # what was removed by hand as well
    assert library.forget(shelf / "sub").documents == tuple(sorted(SUB))


# --- paths ----------------------------------------------------------------------------------------


@pytest.mark.fault("G33")
def test_each_bad_path_is_one_line_and_the_rest_is_added(
    run: Run, library: Library, shelf: Path, tmp_path: Path
) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    bad = [tmp_path / LONG, tmp_path / "y" / LONG, tmp_path / "loop", shelf / "kyoto.txt" / "x"]
    code, said = run("add", *bad, shelf)
    assert (code, ids(library)) == (4, set(TEXTS))
    assert said.count("failed: ") == len(bad)
    odd = library.update(["a\0b", "\ud800.txt", shelf])
    assert (len(odd.failed), len(odd.unchanged)) == (2, len(TEXTS))
    assert all(one.reason and "\n" not in one.reason for one in odd.failed)


@pytest.mark.fault("G33")
@pytest.mark.parametrize("name", ["~root", "~", "~$a.docx", "~nobody~"])
def test_a_tilde_is_a_letter(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).mkdir()
    (tmp_path / name / "q.txt").write_text("It met in Kyoto.\n")
    for given in (f"{name}/q.txt", Path(f"./{name}/q.txt")):
        report = library.update([given])
        assert (report.failed, ids(library)) == ((), {"q.txt"})
    (failed,) = library.update(["~nowhere.txt"]).failed
    assert failed.path == str(tmp_path / "~nowhere.txt")
    with Library.open(f"{name}/lib", encoder=BagOfWordsEncoder()):
        assert (tmp_path / name / "lib" / "library.sqlite").exists()


@pytest.mark.fault("G33")
@pytest.mark.parametrize("paths", [[None], [3], [b"a"], [""], None, 5, "articles", Path("a"), b"a"])
def test_what_is_no_path_is_refused_in_one_line(library: Library, paths: object) -> None:
    with pytest.raises(InputError) as caught:
        library.update(paths)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


@pytest.mark.fault("G33")
def test_other_wrong_arguments_are_refused_in_one_line(library: Library) -> None:
    wrong: list[Callable[[], object]] = [
        lambda: library.remove(None),  # type: ignore[arg-type]
        lambda: library.remove("a.txt"),
        lambda: library.restore(None),  # type: ignore[arg-type]
        lambda: library.forget(None),  # type: ignore[arg-type]
        lambda: Library.open(None),  # type: ignore[arg-type]
    ]
    for call in wrong:
        with pytest.raises(InputError) as caught:
            call()
        assert "\n" not in str(caught.value)
    with pytest.raises(LibraryUnwritable):
        Library.open(LONG)


@pytest.mark.fault("G34")
def test_a_place_is_the_same_whichever_way_leads_there(
    library: Library, shelf: Path, tmp_path: Path
) -> None:
    library.update([shelf])
    (tmp_path / "link").symlink_to(shelf)
    (tmp_path / "link to sub").symlink_to(shelf / "sub")
    (tmp_path / "rice link.txt").symlink_to(shelf / "sub" / "rice.txt")
    ways: list[Path | str] = [
        f"{shelf}/../articles", f"{shelf}/sub/..", tmp_path / "link", tmp_path / "link" / ".",
        tmp_path / "link to sub", tmp_path / "link" / "sub" / "rice.txt", shelf / "sub",
        tmp_path / "rice link.txt", f"{tmp_path}/link to sub/../kyoto.txt",
    ]  # fmt: skip
    for way in ways:
        report = library.update([way])
        assert (report.added, report.failed, report.removed) == ((), (), ()), way
    report = library.update(ways)
    assert sorted(report.unchanged) == sorted(TEXTS)
    library.remove(["sub/rice.txt"])
    assert not any("Rice" in hit.text for hit in library.search("rice harvested", 9))
    assert library.update([tmp_path / "link", tmp_path / "link to sub"]).added == ()
    (shelf / "sub" / "new.txt").write_text("It is new.\n")
    assert library.update([tmp_path / "link to sub"]).added == ("sub/new.txt",)
    assert library.rebuild().failed == ()


@pytest.mark.fault("G34")
def test_a_place_that_was_added_as_a_link_is_the_same_without_it(
    library: Library, shelf: Path, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(shelf)
    library.update([tmp_path / "link"])
    for way in (shelf, shelf / "sub", shelf / "sub" / "rice.txt"):
        report = library.update([way])
        assert (report.added, report.failed, report.removed) == ((), (), ())
    assert len(library.update([shelf, shelf / "sub"]).unchanged) == len(TEXTS)
    assert len(library.rebuild().unchanged) == len(TEXTS)
    assert len(library.forget(shelf).documents) == len(TEXTS)


@pytest.mark.fault("G34")
def test_a_new_file_of_a_known_folder_is_called_as_if_found_there(
    library: Library, shelf: Path
) -> None:
    library.update([shelf])
    (shelf / "sub" / "new.txt").write_text("It is new.\n")
    (shelf / "sub" / ".hidden.txt").write_text("It is hidden.\n")
    added = library.update([shelf / "sub" / "new.txt", shelf / "sub" / ".hidden.txt"]).added
    assert added == ("sub/new.txt", ".hidden.txt")
    report = library.rebuild()
    assert (report.removed, len(report.unchanged)) == ((), len(TEXTS) + 2)


@pytest.mark.fault("G34")
@pytest.mark.parametrize("first", ["uploads", "articles"])
def test_libraries_inside_an_added_folder_are_passed_over(shelf: Path, first: str) -> None:
    for name in ("store", "sub/other"):
        (shelf / name / "uploads").mkdir(parents=True)
        (shelf / name / "uploads" / "up.txt").write_text("It was uploaded.\n")
        with Library.open(shelf / name, encoder=BagOfWordsEncoder()) as library:
            library.update([shelf / name / "uploads"] if first == "uploads" else [shelf])
            library.update([shelf / name / "uploads"])
            for report in (library.update([shelf]), library.rebuild()):
                assert (report.failed, report.unreachable) == ((), ())
            assert ids(library) == {*TEXTS, "up.txt"}
            (failed,) = library.update([shelf / name]).failed
            assert "library" in failed.reason


# --- what was removed -----------------------------------------------------------------------------


@pytest.mark.fault("G35")
def test_what_was_removed_stays_out_of_its_folder_until_it_is_named(
    run: Run, library: Library, shelf: Path
) -> None:
    run("add", shelf)
    run("remove", "sub/rice.txt")
    for way in ((shelf,), (shelf / "sub",), (shelf / "sub", shelf)):
        code, said = run("add", *way)
        assert (code, "left out, since you removed it" in said) == (0, True)
        assert f"{shelf}/sub/rice.txt" in said and "add the file itself" in said
    assert "sub/rice.txt" not in ids(library)
    assert run("rebuild")[0] == 0
    assert run("add", shelf, shelf / "sub" / "rice.txt")[0] == 0
    assert ids(library) == set(TEXTS)
