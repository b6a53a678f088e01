"""Answers in parts, questions back, replies of the library, all without a mouse, in a browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from rag.snapshots import DISAGREE
from rag.types import Answer, Group
from tests.support.browsers import Tab, served, tab
from tests.support.page_fakes import (
    ARTICLES,
    HOSTILE,
    HeldLibrary,
    ScriptedAssistant,
    make_library,
    quoting,
)
from ui.page.app import PageOptions

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

FORUM = "Sessions on artificial intelligence drew the largest rooms."
WEEK = "Japan used the week to present the Hiroshima AI Process."
CABLES = "About 600 cables carry nearly all traffic between continents."
TONGA = "Tonga was offline for five weeks in 2022."
UNCLEAR = "How many of them were there?"


PANEL = {"panel.txt": "Vint Cerf chaired the Leadership Panel in Kyoto. Others were there too."}
"""What the library can be asked about, so that there is something to suggest."""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HeldLibrary]:
    with make_library(tmp_path_factory.mktemp("page"), ARTICLES | PANEL) as made:
        yield made


@pytest.fixture(scope="module")
def assistant(library: HeldLibrary) -> ScriptedAssistant:
    made = ScriptedAssistant(library)
    four = (FORUM, WEEK, CABLES, TONGA)
    sides = (Group(f"Forum {HOSTILE}", (1, 2)), Group("Cables", (3, 4)))
    together = (
        Group("Forum and Cables", (1,)), Group("Forum", (2,)), Group("Cables", (3, 4)),
    )  # fmt: skip
    dates = (Group("2022", (1,)), Group("2023-10", (2, 3)), Group("2024-03-02", (4,)))
    texts: dict[str, Any] = {
        "Compare them": {"form": "columns", "groups": sides},
        "What of both?": {"form": "columns", "groups": together},
        "When was it?": {"form": "bullets", "groups": dates},
        "Make a table": {"form": "table", "groups": sides},
        "Did they meet?": {"task": "yes_no"},
        "How many were there?": {"form": "conflict", "groups": dates, "notes": (DISAGREE,)},
        "Summarise it": {"missing": (f"Nothing is said of {HOSTILE}.",)},
    }
    for question, more in texts.items():
        made.prepared[question] = quoting(library, question, *four, **more)
    options = tuple(r.title for r in library.documents() if r.id != "panel.txt")
    made.prepared[UNCLEAR] = Answer(
        UNCLEAR, "partial", f"What do you mean by “them”: “{options[0]}” or others?",
        complete=True, stage="done", model="none", options=options,
    )  # fmt: skip
    listed = "; ".join(f"“{title}” (2023)" for title in options)
    made.prepared["What do you have?"] = Answer(
        "What do you have?", "answered", f"There are 3 articles: {listed}.",
        complete=True, stage="done", model="none",
    )  # fmt: skip
    return made


@pytest.fixture(scope="module")
def address(assistant: ScriptedAssistant, library: HeldLibrary) -> Iterator[str]:
    with served(assistant, library, PageOptions(quick=assistant)) as where:
        yield where


@pytest.fixture
def opened(browser: Browser, address: str) -> Iterator[Tab]:
    with tab(browser, address) as fresh:
        yield fresh


def asked(opened: Tab, question: str) -> str:
    opened.ask(question)
    text = opened.finish()
    assert opened.page.locator("#panes img[src='x'], #panes script").count() == 0
    return text


def tops(opened: Tab) -> list[float]:
    """Where the columns begin, in pixels from the top."""
    boxes = [column.bounding_box() for column in opened.page.locator("#current .column").all()]
    return [box["y"] for box in boxes if box]


def test_a_comparison_stands_side_by_side_and_on_a_narrow_window_below_each_other(
    opened: Tab,
) -> None:
    text = asked(opened, "Compare them")
    assert HOSTILE.split("`")[0] in text
    first, second = tops(opened)
    assert first == second
    opened.page.click("#current .cite[data-n='4']")
    opened.page.wait_for_selector("#current-sources .source.current[data-n='4'] mark")
    opened.page.set_viewport_size({"width": 420, "height": 900})
    first, second = tops(opened)
    assert first < second
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= 420


def test_what_tells_of_both_stands_above_them_and_across(opened: Tab) -> None:
    asked(opened, "What of both?")
    both, first, second = tops(opened)
    assert both < first == second
    wide, narrow = (opened.page.locator("#current .column").nth(n).bounding_box() for n in (0, 1))
    assert wide is not None
    assert narrow is not None
    assert wide["width"] > 1.5 * narrow["width"]


def test_an_answer_in_parts_can_be_read_by_everybody(opened: Tab) -> None:
    asked = ("Compare them", "When was it?", "Make a table", "Did they meet?", "Did they meet?",
             "How many were there?")  # fmt: skip
    for number, question in enumerate(asked, start=1):
        opened.ask(question)
        opened.page.wait_for_selector(f"#t{number}:not([data-running])")
    for width in (1440, 420):  # all of them, one below the other
        opened.page.set_viewport_size({"width": width, "height": 900})
        assert opened.inaccessible() == []
        assert nameless(opened) == []


def test_a_timeline_is_a_list_of_dates(opened: Tab) -> None:
    asked(opened, "When was it?")
    dates = opened.page.locator("#current ol.timeline > li time")
    assert dates.all_inner_texts() == ["2022", "October 2023", "2 March 2024"]
    assert opened.page.locator("#current ol.timeline .statement").count() == 4


def test_a_table_has_a_head_and_a_row_for_each_statement(opened: Tab) -> None:
    asked(opened, "Make a table")
    table = opened.page.locator("#current table.rows")
    head = table.locator("thead th").all_inner_texts()
    assert head == ["About", "What the source says", "Source"]
    assert table.locator("tbody tr").count() == 4
    assert TONGA in table.locator("tbody tr").nth(3).inner_text()


def test_a_table_on_a_narrow_window_has_its_sources_beneath_and_nothing_aside(opened: Tab) -> None:
    asked(opened, "Make a table")
    sources = opened.page.locator("#current tbody .beneath")
    assert not sources.first.is_visible()
    opened.page.set_viewport_size({"width": 375, "height": 780})
    assert sources.first.is_visible()
    assert not opened.page.locator("#current td.from").first.is_visible()
    aside = "one => one.scrollWidth - one.clientWidth"
    assert opened.page.locator("#current .scroller").evaluate(aside) == 0


def test_what_is_missing_is_said_below_what_is_there(opened: Tab) -> None:
    text = asked(opened, "Summarise it")
    assert text.index(TONGA) < text.index("Nothing is said of <img")


def test_an_option_asks_the_question_again_about_its_document(
    opened: Tab, assistant: ScriptedAssistant, library: HeldLibrary
) -> None:
    page = opened.page
    asked(opened, UNCLEAR)
    options = page.locator("#current .options [data-action=mean]")
    title = next(r.title for r in library.documents() if r.id == "kyoto.txt")
    assert options.count() == 3
    options.filter(has_text=title).click()
    page.wait_for_selector("#current .where-asked")
    opened.finish()
    assert page.inner_text("#current .question") == UNCLEAR
    assert title in page.inner_text("#current .where-asked")
    assert assistant.scopes[-1].documents == ("kyoto.txt",)
    assert page.locator(".turn").count() == 1  # in place of the question back
    assert page.locator("#scope .chips li").count() == 0  # and the next one may look everywhere


def test_an_option_of_a_conversation_that_was_left_can_still_be_chosen(opened: Tab) -> None:
    asked(opened, UNCLEAR)
    opened.reload()
    opened.page.click("#past .options [data-option='2']")
    opened.page.wait_for_selector("#current .where-asked")
    opened.finish()
    assert opened.page.locator(".turn").count() == 1


def test_a_reply_lists_documents_to_open_and_things_to_ask(opened: Tab) -> None:
    page = opened.page
    page.wait_for_selector("#welcome .suggestion")
    asked(opened, "What do you have?")
    names = page.locator("#current .listed [data-action=read]")
    assert names.count() >= 2
    names.filter(has_text="Cables under the sea").click()
    page.wait_for_selector("#reader .reader h2:has-text('Cables under the sea')")
    page.wait_for_selector("#current .follow-ups:has-text('Things to ask') .suggestion")
    question = page.inner_text("#current .follow-ups .suggestion >> nth=0")
    page.click("#current .follow-ups .suggestion >> nth=0")
    page.wait_for_selector("#t2:not([data-running])")
    assert page.inner_text("#t2 .question") == question


# --- without a mouse ------------------------------------------------------------------------------

_NAMELESS = re.compile(
    r" *- (?:button|link|textbox|searchbox|checkbox|combobox|tab|dialog)(?! \"\w)\b"
)
_SEEN = """() => {
    const here = document.activeElement;
    if (here === document.body) return true;  // between the last and the first
    const near = [here];
    while (near.length < 6 && near.at(-1).parentElement) near.push(near.at(-1).parentElement);
    if (here.labels) near.push(...here.labels);
    const drawn = () => near.flatMap((one) => [null, "::after"].map((part) => {
        const { outline, boxShadow, borderColor, content } = getComputedStyle(one, part);
        return [outline, boxShadow, borderColor, content].join();
    })).join();
    const focused = drawn();
    here.blur();
    const left = drawn();
    here.focus({ preventScroll: true });
    return focused !== left && here.checkVisibility({ visibilityProperty: true });
}"""
"""Whether what has the focus shows it."""


def reach(opened: Tab, selector: str, *, back: bool = False) -> None:
    """Goes with the Tab key to what a selector names; each stop on the way shows its focus."""
    page = opened.page
    for _ in range(80):
        page.keyboard.press("Shift+Tab" if back else "Tab")
        where = "document.activeElement.outerHTML.slice(0, 200)"
        assert page.evaluate(_SEEN), page.evaluate(where)
        if page.evaluate("(wanted) => document.activeElement.matches(wanted)", selector):
            return
    pytest.fail(f"no way to {selector}")


def press(opened: Tab, *keys: str) -> None:
    for key in keys:
        opened.page.keyboard.press(key)


def nameless(opened: Tab) -> list[str]:
    """What of the page a screen reader would call by its kind alone."""
    lines = opened.page.locator("body").aria_snapshot().splitlines()
    return [line for line in lines if _NAMELESS.match(line)]


def has_focus(opened: Tab, selector: str) -> None:
    opened.page.wait_for_function(
        "(wanted) => document.activeElement.matches(wanted)", arg=selector
    )


@pytest.mark.parametrize("dark", [False, True])
def test_an_answer_is_read_rated_and_exported_without_a_mouse(
    browser: Browser, address: str, dark: bool
) -> None:
    with tab(browser, address, dark=dark) as opened:
        page = opened.page
        page.emulate_media(reduced_motion="reduce")  # what is seen is not on its way
        has_focus(opened, "#question textarea")
        page.keyboard.type("How many cables carry traffic, and was Tonga offline?")
        press(opened, "Enter")
        opened.finish()
        reach(opened, "#current .cite[data-n='2']", back=True)
        press(opened, "Enter")
        has_focus(opened, "#current-sources .source.current[data-n='2']")
        press(opened, "Escape")
        has_focus(opened, "#current .cite[data-n='2']")
        press(opened, "Enter")
        page.wait_for_selector("#reader mark.here")
        assert nameless(opened) == []
        assert page.evaluate("document.activeElement.closest('#reader') !== null")
        reach(opened, "#reader [data-action=step][data-way=on]")
        press(opened, "Enter")
        reach(opened, "#find", back=True)
        page.keyboard.type("the")
        page.wait_for_selector("#reader mark.found")
        press(opened, "Enter", "Shift+Enter", "Escape")
        page.wait_for_selector("#reader .reader", state="detached")
        reach(opened, "#current [data-way=down]", back=True)
        press(opened, "Enter")
        page.wait_for_selector("#toast button:has-text('Say why')")
        reach(opened, "#toast button")
        press(opened, "Enter")
        page.wait_for_selector("dialog[open]")
        assert nameless(opened) == []
        assert page.evaluate("document.activeElement.closest('dialog') !== null")
        assert opened.inaccessible() == []
        press(opened, "Escape")
        page.wait_for_selector("dialog", state="detached")
        reach(opened, "#current .save summary", back=True)
        press(opened, "Enter")
        reach(opened, "#current [data-kind=json]")
        press(opened, "Escape")
        has_focus(opened, "#current .save summary")
        press(opened, "Enter")
        reach(opened, "#current [data-kind=json]")
        with page.expect_download():
            press(opened, "Enter")
        reach(opened, "#current .why summary")
        press(opened, "Enter")
        page.wait_for_selector("#current .why[open] .why-body")


def test_the_library_is_sorted_chosen_tagged_and_undone_without_a_mouse(
    browser: Browser, address: str
) -> None:
    with tab(browser, address, dark=True) as opened:
        page = opened.page
        page.emulate_media(reduced_motion="reduce")
        reach(opened, "#tab-chats", back=True)
        press(opened, "ArrowRight")
        has_focus(opened, "#tab-library")
        page.wait_for_selector(".documents li")
        reach(opened, "#library-order")
        press(opened, "d")  # date
        assert page.input_value("#library-order") == "date"
        reach(opened, "[data-action=overview]")
        press(opened, "Enter")
        page.wait_for_selector("dialog.overview .bars")
        assert page.evaluate("document.activeElement.closest('dialog') !== null")
        assert nameless(opened) == []
        reach(opened, "dialog [data-action=topic]")
        press(opened, "Escape")
        page.wait_for_selector("dialog", state="detached")
        has_focus(opened, "[data-action=overview]")
        press(opened, "Enter")
        page.wait_for_selector("dialog.overview .bars")
        reach(opened, "dialog [data-action=period]")
        press(opened, "Enter")
        page.wait_for_selector("#scope .chips li")
        reach(opened, "[data-action=select]", back=True)
        press(opened, "Space")
        reach(opened, ".documents .pick")
        press(opened, "Space")
        page.wait_for_selector(".picked:not([hidden])")
        assert opened.inaccessible() == nameless(opened) == []
        reach(opened, "#tag", back=True)
        page.keyboard.type("sea")
        press(opened, "Enter")
        page.wait_for_selector("#toast:has-text('sea')")
        reach(opened, "#library .documents [data-action=only]")
        reach(opened, "#library .documents [data-action=remove]")
        count = page.locator(".documents li").count()
        press(opened, "Enter")
        page.wait_for_selector("#toast button:has-text('Undo')")
        reach(opened, "#toast button")
        press(opened, "Enter")
        page.wait_for_function(f"document.querySelectorAll('.documents li').length === {count}")
        choosers: list[object] = []
        page.on("filechooser", lambda chooser: choosers.append(chooser))
        reach(opened, "#upload button")
        with page.expect_file_chooser():
            press(opened, "Enter")
        assert len(choosers) == 1
        reach(opened, ".machine summary", back=True)
        press(opened, "Enter")
        page.wait_for_selector(".machine[open] .menu")
        assert nameless(opened) == []
        reach(opened, "#language")
        press(opened, "Escape")
        has_focus(opened, ".machine summary")
