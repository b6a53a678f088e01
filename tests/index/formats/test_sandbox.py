"""Parsers that crash, hang or eat all memory cost one file, and nothing is left of them."""

from __future__ import annotations

import io
import json
import os
import random
import select
import signal
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader, PdfWriter
from pypdf.generic import NameObject, NumberObject

from index import Library
from index.formats.registry import Unreadable, parse
from index.formats.sandbox import Cancelled, Limits, Sandbox
from index.system.confinement import Confinement
from index.system.offline import OFFLINE
from tests.index.formats.test_documents import PROSE, pdf, repacked, word, written
from tests.support.fakes import BagOfWordsEncoder
from tests.support.programs import PATIENCE

ROOT = Path(__file__).resolve().parents[3]
SMALL = Limits(memory=1_000_000_000, text=5_000_000, files=4)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    made = Sandbox(SMALL, "tests.support.hostile.readers")
    yield made
    made.close()


def process_of(sandbox: Sandbox) -> int:
    """The process that reads for a sandbox."""
    return int(sandbox.read("x", b"tell", ".html").text)


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.fault("C15")
@pytest.mark.parametrize(
    ("deed", "reason"),
    [
        ("eat", "too big: reading it takes more than 1.0 GB of memory"),
        ("recurse", "unreadable: its reader failed (RecursionError: "),
        ("abort", "unreadable: its reader crashed (SIGABRT)"),
        ("crash", "unreadable: its reader crashed (SIGSEGV)"),
        ("killed", "unreadable: its reader failed (it was ended by SIGKILL)"),
        ("leave", "unreadable: its reader failed (it ended by itself (exit status 3))"),
        ("shout", "too big: 5 million characters of text, limit 5 million"),
        ("babble 1", ""),
        ("babble 4", "unreadable: its reader failed (it wrote what is no message)"),
    ],
)
def test_whatever_a_parser_does_costs_one_file(sandbox: Sandbox, deed: str, reason: str) -> None:
    if reason:
        with pytest.raises(Unreadable) as caught:
            sandbox.read("x", deed.encode(), ".html")
        assert caught.value.reason.startswith(reason)
        assert "\n" not in caught.value.reason
    else:
        assert sandbox.read("x", deed.encode(), ".html").text
    assert process_of(sandbox)


@pytest.mark.fault("C15")
def test_a_parser_that_computes_for_ever_is_ended_after_its_time() -> None:
    sandbox = Sandbox(Limits(processor=1), "tests.support.hostile.readers")
    with pytest.raises(Unreadable, match="timed out: more than 1 s of processor time"):
        sandbox.read("x", b"spin", ".html")
    sandbox.close()


@pytest.mark.fault("C15")
@pytest.mark.parametrize("deed", ["hang", "deaf"])
def test_a_parser_that_waits_for_ever_is_ended_after_its_time(deed: str) -> None:
    sandbox = Sandbox(Limits(wall=1), "tests.support.hostile.readers")
    pid = process_of(sandbox)
    with pytest.raises(Unreadable, match="timed out: not read within 1 s"):
        sandbox.read("x", deed.encode(), ".html")
    assert gone(pid)
    sandbox.close()


def test_a_parser_cannot_write_files(sandbox: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match=r"File too large|Permission denied"):
        sandbox.read("x", f"write {tmp_path / 'made'}".encode(), ".html")
    assert not (tmp_path / "made").exists() or not (tmp_path / "made").read_bytes()


# ---------------------------------------------------------------- what it is shut out from


@pytest.fixture(scope="module")
def held() -> Confinement:
    sandbox = Sandbox(SMALL, "tests.support.hostile.readers")
    try:
        return sandbox.confinement()
    finally:
        sandbox.close()


def refused(sandbox: Sandbox, deed: str) -> None:
    with pytest.raises(Unreadable, match=r"its reader failed \(PermissionError: "):
        sandbox.read("x", deed.encode(), ".html")


@pytest.mark.fault("G22")
def test_a_parser_sees_no_file_but_its_own(
    sandbox: Sandbox, held: Confinement, tmp_path: Path
) -> None:
    if not held.files:
        pytest.skip("this kernel has no Landlock")
    diary = tmp_path / "diary.txt"
    diary.write_text("Nobody's business.")
    for path in (diary, "/etc/passwd", f"/proc/{os.getpid()}/environ", ROOT / "README.md"):
        refused(sandbox, f"open {path}")
    for folder in (tmp_path, Path.home(), ROOT, ROOT / "index", "/"):
        refused(sandbox, f"list {folder}")


@pytest.mark.fault("G21")
def test_a_parser_reaches_nobody(sandbox: Sandbox, held: Confinement) -> None:
    if not held.network:
        pytest.skip("this kernel has no seccomp filters")
    with socket.create_server(("127.0.0.1", 0)) as server:
        for how in ("connect", "datagram"):
            refused(sandbox, f"{how} {server.getsockname()[1]}")
    refused(sandbox, "start")


@pytest.mark.fault("G23")
def test_a_parser_knows_no_secret(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = ("PILCROW_PASSWORD", "GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "HOME", "SSH_AUTH_SOCK")
    for name in secrets:
        monkeypatch.setenv(name, "sesame")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    seen = json.loads(sandbox.read("x", b"environment", ".html").text)
    assert seen["LC_ALL"] == "C.UTF-8"
    assert not seen.keys() & {*secrets}
    assert "sesame" not in seen.values()
    assert OFFLINE.items() <= seen.items()


@pytest.mark.skipif(os.geteuid() == 0, reason="the system's own user may lift any limit")
def test_a_parser_cannot_lift_its_limits(sandbox: Sandbox) -> None:
    with pytest.raises(Unreadable, match="its reader failed"):
        sandbox.read("x", b"unbind", ".html")


def test_a_library_that_prints_disturbs_nothing(
    sandbox: Sandbox, capfd: pytest.CaptureFixture[str]
) -> None:
    assert sandbox.read("x", b"print", ".html").text
    assert capfd.readouterr() == ("", "")


def test_one_process_reads_many_files_and_is_replaced_in_time(sandbox: Sandbox) -> None:
    readers = [process_of(sandbox) for _ in range(9)]
    assert readers == [readers[0]] * 4 + [readers[4]] * 4 + [readers[8]]
    assert len(set(readers)) == 3
    assert gone(readers[0]) and gone(readers[4]) and not gone(readers[8])


def test_a_process_that_is_started_ahead_reads_the_first_file() -> None:
    sandbox = Sandbox(SMALL, "tests.support.hostile.readers")
    sandbox.start()
    child = sandbox._child
    sandbox.start()
    assert child is not None and process_of(sandbox) and sandbox._child is child
    with sandbox._lock:  # it is at work: nobody waits for that
        sandbox.start()
    sandbox.close()


@pytest.mark.parametrize("how", [True, KeyboardInterrupt])
def test_stop_and_ctrl_c_end_a_parser_at_once(
    sandbox: Sandbox, how: bool | type[BaseException]
) -> None:
    pid = process_of(sandbox)

    def cancelled() -> bool:
        if isinstance(how, bool):
            return how
        raise how

    with pytest.raises(Cancelled if how is True else KeyboardInterrupt):
        sandbox.read("x", b"hang", ".html", cancelled)
    assert gone(pid)
    assert process_of(sandbox) != pid  # and what it would still have said confuses nobody


@pytest.mark.fault("C15")
@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs Linux's handles of processes")
def test_a_killed_parent_leaves_no_orphan() -> None:
    program = (
        "from index.formats.sandbox import Sandbox; "
        "sandbox = Sandbox(worker='tests.support.hostile.readers'); "
        "pid = sandbox.read('x', b'tell', '.html').text; "
        "sandbox.read('x', b'hang', '.html', lambda: print(pid, flush=True))"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    with parent.stdout:
        child = os.pidfd_open(int(parent.stdout.readline()))  # while it hangs
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    assert select.select([child], [], [], PATIENCE)[0] == [child]  # it has ended
    os.close(child)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_has_a_process_of_its_own(sandbox: Sandbox) -> None:
    before = process_of(sandbox)
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        code = 1
        try:
            os.write(writing, str(process_of(sandbox)).encode())
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        forked = int(pipe.read())
    assert os.waitpid(child, 0)[1] == 0
    assert forked != before
    assert process_of(sandbox) == before


def test_works_without_a_main_program_or_a_folder(tmp_path: Path) -> None:
    """In `python -c`, from elsewhere, whatever modules of our names lie there."""
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "__init__.py").write_text("raise SystemExit('not me')")
    program = (
        f"import sys; sys.path[0] = {str(ROOT)!r}\n"
        "from index.formats.registry import parse\n"
        f"print(parse('x', b'<p>{PROSE[0]}</p>', '.html').text)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == PROSE[0]
    assert done.stderr == ""


# ---------------------------------------------------------------- the real parsers


def bomb() -> bytes:
    """A Word file of 1 MB that unpacks to 95 MB: within what a Word file may be, just."""
    name = b"http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    paragraph = b"<w:p><w:r><w:t>A cable under the sea.</w:t></w:r></w:p>"
    body = b"<w:document xmlns:w='%b'><w:body>%b</w:body></w:document>"
    picture = random.Random(8).randbytes(700_000)
    return repacked(
        word("x"),
        word__document_xml=body % (name, paragraph * 1_700_000),
        word__media__a_png=picture,
    )


@pytest.mark.fault("C9")
def test_a_word_file_that_takes_too_much_memory_is_refused() -> None:
    sandbox = Sandbox(Limits(memory=600_000_000))
    data = bomb()
    assert len(data) < 2_000_000
    with pytest.raises(Unreadable, match=r"too big|damaged Word file"):
        parse("x.docx", data, ".docx", sandbox=sandbox)
    assert PROSE[0] in parse("x.docx", word(PROSE[0]), ".docx", sandbox=sandbox).text
    sandbox.close()


def encrypted() -> bytes:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf(PROSE))))
    writer.encrypt("secret", algorithm="RC4-128")
    return written(writer)


def many_pages(number: int) -> bytes:
    writer = PdfWriter()
    page = writer.add_blank_page(595, 842)
    tree: Any = writer.root_object["/Pages"]
    tree["/Kids"].extend([page.indirect_reference] * (number - 1))
    tree[NameObject("/Count")] = NumberObject(number)
    return written(writer)


def nested_zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", 8) as archive:
        archive.writestr("word/document.xml", bytes(5_000_000))
        archive.writestr("[Content_Types].xml", b"")
    return out.getvalue()


HORRORS: dict[str, tuple[bytes, str]] = {
    "bomb.docx": (nested_zip(), "suspicious: unpacks to"),
    "encrypted.pdf": (encrypted(), "password protected"),
    "damaged.pdf": (pdf(PROSE)[:250] + b"\0" * 500, "damaged PDF"),
    "pages.pdf": (many_pages(5_000), "too many pages: 5000, limit 2000"),
    "page.docx": (f"<html><p>{PROSE[0]}</p></html>".encode(), "not a Word file (an HTML page)"),
    "image.pdf": (b"\x89PNG\r\n\x1a\n" + bytes(50), "not a PDF (an image)"),
    "binary.txt": (bytes(range(256)) * 9, "not text (binary"),
    "empty.html": (b"<html><body></body></html>", "empty"),
    "blank.txt": (b" \n", "empty file"),
}


@pytest.mark.fault("C5", "C6", "C8", "C9", "C11", "C13", "C14")
def test_a_folder_of_horrors_is_indexed_as_far_as_it_can_be(tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    for name, (data, _) in HORRORS.items():
        (shelf / name).write_bytes(data)
    deep = f"<html><body>{'<div>' * 20_000}<p>{PROSE[0]}</p><p>{PROSE[1]}</p>"
    (shelf / "deep.html").write_text(deep)
    (shelf / "good.docx").write_bytes(word(PROSE[1]))
    names = ["new\nline.txt", "<img src=x onerror=alert(1)>.txt", os.fsdecode(b"caf\xe9.txt")]
    for name in names:
        (shelf / name).write_text(f"{PROSE[1]} It is called {name!r}.\n")
    with (shelf / "huge.txt").open("wb") as file:
        file.truncate(500_000_000)
    (shelf / "loop").symlink_to(shelf, target_is_directory=True)
    (shelf / "self.txt").symlink_to(shelf / "self.txt")
    (shelf / "null.txt").symlink_to(os.devnull)
    os.mkfifo(shelf / "pipe.txt")

    with Library.open(tmp_path / "library", encoder=BagOfWordsEncoder(64)) as library:
        report = library.update([shelf])
        assert sorted(report.added) == sorted(
            ["deep.html", "good.docx", "caf\\xe9.txt", *names[:2]]
        )
        failed = {Path(one.path).name: one.reason for one in report.failed}
        assert all("\n" not in reason for reason in failed.values())
        expected = {name: reason for name, (_, reason) in HORRORS.items()}
        expected |= {"huge.txt": "too big: 500 MB, limit 50 MB", "self.txt": "broken link"}
        assert failed.keys() - {"self.txt"} == expected.keys() - {"self.txt"}
        for name, reason in expected.items():
            assert name == "self.txt" or failed[name].startswith(reason)
        assert PROSE[0] in library.document("deep.html").text
        assert library.check().ok


PARAGRAPH = "The ship lifted the broken end of the cable. It had taken nine hours. " * 15_000


@pytest.mark.fault("G24")
def test_long_text_is_read_in_the_sandbox_and_short_text_is_not(sandbox: Sandbox) -> None:
    for suffix in (".txt", ".md"):
        process = str(process_of(sandbox))
        assert parse("x", b"tell " * 20_000, suffix, sandbox=sandbox).text == process
        assert parse("x", b"tell", suffix, sandbox=sandbox).text == "tell"


class CountingEncoder(BagOfWordsEncoder):
    """Notes how much it was given to count."""

    counted = 0

    def count(self, text: str) -> int:
        self.counted += len(text)
        return super().count(text)


@pytest.mark.fault("G25")
def test_cancel_is_heard_while_a_long_text_is_split(tmp_path: Path) -> None:
    (tmp_path / "long.txt").write_text(PARAGRAPH)
    encoder = CountingEncoder(64)
    with Library.open(tmp_path / "library", encoder=encoder) as library:
        report = library.update([tmp_path / "long.txt"], cancelled=lambda: encoder.counted > 10_000)
        assert report.cancelled
        assert not report.failed and not library.documents()
    assert encoder.counted < 200_000


@pytest.mark.model
@pytest.mark.fault("G24")
def test_one_long_paragraph_takes_little_memory(tmp_path: Path) -> None:
    """Twenty times its size and the child's; counted as a whole it took two hundred times it."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.programs.memory_program", str(tmp_path), "1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    taken, _ = map(int, done.stdout.split())
    assert taken < 60_000_000


def test_cancelling_an_update_ends_the_parser_in_it(tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    (shelf / "a.txt").write_text(PROSE[0])
    (shelf / "b.html").write_text(f"<p>{PROSE[1]}</p>" * 2_000)
    asked: list[str] = []
    with Library.open(tmp_path / "library", encoder=BagOfWordsEncoder(64)) as library:
        report = library.update(
            [shelf],
            progress=lambda one: asked.append(one.document_id),
            cancelled=lambda: "b.html" in asked,
        )
        assert report.cancelled
        assert not report.failed
        again = library.update([shelf])
        assert {*again.added, *again.unchanged} == {"a.txt", "b.html"}
