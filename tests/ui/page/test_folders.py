"""A folder that is added where it is, by its path, and keeps itself up to date under the page."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from index import Library
from index.sources.watching import FolderWatches
from rag import Assistant
from tests.support.browsers import Tab, served, tab
from tests.support.fakes import BagOfWordsEncoder
from tests.support.made import web_site
from tests.support.made.web_site import Site, article
from ui.page.api import PageApi
from ui.page.app import PageOptions, build_services
from ui.page.conversations import Conversations
from ui.page.jobs import JobRunner
from ui.page.layout import PlaceRequest, added_place
from ui.page.middleware import uploads
from ui.page.suggester import Suggester
from ui.page.views import panes

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "ferry.md").write_text("# The ferry\n\nFerries sail at dawn.\n")
    with Library.open(tmp_path / "library", encoder=BagOfWordsEncoder()) as opened:
        yield opened


def api_of(library: Library, watches: FolderWatches | None) -> PageApi:
    runner = JobRunner(library)
    talk = Conversations(library.path)
    return PageApi(library, talk, runner, Suggester(library, None), watches=watches)


@pytest.mark.parametrize(
    ("sent", "path", "keep"),
    [
        ('{"path": " /home/x ", "keep": true}', "/home/x", True),
        ('{"path": "/home/x", "keep": "yes"}', "/home/x", False),
        ('{"path": 7, "keep": true}', "", False),
        (json.dumps({"path": "/" + "x" * 5_000, "keep": True}), "", False),
        ('{"path": "/a\\u0000b", "keep": true}', "", False),
        ("[]", "", False),
        ("{", "", False),
        ("[" * 100_000, "", False),
    ],
)
def test_what_the_page_names_is_read_with_care(sent: str, path: str, keep: bool) -> None:
    assert PlaceRequest.read(sent) == PlaceRequest(path, keep)


@pytest.mark.parametrize("typed", ["notes", "~nobody-is-called-so/x", "/nowhere/at/all", "."])
def test_what_is_no_folder_here_is_refused_in_words(library: Library, typed: str) -> None:
    *_, last = JobRunner(library).add_place(PlaceRequest(typed, True).folder)
    assert "is no folder of this computer" in last.problem
    assert not library.documents()


def test_a_folder_is_kept_up_to_date_and_let_be(library: Library, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    *_, last = JobRunner(library).add_place(PlaceRequest(str(notes)).folder)
    assert not last.problem
    watches = FolderWatches(library)
    api = api_of(library, watches)
    place = {"place": str(notes)}
    assert "Keep up to date" in api.ask({"name": "folders"})["slots"]["places"]
    assert "data-kept" in api.ask({"name": "keep", **place})["slots"]["places"]
    assert list(watches.states) == [notes]
    assert "data-kept" not in api.ask({"name": "let-be", **place})["slots"]["places"]
    assert api.ask({"name": "keep", "place": str(tmp_path)})["problem"]
    watches.close()
    assert not watches.states


def test_what_comes_between_the_list_and_the_next_look_is_news(
    library: Library, tmp_path: Path
) -> None:
    api = api_of(library, FolderWatches(library))
    listed = api.ask({"name": "library"})
    assert listed["change"] == api.ask({"name": "folders"})["change"]
    library.update([tmp_path / "notes"])
    assert listed["change"] != api.ask({"name": "folders"})["change"]


def test_why_a_folder_is_not_watched_is_said(library: Library, tmp_path: Path) -> None:
    watches, gone = FolderWatches(library), tmp_path / "gone"
    watches.begin(gone)
    for thread in threading.enumerate():
        if thread.name == f"watch {gone}":
            thread.join()
    assert "no folder that can be watched" in watches.states[gone]
    assert "can be watched" in api_of(library, watches).ask({"name": "folders"})["slots"]["places"]
    watches.close()


def test_folders_of_one_name_are_told_apart_by_what_they_lie_in() -> None:
    folders = [Path("/home/ann/notes"), Path("/home/jo/notes"), Path("/home/jo/work"), Path("/")]
    drawn = panes.places(dict.fromkeys(folders))
    for name in ("ann/notes", "jo/notes", "work"):
        assert f">{name}</span>" in drawn and f"Keep {name} up to date" in drawn


def test_where_no_paths_may_be_named_nothing_is_said_of_folders(library: Library) -> None:
    api = api_of(library, None)
    assert api.ask({"name": "library"})["slots"]["places"] == ""
    assert api.ask({"name": "keep", "place": "/"})["problem"]


def test_a_folder_that_cannot_be_looked_at_just_now_stays_in_the_list(
    library: Library, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    *_, last = JobRunner(library).add_place(PlaceRequest(str(notes)).folder)
    assert not last.problem
    notes.rename(tmp_path / "moved")
    notes.symlink_to(notes)  # a link that leads to itself: the system does not say what is there
    assert api_of(library, FolderWatches(library)).folders() == [notes]


@pytest.fixture
def opened(browser: Browser, library: Library) -> Iterator[Tab]:
    with served(Assistant(library, generator=None), library) as where, tab(browser, where) as fresh:
        yield fresh


@pytest.mark.browser
def test_a_watched_folder_changes_under_an_open_page(opened: Tab, tmp_path: Path) -> None:
    page, notes = opened.page, tmp_path / "notes"
    page.click("#tab-library")
    page.click(".in-place summary")
    page.fill("#place-path", str(notes))
    ring = "getComputedStyle(document.querySelector('label.folder')).outlineStyle"
    assert page.evaluate(ring) == "none", "that is another way to add one"
    page.keyboard.press("Enter")
    page.wait_for_selector(".documents li:has-text('The ferry')")
    page.wait_for_selector(".places [data-kept]:has-text('kept up to date')")
    assert page.locator(".documents li:has-text('copy')").count() == 0
    assert opened.inaccessible() == []
    (notes / "raft.md").write_text("# The raft\n\nRafts sail at dusk.\n")
    page.wait_for_selector(".documents li:has-text('The raft')")
    (notes / "ferry.md").unlink()
    page.wait_for_selector(".documents li:has-text('The ferry')", state="detached")
    page.click(".places >> text=Stop")
    page.wait_for_selector(".places >> text=Keep up to date")


@pytest.mark.browser
def test_folders_are_opened_and_what_is_in_them_is_chosen_and_searched(
    opened: Tab, library: Library, tmp_path: Path
) -> None:
    for name in ("north/a.txt", "north/b.txt", "south/old/c.txt"):
        file = tmp_path / "notes" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"Boat {file.stem}\n\nThe boat called {file.stem} sails at noon.\n")
    library.update([tmp_path / "notes"])
    page = opened.page
    opened.reload()
    page.click("#tab-library")
    page.select_option("#library-order", "folder")
    page.click(".fold[data-folder=north] summary")
    page.wait_for_selector(".fold[data-folder=north] li >> nth=1")
    page.click("[data-action=select]")
    page.click(".inside .pick >> nth=0")
    page.wait_for_selector(".picked:has-text('1 chosen')")
    assert opened.inaccessible() == []
    page.fill("#tag", "boats")
    page.keyboard.press("Enter")
    page.wait_for_selector("#toast:has-text('1 document tagged “boats”.')")
    page.wait_for_selector(".inside .tag:has-text('#boats')")
    page.click(".picked >> text=All")
    page.wait_for_selector(".picked:has-text('4 chosen')")
    page.click(".inside .pick >> nth=1")
    page.click(".picked >> text=Ask only these")
    assert page.locator("#scope .chips li").count() == 3
    page.click("[data-action=select]")
    page.click(".inside .pick >> nth=0")
    page.click(".picked >> text=Remove")
    page.wait_for_selector("#toast:has-text('removed')")
    page.wait_for_selector(".fold[data-folder=north] li:has-text('Boat b')")
    assert page.locator(".fold[data-folder=north] li").count() == 1, "it stays open"
    page.click("#toast button")
    page.wait_for_selector(".fold[data-folder=north] li >> nth=1")
    page.click("[data-action=select]")
    page.hover(".folder-row >> nth=1")
    page.click("[data-action=only-folder][data-folder=south]")
    page.wait_for_selector("#scope .chips li:has-text('folder south')")
    page.fill("#library-words", "noon c")
    page.click(".in-text li:has-text('Boat c') button")
    page.wait_for_selector(".reader mark:has-text('The boat called c')")
    assert opened.inaccessible() == []


# --- an address in the same box -----------------------------------------------------------


FERRY = article("New hours at the harbour", "The ferry sails at nine from the old quay.")


@pytest.fixture
def site() -> Iterator[Site]:
    with web_site.site() as made:
        yield made


def test_a_page_is_added_by_its_address_and_looked_at_again(library: Library, site: Site) -> None:
    runner = JobRunner(library, web_site.fetcher())
    *_, last = runner.add_address(site.put("/ferry", FERRY))
    assert "“New hours at the harbour” added" in last.summary
    assert api_of(library, FolderWatches(library)).folders() == []
    *_, last = runner.add_address(site.at("/nowhere"))
    reason = "the server says 404 (not found)"
    assert last.summary.endswith(f"1 failed: {site.at('/nowhere')}: {reason}")
    site.gone("/ferry")
    *_, last = runner.rebuild()
    assert "kept unseen" in last.summary and "404" in last.summary
    *_, last = runner.add_address("https://me:secret@example.org/")
    assert "with a password in it" in last.problem


@pytest.mark.parametrize("by_path", [True, False])
def test_only_who_sits_at_the_computer_has_anything_fetched(
    library: Library, site: Site, by_path: bool
) -> None:
    options = PageOptions(by_path=by_path, fetcher=web_site.fetcher())
    services = build_services(Assistant(library, generator=None), library, options)
    sent = json.dumps({"path": site.put("/ferry", FERRY), "keep": True})
    drawn = list(added_place(services, sent))
    assert (site.asked != []) is by_path and bool(drawn) is by_path


@pytest.mark.parametrize("by_path", [True, False])
def test_a_zotero_library_is_named_in_the_same_box(
    library: Library, tmp_path: Path, by_path: bool
) -> None:
    options = PageOptions(by_path=by_path)
    services = build_services(Assistant(library, generator=None), library, options)
    sent = json.dumps({"path": f"zotero:{tmp_path}", "keep": True, "collection": "papers"})
    drawn = list(added_place(services, sent))
    assert [view.problem[:20] for view in drawn[-1:]] == ["no Zotero library in"] * by_path


@pytest.mark.browser
def test_a_page_of_the_web_is_added_in_the_box(
    browser: Browser, library: Library, site: Site
) -> None:
    assistant, options = Assistant(library, generator=None), PageOptions(fetcher=web_site.fetcher())
    with served(assistant, library, options) as where, tab(browser, where) as opened:
        page = opened.page
        page.click("#tab-library")
        page.click(".in-place summary")
        page.fill("#place-path", site.put("/ferry", FERRY))
        page.keyboard.press("Enter")
        page.wait_for_selector(".documents li:has-text('New hours at the harbour')")
        assert page.locator(".places li").count() == 0
        assert opened.inaccessible() == []
        page.click(".in-place summary")
        page.fill("#place-path", "http://169.254.169.254/latest")
        page.keyboard.press("Enter")
        page.wait_for_selector(".job:has-text('private address')")
        opened.ask("When does the ferry sail?")
        assert "sails at nine" in opened.finish()


# --- collections --------------------------------------------------------------------------


def test_the_page_lists_adds_to_and_moves_between_collections(
    library: Library, tmp_path: Path
) -> None:
    runner, api = JobRunner(library), api_of(library, FolderWatches(library))
    assert api.ask({"name": "library"})["slots"]["collections"] == ""
    list(runner.add_place(tmp_path / "notes", "thesis"))
    (other := tmp_path / "raft.md").write_text("# The raft\n\nRafts sail at dusk.\n")
    library.update([other])
    listed = api.ask({"name": "library", "collection": "thesis"})["slots"]
    assert "The ferry" in listed["library"] and "The raft" not in listed["library"]
    assert 'value="thesis" selected' in listed["collections"]
    assert "collection thesis" in str(api.ask({"name": "names", "words": "thesis"})["facets"])
    assert len(api.ask({"name": "all", "collection": "thesis"})["names"]) == 1
    ids = json.dumps(["raft.md"])
    moved = api.ask({"name": "collect", "ids": ids, "collection": "thesis"})["toast"]
    assert moved["text"] == "1 document in the collection “thesis” now."
    assert {r.collection for r in library.documents()} == {"thesis"}
    assert api.ask(moved["undo"])["toast"]["text"] == "1 document in no collection now."
    assert (
        "a collection has 1 to 60"
        in api.ask({"name": "collect", "ids": ids, "collection": "x" * 61})["problem"]
    )


@pytest.mark.parametrize(
    ("sent", "into"),
    [('[["law/eu", "into"], ["a.txt", "replace"]]', "law/eu"), ("[]", ""), ("{", ""),
     ('[["x", 7]]', ""), ('[["' + "x" * 99 + '", "into"]]', "x" * 60)],
)  # fmt: skip
def test_what_is_uploaded_says_where_it_goes(sent: str, into: str) -> None:
    assert uploads.collection_of(sent) == into
    assert uploads.left_behind(sent) == () or '"x", 7' in sent


@pytest.mark.browser
def test_collections_are_switched_asked_and_added_to(
    opened: Tab, library: Library, tmp_path: Path
) -> None:
    for name in ("thesis", "work"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.md").write_text(f"# {name} note\n\nThe {name} bell rings.\n")
        library.update([tmp_path / name], collection=name)
    page = opened.page
    opened.reload()
    page.click("#tab-library")
    page.select_option("#collection", "thesis")
    page.wait_for_selector(".documents li:has-text('work note')", state="detached")
    page.wait_for_selector("#scope .chips :text('collection thesis')")
    assert opened.inaccessible() == []
    page.set_input_files(
        "#upload input[type=file]",
        {"name": "new.md", "mimeType": "text/plain", "buffer": b"# New\n\nNew boats sail.\n"},
    )
    page.wait_for_selector(".documents li:has-text('New')")
    assert {r.id: r.collection for r in library.documents()}["new.md"] == "thesis"
    opened.ask("Which bell rings?")
    assert "The thesis bell rings" in opened.finish()
    page.click("#tab-library")
    page.click("[data-action=select]")
    page.check(".documents li:has-text('New') .pick")
    page.fill("#tag", "work")
    page.click("[data-action=collect-picked]")
    page.wait_for_selector(".documents li:has-text('New')", state="detached")
    page.select_option("#collection", "")
    page.wait_for_selector(".documents li:has-text('work note')")
    assert page.locator("#scope .chips :text('collection')").count() == 0
