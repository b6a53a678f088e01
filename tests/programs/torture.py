"""Kills the real command line at random instants: `make torture`.

Each scenario makes a small library from articles of its own, runs one command to the end to see
where it leads, and then, each time from the same beginning, disturbs that command: SIGKILL at some
instant, most often while it writes, or a disk that takes no more than so many bytes of a file.
Somebody reads all the while. Afterwards every document has to be as before or as after, `check` has
to pass, no process may be left, and the command, run again, has to end where it ends undisturbed.
Ends with 1 when anything else was found; the folder is kept then.
"""

from __future__ import annotations

import argparse
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from index import InputError, Library, LibraryMissing
from index.embedding.encoder import Encoder

ROOT = Path(__file__).resolve().parents[2]
_TIMES = 8  # disturbed runs from one beginning; each needs a whole run more, undisturbed
_HANGS = 300.0  # seconds after which a command is said to hang
_SAYS_SO_EVERY = 10.0
_NEAR = 1e-3  # vectors of one text differ a little with what was embedded beside it
_WORDS = [a + b for a in "ba ke li mo nu ra si to ve zu".split() for b in "dan fel gor kim".split()]
_QUESTIONS = tuple(" ".join(_WORDS[n : n + 3]) for n in (0, 9, 18, 27))

Say = Callable[[str], None]
say: Say = partial(print, flush=True)


class Finding(Exception):
    """What must not be, in words."""


# --- Articles ----------------------------------------------------------------------------------


def write_article(path: Path, rng: random.Random, paragraphs: int) -> None:
    """An article of words that questions can find, in the form its name asks for."""
    parts = []
    for _ in range(paragraphs):
        sentences = [
            " ".join(rng.choices(_WORDS, k=rng.randint(4, 16))).capitalize() + "."
            for _ in range(rng.randint(1, 5))
        ]
        parts.append(" ".join(sentences))
    if path.suffix == ".html":
        body = "".join(f"<p>{part}</p>\n" for part in parts)
        text = f"<html><head><title>{path.stem}</title></head><body>{body}</body></html>"
    else:
        text = "\n\n".join(parts) + "\n"
    path.write_text(text, encoding="utf-8")


def fill(articles: Path, rng: random.Random) -> None:
    """A handful of articles, sometimes a long one or more than are written in one transaction."""
    articles.mkdir()
    many = rng.random() < 1 / 6
    for number in range(rng.randint(260, 300) if many else rng.randint(3, 9)):
        long = not many and rng.random() < 1 / 6
        paragraphs = 1 if many else rng.randint(40, 60) if long else rng.randint(1, 6)
        suffix = ".txt" if many else rng.choice([".txt", ".md", ".html"])
        write_article(articles / f"article{number}{suffix}", rng, paragraphs)


def change(articles: Path, rng: random.Random) -> None:
    """Some articles change, move or go, and some come."""
    for path in sorted(articles.iterdir()):
        what = rng.choice(["stay", "stay", "change", "move", "go"])
        if what == "change":
            write_article(path, rng, rng.randint(1, 8))
        elif what == "move":
            path.rename(path.with_name(f"moved-{path.name}"))
        elif what == "go":
            path.unlink()
    for number in range(rng.randint(1, 4)):
        write_article(articles / f"new{number}.txt", rng, rng.randint(1, 6))


# --- What a library holds ------------------------------------------------------------------------

Documents = Mapping[str, tuple[str, ...]]
"""Title, hash, counts and text of every document, by id."""


@dataclass(frozen=True, slots=True)
class State:
    """All that a person sees of a library; an empty one stands for none at all."""

    documents: Documents = field(default_factory=dict)
    found: tuple[Mapping[tuple[str, int, int, str], float], ...] = ()
    """For each question the score of every passage."""

    def differs(self, other: State) -> str:
        """In what another state differs, in words; empty when in nothing."""
        if self.documents != other.documents:
            ids = self.documents.keys() | other.documents.keys()
            return f"documents {[i for i in sorted(ids) if not same(i, self, other)]}"
        for question, mine, theirs in zip(_QUESTIONS, self.found, other.found, strict=True):
            if mine.keys() != theirs.keys():
                return f"what is found for {question!r}: {mine.keys() ^ theirs.keys()}"
            if any(abs(score - theirs[hit]) > _NEAR for hit, score in mine.items()):
                return f"scores for {question!r}"
        return ""


def same(document: str, one: State, other: State) -> bool:
    """Whether both states hold the same of a document, which may be nothing."""
    return one.documents.get(document) == other.documents.get(document)


def held(library: Library) -> Documents:
    """What a library holds that nobody writes to."""
    return {
        document.id: (
            *map(
                str, (document.title, document.content_hash, document.passages, document.sentences)
            ),
            library.document(document.id).text,
        )
        for document in library.documents()
    }


def judge(now: Documents, before: State, after: State, atomic: bool) -> None:
    """Every document is as before or as after; all of one side where the command is atomic.

    Raises:
        Finding: when not.
    """
    if atomic and now not in (before.documents, after.documents):
        raise Finding(f"neither before nor after as a whole: {sorted(now)}")
    for one in now.keys() | before.documents.keys() | after.documents.keys():
        if now.get(one) not in (before.documents.get(one), after.documents.get(one)):
            raise Finding(f"document {one!r} is neither as before nor as after: {now.get(one)}")


@dataclass(frozen=True, slots=True)
class Shop:
    """The command line under test, and the encoder that looks at what it leaves behind."""

    pilcrow: list[str]
    encoder: Encoder

    @contextmanager
    def library(self, store: Path) -> Iterator[Library | None]:
        """The library; None where there is none yet."""
        try:
            library = Library.open(store, encoder=self.encoder, create=False, threads=1)
        except LibraryMissing:
            yield None
            return
        with library:
            yield library

    def state(self, store: Path) -> State:
        """What the library holds, after `check` has found it whole."""
        with self.library(store) as library:
            if library is None:
                return State(found=tuple({} for _ in _QUESTIONS))
            if bad := [str(line) for line in library.check().lines if not line.ok]:
                raise Finding(f"check: {bad}")
            found = tuple(
                {(h.document_id, h.start, h.end, h.text): h.score for h in hits}
                for hits in (library.search(question, k=1000) for question in _QUESTIONS)
            )
            return State(held(library), found)

    def start(self, store: Path, arguments: list[str], blocks: int | None = None) -> Run:
        """The command, running; with a disk that takes no more than 512-byte blocks of a file."""
        command = [*self.pilcrow, "--store", str(store), *arguments]
        if blocks is not None:
            command = ["sh", "-c", f'ulimit -f {blocks}; exec "$@"', "sh", *command]
        with store.with_suffix(".log").open("a+") as log:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                # where files have a limit, what is said goes through a pipe
                stderr=log if blocks is None else subprocess.PIPE,
                start_new_session=True,
                text=True,
            )
        return Run(process, store)

    def run(self, store: Path, arguments: list[str]) -> None:
        """The command, to its end."""
        run = self.start(store, arguments)
        if code := run.wait():
            raise Finding(f"pilcrow {arguments} ended with {code}: {run.said()}")


@dataclass(slots=True)
class Run:
    """A command that runs."""

    process: subprocess.Popen[str]
    store: Path

    def said(self) -> str:
        """The end of what all commands on this library have said so far."""
        return self.store.with_suffix(".log").read_text(errors="replace")[-2000:]

    def wait(self) -> int:
        """Its exit code, when it has ended, and nothing of it is left."""
        try:
            code = self.process.wait(_HANGS)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise Finding(f"hangs: {self.said()}") from None
        self.expect_nobody()
        return code

    def kill(self) -> bool:
        """Kill it and nothing else; whether it was still alive."""
        self.process.kill()
        return self.wait() == -signal.SIGKILL

    def expect_nobody(self) -> None:
        """Every process it started has to end with it, soon."""
        deadline = time.monotonic() + 30
        while left := _session(self.process.pid):
            if time.monotonic() > deadline:
                os.killpg(self.process.pid, signal.SIGKILL)
                raise Finding(f"processes {left} of a dead pilcrow live on")
            time.sleep(0.02)


def _session(leader: int) -> list[int]:
    """The living processes of a session, where the system tells (Linux)."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        if int(fields[3]) == leader and fields[0] not in "ZX":
            found.append(int(stat.parent.name))
    return found


# --- One scenario --------------------------------------------------------------------------------

COMMANDS = ("add", "fresh add", "rebuild", "rebuild --full", "remove")


class Scenario:
    """One command from one beginning, to be disturbed again and again."""

    def __init__(
        self, shop: Shop, folder: Path, name: str, rng: random.Random, tally: Counter[str]
    ) -> None:
        """Make the beginning, and see how the command ends undisturbed."""
        self._shop, self._folder, self._rng, self._tally = shop, folder, rng, tally
        self.name = name
        self._atomic = self.name in ("rebuild --full", "remove")
        articles, self._start = folder / "articles", folder / "before" / "library"
        self._start.parent.mkdir(parents=True)
        fill(articles, rng)
        if self.name != "fresh add":
            shop.run(self._start, ["add", str(articles)])
        self._before = shop.state(self._start)
        if self.name == "remove":
            ids = sorted(self._before.documents)
            self._gone = rng.sample(ids, rng.randint(1, min(3, len(ids))))
            self._arguments = ["remove", *self._gone]
        else:
            self._gone = []
            if self.name != "fresh add":
                change(articles, rng)
            adds = self.name.endswith("add")
            # what is gone is gone for good: more than half of it would be asked about
            rebuild = [*self.name.split(), "--forget"]
            self._arguments = ["add", str(articles)] if adds else rebuild
        end = self._copy("after")
        run = shop.start(end, self._arguments)
        began = time.monotonic()
        self._first = self._write(run, end, _look_away) - began
        if code := run.wait():
            raise Finding(f"{self.name} undisturbed ended with {code}: {run.said()}")
        self._whole = time.monotonic() - began
        self._after = shop.state(end)
        self._blocks = max(file.stat().st_size for file in end.iterdir()) // 512

    def disturb(self, number: int) -> None:
        """Disturb the command once or more in a row, then let it end.

        Raises:
            Finding: when anything is not as it has to be.
        """
        store = self._copy(f"trial{number}")
        for _ in range(self._rng.choice([1, 1, 2, 3])):
            if self._rng.random() < 1 / 8:
                self._fill_disk(store)
            else:
                self._kill(store)
            now = self._shop.state(store)
            judge(now.documents, self._before, self._after, self._atomic)
            if self._gone and not now.documents.keys() & set(self._gone):
                break
        else:
            self._shop.run(store, self._arguments)
            if left := [file.name for file in store.iterdir() if ".new" in file.name]:
                raise Finding(f"left behind: {left}")
        if difference := self._shop.state(store).differs(self._after):
            raise Finding(f"run again, {self.name} ended in another state: {difference}")
        shutil.rmtree(store.parent)

    def _copy(self, name: str) -> Path:
        """The beginning, in a folder of its own."""
        copy = self._folder / name / "library"
        copy.parent.mkdir()
        if self._start.exists():
            shutil.copytree(self._start, copy)
        return copy

    def _kill(self, store: Path) -> None:
        """Kill the command somewhere, most often once it writes, while somebody may be reading."""
        writing = self._rng.random() < 2 / 3
        watched = self._rng.random() < 2 / 3
        with self._watching(store) if watched else nullcontext(_look_away) as look:
            run = self._shop.start(store, self._arguments)
            began = time.monotonic()
            if writing:
                began = self._write(run, store, look)
                last = self._whole - self._first
            else:
                last = self._whole
            self._pass(run, began + self._rng.uniform(0, 1.1 * last), look)
            hit = run.kill()
            look()
        if hit:
            self._tally[self.name] += 1
        elif run.process.returncode:
            raise Finding(f"{self.name} ended with {run.process.returncode}: {run.said()}")

    def _write(self, run: Run, store: Path, look: Callable[[], None]) -> float:
        """When the command was first seen to write, or to have ended."""
        before = _files(store)
        while run.process.poll() is None and _files(store) == before:
            self._pass(run, time.monotonic() + 0.01, look)
        return time.monotonic()

    def _pass(self, run: Run, until: float, look: Callable[[], None]) -> None:
        """Let time pass, and readers read."""
        deadline = time.monotonic() + _HANGS
        while run.process.poll() is None and (now := time.monotonic()) < min(until, deadline):
            look()
            time.sleep(max(0.0, min(0.02, until - now)))

    @contextmanager
    def _watching(self, store: Path) -> Iterator[Callable[[], None]]:
        """What somebody does who reads, in a library opened as soon as there is one."""
        library: Library | None = None
        with ExitStack() as stack:

            def look() -> None:
                nonlocal library
                library = library or stack.enter_context(self._shop.library(store))
                if library:
                    self._look(library)

            yield look

    def _look(self, library: Library) -> None:
        """What somebody sees who reads now: every text and every hit whole, of one side."""
        records = {document.id: document.content_hash for document in library.documents()}
        sides = [
            {one: told[1] for one, told in side.documents.items()}
            for side in (self._before, self._after)
        ]
        if self._atomic and records not in sides:
            raise Finding(f"a reader saw neither before nor after: {sorted(records)}")
        for one in self._rng.sample(sorted(records), min(3, len(records))):
            try:
                text = library.document(one).text
            except InputError:
                text = None  # it has just gone
            if text not in self._texts(one):
                raise Finding(f"a reader saw {one!r} neither as before nor as after: {text!r}")
        for hit in library.search(self._rng.choice(_QUESTIONS)):
            texts = [text[hit.start : hit.end] for text in self._texts(hit.document_id) if text]
            if hit.text not in texts:
                raise Finding(f"a reader found what no document says: {hit}")

    def _texts(self, document: str) -> list[str | None]:
        """What a document may say."""
        sides = [side.documents.get(document) for side in (self._before, self._after)]
        return [told[-1] if told else None for told in sides]

    def _fill_disk(self, store: Path) -> None:
        """Let the command meet a disk that is full at some length of a file."""
        blocks = self._rng.randint(1, self._blocks + self._blocks // 10 + 1)
        run = self._shop.start(store, self._arguments, blocks)
        process = run.process
        try:
            _, said = process.communicate(timeout=_HANGS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise Finding(f"{self.name} hangs on a full disk") from None
        self._tally["full disk"] += 1
        run.expect_nobody()
        if process.returncode < 0 or "Traceback" in said:
            raise Finding(f"on a full disk {self.name} ended with {process.returncode}: {said}")
        with self._shop.library(store) as library:
            now = held(library) if library else {}
        if process.returncode == 0 and now != self._after.documents:
            raise Finding(f"on a full disk {self.name} said it was done, and was not: {said}")


def _look_away() -> None:
    """What somebody does who does not read."""


def _files(store: Path) -> list[tuple[str, int, int]]:
    """What lies in a library's folder, and how long and when written."""
    found = []
    for file in sorted(store.iterdir()) if store.exists() else []:
        try:
            told = file.stat()
        except OSError:
            continue
        found.append((file.name, told.st_size, told.st_mtime_ns))
    return found


# --- The campaign --------------------------------------------------------------------------------


class Campaign:
    """Scenario after scenario, for as long as it is told."""

    def __init__(self, shop: Shop, folder: Path, limits: argparse.Namespace) -> None:
        """Nothing happens yet."""
        self._shop, self._folder = shop, folder
        self._kills: int | None = limits.kills
        self._seconds: float | None = limits.minutes and 60 * limits.minutes
        self._most: int = limits.findings
        self._tally = Counter[str]()
        self._began = self._told = time.monotonic()
        self.findings = 0

    def run(self, seed: str, number: int) -> None:
        """Try scenarios from a number on."""
        while not self._done():
            folder = self._folder / f"scenario{number}"
            rng = random.Random(f"{seed}.{number}")
            try:
                name = COMMANDS[number % len(COMMANDS)]
                scenario = Scenario(self._shop, folder, name, rng, self._tally)
                for trial in range(_TIMES):
                    if self._done():
                        break
                    scenario.disturb(trial)
                    self._say_how_far()
            except Exception as error:  # whatever it is, it is told with its folder, and we go on
                self.findings += 1
                told = str(error) if isinstance(error, Finding) else traceback.format_exc()
                again = f"--seed {seed} --first {number} --kills {_TIMES}"
                say(f'FOUND in {folder}\n{told}\nagain: make torture TORTURE="{again}"')
            else:
                shutil.rmtree(folder)
            number += 1

    @property
    def kills(self) -> int:
        """Commands that were alive when they were killed."""
        return self._tally.total() - self._tally["full disk"]

    def _done(self) -> bool:
        passed = time.monotonic() - self._began
        enough = self._kills is not None and self.kills >= self._kills
        late = self._seconds is not None and passed >= self._seconds
        return enough or late or self.findings >= self._most

    def _say_how_far(self) -> None:
        now = time.monotonic()
        if now - self._told < _SAYS_SO_EVERY:
            return
        self._told = now
        passed = now - self._began
        left = [self._seconds - passed] if self._seconds is not None else []
        if self._kills is not None and self.kills:
            left.append((self._kills - self.kills) * passed / self.kills)
        minutes = f", {max(0.0, min(left)) / 60:.0f} minutes left" if left else ""
        of = f" of {self._kills}" if self._kills else ""
        say(f"{self.kills}{of} kills, {60 * self.kills / passed:.1f} a minute{minutes}")

    def report(self) -> str:
        """What was tried and what came of it."""
        tried = ", ".join(f"{name} {count}" for name, count in sorted(self._tally.items()))
        passed = (time.monotonic() - self._began) / 60
        return f"{self.kills} kills in {passed:.1f} minutes ({tried}): {self.findings} findings"


def shop(cheap: bool, command: str | None) -> Shop:
    """The real command line with the real encoder, or the same with one that costs nothing."""
    if cheap:
        from tests.support.fakes import BagOfWordsEncoder

        by_words = [sys.executable, "-m", "tests.programs.pilcrow_by_words"]
        return Shop(shlex.split(command) if command else by_words, BagOfWordsEncoder(64))
    from index.embedding.encoder import SentenceTransformerEncoder

    installed = [str(Path(sys.executable).with_name("pilcrow"))]
    return Shop(shlex.split(command) if command else installed, SentenceTransformerEncoder())


def main() -> int:
    """Run a campaign and return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, help="how many; 100 unless --minutes are given")
    parser.add_argument("--minutes", type=float, help="how long")
    parser.add_argument("--seed", help="for the same scenarios again; the instants still differ")
    parser.add_argument("--first", type=int, default=0, help="number of the first scenario")
    parser.add_argument("--findings", type=int, default=10, help="ends after so many")
    parser.add_argument("--folder", type=Path, help="where to work")
    parser.add_argument("--cheap", action="store_true", help="with an encoder that costs nothing")
    parser.add_argument("--pilcrow", help="the command line to torture, instead of our own")
    chosen = parser.parse_args()
    if chosen.kills is None and chosen.minutes is None:
        chosen.kills = 100
    seed = chosen.seed or str(random.SystemRandom().randrange(10**6))
    folder = Path(tempfile.mkdtemp(prefix="torture-", dir=chosen.folder)).resolve()
    say(f"torture with seed {seed} in {folder}")
    campaign = Campaign(shop(chosen.cheap, chosen.pilcrow), folder, chosen)
    try:
        campaign.run(seed, chosen.first)
    except KeyboardInterrupt:
        say("interrupted")
    say(campaign.report())
    if not campaign.findings:
        shutil.rmtree(folder)
    return 1 if campaign.findings else 0


if __name__ == "__main__":
    raise SystemExit(main())
