"""A capable model, really run, where one has been fetched: `make test-large`.

It is the `qwen-1.5b` of the catalogue, or the file that PILCROW_LARGE_MODEL names.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from index import Library
from index.errors import ModelMissing
from rag import Assistant
from rag.llm.client import LlamaClient
from rag.llm.prompt import support_messages
from rag.llm.weights.model_files import ModelFile, find_model
from tests.rag.test_assistant import CABLES, FORUM, check_pointers
from tests.support.fakes import BagOfWordsEncoder

pytestmark = [pytest.mark.model, pytest.mark.large]


def _model() -> ModelFile | None:
    try:
        return find_model(os.environ.get("PILCROW_LARGE_MODEL") or "qwen-1.5b")
    except ModelMissing:
        return None


MODEL = _model()  # before the tests' own folder of models takes the place of the person's


@pytest.fixture(scope="module")
def client() -> Iterator[LlamaClient]:
    if MODEL is None:
        pytest.skip("no capable model is here: pilcrow model get qwen-1.5b")
    client = LlamaClient(MODEL, threads=1, deadline=600)
    yield client
    client.close()


def test_it_counts_as_capable_and_reads_as_much_as_its_speed_allows(client: LlamaClient) -> None:
    assert not client.small
    assert client.context_tokens >= 2048
    assert client.prompt_tokens >= 64


def test_it_says_whether_a_sentence_says_so(client: LlamaClient) -> None:
    sentence = ["Anchors and fishing nets cause most of the faults."]
    true = client.log_odds(support_messages("Most faults are caused by anchors.", sentence))
    false = client.log_odds(support_messages("Storms cause most of the faults.", sentence))
    assert true is not None and false is not None
    assert true > false


def test_a_written_answer_ends_by_itself_and_cites_what_it_rests_on(
    client: LlamaClient, tmp_path: Path
) -> None:
    for name, text in (("forum.txt", FORUM), ("cables.txt", CABLES)):
        (tmp_path / name).write_text(text)
    with Library.open(tmp_path / "library", encoder=BagOfWordsEncoder()) as library:
        library.update([tmp_path / "forum.txt", tmp_path / "cables.txt"])
        answer = Assistant(library, client).answer(
            "Who gave the opening speech of the forum in Kyoto?", explain=True
        )
        check_pointers(library, answer)
    assert answer.explain is not None
    assert 1 <= len(answer.explain.drafts) <= 6
    assert "Kishida" in answer.text
