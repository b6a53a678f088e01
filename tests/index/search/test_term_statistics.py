"""How common words are: counted, or looked up where counting would take long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from index import Library
from index.search.term_statistics import Vocabulary
from index.tokenization import words
from tests.support.fakes import BagOfWordsEncoder

NAMES = ("alder", "birch", "cedar", "dogwood", "elm", "fir", "gum", "holly", "ilex", "juniper")


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    (tmp_path / "trees").mkdir()
    for name in NAMES:
        (tmp_path / "trees" / f"{name}.txt").write_text(f"The {name} grows. It is a tree.\n")
    with Library.open(tmp_path / "library", encoder=BagOfWordsEncoder(64)) as made:
        made.update([tmp_path / "trees"])
        yield made


def test_every_word_is_counted_until_the_library_changes(library: Library, tmp_path: Path) -> None:
    texts = [library.document(record.id).text for record in library.documents()]
    known = library.vocabulary()
    assert dict(known) == Counter(word for text in texts for word in words(text))
    assert library.vocabulary() is known
    assert "larch" not in known
    (tmp_path / "trees" / "larch.txt").write_text("The larch is yellow.\n")
    library.rebuild()
    assert library.vocabulary()["larch"] == 1


def test_of_many_passages_some_are_counted_and_every_word_is_known(library: Library) -> None:
    known = Vocabulary(library._store, most=4)
    assert 0 < len(set(NAMES) & set(known)) < len(NAMES)
    assert all(known[name] == 1 for name in NAMES)
    assert "tree" in known
    for mistyped in ("alter", "junipper", 'tree" OR "alder', ""):
        assert mistyped not in known


def test_an_empty_library_has_no_words(tmp_path: Path) -> None:
    with Library.open(tmp_path / "library", encoder=BagOfWordsEncoder(64)) as library:
        assert not library.vocabulary()
