"""Scans and pictures: recognised, marked as such, with boxes; without the extra told how to get it.

The recogniser behaves (`tests.support.made.fake_recogniser`), is installed beside us, and runs in
the sandbox; `test_real_recogniser.py` has the real one.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import docx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas
from typer.testing import CliRunner

from index import Library
from index.errors import InputError
from index.formats import registry
from index.formats.pictures import wordless
from index.formats.pictures.recognition import EXTRA, PAGES_LIMIT
from index.formats.registry import Unreadable, parse
from index.formats.sandbox import Sandbox
from index.storage.codec import decode_outline, encode_outline
from index.types import Document, Page
from rag import Assistant
from tests.support.fakes import BagOfWordsEncoder
from tests.support.made import outlook
from tests.support.made.fake_recogniser import HEIGHT, WIDTH, installed, strips
from ui.cli import app
from ui.commands.session import Parts

LINES = [
    "The harbour of Velmora was built",
    "in 1883 by Ann Brenner. Its piers",
    "are 412 metres long.",
]
SURE = [99, 91, 96]
TEXT = "The harbour of Velmora was built in 1883 by Ann Brenner. Its piers are 412 metres long."
QUESTION = "Who built the harbour of Velmora?"


@pytest.fixture(scope="module")
def extra(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """The sandbox, with the extra beside us."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(installed(tmp_path_factory.mktemp("extra") / "site"))
        registry._SANDBOX.close()  # another one, that finds the package
        yield registry._SANDBOX
        registry._SANDBOX.close()


@pytest.fixture
def recognising(extra: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """The same, and it is used; what was seen without words is forgotten afterwards."""
    monkeypatch.setenv("PILCROW_OCR", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return extra


def packed(picture: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def scan(*pages: Image.Image | str | None) -> bytes:
    """A PDF of pictures, of printed pages, and of empty ones."""
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=(WIDTH / 2, HEIGHT / 2))
    for page in pages:
        if isinstance(page, str):
            canvas.drawString(72, HEIGHT / 2 - 72, page)
        elif page:
            canvas.drawImage(ImageReader(page), 0, 0, WIDTH / 2, HEIGHT / 2)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def reason(data: bytes, suffix: str) -> str:
    with pytest.raises(Unreadable) as raised:
        parse("file", data, suffix)
    return raised.value.reason


def marks(document: Document) -> list[tuple[int, float]]:
    return [(page.number, page.recognised) for page in document.pages]


@pytest.mark.parametrize(
    ("suffix", "kind"), [(".png", "PNG"), (".JPG", "JPEG"), (".tif", "TIFF"), (".webp", "WEBP")]
)
def test_a_picture_of_text_is_read(recognising: Sandbox, suffix: str, kind: str) -> None:
    document = parse("scan", packed(strips(LINES, SURE), kind), suffix)
    assert document.text == TEXT
    assert marks(document) == [(1, 0.99), (1, 0.91), (1, 0.96)]
    second = TEXT.index("Its piers")
    assert document.location(0, 10).recognised == 0.99
    assert document.location(0, second).recognised == 0.91, "as sure as the least sure line"
    assert document.location(second, len(TEXT)).recognised == 0.91
    assert document.location(TEXT.index("412")).recognised == 0.96
    (box, _) = document.boxes(1, second, len(TEXT))
    assert box[0] == round(100 / WIDTH, 4) and box[1] == round(160 / HEIGHT, 4)
    assert document.boxes(2, 0, len(TEXT)) == []


def test_every_page_of_a_file_is_read(recognising: Sandbox) -> None:
    more = [strips(["The keeper is called Tom Sarrow."], [88])]
    data = packed(strips(LINES, SURE), "TIFF", save_all=True, append_images=more)
    document = parse("two.tiff", data, ".tiff")
    assert "Tom Sarrow" in document.text
    assert document.location(document.text.index("Tom")).page == 2
    assert marks(document)[-1] == (2, 0.88)


def test_only_pages_without_text_are_recognised(recognising: Sandbox) -> None:
    printed = "The ferry to Tessaly leaves every morning at nine."
    document = parse("mixed.pdf", scan(printed, strips(LINES, SURE), None), ".pdf")
    assert document.text == f"{printed}\n\n{TEXT}"
    assert document.location(0).recognised == 0
    at = document.text.index("Velmora")
    assert (document.location(at).page, document.location(at).recognised) == (2, 0.99)


def test_a_picture_that_lies_on_its_side_is_turned(recognising: Sandbox) -> None:
    turned = strips(LINES, SURE).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    document = parse("photo.jpg", packed(turned, "JPEG", exif=exif, quality=95), ".jpg")
    assert document.text == TEXT


@pytest.mark.fault("C17")
def test_a_crash_costs_its_page(recognising: Sandbox) -> None:
    bad = strips(["Nobody can read this line."], [0])
    document = parse("scan.pdf", scan(bad, strips(LINES, SURE)), ".pdf")
    assert document.text == TEXT and {number for number, _ in marks(document)} == {2}
    assert reason(packed(bad, "PNG"), ".png") == "unreadable: its reader crashed (SIGABRT)"


@pytest.mark.fault("C17")
def test_what_is_no_sound_picture_has_its_reason(recognising: Sandbox) -> None:
    good = packed(strips(LINES), "PNG")
    assert reason(b"%PDF-1.4", ".png") == "not a picture (a PDF file)"
    assert reason(b"", ".png") == "empty file"
    assert reason(good[: len(good) // 2], ".png").startswith("damaged picture")
    large = packed(Image.new("1", (11_000, 10_000)), "PNG")
    assert reason(large, ".png") == "too big: 11,000 × 10,000 pixels, limit 100 million"
    bomb = packed(Image.new("1", (30_000, 20_000)), "PNG")
    assert "too big" in reason(bomb, ".png") or "exceeds limit" in reason(bomb, ".png")
    dots = [Image.new("1", (1, 1)) for _ in range(PAGES_LIMIT)]
    many = packed(dots[0], "TIFF", save_all=True, append_images=dots)
    assert reason(many, ".tif") == f"too many pages: {PAGES_LIMIT + 1}, limit {PAGES_LIMIT}"


@pytest.mark.fault("C18")
def test_without_the_extra_it_is_told_how_to_get_it() -> None:
    assert reason(scan(strips(LINES)), ".pdf") == f"no text layer (a scan?): {EXTRA}"
    assert reason(packed(strips(LINES), "PNG"), ".png") == f"a picture: {EXTRA}"


def run(library: Library, *words: str) -> Any:
    parts = Parts(
        open_library=lambda *_: library,
        make_assistant=lambda *_: Assistant(library, None, reader="none"),
    )
    return CliRunner().invoke(app, list(words), obj=parts)


@pytest.mark.fault("C18")
def test_a_picture_beside_the_notes_is_skipped_and_said(tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "note.txt").write_text("The ferry to Tessaly leaves at nine.\n")
    (folder / "map.png").write_bytes(packed(strips(LINES), "PNG"))
    with Library.open(tmp_path / "library", encoder=BagOfWordsEncoder()) as library:
        done = run(library, "add", str(folder))
        assert done.exit_code == 0, done.output
        assert f"not read: 1 picture; {EXTRA}" in done.stderr
        named = run(library, "add", str(folder / "map.png"))
        assert named.exit_code == 4 and EXTRA in named.stderr


@pytest.mark.fault("C18")
def test_a_photo_without_words_is_skipped_and_remembered(
    recognising: Sandbox, tmp_path: Path
) -> None:
    folder, photo = tmp_path / "notes", packed(strips([]), "PNG")
    folder.mkdir()
    (folder / "photo.png").write_bytes(photo)
    with Library.open(tmp_path / "library", encoder=BagOfWordsEncoder()) as library:
        report = library.update([folder])
        assert [one.reason for one in report.skipped] == ["no words in this picture"]
        assert not report.failed
        assert wordless.is_remembered(photo)
        recognising.close()
        assert len(library.rebuild().skipped) == 1
        assert recognising._child is None, "it is not looked at again"
        (failed,) = library.update([folder / "photo.png"]).failed
        assert failed.reason == "no words in this picture"


@pytest.mark.parametrize("junk", [b"", b"{}", b"[1, null]", b"\xff", b"["])
def test_a_damaged_memory_costs_another_look(tmp_path: Path, junk: bytes) -> None:
    memory = tmp_path / "cache" / "wordless.json"
    memory.parent.mkdir()
    memory.write_bytes(junk)
    assert not wordless.is_remembered(b"photo", memory)
    wordless.remember(b"photo", memory)
    assert wordless.is_remembered(b"photo", memory) and not wordless.is_remembered(b"two", memory)
    wordless.remember(b"photo", tmp_path / "cache" / "wordless.json" / "no folder")  # no error


def test_recognition_stops_when_asked(recognising: Sandbox) -> None:
    from index.formats.sandbox import Cancelled

    with pytest.raises(Cancelled):
        parse("scan.png", packed(strips(LINES), "PNG"), ".png", cancelled=lambda: True)


def test_an_answer_says_that_its_source_was_recognised(
    recognising: Sandbox, tmp_path: Path
) -> None:
    (tmp_path / "harbour.png").write_bytes(packed(strips(LINES, SURE), "PNG"))
    (tmp_path / "note.txt").write_text("The ferry to Tessaly leaves at nine.\n")
    with Library.open(tmp_path / "library", encoder=BagOfWordsEncoder()) as library:
        library.update([tmp_path / "harbour.png", tmp_path / "note.txt"])
        done = run(library, "ask", "--json", QUESTION)
        (citation, *_) = json.loads(done.stdout)["citations"]
        assert citation["document_id"] == "harbour.png"
        assert (citation["page"], citation["recognised"]) == (1, 0.91)
        shown = run(library, "ask", QUESTION)
        assert "page 1 · recognised text, 91 % sure" in shown.stdout
        note = json.loads(run(library, "ask", "--json", "When does the ferry leave?").stdout)
        assert "recognised" not in note["citations"][0]

        picture = library.page_picture("harbour.png", 1, 0, TEXT.index(" Its"))
        assert (picture.width, picture.height, picture.pages) == (1400, 1867, 1)
        assert len(picture.boxes) == 2 and picture.png.startswith(b"\x89PNG")
        with pytest.raises(InputError, match="no page 2"):
            library.page_picture("harbour.png", 2)
        with pytest.raises(InputError, match="no pages to show"):
            library.page_picture("note.txt", 1)


@pytest.mark.parametrize("suffix", [".eml", ".msg"])
def test_scans_attached_to_a_mail_are_read(recognising: Sandbox, suffix: str) -> None:
    """A picture, and a PDF of two scans and a printed page; each line as sure as it was."""
    picture = packed(strips(LINES, SURE), "PNG")
    printed = scan(strips(["The bell of Tessaly rings at noon."], [88]), "Printed.",
                   strips(["The quay is made of teak."], [77]))  # fmt: skip
    attached = [("plan.png", picture), ("note.txt", b"A note."), ("letter.pdf", printed)]
    if suffix == ".msg":
        data = outlook.message("Plans", "See below.", attached=attached)
    else:
        message = EmailMessage()
        message["Subject"] = "Plans"
        message.set_content("See below.")
        for name, part in attached:
            message.add_attachment(part, "application", "octet-stream", filename=name)
        data = message.as_bytes()
    document = parse("mail", data, suffix)
    for text, sure in (
        ("See below.", 0), (LINES[0], 0.91), ("A note.", 0), ("rings at noon", 0.88),
        ("Printed.", 0), ("made of teak", 0.77),
    ):  # fmt: skip
        at = document.location(document.text.index(text))
        assert (at.recognised, at.page_name) == (sure, ""), text
    assert document.location(document.text.index(LINES[0])).section == "Attachment: plan.png"
    assert decode_outline(encode_outline(document)) == (document.pages, document.headings)
    if suffix == ".eml":
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PILCROW_OCR", "none")
            assert "teak" not in parse("mail", data, suffix).text


def word_of(*pictures: Image.Image, text: str = "") -> bytes:
    file = docx.Document()
    for picture in pictures:
        file.add_picture(io.BytesIO(packed(picture, "PNG")))
    file.add_paragraph(text)
    out = io.BytesIO()
    file.save(out)
    return out.getvalue()


def test_a_word_file_of_nothing_but_scans_is_read(recognising: Sandbox) -> None:
    second = strips(["The bell of Tessaly rings at noon."], [88])
    document = parse("scan", word_of(strips(LINES, SURE), second), ".docx")
    assert document.text == f"{TEXT}\n\nThe bell of Tessaly rings at noon."
    assert document.location(0, len(TEXT)).recognised == 0.91
    bell = document.location(document.text.index("bell"))
    assert (bell.recognised, bell.page_name) == (0.88, "")
    figure = parse("figure", word_of(strips(LINES), text="Figure 1 shows the harbour."), ".docx")
    assert (figure.text, figure.pages) == ("Figure 1 shows the harbour.", ()), (
        "it has its own words"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PILCROW_OCR", "none")
        assert reason(word_of(strips(LINES)), ".docx") == f"no text, only pictures: {EXTRA}"


def test_a_crash_over_an_attached_scan_costs_that_page(recognising: Sandbox) -> None:
    attached = [
        ("bad.png", packed(strips(["Nobody reads this."], [0]), "PNG")),
        ("good.png", packed(strips(LINES), "PNG")),
    ]
    document = parse("mail", outlook.message("Plans", "See below.", attached=attached), ".msg")
    assert LINES[0] in document.text and "bad.png" not in document.text


share = st.floats(0, 1).map(lambda number: round(number, 4))
places = st.builds(
    Page, st.integers(0, 99), st.integers(1, 9), st.text(max_size=3), st.just("page"),
    st.sampled_from([0.0, 0.5, 1.0]), st.tuples(share, share, share, share),
)  # fmt: skip


@given(st.lists(places, min_size=1, max_size=4))
def test_recognised_lines_are_stored_as_they_are(pages: list[Page]) -> None:
    kept = [page if page.recognised else Page(*_plain(page)) for page in pages]
    document = Document("a", "", "x" * 100, pages=tuple(kept))
    assert decode_outline(encode_outline(document)) == (tuple(kept), ())


def _plain(page: Page) -> tuple[int, int, str, str]:
    return page.start, page.number, page.label, page.kind
