"""The server is killed in the middle of a chat and started again on the same library."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.programs.page_program import Server
from tests.support.browsers import tab
from tests.support.visitors import Visitor

if TYPE_CHECKING:
    from playwright.sync_api import Browser

KYOTO = "How many participants registered in Kyoto?"
CABLES = "How many cables carry nearly all traffic between continents?"
BEFORE = "What did I ask before?"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path)
    yield made
    made.kill()


@pytest.mark.fault("E9")
def test_after_a_restart_everybody_has_their_own_history(server: Server) -> None:
    server.start()
    one, other = Visitor(server.address), Visitor(server.address)
    assert "9,000" in one.answer(KYOTO).text
    assert "600 cables" in other.answer(CABLES).text
    server.kill()
    with pytest.raises(httpx.TransportError):
        one.ask(BEFORE)
    server.start()
    # tabs that were left open go on with the session and the conversation that they had
    assert f"You asked: {KYOTO}" in one.answer(BEFORE).text
    assert CABLES not in one.answer(BEFORE).text
    assert f"You asked: {CABLES}" in other.answer(BEFORE).text
    # and somebody new, or who takes over a session's id alone, has none
    for stranger in (Visitor(server.address), Visitor(server.address, one.session)):
        told = stranger.answer(BEFORE).text
        assert "You asked:" in told
        assert KYOTO not in told
        assert CABLES not in told
        stranger.close()
    one.close()
    other.close()


@pytest.mark.fault("E9")
def test_what_was_being_answered_is_kept_as_stopped(server: Server) -> None:
    server.start("held")
    visitor = Visitor(server.address)
    visitor.ask(KYOTO)
    *_, last = visitor.watch_until_cut(server.kill)
    assert last.evidence
    server.start()
    kept = visitor.api("open", id=visitor.conversation)["slots"]["past"]
    assert "stopped before there was anything to show" in kept
    assert 'data-action="again"' in kept
    assert "data-running" not in kept
    assert "9,000" in visitor.answer(KYOTO).text
    visitor.close()


@pytest.mark.browser
@pytest.mark.fault("E9")
def test_a_page_left_open_says_so_and_comes_back(server: Server, browser: Browser) -> None:
    server.start("held")
    with tab(browser, server.address) as opened:
        page = opened.page
        opened.ask(KYOTO)
        page.wait_for_selector("#current .headline")
        opened.ask(CABLES)
        page.fill("#question textarea", "What I am writing")
        server.kill()
        page.wait_for_selector("#lost")
        page.keyboard.press("Enter")
        page.click(".chats .name >> nth=0")  # whatever is tried meanwhile, it is said once
        assert page.locator("#lost, #toast:visible, .toast-wrap:visible").count() == 1
        assert page.input_value("#question textarea") == "What I am writing"
        server.start()
        page.wait_for_selector("#past .turn .problem")
        page.wait_for_selector("#current .turn:not([data-running])")  # what was queued is asked
        assert "600 cables" in page.inner_text("#current .turn")
        assert page.input_value("#question textarea") == "What I am writing"
        assert KYOTO in page.inner_text("#past .turn .question")
        page.wait_for_selector("html[data-pilcrow=ready]")
        page.fill("#question textarea", "")
        opened.ask(KYOTO)
        page.wait_for_selector("#t3:not([data-running])")
        assert "9,000" in page.inner_text("#t3")
        opened.complaints.clear()  # the browser notes that the server was away
