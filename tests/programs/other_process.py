"""What tests do to a library from another process.

`python -m tests.programs.other_process WHAT FOLDER …`: FOLDER holds `library` and `articles`. Each
prints one line of JSON.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from index import Library, LibraryBusy, PilcrowError
from tests.programs.crash_points import READ_ONLY
from tests.support.fakes import BagOfWordsEncoder
from tests.support.page_fakes import ScriptedAssistant, make_library
from ui.page.chat import AskRequest, Chat
from ui.page.conversations import Conversations, new_key

PAIR = ("left.txt", "right.txt")
"""Two articles that always change together."""


def write_pair(folder: Path, generation: int) -> None:
    for name in PAIR:
        (folder / name).write_text(f"The pair is in generation{generation}, says {name[:-4]}.\n")


def _open(folder: Path) -> Library:
    return Library.open(folder / "library", encoder=BagOfWordsEncoder(64), threads=1)


def change_pair(folder: Path, until: str) -> object:
    """Changes both of the pair again and again, until a file appears."""
    generation = 0
    with _open(folder) as library:
        while not Path(until).exists():
            generation += 1
            write_pair(folder / "articles", generation)
            library.rebuild(full=generation % 5 == 0)
    return generation


def add_own(folder: Path, name: str, count: str) -> object:
    """Adds articles of its own one by one, beside somebody else who does; how often it waited."""
    waited = 0
    with _open(folder) as library:
        for number in range(int(count)):
            path = folder / "articles" / f"{name}{number}.txt"
            path.write_text(f"Article {number} by {name}.\n\nIt says {name}word{number}.\n")
            while True:
                try:
                    library.update([path])
                    break
                except LibraryBusy:
                    waited += 1
    return waited


def fork(folder: Path) -> object:
    """Asks, forks, and goes on asking and writing on both sides."""
    with _open(folder) as library:
        before = [hit.document_id for hit in library.search("cables")]
        child = os.fork()
        if not child:
            (folder / "articles" / "child.txt").write_text("The child wrote about cables.\n")
            library.rebuild()
            found = {hit.document_id for hit in library.search("cables")}
            os._exit(0 if found == {*before, "child.txt"} else 1)
        _, status = os.waitpid(child, 0)
        after = {hit.document_id for hit in library.search("cables")}
        return status == 0 and after == {*before, "child.txt"} and library.check().ok


def add_while_it_changes(folder: Path, name: str, times: str) -> object:
    """Adds an article that somebody rewrites, so many times, whenever it is about to be read."""
    path, left = folder / "articles" / name, [int(times)]

    def rewrite(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and str(arguments[0]) == str(path) and left[0]:
            count, left[0] = left[0], 0
            path.write_text(f"Version {count} of an unsteady article.\n")
            left[0] = count - 1

    with _open(folder) as library:
        sys.addaudithook(rewrite)
        report = library.update([path])
        texts = [library.document(one).text for one in report.added]
        return [texts, [one.reason for one in report.failed]]


def read_only(folder: Path) -> object:
    """Asks and tries to write where nothing may be written (needs `disk_faults.c` preloaded)."""
    faults = ctypes.CDLL(None)
    faults.disk_faults_begin(os.fsencode(folder / "library"), READ_ONLY, 0, 0)
    with _open(folder) as library:
        found = [hit.document_id for hit in library.search("cables")]
        checked = [(line.name, line.detail) for line in library.check().lines if not line.ok]
        refused = []
        for change in (
            lambda: library.update([folder / "articles"]),
            lambda: library.rebuild(full=True),
            lambda: library.remove(found[:1]),
        ):
            try:
                change()
            except PilcrowError as error:
                refused.append([error.exit_code, str(error)])
        return [found, checked, refused, [hit.document_id for hit in library.search("cables")]]


def chat(folder: Path, mode: str, error: str) -> object:
    """Talks where the disk refuses from the second question on (needs `disk_faults.c` preloaded).

    Prints each answer as it is drawn, the texts of the turns as they then stand, and the problem.
    """
    articles = {"sea.txt": "Cables lie under the sea. Ships mend cables.\n"}
    library = make_library(folder, articles)
    folder = library.path
    conversations = Conversations(folder)
    talk = Chat(ScriptedAssistant(library), library, conversations)
    drawn, conversation = [], new_key()
    for question in (
        "Which cables are under the sea?",
        "Which ships mend cables?",
        "Cables under what?",
    ):
        _, _, run = talk.begin(question, AskRequest(conversation=conversation))
        *_, (last, _) = talk.answer(run)
        drawn.append(last)
        ctypes.CDLL(None).disk_faults_begin(os.fsencode(folder), int(mode), 1, int(error))
    asked = [turn.question for turn in Conversations(folder).turns(conversation)]
    again = [turn.question for turn in conversations.turns(conversation)]
    return [drawn, asked, again, conversations.problem]


if __name__ == "__main__":
    programs: tuple[Callable[..., object], ...] = (
        change_pair, add_own, fork, add_while_it_changes, read_only, chat,
    )  # fmt: skip
    chosen = {program.__name__: program for program in programs}[sys.argv[1]]
    print(json.dumps(chosen(Path(sys.argv[2]), *sys.argv[3:])))  # noqa: T201
