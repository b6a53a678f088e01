"""An answer as a writer takes it along: Word and Markdown with footnotes, lists of references."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import docx
import pytest
from lxml import etree

from index import Library
from index.errors import InputError
from rag.grounding import bundle, sealing
from rag.snapshots import DISAGREE
from rag.types import Answer, Citation, Group, Statement
from tests.support.fakes import BagOfWordsEncoder
from tests.support.made.pdf_files import book
from tests.support.page_fakes import HOSTILE
from ui.page import export
from ui.page.export import bibliography, footnotes

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    folder = tmp_path_factory.mktemp("writer")
    (folder / "book.pdf").write_bytes(book(3))
    front = "---\ntitle: Boats & nets\nauthor: Jane Doe and Ann Lee\ndate: 2024-03-05\n---\n"
    (folder / "boats.md").write_text(f"{front}\n## Harbour\n\nThe ferry sails at nine.\n")
    with Library.open(folder / "library", encoder=BagOfWordsEncoder()) as made:
        made.update([folder / "book.pdf", folder / "boats.md"])
        yield made


def cited(library: Library, id_: str, quote: str, number: int) -> Citation:
    document = library.document(id_)
    start = document.text.index(quote)
    at = document.location(start)
    paragraph = next(p.paragraph for p in library.passages(id_) if p.start <= start < p.end)
    return Citation(
        number, id_, document.name, document.source, paragraph, start, start + len(quote), quote,
        document.date, (), document.author, at.page, at.page_label, at.page_kind, at.section,
    )  # fmt: skip


@pytest.fixture(scope="module")
def answer(library: Library) -> Answer:
    citations = (
        cited(library, "book.pdf", "The lighthouse of chapter 2 has 2 steps.", 1),
        cited(library, "boats.md", "The ferry sails at nine.", 2),
    )
    said = (
        Statement(citations[0].quote, "supported", (1,), True),
        Statement(citations[1].quote, "supported", (2,), True),
    )
    text = f"{said[0].text} [1] {said[1].text} [2]"
    return Answer("When does it sail?", "answered", text, said, citations, complete=True)


@pytest.fixture(scope="module")
def saved(library: Library, answer: Answer) -> dict[str, Any]:
    key = sealing.key_in(library.path, create=True)
    return bundle.make_bundle(answer, library, "", key)


def checked(library: Library, path: Path) -> list[bundle.Finding]:
    file = export.read(path)
    found = bundle.check_bundle(file.saved, library, sealing.key_in(library.path))
    return [*found, *export.looks(file)]


def test_word_has_a_footnote_for_each_citation(saved: dict[str, Any], tmp_path: Path) -> None:
    data = footnotes.as_word(saved)
    assert data == footnotes.as_word(saved)
    assert [p.text for p in docx.Document(io.BytesIO(data)).paragraphs] == [
        "When does it sail?",
        "The lighthouse of chapter 2 has 2 steps.",
        "The ferry sails at nine.",
    ]
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        body = etree.fromstring(archive.read("word/document.xml"))
        notes = etree.fromstring(archive.read("word/footnotes.xml"))
    assert [e.get(f"{W}id") for e in body.iter(f"{W}footnoteReference")] == ["1", "2"]
    told = {n.get(f"{W}id"): "".join(n.itertext()).strip() for n in notes}
    assert "page 2" in told["1"]
    assert told["2"] == (
        "Boats & nets, Jane Doe and Ann Lee, 2024-03-05, Harbour, paragraph 1: “The ferry sails at "
        "nine.”"
    )


def test_markdown_has_a_footnote_for_each_citation(saved: dict[str, Any]) -> None:
    lines = footnotes.as_markdown(saved).split("\n\n")
    assert lines[0] == "# When does it sail?"
    assert lines[2] == "The ferry sails at nine.[^2]"
    assert lines[3].startswith("[^1]: ") and "page 2" in lines[3]


@pytest.mark.parametrize("kind", ["word", "markdown"])
def test_verify_reads_what_was_exported_and_finds_what_was_changed(
    kind: str, saved: dict[str, Any], library: Library, tmp_path: Path
) -> None:
    file = tmp_path / "answer"
    file.write_bytes(export.made(saved, kind))
    assert export.read(file).kind == kind
    assert [one for one in checked(library, file) if not one.ok] == []
    if kind == "markdown":
        file.write_text(file.read_text().replace("sails at nine.[^2]", "sails at ten.[^2]"))
    else:
        out = io.BytesIO()
        with zipfile.ZipFile(file) as before, zipfile.ZipFile(out, "w") as after:
            for name in before.namelist():
                after.writestr(name, before.read(name).replace(b"sails at nine.</w:t>",
                                                               b"sails at ten.</w:t>"))  # fmt: skip
        file.write_bytes(out.getvalue())
    assert [one.what for one in checked(library, file) if not one.ok] == [kind]


def test_what_is_exported_from_a_german_page_is_labelled_in_german(
    answer: Answer, library: Library, tmp_path: Path
) -> None:
    key = sealing.key_in(library.path, create=True)
    groups = (Group("2024-03-05", (1,)), Group("Boats", (2,)))
    disagreeing = replace(answer, form="conflict", groups=groups)
    saved = bundle.make_bundle(disagreeing, library, "", key, "de")
    text = footnotes.as_markdown(saved)
    assert "Seite 2" in text
    assert "5.3.2024, Harbour, Absatz 1" in text
    assert "5\\. März 2024: The lighthouse" in text
    assert "Ihre Dokumente widersprechen sich" in text
    page = export.as_page(saved)
    assert '<html lang="de">' in page and "<h2>Quellen</h2>" in page
    assert "mit <code>pilcrow verify</code>." in page
    for kind in ("page", "markdown", "word"):
        (tmp_path / kind).write_bytes(export.made(saved, kind))
        assert [one for one in checked(library, tmp_path / kind) if not one.ok] == []
    (tmp_path / "page").write_text(page.replace("Quellen", "Sources"), "utf-8")
    assert [one.what for one in checked(library, tmp_path / "page") if not one.ok] == ["page"]
    arabic = export.as_page({**saved, "language": "ar"})
    assert '<html lang="ar" dir="rtl">' in arabic
    for unknown in ("xx", ["de"], None):
        assert '<html lang="en">' in export.as_page({**saved, "language": unknown})


@pytest.mark.parametrize("data", [b"PK\x03\x04 no archive", b"<!-- pilcrow-answer {", b"# Mine"])
def test_other_files_are_told_in_one_line(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(InputError) as caught:
        export.read(tmp_path / "x")
    assert "\n" not in str(caught.value)


def test_what_disagrees_is_exported_with_its_dates(answer: Answer, library: Library) -> None:
    groups = (Group("2024-03-05", (1,)), Group("Boats", (2,)))
    key = sealing.key_in(library.path, create=True)
    disagreeing = replace(answer, form="conflict", groups=groups)
    saved = bundle.make_bundle(disagreeing, library, "", key)
    for text in (footnotes.as_markdown(saved), export.as_page(saved)):
        shown = text.split("pilcrow-answer")[0]
        at = [shown.index(words) for words in (DISAGREE, "5 March 2024:", "Boats:")]
        assert at == sorted(at)


def test_hostile_words_stay_words(answer: Answer, saved: dict[str, Any]) -> None:
    evil = f"{HOSTILE} --> <w:br/> [^9]: x\n# y\u0000\ud800"
    said = Statement(evil, "supported", (1,))
    bad = replace(answer.citations[0], title=evil, author=evil, quote=evil)
    hurt = replace(answer, question=evil, statements=(said,), citations=(bad,))
    made = {**saved, "answer": hurt.to_dict()}
    text = export.made(made, "markdown").decode()
    assert text.count("-->") == 1
    assert not [line for line in text.splitlines()[1:] if line.startswith("#")]
    file = docx.Document(io.BytesIO(export.made(made, "word")))
    assert len(file.paragraphs) == 2
    for listed in (bibliography.ris(hurt), bibliography.bibtex(hurt)):
        assert "\n#" not in listed


def test_references_in_the_forms_that_programs_read(answer: Answer) -> None:
    twice = replace(answer, citations=(*answer.citations, answer.citations[0]))
    lines = bibliography.ris(twice).splitlines()
    assert lines.count("ER  - ") == 2
    assert {"TI  - Boats & nets", "PY  - 2024", "DA  - 2024/03/05", "SP  - page 2"} <= set(lines)
    tex = bibliography.bibtex(twice)
    assert tex.count("@misc{") == 2
    assert r"title = {Boats \& nets}" in tex
    items = json.loads(bibliography.csl_json(twice))
    assert items[0]["locator"] == "page 2"
    assert items[1]["author"] == [{"literal": "Jane Doe"}, {"literal": "Ann Lee"}]
    assert items[1]["issued"] == {"date-parts": [[2024, 3, 5]]}
