"""A file → its document, split into passages that fit the encoder."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

from index.embedding.encoder import CONTEXT_PIECES, Encoder
from index.formats import registry
from index.ingest.discovery import SourceFile, content_hash
from index.ingest.progress import RunProgress
from index.languages.splitting import CHUNKER, TooManyParts, passages
from index.types import NO_CARD, CatalogueCard, Document, Passage


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """A file read and split, not yet embedded."""

    file: SourceFile
    hash: str
    document: Document
    passages: tuple[Passage, ...]
    digests: tuple[bytes, ...]
    """What each passage's vectors depend on."""
    edition: int = 0
    """Which edition of its format's reader made it."""


class FileParser:
    """Reads and splits files for one encoder."""

    def __init__(self, encoder: Encoder, progress: RunProgress) -> None:
        """Parse so that `encoder` can read the parts; `progress` says when to stop."""
        self._encoder = encoder
        self._progress = progress
        self._recipe = json.dumps([asdict(encoder.identity), CHUNKER]).encode()

    def parse(self, file: SourceFile, card: CatalogueCard = NO_CARD) -> ParsedFile:
        """A file read and split; one that is just being written is no article yet.

        Args:
            file: which one.
            card: what is known of it from where it was got.

        Raises:
            Unreadable: with the reason.
        """
        for _ in range(2):
            data = registry.read_bytes(file.path)
            document = registry.parse(
                file.id, data, file.path.suffix, address=card.address,
                cancelled=self._progress.cancelled,
            )  # fmt: skip
            hash_ = content_hash(data, file.path.suffix, card)
            parsed = self.split(file, hash_, card.applied(document))
            if registry.read_bytes(file.path) == data:
                return parsed
        raise registry.Unreadable("it changes while it is read; try again when it is finished")

    def split(self, file: SourceFile, hash_: str, document: Document) -> ParsedFile:
        """A document in passages, each with its digest.

        Raises:
            Unreadable: when there is no text to index, or too much of it.
        """
        context = self.context(document)
        room = self._encoder.identity.max_pieces - 2 - self._encoder.count(context)
        try:
            parts = tuple(
                passages(document, self._encoder.count, room, self._progress.stop_if_asked)
            )
        except TooManyParts as error:
            raise registry.Unreadable(str(error)) from None
        if not parts:
            raise registry.Unreadable("no text to index")
        digests = tuple(self._digest(context, part) for part in parts)
        return ParsedFile(file, hash_, document, parts, digests, registry.edition(file.path))

    def context(self, document: Document) -> str:
        """The title as far as it serves as context, without crowding out the passage."""
        title = document.title
        while title and self._encoder.count(title) > CONTEXT_PIECES:
            title = title[: len(title) * 2 // 3].rsplit(" ", 1)[0] if " " in title else ""
        return title

    def _digest(self, context: str, passage: Passage) -> bytes:
        """What a passage's vectors depend on, and nothing else."""
        spans = [(s.start - passage.start, s.end - passage.start) for s in passage.sentences]
        digest = hashlib.sha256(self._recipe)
        digest.update(json.dumps([context, passage.text, spans]).encode("utf-8", "surrogatepass"))
        return digest.digest()
