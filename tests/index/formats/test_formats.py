"""Every format: read, found, cited with its own kind of place; broken ones end with a reason."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from index import Library
from index.embedding.encoder import Encoder
from index.formats.registry import SUFFIXES, Unreadable, parse, read_here
from rag import Assistant
from tests.support.fakes import BagOfWordsEncoder
from tests.support.made import outlook
from tests.support.made.format_files import SAMPLES, Sample, archive_of, outlook_mail, xls, xlsx

BY_NAME = {sample.name: sample for sample in SAMPLES}


@contextmanager
def every_format(folder: Path, encoder: Encoder | None = None) -> Iterator[Library]:
    """A library of a folder with a file of each format."""
    (folder / "files").mkdir()
    for sample in SAMPLES:
        (folder / "files" / sample.name).write_bytes(sample.data)
    with Library.open(folder / "library", encoder=encoder) as library:
        report = library.update([folder / "files"])
        assert (report.failed, report.skipped, len(report.added)) == ((), (), len(SAMPLES))
        yield library


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    with every_format(tmp_path_factory.mktemp("formats"), BagOfWordsEncoder()) as library:
        yield library


@pytest.mark.parametrize("sample", SAMPLES, ids=BY_NAME)
def test_a_question_answered_only_there_is_answered_with_its_place(
    sample: Sample, library: Library
) -> None:
    assert sample.title in ("", library.document(sample.name).title)
    answer = Assistant(library, generator=None).answer(sample.question)
    cited = [(c.document_id, c.quote, c.location) for c in answer.citations]
    cited += [(p.document_id, p.text, p.location) for p in answer.passages]
    places = {
        (at.page_name, at.section)
        for document, text, at in cited
        if BY_NAME[document].data == sample.data and sample.quote in text
    }
    assert (sample.page, sample.section) in places, cited


@pytest.mark.model
def test_each_is_cited_with_the_encoder_that_people_have(tmp_path: Path) -> None:
    with every_format(tmp_path) as library:
        assistant = Assistant(library, generator=None)
        for sample in SAMPLES:
            cited = [
                (c.location.page_name, c.location.section)
                for c in assistant.answer(sample.question).citations
                if BY_NAME[c.document_id].data == sample.data and sample.quote in c.quote
            ]
            assert (sample.page, sample.section) in cited, sample.name


def test_every_ending_has_a_sample() -> None:
    other_names = {".text", ".markdown", ".htm"}
    assert {f".{sample.name.rsplit('.')[-1]}" for sample in SAMPLES} | other_names == set(SUFFIXES)


@pytest.mark.fault("C5", "C8")
@pytest.mark.parametrize("sample", SAMPLES, ids=BY_NAME)
def test_a_damaged_or_foreign_file_ends_with_its_reason(sample: Sample) -> None:
    suffix = f".{sample.name.rsplit('.')[-1]}"
    for data in (b"", b"\x89PNG\r\n\x1a\n" + bytes(60), sample.data[: len(sample.data) // 3],
                 sample.data[: len(sample.data) // 2] + bytes(40)):  # fmt: skip
        try:
            document = parse("x", data, suffix)
        except Unreadable as error:
            assert error.reason and "\n" not in error.reason
        else:  # what is text all the way may be cut anywhere
            assert document.text


@pytest.mark.fault("C8")
@pytest.mark.parametrize("suffix", [".epub", ".pptx", ".odt", ".odp", ".xlsx", ".ods"])
def test_a_bomb_and_a_locked_archive_are_refused(suffix: str) -> None:
    needed = {".epub": "META-INF/container.xml", ".pptx": "ppt/x", ".odt": "content.xml",
              ".odp": "content.xml"}.get(suffix, "content.xml")  # fmt: skip
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(needed, bytes(30_000_000))
    with pytest.raises(Unreadable, match="suspicious: unpacks to"):
        read_here("x", out.getvalue(), suffix)
    locked = bytearray(xlsx())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = locked.find(signature)
        while at >= 0:
            locked[at + offset] |= 1
            at = locked.find(signature, at + 4)
    with pytest.raises(Unreadable, match="password protected"):
        read_here("x", bytes(locked), suffix)


@pytest.mark.fault("C8")
@pytest.mark.parametrize("suffix", [".odt", ".odp", ".ods"])
def test_an_open_document_with_a_password_says_so(suffix: str) -> None:
    """Each part of the archive is encrypted by itself, or all of it is one part."""
    manifest = '<manifest><file-entry full-path="content.xml"><encryption-data/></file-entry>'
    parts = archive_of({"content.xml": "\x01\x02", "META-INF/manifest.xml": manifest})
    whole = archive_of({"encrypted-package": "\x01\x02", "META-INF/manifest.xml": manifest})
    for data in (parts, whole):
        with pytest.raises(Unreadable, match="password protected"):
            read_here("x", data, suffix)


@pytest.mark.fault("C8")
@pytest.mark.parametrize("suffix", [".docx", ".pptx", ".xlsx", ".xls"])
def test_an_office_file_with_a_password_says_so(suffix: str) -> None:
    """As Office keeps them: the whole archive encrypted, in a container like those of old."""
    parts = {"EncryptionInfo": bytes(100), "EncryptedPackage": bytes(5_000)}
    data = xls(locked=True) if suffix == ".xls" else outlook.compound(parts)
    with pytest.raises(Unreadable, match="password protected"):
        read_here("x", data, suffix)


@pytest.mark.fault("C8")
@pytest.mark.parametrize("kind", ["multipart/encrypted", "application/pkcs7-mime"])
def test_an_encrypted_mail_says_so(kind: str) -> None:
    head = f"Subject: Secret\nFrom: a@example.org\nContent-Type: {kind}; boundary=x\n"
    data = f"{head}\n--x\nContent-Type: application/octet-stream\n\nhQEMA\n--x--\n".encode()
    saved = outlook.message("Secret", kind="IPM.Note.SMIME", attached=[("smime.p7m", b"hQEMA")])
    for mail, suffix in ((data, ".eml"), (saved, ".msg")):
        with pytest.raises(Unreadable, match="encrypted: save it as text"):
            read_here("x", mail, suffix)


@pytest.mark.fault("C8")
def test_entities_of_xml_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("the secret word")
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    begin = f'<!DOCTYPE x [<!ENTITY l0 "ha"><!ENTITY f SYSTEM "file://{tmp_path}/secret">'
    curious = zipped(f"{begin}]><x><p>Some words &f; &l0;</p></x>")
    assert "secret" not in read_here("x", curious, ".odt").text
    with pytest.raises(Unreadable, match="damaged OpenDocument text"):
        read_here("x", zipped(f"{begin}{laughs}]><x><p>Words &l11;</p></x>"), ".odt")


def zipped(content: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("content.xml", content)
    return out.getvalue()


def test_another_package_adds_a_format(tmp_path: Path) -> None:
    """A real second package, installed beside ours, read in the sandbox of a fresh process."""
    import subprocess
    import sys

    site = tmp_path / "site"
    (site / "shout").mkdir(parents=True)
    (site / "shout" / "__init__.py").write_text(
        "from index.types import Document\n\n"
        "def read(document_id, data):\n"
        "    return Document(document_id, 'Shout', data.decode().lower())\n"
    )
    info = site / "shout-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shout\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[pilcrow.formats]\n.shout = shout:read\n")
    (tmp_path / "a.shout").write_text("THE FERRY SAILS AT NINE.")
    code = (
        f"import sys; sys.path.insert(0, {str(site)!r})\n"
        "from pathlib import Path\n"
        "from index.formats.registry import is_article, parse\n"
        f"file = Path({str(tmp_path / 'a.shout')!r})\n"
        "assert is_article(file)\n"
        "print(parse('a.shout', file.read_bytes(), '.shout').text)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False,
                          cwd=Path(__file__).parents[3])  # fmt: skip
    assert done.stdout.strip() == "the ferry sails at nine.", done.stderr


def test_an_outlook_message_is_read_like_any_other_mail() -> None:
    plain = read_here("x.msg", outlook_mail(), ".msg")
    told = (plain.title, plain.author, plain.date)
    assert told == ("Buoys of the strait", "Ann Lee", "2024-03-05")
    assert "Dear all," in plain.text and "x.bin" not in plain.text
    html = "<p>The buoy of Zürich is red.</p>".encode()
    page = read_here("x.msg", outlook.message("", html=html), ".msg")
    assert page.text.strip() == "The buoy of Zürich is red." and page.title == page.date == ""
    other = outlook.compound({"WordDocument": b"x" * 5_000})
    with pytest.raises(Unreadable, match="damaged Outlook message"):
        read_here("x.msg", other, ".msg")
    with pytest.raises(Unreadable, match="not an Outlook message"):
        read_here("x.msg", b"From: ann@example.org\n\nHello", ".msg")


HELLO = bytes.fromhex(
    "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af3"
    "2068656c090020627705b06c647d0a800fa0"
)
"""The example that Microsoft describes the packing with (MS-OXRTFCP 4.1.1)."""


@pytest.mark.fault("C8")
def test_an_outlook_message_of_nothing_but_rtf_is_read() -> None:
    assert read_here("x.msg", outlook.message("", rtf=HELLO), ".msg").text == "hello world"
    page = (
        rb"{\rtf1\ansi\fromhtml1 {\fonttbl{\f0 Arial;}}{\*\htmltag64 <p>}\htmlrtf {\htmlrtf0 "
        rb"The buoy of Z\'fcrich is {\*\htmltag84 <b>}\htmlrtf {\b \htmlrtf0 red"
        rb"{\*\htmltag92 </b>}\htmlrtf }\htmlrtf0 .{\*\htmltag72 </p>}\htmlrtf\par}\htmlrtf0 "
        rb"{\*\htmltag64 <p>}\htmlrtf {\htmlrtf0 It rings.{\*\htmltag72 </p>}}"
    )
    unpacked = struct.pack("<II4sI", len(page) + 12, len(page), b"MELA", 0) + page
    document = read_here("x.msg", outlook.message("Buoy", rtf=unpacked), ".msg")
    assert document.text == "The buoy of Zürich is red.\n\nIt rings."
    both = outlook.message("", "As plain text.", rtf=HELLO)
    assert read_here("x.msg", both, ".msg").text == "As plain text."
    for hurt in (HELLO[:30] + b"x" + HELLO[31:], HELLO[:16], HELLO[:10]):
        with pytest.raises(Unreadable, match="damaged RTF of a message"):
            parse("x.msg", outlook.message("", rtf=hurt), ".msg")
