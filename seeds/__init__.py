"""The shelf: articles to try Pilcrow on, and questions whose answers are known.

The files travel inside the package, so that they are found from a checkout and from an installed
wheel alike. Nothing is read at import, and this package imports nothing else of the project.
"""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).resolve().parent


def articles() -> Path:
    """The folder with the articles, `.txt` and `.md`; file names in it are the document ids."""
    return _HERE / "articles"


def questions() -> Path:
    """The question file, JSON Lines in UTF-8: forty questions with the spans that answer them.

    Offsets count Unicode characters of the decoded article, `start` included, `end` not.
    """
    return _HERE / "questions.jsonl"
