"""Suggested questions for the page: found in the background, once for each state of the library."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Callable, Collection
from itertools import islice
from pathlib import Path

from index import Library
from index.errors import PilcrowError
from index.system.files import replacing
from rag.replies import suggestions
from rag.types import Answer
from ui.language.catalogue import gettext

FILE = "suggestions.json"
_CLOSE_TIMEOUT = 5.0
"""Seconds that closing waits for a search; one question takes a tenth of one."""

log = logging.getLogger(__name__)


class Suggester:
    """Questions that the library can answer, found in a thread of its own with quotes only."""

    def __init__(
        self,
        library: Library,
        ask: Callable[[str], Answer] | None,
        *,
        busy: Callable[[], bool] = lambda: False,
        kept: bool = True,
    ) -> None:
        """Suggest what `ask` can answer; nothing when it is None.

        Args:
            library: what is asked about.
            ask: answers with quotes only.
            busy: whether the search is to pause.
            kept: whether what was found is kept for the next start, with the library.
        """
        self._kept = kept
        self._library = library
        self._ask = ask
        self._busy = busy
        self._lock = threading.Lock()
        self._known: tuple[str, tuple[str, ...]] = ("", ())
        """A state of the library and its questions."""
        self._searched_state = ""
        """The state for which questions are being searched; empty when none are."""
        self._search_thread: threading.Thread | None = None
        self._closed = threading.Event()

    @property
    def ready(self) -> bool:
        """Whether what `opening` gives is all there will be for the library as it is."""
        return self._ask is None or self._known[0] == self._state()

    def opening(self) -> tuple[str, ...]:
        """Questions to begin with; none at first, while a thread searches for them."""
        state = self._state()
        if self._ask is None or not state:
            return ()
        with self._lock:
            if self._known[0] != state:
                self._known = (state, saved) if (saved := self._load(state)) else self._known
            if self._known[0] == state:
                return self._known[1]
            if self._searched_state != state and not self._closed.is_set():
                self._searched_state = state
                self._search_thread = threading.Thread(
                    target=self._search, args=(state,), daemon=True
                )
                self._search_thread.start()
        return ()

    def summaries(self, wanted: int) -> tuple[str, ...]:
        """Requests for a summary of a document each, in the reader's language.

        None while questions are still being searched for.
        """
        if self._ask is None or not self.ready:
            return ()
        titles = dict.fromkeys(record.title for record in self._library.documents())
        known = islice(filter(None, titles), wanted)
        return tuple(gettext("Summarise “{title}”", title=title) for title in known)

    def close(self) -> None:
        """Begin no more searches and end the one under way, after the question it is trying."""
        with self._lock:
            self._closed.set()
            thread = self._search_thread
        if thread:
            thread.join(_CLOSE_TIMEOUT)

    def following(self, answer: Answer, asked: Collection[str], wanted: int = 3) -> tuple[str, ...]:
        """Questions that go on from an answer; none when nothing around it leads on."""
        if self._ask is None:
            return ()
        try:
            return suggestions.following(
                self._library.passages, self._ask, answer, asked=asked, wanted=wanted,
                summarise=gettext("Summarise “{title}”"),
            )  # fmt: skip
        except PilcrowError:  # a document that has gone meanwhile
            return ()

    def _search(self, state: str) -> None:
        assert self._ask is not None
        try:
            ids = [record.id for record in self._library.documents()]
            questions = suggestions.opening(
                self._library.passages, self._ask, ids, stop=self._should_stop
            )
        except PilcrowError as error:
            log.info("no suggestions: %s", error)
            questions = ()
        except Exception:
            log.exception("no suggestions")
            questions = ()
        interrupted = self._should_stop()
        with self._lock:
            self._searched_state = ""
            if not interrupted:
                self._known = (state, questions)
        if not interrupted:
            self._save(state, questions)

    def _should_stop(self) -> bool:
        return self._closed.is_set() or self._busy()

    def _state(self) -> str:
        """A digest of the documents and their contents; empty when there are none."""
        try:
            records = self._library.documents()
        except PilcrowError:
            return ""
        listing = "".join(f"{r.id}\0{r.content_hash}\0" for r in records)
        return hashlib.sha256(listing.encode("utf-8", "replace")).hexdigest() if records else ""

    def _load(self, state: str) -> tuple[str, ...]:
        if not self._kept:
            return ()
        try:
            saved = json.loads(Path(self._library.path / FILE).read_text(encoding="utf-8"))
            return tuple(map(str, saved["questions"])) if saved["state"] == state else ()
        except (OSError, ValueError, KeyError, TypeError):
            return ()

    def _save(self, state: str, questions: tuple[str, ...]) -> None:
        if not self._kept:
            return
        try:
            with replacing(self._library.path / FILE) as file:
                file.write(json.dumps({"state": state, "questions": questions}).encode())
        except OSError as error:  # then they are looked for again next time
            log.info("suggestions were not kept: %s", error)
