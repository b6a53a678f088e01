"""What a question's words, its outlet and its year do to the order of hits."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from index import Library
from index.types import SearchScope
from tests.support.fakes import BagOfWordsEncoder


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library.open(tmp_path / "library", encoder=BagOfWordsEncoder())


def shelved(library: Library, folder: Path, **texts: str) -> None:
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.txt").write_text(text)
    library.update([folder])


def test_the_outlet_a_question_names_is_preferred(library: Library, tmp_path: Path) -> None:
    body = "The forum in Kyoto spoke about {} and cables.\n"
    shelved(
        library,
        tmp_path / "articles",
        a=f"Forum in Kyoto\nSource: Daily Ledger\nPublished: 2023-10-09\n\n{body.format('tea')}",
        b=f"Forum in Kyoto\nSource: Evening Post\nPublished: 2023-10-09\n\n{body.format('rice')}",
    )
    for outlet, name in (("Daily Ledger", "a.txt"), ("Evening Post", "b.txt")):
        best, *_ = library.search(f"What did the forum in Kyoto speak about, as the {outlet} says?")
        assert (best.document_id, best.source) == (name, outlet)


def test_a_documents_date_stands_for_the_year_it_does_not_repeat(
    library: Library, tmp_path: Path
) -> None:
    shelved(
        library,
        tmp_path / "articles",
        old="Forum\nPublished: 2021-10-09\n\nThe forum opened on Sunday in the north hall.\n",
        new="Forum\nPublished: 2023-10-09\n\nThe forum opened on Monday in the south hall.\n",
    )
    for year, name in (("2021", "old.txt"), ("2023", "new.txt")):
        assert library.search(f"Where did the forum open in {year}?")[0].document_id == name


def test_one_long_article_does_not_fill_the_list(library: Library, tmp_path: Path) -> None:
    long = "\n\n".join(f"The bell of Ghent rang at hour {i} on the old tower." for i in range(12))
    short = {f"s{i}": f"In story {i} the bell of Ghent rang on a new tower.\n" for i in range(5)}
    shelved(library, tmp_path / "articles", long=long, **short)
    hits = library.search("When did the bell of Ghent ring on the old tower?", 10)
    assert len(hits) == 10
    assert [hit.document_id for hit in hits[:5]] == ["long.txt"] * 5
    assert len(Counter(hit.document_id for hit in hits)) > 1


def test_words_are_as_rare_as_where_the_question_looks(library: Library, tmp_path: Path) -> None:
    shelved(
        library,
        tmp_path / "articles",
        cats="Cats sleep. Cats purr.\n\nCats hunt mice.",
        dogs="Dogs bark.",
    )
    assert library.idf(["dogs"])["dogs"] < 1
    assert library.idf(["dogs"], scope=SearchScope({"cats.txt"}))["dogs"] == 1
    everywhere = library.idf(["cats"])["cats"]
    assert library.idf(["cats"], scope=SearchScope({"cats.txt"}))["cats"] < everywhere
