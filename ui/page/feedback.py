"""Thumbs, as files in the library's folder that `pilcrow eval` and a person can work with.

`feedback.jsonl` is a question file: an answer that was found good becomes a question with its cited
sentences as gold, a refusal that was found good an unanswerable one. `feedback-wrong.jsonl` holds
what was found wrong, with the sentences that were cited: what the right ones are only a person can
say, so it waits to be completed and is not itself a question file. Of a library on a server the
verdicts are kept there, and the files of a machine are as of the last thumb on it.
"""

from __future__ import annotations

import json
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from index.errors import LibraryUnwritable
from index.system.files import make_folder, replacing
from rag.types import Answer
from ui.language.catalogue import gettext
from ui.page.conversations import Verdict

if TYPE_CHECKING:
    from index.storage.postgres.tables import PeoplesTables

GOOD, WRONG = "feedback.jsonl", "feedback-wrong.jsonl"
REASONS = ("false", "beside", "incomplete")
"""Why an answer is found wrong, as it is noted: it is not true, beside the point, incomplete."""
_writing = Lock()


def record(
    folder: Path,
    key: str,
    answer: Answer,
    verdict: Verdict,
    why: str = "",
    tables: PeoplesTables | None = None,
    owner: str = "",
) -> None:
    """Write a verdict down, in place of an earlier one on the same answer.

    Args:
        folder: the library's folder.
        key: the turn's key, which becomes the question's id.
        answer: what was rated.
        verdict: empty to take an earlier one back.
        why: it is found wrong, one of `REASONS`; empty where nobody says.
        tables: of a library on a server.
        owner: the id of the account whose verdict it is; empty where there are no accounts.

    Raises:
        LibraryUnwritable: when the disk refuses.
    """
    try:
        if owner:
            make_folder(folder := folder_of(folder, owner))
        with _writing:
            for name, wanted in ((GOOD, "up"), (WRONG, "down")):
                entry = _entry(key, answer, verdict, why) if verdict == wanted else None
                if tables is None:
                    _write(folder / name, key, entry)
                else:
                    lines = _kept_there(tables, key, wanted, entry, owner)
                    _write_lines(folder / name, lines)
    except OSError as error:
        words = gettext("this could not be noted ({reason}); try again", reason=error.strerror)
        raise LibraryUnwritable(words) from error


def folder_of(folder: Path, owner: str) -> Path:
    """Where the files of one account's verdicts are, in a library's folder."""
    return folder / "feedback" / owner


def _entry(key: str, answer: Answer, verdict: Verdict, why: str) -> dict[str, Any]:
    cited = [{"document": c.document_id, "start": c.start, "end": c.end} for c in answer.citations]
    entry: dict[str, Any] = {"id": key, "question": answer.question}
    if verdict == "down":
        said = {"said": answer.text, "state": answer.state, "cited": cited}
        return entry | said | ({"why": why} if why else {})
    if not cited:
        return entry | {"answerable": False, "kind": "judged_unanswerable"}
    return entry | {"answerable": True, "gold": cited, "need": "any"}


def _write(path: Path, key: str, entry: dict[str, Any] | None) -> None:
    """The file without what it said of `key`, and with `entry`."""
    # as bytes: persons edit these files, in whatever editor and encoding
    before = path.read_bytes().splitlines() if path.exists() else []
    kept = [line for line in before if f'"id": "{key}"'.encode() not in line]
    if entry is None and kept == before:
        return
    _write_lines(path, kept + ([json.dumps(entry).encode()] if entry else []))


def _kept_there(
    tables: PeoplesTables, key: str, verdict: str, entry: dict[str, Any] | None, owner: str
) -> list[bytes]:
    """All that its owner found good, or wrong, once a verdict is written down on the server."""
    key, mine = (f"{owner}:{key}", "LIKE") if owner else (key, "NOT LIKE")
    with tables.writing() as db:
        db.execute("DELETE FROM feedback WHERE key = ? AND verdict = ?", (key, verdict))
        if entry:
            db.execute(
                "INSERT INTO feedback VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE "
                "SET verdict = excluded.verdict, entry = excluded.entry",
                (key, verdict, json.dumps(entry)),
            )
    query = f"SELECT entry FROM feedback WHERE verdict = ? AND key {mine} ? ORDER BY key"
    return [line.encode() for (line,) in tables.rows(query, (verdict, f"{owner or '%'}:%"))]


def _write_lines(path: Path, lines: list[bytes]) -> None:
    with replacing(path) as file:
        file.write(b"".join(line + b"\n" for line in lines))
