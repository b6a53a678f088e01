"""Two people at the page at once, each in a browser window of their own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.browsers import served
from tests.support.page_fakes import ScriptedAssistant
from tests.ui.api.accounts.sharing_people import PASSWORDS, make_shared
from ui.http.accounts.sharing import SignIn
from ui.http.accounts.store import accounts_of
from ui.page.app import PageOptions

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

QUESTION = "How many days does a ship need to reach a fault?"


def signed_in(browser: Browser, address: str, name: str) -> Page:
    page = browser.new_context().new_page()
    page.goto(address)
    page.wait_for_selector("input[type=password]")
    page.locator("input[type=text], textarea").first.fill(name)
    page.fill("input[type=password]", PASSWORDS[name])
    page.locator("button", has_text="Login").first.click()
    page.wait_for_selector("html[data-pilcrow=ready]")
    page.click("#tab-library")
    page.wait_for_selector("li[data-document]")
    return page


@pytest.mark.browser
def test_a_reader_and_an_editor_at_once(browser: Browser, tmp_path: Path) -> None:
    with make_shared(tmp_path) as library:
        options = PageOptions(accounts=SignIn())
        with served(ScriptedAssistant(library), library, options) as address:
            rita, edda = (signed_in(browser, address, name) for name in ("rita", "edda"))
            for page, name in ((rita, "rita"), (edda, "edda")):
                assert page.inner_text("#account") == f"Sign out {name}"
                assert page.locator("li[data-document]").count() == 1
                assert not page.is_visible("#rebuild"), "it is about all of the library"
                page.fill("#question textarea", QUESTION)
                page.keyboard.press("Enter")
            for page in (rita, edda):
                page.wait_for_selector(".turn:not([data-running]) .status")
            assert "eight days" in edda.inner_text("#conversation")
            assert "Not in your documents" in rita.inner_text("#conversation")
            assert [page.is_visible("#upload") for page in (rita, edda)] == [False, True]
            bin_ = "li[data-document] [data-action=remove]"
            assert [p.locator(bin_).first.is_visible() for p in (rita, edda)] == [False, True]
            accounts_of(library).remove("rita")
            rita.fill("#library-words", "kyoto")
            rita.wait_for_selector("input[type=password]")  # the login form again
            for page in (rita, edda):
                page.context.close()
