"""Chromium for the page's tests: found, started once, watched for everything that goes wrong."""

from __future__ import annotations

import logging
import os
import shutil
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.programs import PATIENCE
from ui.page import app, server

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Dialog, Page

CHROMIUM = os.environ.get("PILCROW_CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-quic",
    "--process-per-site",
]  # fmt: skip
_NOTHING_IN_TRANSITION = """document.getAnimations().every(
    (one) => !(one instanceof CSSTransition) || !one.effect.target.checkVisibility({
        contentVisibilityAuto: true }))"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser, or the test skipped by name where there is none."""
    if not CHROMIUM:
        pytest.skip("no Chromium found. Install it: apt install chromium (or set PILCROW_CHROMIUM)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        yield browser
        browser.close()


class _Kept(logging.Handler):
    """What the servers of this process log as going wrong, each in its last few lines."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        told = traceback.format_exception(error, limit=-3) if error else [record.getMessage()]
        self.lines.append("".join(told))


_KEPT = _Kept()


@contextmanager
def served(assistant: Any, library: Any, options: app.PageOptions | None = None) -> Iterator[str]:
    """The page on a free port, in a thread of its own, while the block lasts; gives its address."""
    ready = threading.Event()
    addresses: list[str] = []

    def on_ready(address: str) -> None:
        addresses.append(address)
        ready.set()

    running, listening = server.page_server(
        assistant, library, on_ready, port=0, options=options or app.PageOptions()
    )
    thread = threading.Thread(target=running.run, args=([listening],), daemon=True)
    thread.start()
    assert ready.wait(PATIENCE), "the page did not start"
    for name in ("uvicorn.error", "ui"):  # uvicorn takes handlers away when it starts
        logging.getLogger(name).addHandler(_KEPT)
    try:
        yield addresses[0]
    finally:
        running.should_exit = True
        thread.join(PATIENCE)
    assert not thread.is_alive(), "the page did not end"


@dataclass
class Tab:
    """A page with a record of every complaint of the browser's."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    """Requests that no answer came to."""

    def ask(self, question: str) -> None:
        self.page.fill("#question textarea", question)
        self.page.keyboard.press("Enter")

    def show(self, pane: str) -> None:
        """Shows `chats` or `library` on the left."""
        self.page.click(f"#tab-{pane}")

    def reload(self) -> None:
        """Loads the page anew and waits until it is there."""
        self.page.reload()
        self.wait_until_ready()
        self.complaints.clear()  # Gradio logs the stream that the reload cut off

    def wait_until_ready(self) -> None:
        """Waits until the page's script has put it together; else says what was missing."""
        from playwright.sync_api import TimeoutError as Overdue

        try:
            self.page.wait_for_selector("html[data-pilcrow=ready]")
        except Overdue:
            shown = self.page.evaluate("document.body?.innerText.slice(0, 300)")
            pytest.fail(
                f"not ready; it says {shown!r}, the browser {self.complaints}, without an answer "
                f"were {self.lost}, the server says {_KEPT.lines[-3:]}",
                pytrace=False,
            )

    def inaccessible(self) -> list[str]:
        """What axe-core finds on the page as it stands, however small."""
        from axe_playwright_python.sync_playwright import Axe

        # colours in transition are no colours to judge
        self.page.wait_for_function(_NOTHING_IN_TRANSITION)
        found = Axe().run(self.page).response["violations"]
        return [
            f"{one['id']}: {node['target']} {node['failureSummary']}"
            for one in found
            for node in one["nodes"]
        ]

    def finish(self) -> str:
        """Waits for the current answer to be complete; gives its text."""
        self.page.wait_for_selector("#current .turn:not([data-running])")
        return self.page.inner_text("#current .turn")


@contextmanager
def tab(
    browser: Browser, address: str, *, width: int = 1440, height: int = 900, dark: bool = False
) -> Iterator[Tab]:
    """A fresh tab on the page; at its end nothing may have gone wrong or gone elsewhere."""
    context = browser.contexts[0] if browser.contexts else _context(browser, address)
    context.set_default_timeout(PATIENCE * 1000)
    opened = Tab(context.new_page())
    page, complain = opened.page, opened.complaints.append
    home = address.rstrip("/")
    page.on("console", lambda m: complain(f"console: {m.text}") if m.type == "error" else None)
    page.on("pageerror", lambda error: complain(f"error: {error}"))
    page.on("dialog", _dismissed(complain))
    page.on("request", _elsewhere(home, complain))
    page.on("requestfailed", lambda r: opened.lost.append(f"{r.method} {r.url}: {r.failure}"))
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme="dark" if dark else "light")
    page.goto(address)
    opened.wait_until_ready()
    yield opened
    page.close()
    if opened.complaints:
        pytest.fail(f"{opened.complaints}; the server says {_KEPT.lines[-3:]}", pytrace=False)


def _context(browser: Browser, address: str) -> BrowserContext:
    """One context for all tabs, as in a person's browser: what was fetched once is there.

    A tab that stays open keeps the site's process alive, and with it every script as it was
    compiled for the tab before; loading the page then takes half as long.
    """
    context = browser.new_context()
    context.new_page().goto(f"{address}theme.css")
    return context


def _dismissed(complain: Callable[[str], None]) -> Callable[[Dialog], None]:
    def dismiss(dialog: Dialog) -> None:
        complain(f"dialog: {dialog.message}")
        dialog.dismiss()

    return dismiss


def _elsewhere(home: str, complain: Callable[[str], None]) -> Callable[[Any], None]:
    def look(request: Any) -> None:
        if not request.url.startswith((home, "data:", "blob:")):
            complain(f"request to {request.url}")

    return look


def screenshot(page: Page, path: Path) -> None:
    """A picture of the page as it stands."""
    page.screenshot(path=str(path))
