"""The map of a library: nothing is lost, like is put to like, and words tell."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rag.replies.library_map import LIMITS, Vectors, topics_of


def unit(*rows: tuple[float, ...]) -> Vectors:
    made: Vectors = np.array(rows, np.float32)
    made /= np.maximum(np.linalg.norm(made, axis=1, keepdims=True), np.float32(1e-9))
    return made


def test_documents_that_are_alike_are_one_topic_and_its_words_are_theirs() -> None:
    texts = {f"sea-{n}": f"Harbour {n}. Ships leave the harbour at dawn in 2024." for n in range(5)}
    texts |= {f"law-{n}": f"Statute {n}. The statute binds the ministries." for n in range(3)}
    vectors = unit(*[(1, 0.01 * n, 0) for n in range(5)], *[(0, 0.01 * n, 1) for n in range(3)])
    sea, law = topics_of(list(texts), vectors, texts.__getitem__)
    assert set(sea.documents) == {f"sea-{n}" for n in range(5)}
    assert set(law.documents) == {f"law-{n}" for n in range(3)}
    assert "harbour" in sea.words and "statute" in law.words
    assert not {"the", "2024"} & {*sea.words, *law.words}
    assert {sea.across, law.across} == {0.0, 1.0}


def test_of_nothing_there_is_no_map() -> None:
    assert topics_of([], np.zeros((0, 4), np.float32), str) == []


@given(st.lists(st.tuples(*[st.floats(-1, 1, width=32)] * 3), min_size=1, max_size=40))
def test_every_document_is_in_one_topic(rows: list[tuple[float, float, float]]) -> None:
    ids = [f"{number}.txt" for number in range(len(rows))]
    topics = topics_of(ids, unit(*rows), lambda id_: f"text of {id_}")
    assert sorted(id_ for topic in topics for id_ in topic.documents) == sorted(ids)
    assert len(topics) <= LIMITS.topics
    assert all(0 <= share <= 1 for t in topics for share in (t.across, t.down))
    assert len({topic.down for topic in topics}) == len(topics)
