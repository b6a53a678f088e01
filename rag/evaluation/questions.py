"""A file of questions with their answers: one JSON object a line.

`id`, `question`, `answerable`, and where they are known `answers` (alternatives), `gold` (places:
`document`, `start`, `end`), `need` (`any`: one gold place is enough, `all`: each is evidence of its
own), `paragraph` (the gold paragraph's place) and `kind` (`near_unanswerable`, …). A question that
belongs to a conversation has `history`, the (question, answer) pairs before it, maybe none.
"""

from __future__ import annotations

import json
import reprlib
from dataclasses import dataclass
from pathlib import Path

from index.errors import InputError
from rag.evaluation.metrics import Need, Place
from rag.query.follow_ups import History


@dataclass(frozen=True, slots=True)
class Question:
    """One line of a question file."""

    id: str
    question: str
    answerable: bool
    answers: tuple[str, ...] = ()
    """Alternatives; any of them is right."""
    gold: tuple[Place, ...] = ()
    need: Need = "any"
    paragraph: Place | None = None
    kind: str = "answerable"
    history: History | None = None
    """The turns before it, oldest first; None where the set has no conversations. A turn's
    reference is one wording of a whole answer: half of its content words are right, and a citation
    anywhere in a gold passage is a hit."""

    @property
    def group(self) -> str:
        """`answerable`, or the sort of unanswerable: `near`, `far`, `null`, `unclear` or `other`.

        What is unclear is rightly met by a refusal or by a question back.
        """
        if self.answerable:
            return "answerable"
        if self.kind == "underspecified":
            return "unclear"
        sort = self.kind.removesuffix("_unanswerable")
        return sort if sort in ("near", "far", "null") else "other"


def load_questions(path: str | Path) -> list[Question]:
    """The questions of a file, in its order.

    Raises:
        InputError: The file cannot be read, or a line is not a question; the message names it.
    """
    questions: dict[str, Question] = {}
    # not splitlines(): a JSON string may hold U+2028 as it is
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            question = _question(json.loads(line))
            if question.id in questions:
                raise ValueError(f"the id {question.id!r} is used twice")
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}, line {number}: {_problem(error)}") from error
        questions[question.id] = question
    if not questions:
        raise InputError(f"{path} holds no questions; write one JSON object a line.")
    return list(questions.values())


def _problem(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"this is not JSON, from column {error.colno} on"
    if isinstance(error, UnicodeError | RecursionError):
        return "this holds broken characters or is nested too deeply"
    return str(error)


def read_text(path: str | Path) -> str:
    """A file's text; InputError when it cannot be read or is not UTF-8."""
    try:
        return Path(path).read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text; save it as UTF-8.") from error


def _question(entry: object) -> Question:
    """One parsed line as a question; ValueError says in a phrase what is wrong with it."""
    if not isinstance(entry, dict):
        raise ValueError("expected a JSON object with id, question, answerable")
    answerable, need = entry.get("answerable"), entry.get("need") or "any"
    if not isinstance(answerable, bool):
        raise ValueError(f"answerable must be true or false, not {reprlib.repr(answerable)}")
    if need not in ("any", "all"):
        raise ValueError(f"need must be 'any' or 'all', not {reprlib.repr(need)}")
    answers, gold = _list(entry, "answers"), _list(entry, "gold")
    if answerable and not answers and not gold:
        raise ValueError("an answerable question needs answers or gold")
    paragraph = entry.get("paragraph")
    return Question(
        id=_text(entry.get("id"), "id"),
        question=_text(entry.get("question"), "question"),
        answerable=answerable,
        answers=tuple(_text(answer, "an answer") for answer in answers),
        gold=tuple(_place(place, "gold") for place in gold),
        need="all" if need == "all" else "any",
        paragraph=None if paragraph is None else _place(paragraph, "paragraph"),
        kind="answerable" if answerable else _text(entry.get("kind", "near_unanswerable"), "kind"),
        history=_history(entry.get("history")),
    )


def _history(value: object) -> History | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(t, list) and len(t) == 2 for t in value):
        raise ValueError(f"history must be [question, answer] pairs, not {reprlib.repr(value)}")
    return tuple((_text(asked, "a turn"), _text(said, "a turn")) for asked, said in value)


def _text(value: object, name: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name} must be a text that is not empty, not {reprlib.repr(value)}")
    value.encode()  # half a surrogate pair is a ValueError here and now, not deep in a tokenizer
    return value


def _list(entry: dict[str, object], name: str) -> list[object]:
    value = entry.get(name) or []
    if not isinstance(value, list):
        raise ValueError(f"{name} must be a list, not {reprlib.repr(value)}")
    return value


def _place(value: object, name: str) -> Place:
    if isinstance(value, dict):
        start, end = value.get("start"), value.get("end")
        # type(), for True is an int too
        if type(start) is int and type(end) is int and 0 <= start < end:
            return Place(_text(value.get("document"), f"{name}'s document"), start, end)
    wanted = "document, start and end with 0 <= start < end"
    raise ValueError(f"{name} must give {wanted}, not {reprlib.repr(value)}")
