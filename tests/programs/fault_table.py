"""Which test holds the outcome of which fault, written to FAULTS.md by `make faults`.

A test says so itself, with `@pytest.mark.fault("C3")`. The marks are read from the source, so that
the table needs no test run. Rows of the page are listed here, beside its tests' names.
"""

from __future__ import annotations

import ast
import json
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1]
TABLE = FOLDER / "FAULTS.md"


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong sooner or later, and what then happens."""

    id: str
    what: str
    outcome: str


_FAULTS = """
C1 | empty file, white space, one line, one word | one word is an article; nothing is "empty file"
C2 | byte-order marks, UTF-16, Latin-1, invalid bytes | decoded, or "not text" when too much is left
C3 | NUL bytes, control characters, terminal escapes | binary is refused; a terminal sees none of it
C4 | emoji, right-to-left, combining, CJK, very long words | offsets give the very characters
C5 | binary as .txt, image as .pdf, HTML as .docx | the reason names what the file really is
C6 | 500 MB of text, many lines, one endless line | refused by its size, else linear time
C7 | thousands of tiny files | interrupted, resumed, and unchanged ones cost nothing
C8 | encrypted, damaged, image-only, 5,000-page PDF | each with its reason, the build goes on
C9 | zip bombs, nested zips, sizes that lie | refused before unpacking, or at the memory limit
C10 | external entities, billion laughs | not followed, not expanded
C11 | 100,000 nested tags, 50,000 attributes, unclosed | text or a reason; never silently empty
C12 | strings that send splitters round in circles | split in bounded time
C13 | names with newlines, markup, other bytes, 255 bytes | indexed; shown as text
C14 | link loops, links outside, pipes, devices, closed folders | loops cut, others passed over
C15 | a parser crashes, hangs, eats memory, babbles | that file fails with a reason; no orphan stays
C16 | no or one passage, more asked for than there is | what there is, or "nothing to look in"
C17 | a picture cut, too large, no picture; recognition crashes | its reason; a page costs a page
C18 | no text recognition for a scan; a photo without words | how to get it, in a line; skipped
C19 | a web server: endless, a bomb, a trickle, silent, a loop, another kind | its reason, in time
C20 | an address of the web that is, or leads to, a private one | refused unasked, at every redirect
C21 | a page that is away or gone when it is looked at again | kept, said; `--forget` lets go of it
C22 | a Zotero library that is none, is being written, or lies | one line; read as it was last whole
C23 | a site (https) that is another one, expired, or proves nothing | one line, no request is sent
D1 | empty question, only punctuation | refused before any work
D2 | question of 100,000 or 20 million characters | refused with the limit, inside `answer()`
D3 | operators, quotes, surrogates, controls in questions | searched for as text
D4 | wrong types, malformed history | one line that says what is wanted
D5 | evidence or question larger than the context | fewer sentences; at worst quotes, with a note
D6 | documents that give orders | none obeyed, none leaked, citations right
D7 | documents that ask for a picture or link with data | the page asks nobody; policy forbids it
D8 | markup, script, templates in any text of the page | shown as text
D9 | pointers to nothing, a source that has changed | dropped or re-pointed; "source has changed"
D10 | the answer is not in the documents | "not in your documents", no citation, no model call
E1 | model missing, cut short, another file, no GGUF | quotes only, with the reason and the way out
E2 | the model's process aborts, exits, fails | quotes for this answer, said so; the next one works
E3 | the model hangs or is too slow | ended at its deadline; the next answer works
E4 | endless, looping, empty or broken output | stopped; only checked statements are shown
E5 | memory runs out | the model goes, not the page; the note names what is needed and free
E6 | 1, 8 and 32 people at once, leaving and cancelling | each their own answer; the queue says so
E7 | one assistant asked from many threads | one after the other; each may leave the queue
E8 | one encoder used from many threads | the same vectors as alone
E9 | the server is started again during a chat | nobody gets somebody else's history
E10 | no network | everything works, nothing calls home
E11 | uploads too large or too many | 413 above the limit, names kept in their folder
E12 | password guessing, a public address without one | refused
E13 | a model's download is cut off, interrupted, killed | the next goes on behind what came
E14 | a model fetched is another file, its place does not answer | not kept; one line, the way out
E15 | the disk refuses while a model is fetched | one line; never half a file under its name
E16 | two processes fetch the same model | one does, the other waits
G13 | a request that names a file of this computer, a device, a pipe, an address | refused unopened
G14 | a request that names what somebody else uploaded, or what an upload became | refused unopened
G15 | the doors' watch fails | Gradio's own file checks and the library's refuse such files too
G16 | anything at all is sent to the server | no 500, no safety header missing, nothing grows
G17 | a tunnel leads strangers to a page that may name folders | only this computer's own names work
G56 | a part that comes from an index is another one | one version, its checksums; else refused
G57 | the lock and the ranges drift apart, or a part is missing | found by the tests: `make lock`
G58 | a command is killed at any instant | old or new; the next run ends as if undisturbed
G59 | the disk takes no more of a file | one line, nothing half-changed; with room it goes on
G20 | a library that reports to its maker | switched off; no process makes a call that reaches out
G21 | a parser taken over goes online or starts programs | refused by the kernel (Linux)
G22 | a parser taken over looks at other files | it sees its own alone (Linux)
G23 | a parser taken over looks for passwords | its environment has none
G24 | 20 MB of text in one paragraph, text of crumbs | within 1 GB, or "too many"
G25 | Cancel while a long text is decoded or split | heard after a hundred thousand characters
G26 | a model file with a huge head | refused unread
G27 | a model file whose chat template never ends | given up after seconds, with the reason
G28 | a library prints what strangers send | no sign of it steers the terminal
G40 | another user of the machine, umask 022 | no folder and no file of a library is theirs to read
G41 | disk full, read-only folder, file of conversations gone | answered, "not kept" said once
G42 | damaged rows or pages in the file of conversations | the others stay; check and --repair
G43 | halves of characters in questions, histories, names | searched for as text; "no document"
G44 | wrong dates, documents, k, empty questions in a history | one line that names the value
G45 | devices as exports, no memory, 32 threads | refused, one line, no descriptor stays
G46 | exported answers that were forged, in data or looks | found, or said that nobody vouches
G47 | text that a web page hides, in 35 ways | not indexed, so never cited
G30 | a folder that is closed, fails, is not mounted | kept, found, said so, looked at again
G31 | a library's folder that cannot be looked at | one line, whichever command
G32 | more than half of a place is gone at once | asked first; gone for good: `pilcrow forget`
G33 | names too long, loops, `~`, what is no path | one line each, the rest goes on
G34 | `d/../d`, links, the library inside the folder | one place, each article once
G35 | a removed document's folder is added again | it stays out until its file is named
G36 | another file is uploaded after a removal | that parcel alone is read; nothing comes back
G37 | copies of what was removed, could not be read | deleted when undo has ended; safe from crashes
G38 | uploads of a name or a text that is there | both kept and told; "already in the library as"
G1 | a web site opens, frames or posts to anything here | refused; it may link to the page
G2 | an address of another host, in any spelling | never fetched, never served
G3 | an answer that a browser would run as a page | inert; the page runs its own scripts only
G4 | Gradio's other routes | not there; those that the page needs are listed
G5 | cookies sent along by another site | kept for our own page
G6 | bodies without end or with a false length, at any door | 413 before anybody reads them
G7 | an address that is only claimed | counts when the proxy that says it was named
G8 | a Host or an Origin that is none | 400, with every header
G9 | markup in what the page sends as an id | stays in its attribute
G10 | JSON nested 100,000 deep | refused, or as if it were not there
G11 | calls of Gradio's that the page does not make | 400 before Gradio sees them
G12 | anything at all, sent to any route there is | no 500, no header missing
G48 | Central European, Turkish, DOS and Mac texts | read, or "encoding unclear"; no mojibake
S1 | a clock that jumps, ahead or back, within a change's life | only the dates shown move
S2 | a library of a later version | refused with both numbers and the way out, untouched
S3 | a full disk, a power cut at any write of a change | one line; as before or after, goes on
S4 | two processes change one library | the second is told who does; its next try goes on
G49 | a wrong bit in a document's name, path, title, date | noticed on reading, mended by --repair
P1 | the server of a library is down when it is opened | one line, 69; the next try succeeds
P2 | a wrong password of a server | one line; no password is shown, logged or in a repr
P3 | a library on a server made by a newer or older Pilcrow | refused; brought up once, whole
P4 | the server goes down between or in the middle of questions | one line; the next one is answered
P5 | the server is killed in the middle of any change | as before or as after; drafts serve again
P6 | the server's disk is full | one line, 74; the library is as it was
P7 | no connection left, here or on the server | one line, 75; in a moment there is one
P8 | two writers of the same, of different documents | one waits, then says so; both are whole
P9 | others change a library that is open | readers hear of it; each question sees one state
P10 | two writers choose the same new id for different files | both documents are there, one renamed
P11 | two change the same documents in opposite order | one waits for the other; nothing is lost
P12 | the server's clock jumps while articles are embedded | embedded again at worst, then whole
P13 | the server is down when an answer is to be kept | said once, remembered, kept with the next
U1 | a wrong password, a name that nobody has, a key that is none | same words, as long; then a wait
U2 | an account removed, its password changed, while signed in | its next request is refused
U3 | a proxy's header forged from elsewhere, sent twice, no proxy named | nobody's; refused at start
U4 | the accounts locked or damaged | nobody is let in, one line; all is well again when they are
U5 | names that break lines or turn them around in what is noted | one line of ASCII each
U6 | the disk is full where changes are noted | told once; changes are made, questions answered
U7 | the id of another's conversation, answer, tab, upload, stream | as if it were not there
U8 | a scope, filter or id that names what one may not see | as if it were not there
U9 | a reader's or an editor's request for what their role may not | refused; nothing changes
R1 | a worker of an import on Ray is killed | another one does its parcel; each document once
R2 | an import on Ray is killed | the next goes on; what was written is unchanged
R3 | no cluster, no encoder on a worker, no ray installed | one line with the way out; nothing lost
R4 | a worker of `pilcrow serve` is killed while it answers | asked again elsewhere, the rest comes
R5 | the workers of `pilcrow serve` are renewed | one by one; no stream is lost, nobody is refused
""".strip()
FAULTS = [Fault(*(part.strip() for part in line.split(" | "))) for line in _FAULTS.splitlines()]

# Tests of the page, which carry no mark of their own.
PAGE: dict[str, tuple[str, ...]] = {
    "D2": ("ui/page/test_app.py::test_errors_say_what_to_do_and_bugs_show_no_trace",),
    "D7": (
        "ui/page/test_app.py::test_headers_keep_the_page_to_itself",
        "ui/page/test_app.py::test_a_smuggled_script_is_refused_by_the_policy",
    ),
    "D9": ("ui/page/test_views.py::test_a_removed_source_keeps_its_quote_and_says_so",),
    "D8": (
        "ui/page/test_app.py::test_hostile_text_stays_text",
        "ui/page/test_views.py::test_no_text_becomes_markup",
    ),
    "E6": ("ui/page/test_app.py::test_two_tabs_never_see_each_other",),
    "E11": (
        "ui/page/test_app.py::test_uploads_have_a_limit",
        "ui/page/test_app.py::test_uploaded_names_cannot_leave_their_folder",
    ),
    "E12": (
        "ui/page/test_app.py::test_a_public_address_needs_a_password",
        "ui/page/test_app.py::test_with_a_password_nothing_is_shown_without_it",
    ),
}
OPEN: dict[str, str] = {}
"""What no test holds yet, or not wholly. The aim is that this is empty."""


def held_by() -> dict[str, list[str]]:
    """`file::test` by the fault it is marked with, in the order of the files."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(FOLDER.rglob("test_*.py")):
        for test, node in _functions(path):
            for fault in _marks(node):
                found[fault].append(f"{path.relative_to(FOLDER).as_posix()}::{test}")
    for fault, names in PAGE.items():
        found[fault] += names
    return found


def names() -> set[str]:
    """Every test there is, as `file::test`."""
    return {
        f"{path.relative_to(FOLDER).as_posix()}::{test}"
        for path in FOLDER.rglob("test_*.py")
        for test, _ in _functions(path)
    }


def table() -> str:
    """The text of FAULTS.md."""
    found = held_by()
    lines = [
        "# Faults, and what then happens",
        "",
        "Written by `make faults` from the marks in the tests; do not edit. C are documents, D",
        "questions and answers, E the model and the page, G the border, P a library on a server,",
        "U people who share one;",
        "storage in files (A, B) is held by",
        "`index/storage/test_write_faults.py`, `index/test_library_damage.py` and",
        "`index/test_library_machine.py`.",
        "",
        "| | fault | outcome | held by |",
        "|---|---|---|---|",
    ]
    for fault in FAULTS:
        held = [f"`{name}`" for name in found[fault.id]]
        if fault.id in OPEN:
            held.append(f"**open**: {OPEN[fault.id]}")
        lines.append(f"| {fault.id} | {fault.what} | {fault.outcome} | {'<br>'.join(held)} |")
    return "\n".join([*lines, ""])


def _functions(path: Path) -> list[tuple[str, ast.FunctionDef]]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = []
    for node in tree.body:
        inside = node.body if isinstance(node, ast.ClassDef) else [node]
        prefix = f"{node.name}::" if isinstance(node, ast.ClassDef) else ""
        found += [
            (prefix + one.name, one)
            for one in inside
            if isinstance(one, ast.FunctionDef) and one.name.startswith("test")
        ]
    return found


def _marks(node: ast.FunctionDef) -> list[str]:
    return [
        str(argument.value)
        for mark in node.decorator_list
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.fault"
        for argument in mark.args
        if isinstance(argument, ast.Constant)
    ]


if __name__ == "__main__":
    if sys.argv[1:] == ["--json"]:
        told = {"table": table(), "held": held_by(), "names": sorted(names())}
        sys.stdout.write(json.dumps(told))
    else:
        TABLE.write_text(table(), encoding="utf-8")
