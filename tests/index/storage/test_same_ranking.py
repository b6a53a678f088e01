"""Both backends rank alike: words, vectors and all that is made of them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from index import Hit, Library, SearchScope
from tests.index.storage.postgres_server import Given, Server
from tests.support.fakes import BagOfWordsEncoder

pytestmark = pytest.mark.adapters

WORDS = (
    "cable harbour forum parliament comet rice running runs ran moon island bridge castle vote "
    "traffic continent Sunday October 8,000 act fines naïve Zürich 東京都庁 กรุงเทพมหานคร "
    "Straßenbahnen Verordnungen the of and a in"
).split()


ASKED = ("running moon", "Straßenbahn", "東京都", "กรุงเทพ", "the", "naive zurich 8,000")


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, chance = tmp_path_factory.mktemp("articles"), random.Random(7)
    for number in range(60):
        paragraphs = [
            " ".join(chance.choices(WORDS, k=chance.randint(3, 60))) + "."
            for _ in range(chance.randint(1, 6))
        ]
        title = f"# The {chance.choice(WORDS)} {number}\n\n" if number % 3 else ""
        (folder / f"{number}-{chance.choice('cable moon vote'.split())}.md").write_text(
            title + "\n\n".join(paragraphs) + "\n"
        )
    german = "Die Straßenbahnen fahren nach den Verordnungen der Stadt, und niemand sieht sie. "
    (folder / "german.txt").write_text(german * 3)
    return folder


@pytest.fixture(scope="module")
def both(
    server: Given | Server, shelf: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Library, Library]]:
    with (
        Library.open(tmp_path_factory.mktemp("library"), encoder=BagOfWordsEncoder()) as plain,
        Library.open(server.address(), encoder=BagOfWordsEncoder()) as served,
    ):
        for library in (plain, served):
            library.update([shelf])
        yield plain, served


def row(hit: Hit) -> tuple[object, ...]:
    scores = (hit.score, hit.dense, hit.lexical, hit.sentence, hit.late)
    return *(round(score, 6) for score in scores), hit.text, hit.document_id


@pytest.mark.parametrize("scope", [SearchScope(), SearchScope(folders=[""], kinds=["md"])])
def test_every_question_has_the_same_hits(
    both: tuple[Library, Library], scope: SearchScope
) -> None:
    chance = random.Random(11)
    for _ in range(25):
        question = " ".join(chance.choices(WORDS, k=chance.randint(1, 8)))
        plain, served = (sorted(map(row, each.search(question, scope=scope))) for each in both)
        assert plain == served, question


def test_words_weigh_the_same_to_the_last_bit_but_one(both: tuple[Library, Library]) -> None:
    from index.languages.stemming import any_of, match_forms

    for question in ASKED:
        found = []
        for library in both:
            with library._store.reading() as reader:
                query = any_of(match_forms(question, reader.languages()))
                matched = reader.matches(query, 1_000)
                texts = {p.id: (p.document_ids, p.start) for p in reader.passages(list(matched))}
                found.append({texts[id_]: score for id_, score in matched.items()})
        assert found[0] == pytest.approx(found[1], rel=1e-12), question
        assert found[0] or question == "the"


def test_a_graph_finds_what_comparing_every_vector_finds(
    server: Given | Server, tmp_path: Path
) -> None:
    chance = random.Random(5)
    article = tmp_path / "long.txt"
    article.write_text("\n\n".join(" ".join(chance.choices(WORDS, k=9)) for _ in range(800)))
    with Library.open(server.address(), encoder=BagOfWordsEncoder(), exact_up_to=500) as library:
        library.update([article])
        assert library.stats().vectors == "hnsw"
        assert library.check().ok
        near = [0, 0]
        with library._store.reading() as reader:
            walked = library._engine.vectors.at(reader)
            assert walked.kind == "hnsw"
            for _ in range(20):
                question = library.encode_query(" ".join(chance.choices(WORDS, k=5))).vector
                every = np.array(reader.passage_ids([1]))
                exact = {*walked.search(question, 10, every)[0].tolist()}
                near[0] += len(exact & {*walked.search(question, 10)[0].tolist()})
                near[1] += len(exact)
        assert near[0] >= 0.9 * near[1]


@pytest.fixture(autouse=True, scope="module")
def _own_data_folder_of_the_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        yield
