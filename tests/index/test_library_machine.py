"""Any order of changes: the library equals a plain dictionary, and one that was built from scratch.

Articles come, change, move, are copied and go; their folder, or one in it, is away, empty or cannot
be looked into, and comes back; the library follows with updates, rebuilds and removals, is closed
and opened again. Whatever happened, it holds what the dictionary holds, `check` passes, and every
question is answered as by a fresh library over the same texts.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from index import Library, Receipt
from tests.support.fakes import BagOfWordsEncoder

NAMES = st.sampled_from(["harbour.txt", "bridge.txt", "sub/harbour.txt", "sub/castle.txt"])
PARAGRAPHS = (
    "The forum met in Kyoto on a Sunday in October.",
    "Cables under the sea carry the traffic between continents.",
    "The parliament voted for the act, and fines reach millions.",
    "Rice was harvested late, because the rain came early this year.",
    "A comet passed close to the moon; nobody on the island slept.",
)
TEXTS = st.lists(st.sampled_from(PARAGRAPHS), min_size=1, max_size=3, unique=True)
INSTEAD = ("an empty folder", "nothing", "a loop")
QUESTIONS = ("cables at the bridge", "the parliament, the harbour, the forum", "castle, rice, moon")


def answers(library: Library) -> list[object]:
    """What every question finds, without what depends on the order in which articles came."""
    return [
        sorted(
            (round(hit.score, 4), hit.text, sorted({hit.document_id, *hit.also}))
            for hit in library.search(question)
        )
        for question in QUESTIONS
    ]


class PlacesMachine(RuleBasedStateMachine):
    """Files that come and go, and folders that are away for a while."""

    def __init__(self) -> None:
        super().__init__()
        # in memory where there is some: what is tested is not the disk
        memory = Path("/dev/shm")
        self.folder = Path(tempfile.mkdtemp(dir=memory if os.access(memory, os.W_OK) else None))
        self.shelf = self.folder / "articles"
        self.shelf.mkdir()
        self.files: dict[str, str] = {}
        self.held: dict[str, str] = {}
        self.left_out: set[str] = set()
        self.receipts: dict[str, Receipt] = {}
        self.known = False
        self.away: tuple[Path, str] | None = None
        """A folder that is not to be seen now, and what stands in its place."""
        self.encoder = BagOfWordsEncoder(64)
        self.library = self.open("library")

    def teardown(self) -> None:
        self.library.close()
        shutil.rmtree(self.folder)

    def open(self, name: str) -> Library:
        return Library.open(self.folder / name, encoder=self.encoder, threads=1)

    @initialize(articles=st.dictionaries(NAMES, TEXTS, min_size=2))
    def begin(self, articles: dict[str, list[str]]) -> None:
        for name, paragraphs in articles.items():
            self.put(name, "\n\n".join(paragraphs) + "\n")
        self.update()

    # --- the person's files ---------------------------------------------------------------

    def put(self, name: str, text: str) -> None:
        self.files[name] = text
        (self.shelf / name).parent.mkdir(exist_ok=True)
        (self.shelf / name).write_text(text)

    @precondition(lambda self: self.files and not self.away)
    @rule(data=st.data(), to=NAMES)
    def move(self, data: st.DataObject, to: str) -> None:
        source = data.draw(st.sampled_from(sorted(self.files)))
        (self.shelf / to).parent.mkdir(exist_ok=True)
        (self.shelf / source).rename(self.shelf / to)
        self.files[to] = self.files.pop(source)

    @precondition(lambda self: self.files and not self.away)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.files)))
        (self.shelf / name).unlink()
        del self.files[name]

    # --- what becomes of their folders ----------------------------------------------------

    @precondition(lambda self: not self.away)
    @rule(name=st.sampled_from(["articles", "articles/sub"]), instead=st.sampled_from(INSTEAD))
    def unplug(self, name: str, instead: str) -> None:
        folder = self.folder / name
        if not folder.exists() or (folder != self.shelf and instead == "nothing"):
            return  # a folder that is gone from one that can be read was deleted
        folder.rename(self.folder / "unplugged")
        if instead == "an empty folder":
            folder.mkdir()
        elif instead == "a loop":  # cannot be looked into, not even by root
            folder.symlink_to(folder)
        self.away = folder, instead

    @precondition(lambda self: self.away)
    @rule()
    def plug(self) -> None:
        assert self.away is not None
        folder, instead = self.away
        if instead == "an empty folder":
            folder.rmdir()
        elif instead == "a loop":
            folder.unlink()
        (self.folder / "unplugged").rename(folder)
        self.away = None

    def hidden(self, name: str) -> bool:
        return self.away is not None and (self.shelf / name).is_relative_to(self.away[0])

    def visible(self) -> dict[str, str]:
        return {name: text for name, text in self.files.items() if not self.hidden(name)}

    def kept(self, forget: bool) -> set[str]:
        """What the library holds on to though it is not there: all that may come back."""
        seen = {name: text for name, text in self.visible().items() if name not in self.left_out}
        unseen = self.held.keys() - self.visible().keys()
        shut = self.away is not None and self.away[1] != "an empty folder"
        closed = {name for name in unseen if self.hidden(name) and shut}
        lost = unseen - closed
        if forget:
            return closed
        emptied = {name for name in lost if self.emptied(name)}
        new = {text for name, text in seen.items() if name not in self.held}
        left = {name for name in lost if self.held[name] not in new}
        if 2 * len(left) > len(self.held):
            return closed | left
        return closed | (emptied & left)

    def emptied(self, name: str) -> bool:
        folder = (self.shelf / name).parent
        while not folder.exists():
            folder = folder.parent
        return not any(folder.iterdir())

    # --- the library ----------------------------------------------------------------------

    @rule()
    def update(self) -> None:
        known = self.known or not (self.away and self.away[0] == self.shelf)
        kept, before = self.kept(forget=False), dict(self.held)
        report = self.library.update([self.shelf])
        self.hold(kept)
        assert set(report.removed) == set(before) - set(self.held)
        assert {n for one in report.unreachable for n in one.documents} == kept
        assert len(report.left_out) == len(self.left_out & self.visible().keys())
        self.known = self.known or known

    def hold(self, kept: set[str]) -> None:
        fresh = {n: text for n, text in self.visible().items() if n not in self.left_out}
        self.held = {name: self.held[name] for name in kept} | fresh

    @rule(full=st.booleans(), forget=st.booleans())
    def rebuild(self, full: bool, forget: bool) -> None:
        encoded, before = self.encoder.encoded, set(self.held.values())
        kept = self.kept(forget)
        report = self.library.rebuild(full=full, forget=forget)
        if self.known:
            self.hold(kept)
            if not full and set(self.held.values()) <= before:
                assert self.encoder.encoded == encoded, "moving and copying embeds nothing"
            assert {n for one in report.unreachable for n in one.documents} == kept

    @precondition(lambda self: self.known and self.left_out & self.visible().keys())
    @rule(data=st.data())
    def name(self, data: st.DataObject) -> None:
        """What was removed comes back when its file is named."""
        name = data.draw(st.sampled_from(sorted(self.left_out & self.visible().keys())))
        assert self.library.update([self.shelf / name]).added == (name,)
        self.held[name] = self.files[name]
        self.left_out.discard(name)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.held)))
        shared = sum(text == self.held[name] for text in self.held.values()) > 1
        receipt = self.library.remove([name])
        assert (receipt.left, receipt.passages == 0) == (0, shared)
        del self.held[name]
        self.left_out.add(name)
        self.receipts[name] = receipt

    # --- what always holds ----------------------------------------------------------------

    @invariant()
    def holds_what_the_dictionary_holds(self) -> None:
        records = self.library.documents()
        assert [record.id for record in records] == sorted(self.held)
        for record in records:
            text = self.library.document(record.id).text
            assert text == self.held[record.id]
            for passage in self.library.passages(record.id):
                assert text[passage.start : passage.end] == passage.text
        stats = self.library.stats()
        assert stats.documents == len(records)
        contents = {record.content_hash: record for record in records}.values()
        assert stats.passages == sum(content.passages for content in contents)
        assert stats.sentences == sum(content.sentences for content in contents)


class LibraryMachine(PlacesMachine):
    """That, and everything else that may happen."""

    @precondition(lambda self: not self.away)
    @rule(name=NAMES, paragraphs=TEXTS)
    def write(self, name: str, paragraphs: list[str]) -> None:
        self.put(name, "\n\n".join(paragraphs) + "\n")

    @precondition(lambda self: self.files and not self.away)
    @rule(data=st.data(), to=NAMES)
    def copy(self, data: st.DataObject, to: str) -> None:
        self.put(to, self.files[data.draw(st.sampled_from(sorted(self.files)))])

    @precondition(lambda self: len(self.files) > 1 and not self.away)
    @rule(data=st.data())
    def swap(self, data: st.DataObject) -> None:
        one, other = data.draw(st.permutations(sorted(self.files)))[:2]
        texts = self.files[one], self.files[other]
        self.put(one, texts[1])
        self.put(other, texts[0])

    @precondition(lambda self: self.receipts)
    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.receipts)))
        report = self.library.restore(self.receipts.pop(name))
        assert bool(report.failed) == (name not in self.visible())
        if name in self.visible():
            self.held[name] = self.files[name]
        self.left_out.discard(name)

    @rule()
    def reopen(self) -> None:
        self.library.close()
        self.library = self.open("library")

    @rule()
    def check(self) -> None:
        assert self.library.check().ok

    @rule()
    def answers_like_one_built_from_scratch(self) -> None:
        scratch = self.folder / "scratch"
        shutil.rmtree(scratch, ignore_errors=True)
        for name, text in self.held.items():
            (scratch / "articles" / name).parent.mkdir(parents=True, exist_ok=True)
            (scratch / "articles" / name).write_text(text)
        with self.open("scratch/library") as fresh:
            if self.held:
                fresh.update([scratch / "articles"])
            assert answers(self.library) == answers(fresh)


PlacesMachine.TestCase.settings = settings(
    max_examples=80, stateful_step_count=15, deadline=None, print_blob=True
)
LibraryMachine.TestCase.settings = settings(
    max_examples=40, stateful_step_count=15, deadline=None, print_blob=True
)
test_folders_that_are_away = PlacesMachine.TestCase
test_any_order_of_changes = LibraryMachine.TestCase
