"""A long document → its summary in a capable model's words: notes of its parts, then of the notes.

What the model reads of a part are the sentences that stand for it, and a note is looked for in
these, as any statement is. Where enough of the notes stand they are read once more for the summary,
whose statements are looked for in the sentences the notes rest on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from index import Library, Passage
from index.types import SearchScope
from rag.grounding import composition
from rag.grounding.verification.attribution import Attributor
from rag.llm.generator import Generator, Message, Piece
from rag.llm.prompt import NOTE, Block, answer_messages, instruction, note_messages
from rag.query.task import Request
from rag.replies.wording.writer import Check, Written
from rag.types import Progress, Quotation, SourcedStatement


@dataclass(frozen=True, slots=True)
class DigestLimits:
    """How a long document is read."""

    parts: int = 8
    """Into which it is divided, at most, each about as long as the others."""
    sentences: int = 4
    """Of a part that the model reads."""
    notes: int = 2
    """Statements that are kept of a part."""
    least: int = 3
    """Statements that make a summary."""
    longer: float = 1.5
    """Times what a model reads for one answer, from which on a document is long."""


LIMITS = DigestLimits()
Part = Sequence[tuple[Passage, NDArray[np.float32]]]
"""Passages with their sentences' vectors."""


@dataclass(frozen=True, slots=True)
class Digested:
    """The summary: statements with the sentences they rest on."""

    told: tuple[SourcedStatement, ...]


@dataclass(slots=True)
class _Kept:
    """What stands of what a model said, and how much does not."""

    told: list[SourcedStatement] = field(default_factory=list)
    left_out: int = 0
    _told: dict[int, SourcedStatement] = field(default_factory=dict)
    _dropped: set[int] = field(default_factory=set)

    def hear(self, piece: Piece | Written) -> None:
        """Take in one more of its statements; one that is judged later stands after all."""
        if isinstance(piece, Written) and piece.told:
            self._told[piece.place] = piece.told
        elif isinstance(piece, Written) and piece.draft.outcome == "dropped":
            self._dropped.add(piece.place)

    def close(self, most: int | None = None) -> None:
        """Keep what was heard of one text, so many statements at most, before another one."""
        self.told += [self._told[place] for place in sorted(self._told)][:most]
        self.left_out += len(self._dropped - self._told.keys())
        self._told, self._dropped = {}, set()

    @property
    def is_enough(self) -> bool:
        """Whether it makes a summary, and is believed in the rest."""
        return len(self.told) >= max(LIMITS.least, self.left_out)


class Digest:
    """Lets a model sum up a long document. Usable from many threads."""

    def __init__(self, library: Library, *, judges: bool) -> None:
        """Read from this library; a model is asked about its notes in doubt when it `judges`."""
        self._library = library
        self._judges = judges

    def long_document(self, generator: Generator, composed: Sequence[Quotation]) -> str:
        """The id of the document that a composed summary is of, where it is long; else empty."""
        ids = {quotation.document_id for quotation in composed}
        if len(ids) != 1:
            return ""
        (id_,) = ids
        tokens = generator.count_text(self._library.document(id_).text)
        return id_ if tokens > LIMITS.longer * generator.prompt_tokens else ""

    def sum_up(
        self,
        generator: Generator,
        request: Request,
        question: str,
        document_id: str,
        scope: SearchScope,
        stop: Callable[[], bool],
    ) -> Iterator[Piece | Progress | Written | Digested]:
        """What a model writes, piece by piece, how far it is, at last the summary if it stands.

        Args:
            generator: a capable model.
            request: what is asked, for how it is to be summed up.
            question: as it was understood.
            document_id: whose summary it is.
            scope: only its sections in this are read.
            stop: asked often; when it says True the reading ends.

        Raises:
            ModelFailed: when the model fails at it.
            ModelMissing: when it cannot be used at all.
        """
        parts = in_parts(self._library.embedded_passages(document_id, scope=scope), LIMITS.parts)
        notes = _Kept()
        for number, part in enumerate(parts):
            yield Progress(number, len(parts) + 1)
            material = self._standing_for(document_id, part)
            messages = note_messages(_block(material))
            for piece in self._checked(generator, messages, NOTE.tokens, request, material, stop):
                yield piece
                notes.hear(piece)
            if stop():
                return
            notes.close(LIMITS.notes)
        if not notes.is_enough:
            return
        yield Progress(len(parts), len(parts) + 1)
        first = notes.told[0].sources[0]
        read = Block(first.title, first.date, " ".join(note.text for note in notes.told))
        sources = list(dict.fromkeys(source for note in notes.told for source in note.sources))
        messages = answer_messages(request, question, [read])
        summary, tokens = _Kept(), instruction(request).tokens
        for piece in self._checked(generator, messages, tokens, request, sources, stop):
            yield piece
            summary.hear(piece)
        summary.close()
        yield Digested(tuple(summary.told if summary.is_enough else notes.told))

    def _standing_for(self, document_id: str, part: Part) -> list[Quotation]:
        """The sentences that stand for a part, in its order."""
        vectors = np.concatenate([sentences for _, sentences in part])
        passages = [passage for passage, _ in part]
        document = self._library.document(document_id)
        return composition.summary(document, passages, vectors, LIMITS.sentences)

    def _checked(
        self,
        generator: Generator,
        messages: Sequence[Message],
        tokens: int,
        request: Request,
        material: Sequence[Quotation],
        stop: Callable[[], bool],
    ) -> Iterator[Piece | Written]:
        """What the model says to the messages, each statement looked for in the material."""
        attributor = Attributor(self._library.encode_query, material)
        check = Check(attributor, request, (), judges=self._judges)
        yield from check.stream(generator, messages, tokens, stop)
        if self._judges and not stop():
            yield from check.judged(generator, stop)


def in_parts(passages: Part, most: int) -> list[Part]:
    """Neighbouring passages together, in parts of about as many words, so many at most.

    Args:
        passages: of a document, in order; those without sentences are left out.
        most: parts, at least 1.
    """
    told = [(passage, vectors) for passage, vectors in passages if len(vectors)]
    lengths = [max(len(passage.text.split()), 1) for passage, _ in told]
    made: list[list[tuple[Passage, NDArray[np.float32]]]] = [[] for _ in range(most)]
    read = 0
    for one, length in zip(told, lengths, strict=True):
        made[int((read + length / 2) * most / sum(lengths))].append(one)
        read += length
    return [part for part in made if part]


def _block(material: Sequence[Quotation]) -> Block:
    """What the model reads of a part."""
    first = material[0]
    return Block(first.title, first.date, " ".join(one.text for one in material))
