"""Files → those that have changed since the library took them in, parsed."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from index.formats import registry
from index.ingest.discovery import SourceFile, content_hash
from index.ingest.parse import FileParser, ParsedFile
from index.ingest.progress import RunProgress
from index.storage.store import Store
from index.types import Document


class ChangedFiles:
    """Compares files with what the library holds of them; what became of each goes into a run."""

    def __init__(self, store: Store, parser: FileParser, progress: RunProgress) -> None:
        """Compare with `store`; what has to be read, `parser` reads."""
        self._store, self._parser, self._progress = store, parser, progress

    def read(self, file: SourceFile, named: Collection[Path] = ()) -> ParsedFile | None:
        """A changed file, parsed; None when it is unchanged or cannot be read.

        Args:
            file: which one.
            named: the files that a person asked for by name.
        """
        try:
            data = registry.read_bytes(file.path)
            with self._store.reading() as reader:
                card = reader.card(str(file.path))
                hash_ = content_hash(data, file.path.suffix, card)
                before = reader.by_path(str(file.path))
                content = reader.content_of(hash_)
                today = content is not None and (
                    reader.edition_of(content) >= registry.edition(file.path)
                )
            if today and before is not None and before.hash == hash_:
                self._progress.unchanged(file.id)
                return None
            if today:  # moved, copied or renamed
                return ParsedFile(file, hash_, Document(file.id, "", ""), (), ())
            return self._parser.parse(file, card)
        except registry.Unreadable as error:
            self.pass_over(file, error, named)
        return None

    def pass_over(
        self, file: SourceFile, error: registry.Unreadable, named: Collection[Path] = ()
    ) -> None:
        """Note why a file is not read; a picture without words fails only who named it."""
        if isinstance(error, registry.Wordless) and file.path not in named:
            self._progress.skip(file.path, error.reason)
        else:
            self._progress.fail(file.path, error.reason, file.id)
