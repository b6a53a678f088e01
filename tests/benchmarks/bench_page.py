"""How long the page keeps a person waiting: `python -m tests.benchmarks.bench_page FOLDER [RUNS]`.

With 10,000 documents, a conversation of 1,000 turns and an article of 2 MB: after each interaction
Chromium's observer of long tasks says how long the page's thread was away in one piece (of less
than 50 ms it says nothing), and its trace how much of that it computed; the rest is others' use of
the processor. Prints a table in Markdown: the best of the runs, and the middle one.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from index import Library
from rag import Assistant
from tests.support.browsers import Tab, chromium, served, tab
from tests.support.fakes import BagOfWordsEncoder
from ui.page.conversations import Conversations, Turn, new_key

if TYPE_CHECKING:
    from playwright.sync_api import Browser

DOCUMENTS, TURNS, ARTICLE = 10_000, 1_000, 2_000_000
LIMIT = 100.0
"""Milliseconds that one piece of work of an interaction may take."""
QUESTION = "Who founded the observatory of Quillmark?"
_WATCH = """
window.long = [];
new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) window.long.push(entry.duration);
}).observe({ type: "longtask", buffered: true });
"""


def made(folder: Path) -> Library:
    """The library, made once: short articles in fifty folders, and one long one."""
    library = Library.open(folder / "library", encoder=BagOfWordsEncoder())
    if len(library.documents()) > DOCUMENTS:
        return library
    for number in range(DOCUMENTS):
        file = folder / "articles" / f"year-{number % 50:02}" / f"report-{number:05}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(
            f"Report {number} of the harbour office\nPublished: 20{number % 25:02}-03-0"
            f"{number % 9 + 1}\n\nBerth {number} was dredged to {number % 30} metres in spring.\n"
        )
    lines = (f"In entry {n} the steward counted {n * 7} barrels and went home. " for n in range(9))
    paragraph = "".join(lines)
    body = "\n\n".join(f"Year {n}. {paragraph}" for n in range(ARTICLE // len(paragraph)))
    (folder / "articles" / "annals.txt").write_text(
        f"Annals of eight towns\n\n{body}\n\n"
        "The observatory of Quillmark was founded by Sister Brannoch in 1777.\n"
    )
    library.update([folder / "articles"])
    return library


def talked(library: Library, assistant: Assistant) -> str:
    """The key of a conversation of many turns."""
    store = Conversations(library.path)
    for listed in store.listed():
        if len(store.turns(listed.id)) >= TURNS:
            return listed.id
    answer, conversation = assistant.answer(QUESTION), new_key()
    for number in range(TURNS):
        question = f"Question {number}: who founded the observatory of Quillmark?"
        store.keep(conversation, Turn(new_key(), question, replace(answer, question=question)))
    return conversation


Step = tuple[str, Callable[[], object]]


def steps(opened: Tab, conversation: str) -> Iterator[Step]:
    """What a person does on the page, by its name."""
    page = opened.page
    wait = page.wait_for_selector

    def open_talk() -> None:
        page.click(f".chats li[data-id='{conversation}'] .name")
        wait(f"#past #t{TURNS}")

    def scroll(where: str, to: str) -> Callable[[], object]:
        return lambda: page.evaluate(
            f"(w) => {{ const n = document.querySelector(w); {to} }}", where
        )

    def ask() -> None:
        opened.ask(QUESTION)
        wait(f"#t{TURNS + 1}:not([data-running])")

    def write() -> None:
        page.focus("#question textarea")
        page.keyboard.type("how deep is berth 12", delay=15)

    def source() -> None:
        page.click("#current .cite >> nth=0")
        wait(".source.current")

    def unfold() -> None:
        page.click(".fold summary >> nth=3")
        wait(".fold .inside li")

    def read() -> None:
        page.click("#current .cite >> nth=0")
        wait(".reader mark")

    def find() -> None:
        page.fill("#find", "entry 8 the steward")
        wait(".reader mark.here")

    def narrow() -> None:
        page.fill("#library-words", "report 77")
        wait(".documents li:has-text('Report 77 ')")

    def order(value: str) -> Callable[[], object]:
        return lambda: page.select_option("#library-order", value)

    def choose_all() -> None:
        page.click("[data-action=select]")
        page.click("[data-action=pick-all]")
        page.wait_for_function("document.querySelector('.picked span').textContent != '0 chosen'")

    def offer() -> None:
        page.fill("#question textarea", "")
        page.focus("#question textarea")
        page.keyboard.type("what @report 12", delay=15)
        wait("#choices li")
        page.keyboard.press("Escape")

    yield "open a conversation of 1,000 turns", open_talk
    yield "scroll to its first turn", scroll("#conversation", "n.scrollTop = 0")
    yield "scroll to its last turn", scroll("#conversation", "n.scrollTop = n.scrollHeight")
    yield "write in the box", write
    yield "ask, until the answer is whole", ask
    yield "open a source by its number", source
    yield "open the article of 2 MB there", read
    yield "scroll up in it", scroll("#sources", "n.scrollTop = 0")
    yield "find words in it", find
    yield "go to the next place", lambda: page.click("[data-action=step][data-way=on]")
    yield "close it", lambda: page.keyboard.press("Escape")
    yield "show the library of 10,000", lambda: opened.show("library")
    yield (
        "scroll its list to the end of what is drawn",
        scroll("#library .list", "n.scrollTop = n.scrollHeight"),
    )
    yield "narrow it down, also by what is in the texts", narrow
    yield "and widen it", lambda: page.fill("#library-words", "")
    yield "sort by date", order("date")
    yield "sort by folder", order("folder")
    yield "open a folder", unfold
    yield "choose all of it", choose_all
    yield "and let go", lambda: page.click("[data-action=select]")
    yield "name a document with @", offer
    yield "show the conversations", lambda: opened.show("chats")
    yield "search in them", lambda: page.fill("#chat-words", "Quillmark")
    yield "open the panel about the model", lambda: page.click(".machine summary")
    yield "a new conversation", lambda: page.click("#new-chat")


def measured(browser: Browser, opened: Tab, conversation: str) -> dict[str, tuple[float, float]]:
    """The longest piece of work after each step, seen and computed, in milliseconds."""
    page = opened.page
    found = {}
    for name, act in steps(opened, conversation):
        page.evaluate("window.long = []")
        browser.start_tracing(
            page=page, categories=["toplevel", "disabled-by-default-devtools.timeline"]
        )
        act()
        page.wait_for_timeout(900)
        pieces = computed(browser.stop_tracing())
        found[name] = max(page.evaluate("window.long"), default=0.0), max(pieces, default=0.0)
    return found


def computed(trace: bytes) -> Iterator[float]:
    """Milliseconds of processor time of each task of the page's main thread."""
    events = json.loads(trace)["traceEvents"]
    mains = {
        (event["pid"], event["tid"])
        for event in events
        if event.get("name") == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    for event in events:
        task = str(event.get("name", "")).endswith("RunTask") and "tdur" in event
        if task and (event["pid"], event["tid"]) in mains:
            yield event["tdur"] / 1000


def main(arguments: list[str]) -> int:
    """Measure and print; 1 when a step takes too long in every run."""
    folder, runs = Path(arguments[0]), int(arguments[1]) if arguments[1:] else 3
    library = made(folder)
    assistant = Assistant(library, None, reader="none")
    conversation = talked(library, assistant)
    results: list[dict[str, tuple[float, float]]] = []
    with chromium() as browser, served(assistant, library) as address:
        for _ in range(runs):
            with tab(browser, address) as opened:
                opened.page.add_init_script(_WATCH)
                opened.reload()
                results.append(measured(browser, opened, conversation))
    lines = ["| what is done | away, best (ms) | away, middle | computed, best | middle |"]
    lines.append("|---|---|---|---|---|")
    for name in results[0]:
        away, busy = zip(*(result[name] for result in results), strict=True)
        shown = [f"{v:.0f}" if v else "< 50" for v in (min(away), statistics.median(away))]
        shown += [f"{v:.0f}" for v in (min(busy), statistics.median(busy))]
        lines.append(f"| {name} | {' | '.join(shown)} |")
    sys.stdout.write("\n".join(lines) + "\n")
    return int(any(min(result[name][1] for result in results) > LIMIT for name in results[0]))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
