"""Model output → statements with pointers that hold. Pure functions.

Three steps: `StatementParser` reads pointers out of whatever a model writes; `verify` keeps a
statement, points it at a better sentence, or gives it up for the source's own words;
`number_citations` numbers the citations by first use. A number shown is always one minted here, and
its quote is always copied from storage.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from index.languages.splitting import sentences
from index.types import Span
from rag.types import Citation, Draft, SourcedStatement, Statement, Verified

_LONGEST_LINE = 4000
# One marker: [1], [1, 2], [^1], 【1】, ［1］; bounded repetition, so that no input makes it slow.
_MARKER = re.compile(r"[\[【［]\s{0,3}\^?((?:\d{1,4}\s{0,3}[,;、]?\s{0,3}){1,12})[\]】］]")
_AFTER_STOP = re.compile(rf"([.!?。！？…]{{1,3}}[\"'”’)]?)((?:\s{{0,3}}(?:{_MARKER.pattern}))+)")
_ENDS = (".", "!", "?", "。", "！", "？", "…", '"', "”", "’", "»", ")")
"""What a whole statement ends with."""
_DIGITS = re.compile(r"\d{1,4}")
_LIST_SIGN = re.compile(r"^\s*(?:[-*•]|\d{1,2}[.)])\s+")


class StatementParser:
    """Reads a growing text and hands out statements as their lines are complete.

    Understands pointer-first lines (`[2] They met in Kyoto.`) and prose with markers after or
    inside its sentences (`They met in Kyoto [2][3].`). Linear in the length of the text.
    """

    def __init__(self) -> None:
        """Start with nothing read."""
        self._line = ""

    def feed(self, piece: str) -> list[Draft]:
        """The statements that this piece of text completes."""
        self._line += piece
        *complete, self._line = self._line.split("\n")
        if len(self._line) > _LONGEST_LINE:
            complete, self._line = [*complete, self._line], ""
        return [draft for line in complete for draft in drafts(line)]

    def close(self) -> list[Draft]:
        """The statements in what is left."""
        line, self._line = self._line, ""
        return drafts(line)


class ProseParser:
    """Reads growing prose and hands out its sentences as soon as the next one has begun."""

    def __init__(self) -> None:
        """Start with nothing read."""
        self._text = ""

    def feed(self, piece: str) -> list[Draft]:
        """The statements that this piece of text completes."""
        self._text += piece
        *lines, line = self._text.split("\n")
        *told, rest = _prose(line) or [line]
        if len(rest) > _LONGEST_LINE:
            told, rest = [*told, rest], ""
        # with the blanks after it, which part it from the next piece
        left = line[line.rindex(rest) :] if rest in line else rest + " "
        self._text = left if told else line[-_LONGEST_LINE:]
        return [draft for text in [*lines, *told] for draft in drafts(text)]

    def close(self) -> list[Draft]:
        """The statements in what is left; a last one that was cut off before its end is none.

        A point of a list has no full stop to be told by.
        """
        left, self._text = self._text, ""
        whole = _LIST_SIGN.match(left) is not None
        return [draft for draft in drafts(left) if whole or draft.text.endswith(_ENDS)]


def drafts(line: str) -> list[Draft]:
    """The statements of one line with the ids they point at."""
    line = _LIST_SIGN.sub("", line).strip()
    head = _MARKER.match(line)
    if head:
        text = _without_markers(line)
        return [Draft(_ids(_MARKER.finditer(line)), text)] if text else []
    found = []
    for text in _prose(line):
        bare = _without_markers(text)
        if any(c.isalnum() for c in bare):
            found.append(Draft(_ids(_MARKER.finditer(text)), bare))
    return found


def number_citations(
    found: Iterable[Verified],
) -> tuple[tuple[Statement, ...], tuple[Citation, ...]]:
    """Statements with citation numbers in order of first use, and those citations."""
    numbered: dict[tuple[str, int, int], Citation] = {}
    statements = []
    for verified in found:
        used = []
        for source in verified.evidence:
            key = (source.document_id, source.start, source.end)
            if key not in numbered:
                numbered[key] = Citation.of(source, len(numbered) + 1)
            used.append(numbered[key].number)
        statements.append(
            Statement(
                verified.text, "supported" if used else "unsupported", tuple(used), verified.quoted
            )
        )
    return tuple(statements), tuple(numbered.values())


def cite(told: Iterable[SourcedStatement]) -> tuple[tuple[Statement, ...], tuple[Citation, ...]]:
    """Statements that rest on quotations, with numbers in order of first use, and the citations."""
    numbered: dict[tuple[str, int, int], Citation] = {}
    statements = []
    for statement in told:
        used = []
        for source in statement.sources:
            key = (source.document_id, source.start, source.end)
            if key not in numbered:
                numbered[key] = Citation.of_quotation(source, len(numbered) + 1)
            used.append(numbered[key].number)
        statements.append(Statement(statement.text, "supported", tuple(used), statement.quoted))
    return tuple(statements), tuple(numbered.values())


def text_of(statements: Iterable[Statement]) -> str:
    """The answer as one text: each statement followed by its markers."""
    return " ".join(
        s.text.translate(_NO_BRACKETS) + "".join(f" [{number}]" for number in s.citations)
        for s in statements
    )


# In the joined text only our own markers may look like markers.
_NO_BRACKETS = str.maketrans("[]【】［］", "()()()")


def _ids(matches: Iterable[re.Match[str]]) -> tuple[int, ...]:
    found = [int(d) for match in matches for d in _DIGITS.findall(match.group(1))]
    return tuple(dict.fromkeys(found))


def _without_markers(text: str) -> str:
    bare = _MARKER.sub(" ", text)
    bare = re.sub(r"\s+", " ", bare)
    return re.sub(r" ([.,;:!?。，；：！？])", r"\1", bare).strip()


def _prose(line: str) -> list[str]:
    """The sentences of a line; a marker after a full stop belongs to the sentence it follows."""
    inside = _AFTER_STOP.sub(r" \2\1", line)
    return [sentence.text for sentence in sentences(inside, Span(0, len(inside)))]
