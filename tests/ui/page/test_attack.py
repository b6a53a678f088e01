"""A foreign web site, in a real browser that has Pilcrow open beside it, tries everything it can.

The site answers on this computer too, under another name (a site of its own to the browser) or
another port (a neighbour). What it must not get: script on Pilcrow's origin, a word of a document,
a document removed, or one request of the server's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.support.attacks import PASSWORD, Victim, log_in, pilcrow, site, spellings
from tests.support.programs import PATIENCE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext


@pytest.fixture(scope="module", params=["", PASSWORD], ids=["open", "password"])
def victim(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Victim]:
    """One page for all attackers: what none of them may change, it has for the next."""
    with pilcrow(tmp_path_factory.mktemp("victim"), request.param) as started:
        yield started
    said = started.terminal.read_text()
    assert "\x1b" not in said
    assert "Traceback" not in said


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context()
    made.set_default_timeout(PATIENCE * 1000)
    yield made
    made.close()


@pytest.mark.browser
@pytest.mark.fault("G1")
@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"], ids=["site", "neighbour"])
def test_a_foreign_site_gets_nothing(context: BrowserContext, victim: Victim, name: str) -> None:
    with site(name) as attacker:
        attacker.victim = victim.address
        victim.visit(context.new_page())
        page = context.new_page()
        page.goto(attacker.address)
        page.wait_for_function("document.title === 'tried'")
        assert b"".join(attacker.told) == b"", "the site has read an answer"
        for path in spellings(attacker.address):
            page.goto(f"{attacker.address}/link")
            with page.expect_navigation():
                page.evaluate("url => { location.href = url }", victim.address + path)
            assert page.title() != "OWNED", path
        assert attacker.prey == []
        assert victim.has_lost(context) == set()


@pytest.mark.browser
@pytest.mark.fault("G1")
@pytest.mark.parametrize("victim", [PASSWORD], ids=["password"], indirect=True)
def test_the_page_is_no_prison_for_its_owner(context: BrowserContext, victim: Victim) -> None:
    """A link from elsewhere leads to the page, and whoever knows the password gets in there."""
    with site("localhost") as attacker:
        attacker.victim = victim.address
        victim.visit(context.new_page())
        page = context.new_page()
        page.goto(f"{attacker.address}/link")
        page.click("a")
        page.wait_for_selector("input[type=password]")  # the cookie is not for links of others
        log_in(page, PASSWORD)
        page.wait_for_selector("html[data-pilcrow=ready]")
        page.reload()
        page.wait_for_selector("html[data-pilcrow=ready]")
        cookies = [c for c in context.cookies() if c["name"].startswith("access-token")]
        assert cookies
        assert {c["sameSite"] for c in cookies} == {"Strict"}
