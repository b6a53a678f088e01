"""Model output → statements with pointers that hold. Pure functions.

Three steps: `StatementParser` reads pointers out of whatever a model writes; `verify` keeps a
statement, points it at a better sentence, or gives it up for the source's own words; `compose`
numbers the citations by first use. A number shown is always one minted here, and its quote is
always copied from storage.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from index.splitting import sentences
from index.types import Span
from rag.grounding.contradiction import contradicts
from rag.grounding.injection import gives_orders
from rag.query.text_features import content_stems, names, negations, numbers, stem
from rag.types import Citation, Evidence, Statement

ENOUGH = 0.7
"""Share of a statement's content words that its sentences must hold. From the research notes'
support measure: at .7 a statement paired with a wrong passage passes in under 1 of 20 cases."""
_LONGEST_LINE = 4000
# One marker: [1], [1, 2], [^1], 【1】, ［1］; bounded repetition, so that no input makes it slow.
_MARKER = re.compile(r"[\[【［]\s{0,3}\^?((?:\d{1,4}\s{0,3}[,;、]?\s{0,3}){1,12})[\]】］]")
_AFTER_STOP = re.compile(rf"([.!?。！？…]{{1,3}}[\"'”’)]?)((?:\s{{0,3}}(?:{_MARKER.pattern}))+)")
_DIGITS = re.compile(r"\d{1,4}")
_LIST_SIGN = re.compile(r"^\s*(?:[-*•]|\d{1,2}[.)])\s+")


@dataclass(frozen=True, slots=True)
class Draft:
    """What the model wrote: a text and the ids it pointed at, none of them checked."""

    ids: tuple[int, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Verified:
    """A statement and the evidence that carries it."""

    text: str
    evidence: tuple[Evidence, ...]
    quoted: bool
    """True when the text is the source's own sentence."""
    outcome: str
    """`kept`, `re-pointed` or `replaced`."""


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

    @property
    def pointing_at(self) -> tuple[int, ...]:
        """Ids at the head of the line being written: its source, before its words."""
        match = _MARKER.match(self._line.lstrip())
        return _ids([match]) if match else ()


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


def support(statement: str, sources: Sequence[str]) -> float:
    """How well source sentences carry a statement, in [0, 1]; 0 when they contradict its facts.

    Every number and every name in the statement must occur in the sources, the statement must deny
    exactly when they do, and it must not contradict them in their own words (`rag.grounding.contradiction`);
    then the share of its content words they hold.
    """
    source = " ".join(sources)
    if not numbers(statement) <= numbers(source):
        return 0.0
    there = {stem(word) for word in re.findall(r"\w+", source.lower())}
    if any(not _named(name, there) for name in names(statement)):
        return 0.0
    if (negations(statement) > 0) != (negations(source) > 0):
        return 0.0
    if contradicts(statement, sources):
        return 0.0
    said = set(content_stems(statement))
    if not said:
        return 0.0
    return len(said & set(content_stems(source))) / len(said)


def verify(draft: Draft, evidence: Sequence[Evidence], enough: float = ENOUGH) -> Verified | None:
    """The draft with evidence that carries it, the source's own words instead, or nothing.

    Keep it when the sentences it points at support it. Else point it at the sentence that supports
    it best. Else say what the first sentence it points at says, in that sentence's words. Else,
    when it points at nothing there is, drop it. A sentence that gives orders is only ever quoted.

    Args:
        draft: what the model wrote.
        evidence: the sentences it was shown.
        enough: the support below which a statement does not stand, in (0, 1].
    """
    by_id = {one.id: one for one in evidence}
    cited = tuple(by_id[i] for i in dict.fromkeys(draft.ids) if i in by_id)
    if cited and support(draft.text, [one.text for one in cited]) >= enough:
        needed = _needed(draft.text, cited)
        ordering = next((one for one in needed if gives_orders(one.text)), None)
        return quote(ordering) if ordering else Verified(draft.text, needed, False, "kept")
    best = max(evidence, key=lambda one: support(draft.text, [one.text]), default=None)
    if best is not None and support(draft.text, [best.text]) >= enough:
        if gives_orders(best.text):
            return quote(best)
        return Verified(draft.text, (best,), False, "re-pointed")
    leads = [one for one in cited if one.lead]
    if leads:
        return quote(leads[0])
    return None


def quote(one: Evidence) -> Verified:
    """A sentence as its own statement."""
    return Verified(" ".join(one.text.split()), (one,), True, "replaced")


def compose(found: Iterable[Verified]) -> tuple[tuple[Statement, ...], tuple[Citation, ...]]:
    """Statements with citation numbers in order of first use, and those citations."""
    numbered: dict[tuple[str, int, int], Citation] = {}
    statements = []
    for one in found:
        used = []
        for source in one.evidence:
            key = (source.document_id, source.start, source.end)
            if key not in numbered:
                numbered[key] = _citation(source, len(numbered) + 1)
            used.append(numbered[key].number)
        statements.append(
            Statement(one.text, "supported" if used else "unsupported", tuple(used), one.quoted)
        )
    return tuple(statements), tuple(numbered.values())


def text_of(statements: Iterable[Statement]) -> str:
    """The answer as one text: each statement followed by its markers."""
    return " ".join(
        s.text.translate(_NO_BRACKETS) + "".join(f" [{number}]" for number in s.citations)
        for s in statements
    )


# In the joined text only our own markers may look like markers.
_NO_BRACKETS = str.maketrans("[]【】［］", "()()()")


def _needed(text: str, cited: tuple[Evidence, ...]) -> tuple[Evidence, ...]:
    """Of several cited sentences those that carry something the ones before do not."""
    said = set(content_stems(text)) | numbers(text)
    kept: list[Evidence] = []
    for one in cited:
        here = said & (set(content_stems(one.text)) | numbers(one.text))
        if here:
            kept.append(one)
            said -= here
    return tuple(kept) or cited[:1]


def _named(name: str, there: set[str]) -> bool:
    return all(stem(part) in there for part in re.findall(r"\w+", name))


def _ids(matches: Iterable[re.Match[str] | None]) -> tuple[int, ...]:
    found = [int(d) for match in matches if match for d in _DIGITS.findall(match.group(1))]
    return tuple(dict.fromkeys(found))


def _without_markers(text: str) -> str:
    bare = _MARKER.sub(" ", text)
    bare = re.sub(r"\s+", " ", bare)
    return re.sub(r" ([.,;:!?。，；：！？])", r"\1", bare).strip()


def _prose(line: str) -> list[str]:
    """The sentences of a line; a marker after a full stop belongs to the sentence it follows."""
    inside = _AFTER_STOP.sub(r" \2\1", line)
    return [one.text for one in sentences(inside, Span(0, len(inside)))]


def _citation(source: Evidence, number: int) -> Citation:
    return Citation(
        number=number,
        document_id=source.document_id,
        title=source.title,
        source=source.source,
        paragraph=source.paragraph,
        start=source.start,
        end=source.end,
        quote=source.text,
        date=source.date,
        also=source.also,
    )
