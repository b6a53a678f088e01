"""Pages of the web in a library: added when asked for, cited by their address, looked at again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from typer.testing import CliRunner

from index import InputError, Library, LibraryBusy
from index.sources import again, web
from index.sources.fetching import Fetcher
from index.storage.sqlite.folder import write_lock
from tests.index.formats.test_documents import pdf
from tests.support.fakes import BagOfWordsEncoder
from tests.support.made import web_site
from tests.support.made.web_site import Site, article, fetcher, rss
from ui.cli import app
from ui.commands.session import Parts
from ui.page import upload_copies

FERRY = article("New hours at the harbour", "The ferry sails at nine from the old quay.")
RAFT = article("Rafts are back", "The raft leaves at dusk, as it did a hundred years ago.")


@pytest.fixture
def site() -> Iterator[Site]:
    with web_site.site() as made:
        yield made


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library.open(tmp_path / "store", encoder=BagOfWordsEncoder()) as made:
        yield made


def ids(library: Library) -> list[str]:
    return [record.id for record in library.documents()]


def copies(library: Library) -> list[str]:
    home = web.folder_of(library.path)
    return sorted(path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file())


def test_a_page_is_added_with_its_facts_and_cited_by_its_address(
    library: Library, site: Site
) -> None:
    head = '<link rel="canonical" href="/news/ferry">'
    address = site.put("/news/2024/ferry.html", FERRY.replace("</head>", f"{head}</head>"))
    report = web.add(library, [address], fetcher())
    name = f"127.0.0.1-{site.port}/news/2024/ferry.html"
    assert (report.added, report.failed) == ((name,), ())
    (record,) = library.documents()
    assert record.title == "New hours at the harbour"
    assert (record.author, record.date) == ("Ann Berg", "2024-03-05")
    assert record.source == site.at("/news/ferry")
    hit = library.search("When does the ferry sail?")[0]
    assert "at nine" in hit.text and hit.source == record.source
    text = library.document(name).text
    assert text[hit.start : hit.end] == hit.text and "newsletter" not in text
    assert library.check().ok


@pytest.mark.parametrize(
    "stated",
    ["https://times.example/ferry", "javascript:alert(1)", "//times.example/x", "http://["],
)
def test_a_page_is_not_cited_by_another_site_s_address(
    library: Library, site: Site, stated: str
) -> None:
    head = f'<link rel="canonical" href="{stated}">'
    address = site.put("/ferry", FERRY.replace("</head>", f"{head}</head>"))
    web.add(library, [address], fetcher())
    assert library.documents()[0].source == address


def test_a_pdf_and_a_text_are_cited_by_their_address(library: Library, site: Site) -> None:
    paper = site.put("/paper", pdf(("The forum met in Kyoto.",)), "application/pdf")
    text = site.put("/notes.txt?v=2", "The forum met in Lima.", "text/plain")
    site.pages["/notes.txt"] = site.pages["/notes.txt?v=2"]
    report = web.add(library, [paper, text], fetcher())
    assert not report.failed
    assert {r.source for r in library.documents()} == {paper, text}
    document = next(id_ for id_ in ids(library) if id_.endswith("paper.pdf"))
    assert library.page_picture(document, 1).pages == 1


def test_a_feed_brings_its_pages_and_later_its_new_ones(library: Library, site: Site) -> None:
    site.put("/ferry", FERRY)
    feed = site.put("/feed", rss("/ferry", site.at("/raft"), "mailto:x@y"), "application/rss+xml")
    report = web.add(library, [feed], fetcher())
    assert len(report.added) == 1
    assert [(f.path, f.reason[:19]) for f in report.failed] == [
        (site.at("/raft"), "the server says 404")
    ]
    site.put("/raft", RAFT)
    site.put("/feed", rss("/raft", "/ferry"), "application/rss+xml")
    report = again.rebuild(library, fetcher())
    assert len(report.added) == 1 and not report.failed
    assert {r.title for r in library.documents()} == {"New hours at the harbour", "Rafts are back"}
    site.asked.clear()
    last = again.rebuild(library, fetcher())
    assert (len(last.unchanged), last.added, last.updated) == (2, (), ())
    assert sorted(site.asked) == [("/feed", 304), ("/ferry", 304), ("/raft", 304)]


ATOM = """<?xml version="1.0"?><!DOCTYPE feed [<!ENTITY a "x">]>
<feed xmlns="http://www.w3.org/2005/Atom"><link href="/"/>
<entry><link rel="edit" href="/edit"/><link href="/ferry"/></entry></feed>"""


def test_an_atom_feed_is_read_and_one_that_lists_nothing_is_told(
    library: Library, site: Site
) -> None:
    site.put("/ferry", FERRY)
    feed = site.put("/atom", ATOM, "application/atom+xml")
    empty = site.put("/empty", rss(), "application/rss+xml")
    report = web.add(library, [feed, empty], fetcher())
    assert len(report.added) == 1
    assert [(f.path, f.reason) for f in report.failed] == [(empty, "this feed lists no page")]


def test_a_feed_of_feeds_and_a_hostile_feed_lead_nowhere(library: Library, site: Site) -> None:
    inner = site.put("/inner", rss("/ferry"), "application/rss+xml")
    bomb = '<!DOCTYPE rss [<!ENTITY a "aaaaaaaaaa">' + "".join(
        f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    items = "<item><link>&i;</link></item><item><link>file:///etc/passwd</link></item>"
    hostile = site.put("/bomb", f"<?xml version='1.0'?>{bomb}]><rss>{items}</rss>", "text/xml")
    feed = site.put("/feed", rss(inner), "application/rss+xml")
    report = web.add(library, [feed, hostile], fetcher())
    assert {f.path: f.reason for f in report.failed} == {
        inner: "a feed that another feed lists is not followed",
        hostile: "this feed lists no page",
    }
    assert ids(library) == []


def test_what_changed_is_read_again_and_nothing_else(library: Library, site: Site) -> None:
    ferry, raft = site.put("/ferry", FERRY), site.put("/raft", RAFT)
    web.add(library, [ferry, raft], fetcher())
    assert isinstance(library.encoder, BagOfWordsEncoder)
    before = library.encoder.encoded
    report = web.add(library, [ferry], fetcher())
    assert len(report.unchanged) == 1 and library.encoder.encoded == before
    site.put("/ferry", FERRY.replace("nine", "ten"))
    report = again.rebuild(library, fetcher())
    assert (len(report.updated), len(report.unchanged), report.added) == (1, 1, ())
    assert "at ten" in library.search("When does the ferry sail?")[0].text


@pytest.mark.fault("C21")
def test_a_page_that_is_away_or_gone_is_kept_and_said(library: Library, site: Site) -> None:
    ferry, raft = site.put("/ferry", FERRY), site.put("/raft", RAFT)
    web.add(library, [ferry, raft], fetcher())
    site.gone("/ferry")
    site.answers["/raft"] = lambda handler: handler.send_error(503)
    report = again.rebuild(library, fetcher())
    told = {place.path: (place.reason, place.lost) for place in report.unreachable}
    assert told == {
        ferry: ("the server says 404 (not found); what was there is kept", True),
        raft: ("the server says 503 (service unavailable)", False),
    }
    assert len(ids(library)) == 2 and report.removed == ()
    assert web.unreachable(library) == report.unreachable
    assert library.search("When does the ferry sail?")
    del site.answers["/raft"]
    report = again.rebuild(library, fetcher(), forget=True)
    assert len(report.removed) == 1 and web.unreachable(library) == ()
    assert [r.title for r in library.documents()] == ["Rafts are back"]
    assert len(copies(library)) == 2


def test_what_gives_no_document_leaves_nothing_behind(library: Library, site: Site) -> None:
    report = web.add(library, [site.put("/empty", "<html><body></body></html>"),
                               site.put("/x.pdf", b"%PDF-1.7 nonsense", "application/pdf"),
                               site.at("/nowhere")], fetcher())  # fmt: skip
    assert sorted(f.path for f in report.failed) == [
        site.at("/empty"), site.at("/nowhere"), site.at("/x.pdf")
    ]  # fmt: skip
    assert copies(library) == [] and ids(library) == []
    with pytest.raises(InputError):
        web.add(library, [site.at("/empty"), "http://a:b@example.org/"], fetcher())


def test_what_was_removed_is_not_fetched_again_but_can_be_undone(
    library: Library, site: Site
) -> None:
    site.put("/ferry", FERRY)
    feed = site.put("/feed", rss("/ferry"), "application/rss+xml")
    web.add(library, [feed], fetcher())
    (record,) = library.documents()
    receipt = library.remove([record.id])
    assert receipt.left == 0
    library.restore(receipt)
    assert library.documents()[0].source == record.source
    library.remove([record.id])
    upload_copies.tidy(library)
    assert [name for name in copies(library) if name.endswith(".html")] == []
    site.put("/feed", rss("/ferry", "/raft"), "application/rss+xml")
    site.put("/raft", RAFT)
    again.rebuild(library, fetcher())
    assert [r.title for r in library.documents()] == ["Rafts are back"]
    receipt = web.forget(library, feed)
    assert len(receipt.documents) == 1 and copies(library) == []
    with pytest.raises(InputError, match="was never added"):
        web.forget(library, feed)
    assert library.removed_files() == set()


def test_two_addresses_of_one_name_stay_apart(library: Library, site: Site) -> None:
    first, second = site.put("/a b", FERRY), site.put("/a-b", RAFT)
    site.pages["/a%20b"] = site.pages["/a b"]
    assert len(web.add(library, [first], fetcher()).added) == 1
    assert len(web.add(library, [second], fetcher()).added) == 1
    assert len({record.source for record in library.documents()}) == 2


@pytest.mark.fault("C19")
def test_names_that_no_disk_takes_cost_no_other_page(library: Library, site: Site) -> None:
    """A page below what is a file here, one where a folder is, and one of a name too long."""
    long = "\U00020000" * 60
    paths = ["/a.html", "/a.html/b", "/c.html/d", "/c.html", f"/{long}?x=1", f"/{long}?x=2"]
    for path in paths:
        text = FERRY.replace("nine", f"nine {len(site.pages)}")
        site.pages[quote(path.partition("?")[0])] = "text/html", text.encode(), {}
    feed = site.put("/feed", rss(*paths), "application/rss+xml")
    report = web.add(library, [feed], fetcher())
    assert (len(report.added), report.failed) == (len(paths), ())
    site.asked.clear()
    again.rebuild(library, fetcher())
    assert len(ids(library)) == len(paths)
    assert library.check().ok


def test_a_full_rebuild_and_a_repair_keep_what_is_known_of_a_page(
    library: Library, site: Site
) -> None:
    address = site.put("/ferry", FERRY)
    web.add(library, [address], fetcher())
    site.gone("/ferry")
    library.rebuild(full=True)
    assert library.documents()[0].source == address
    assert library.update([], dry_run=True).updated == ()
    assert library.rebuild(dry_run=True).unchanged == tuple(ids(library))


# --- the command line ---------------------------------------------------------------------


@pytest.mark.fault("C20", "C21")
def test_the_command_adds_looks_again_and_forgets(
    tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(path: Path, create: bool, threads: int) -> Library:
        return Library.open(path, encoder=BagOfWordsEncoder(), create=create)

    def run(*arguments: object) -> tuple[int, str, str]:
        words = ["--store", str(tmp_path / "store"), *map(str, arguments)]
        result = CliRunner().invoke(app, words, obj=Parts(opened))
        return result.exit_code, result.stdout, result.stderr

    address = site.put("/ferry", FERRY)
    note = tmp_path / "note.txt"
    note.write_text("The bell rings at noon.")
    code, _, said = run("add", note, address)
    assert code == 4 and f"failed: {address}: 127.0.0.1 is a private address" in said
    assert "1 added" in said and site.asked == []
    monkeypatch.setenv("PILCROW_OWN_NETWORK", "127.0.0.1")
    code, printed, _ = run("add", address, "--json", "--collection", "harbour")
    assert code == 0 and len(json.loads(printed)["added"]) == 1
    code, _, said = run("rebuild")
    assert code == 0 and "0 added, 0 updated, 2 unchanged" in said
    assert site.asked == [("/ferry", 200), ("/ferry", 304)]
    site.gone("/ferry")
    code, _, said = run("rebuild")
    assert code == 4 and f"unreachable, kept: {address}: the server says 404" in said
    _, listed, said = run("list")
    assert f"unreachable, kept: {address}" in said and "[harbour]" in listed
    code, _, said = run("forget", address)
    assert code == 0 and "removed 127.0.0.1" in said
    site.asked.clear()
    assert run("rebuild")[0] == 0 and site.asked == []


def test_nothing_is_fetched_but_what_was_typed(library: Library, site: Site) -> None:
    """A page's links, pictures, sheets and scripts, and what a document says, ask for nothing."""
    outside = '<img src="/pixel"><script src="/script"></script><link rel="stylesheet" href="/css">'
    address = site.put("/ferry", FERRY.replace("<article>", f"<article>{outside}"))
    web.add(library, [address], fetcher())
    library.rebuild(full=True)
    library.search("ferry")
    assert site.asked == [("/ferry", 200)]
    assert isinstance(fetcher(), Fetcher)


def test_what_is_stopped_or_meets_another_writer_leaves_no_trace(
    library: Library, site: Site
) -> None:
    ferry = site.put("/ferry", FERRY)
    report = web.add(library, [ferry], fetcher(), cancelled=lambda: True)
    assert (report.added, report.failed, site.asked) == ((), (), [])
    with write_lock(library.path), pytest.raises(LibraryBusy):
        web.add(library, [ferry], fetcher())
    assert copies(library) == [] and ids(library) == []
    web.add(library, [ferry], fetcher())
    again.rebuild(library, fetcher(), cancelled=lambda: True)
    assert web.unreachable(library) == ()
    with write_lock(library.path), pytest.raises(LibraryBusy):
        web.add(library, [ferry], fetcher())
    assert len(copies(library)) == 2, "what was there stays"


@pytest.mark.fault("G58")
def test_a_kill_between_two_steps_is_made_good_by_the_next_look(
    library: Library, site: Site, tmp_path: Path
) -> None:
    """First the note is written, then the copy, then it is read: each may be the last of it."""
    addresses = [site.put("/ferry", FERRY), site.put("/raft", RAFT)]
    with Library.open(tmp_path / "other", encoder=BagOfWordsEncoder()) as other:
        web.add(other, addresses, fetcher())
        made = web.folder_of(other.path)
        shutil.copytree(made, web.folder_of(library.path))
    (copy,) = web.folder_of(library.path).rglob("ferry.html")
    copy.unlink()
    assert ids(library) == []
    again.rebuild(library, fetcher())
    assert {record.source for record in library.documents()} == set(addresses)
    assert library.check().ok


@pytest.mark.fault("C21")
def test_a_feed_that_is_away_keeps_its_pages(library: Library, site: Site) -> None:
    site.put("/ferry", FERRY)
    feed = site.put("/feed", rss("/ferry"), "application/rss+xml")
    web.add(library, [feed], fetcher())
    site.gone("/feed")
    report = again.rebuild(library, fetcher())
    (place,) = report.unreachable
    assert (place.path, place.documents, place.lost) == (feed, tuple(ids(library)), False)
    again.rebuild(library, fetcher(), forget=True)
    assert len(ids(library)) == 1, "its pages have not gone with it"
