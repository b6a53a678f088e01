"""The adapters, each against the real package; without it they are skipped and named."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag import Assistant
from tests.support.page_fakes import ARTICLES, HeldLibrary, make_library
from tests.ui.api.test_offsets import EMOJI, WORDS

QUESTION = "How many participants from 178 countries registered?"
# Haystack reports how it is used unless it is told not to
os.environ.setdefault("HAYSTACK_TELEMETRY_ENABLED", "False")


def needs(package: str, extra: str) -> pytest.MarkDecorator:
    there = find_spec(package) is not None
    reason = f"{package} is not installed: pip install 'pilcrow-rag[{extra}]'"
    return pytest.mark.skipif(not there, reason=reason)


pytestmark = [
    pytest.mark.adapters,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning", "ignore::FutureWarning"),
]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HeldLibrary]:
    with make_library(tmp_path_factory.mktemp("adapters"), ARTICLES | EMOJI) as made:
        yield made


@needs("langchain_core", "langchain")
def test_langchain(library: HeldLibrary) -> None:
    from ui.adapters.langchain import PilcrowRetriever, message_of

    found = PilcrowRetriever(library=library, k=2).invoke("submarine cables between continents")
    assert found[0].metadata["document_id"] == "cables.md"
    for document in found:
        at = document.metadata
        text = library.document(at["document_id"]).text
        assert text[at["start"] : at["end"]] == document.page_content
    only = PilcrowRetriever(library=library, documents=["kyoto.txt"]).invoke("cables")
    assert {document.metadata["document_id"] for document in only} == {"kyoto.txt"}

    answer = Assistant(library, None, reader="none").answer(QUESTION)
    message = message_of(answer)
    (block,) = message.content_blocks
    assert block["type"] == "text" and block["text"] == answer.text
    assert block["annotations"]
    for citation in block["annotations"]:
        assert citation["type"] == "citation"
        said = block["text"][citation["start_index"] : citation["end_index"]]
        assert said in [statement.text for statement in answer.statements]
        place = citation["extras"]
        text = library.document(place["document_id"]).text
        assert text[place["start"] : place["end"]] == citation["cited_text"]


@needs("llama_index", "llama-index")
def test_llama_index(library: HeldLibrary) -> None:
    from ui.adapters.llama_index import PilcrowRetriever

    found = PilcrowRetriever(library, k=2).retrieve("submarine cables between continents")
    assert found[0].metadata["document_id"] == "cables.md"
    for result in found:
        node: Any = result.node
        text = library.document(node.metadata["document_id"]).text
        assert text[node.start_char_idx : node.end_char_idx] == node.text
        assert result.score


@needs("haystack", "haystack")
def test_haystack(library: HeldLibrary) -> None:
    from haystack import Pipeline

    from ui.adapters.haystack import PilcrowAnswerer, PilcrowRetriever

    pipeline = Pipeline()
    pipeline.add_component("retriever", PilcrowRetriever(library, k=2))
    pipeline.add_component("answerer", PilcrowAnswerer(Assistant(library, None, reader="none")))
    done = pipeline.run({"retriever": {"query": "cables"}, "answerer": {"question": QUESTION}})
    for document in done["retriever"]["documents"]:
        text = library.document(document.meta["document_id"]).text
        assert text[document.meta["start"] : document.meta["end"]] == document.content
    answer = done["answerer"]["answer"]
    assert answer.state == "answered" and done["answerer"]["text"] == answer.text


@needs("llm", "llm")
def test_llm(library: HeldLibrary, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LLM_USER_PATH", str(tmp_path))
    from llm import plugins

    from ui.adapters import llm_plugin

    offered: dict[str, Any] = {}
    tools: list[Any] = []
    llm_plugin.register_tools(tools.append)
    llm_plugin.register_fragment_loaders(offered.__setitem__)
    assert plugins.pm.parse_hookimpl_opts(llm_plugin, "register_tools") is not None
    monkeypatch.setattr(llm_plugin, "_library", lambda: library)
    monkeypatch.setattr(llm_plugin, "_assistant", lambda: Assistant(library, None, reader="none"))
    (tool,) = tools
    answer = json.loads(tool(QUESTION))
    assert answer["state"] == "answered"
    for citation in answer["citations"]:
        text = library.document(citation["document_id"]).text
        assert text[citation["start"] : citation["end"]] == citation["quote"]
    assert "Tonga" in offered["pilcrow"]("cables.md")


Place = tuple[str, int, int, str]
"""A document, the offsets in its text, and the words that are said to stand there."""


def in_langchain(library: HeldLibrary, question: str) -> Iterable[Place]:
    from ui.adapters.langchain import PilcrowRetriever, message_of

    for document in PilcrowRetriever(library=library, k=3).invoke(question):
        at = document.metadata
        yield at["document_id"], at["start"], at["end"], document.page_content
    (block,) = message_of(Assistant(library, None, reader="none").answer(question)).content_blocks
    for citation in dict(block)["annotations"]:
        at = citation["extras"]
        yield at["document_id"], at["start"], at["end"], citation["cited_text"]


def in_llama_index(library: HeldLibrary, question: str) -> Iterable[Place]:
    from ui.adapters.llama_index import PilcrowRetriever

    for found in PilcrowRetriever(library, k=3).retrieve(question):
        node: Any = found.node
        yield node.metadata["document_id"], node.start_char_idx, node.end_char_idx, node.text


def in_haystack(library: HeldLibrary, question: str) -> Iterable[Place]:
    from ui.adapters.haystack import PilcrowAnswerer, PilcrowRetriever

    for document in PilcrowRetriever(library, k=3).run(query=question)["documents"]:
        at = document.meta
        yield at["document_id"], at["start"], at["end"], document.content
    answerer = PilcrowAnswerer(Assistant(library, None, reader="none"))
    for citation in answerer.run(question=question)["answer"].citations:
        yield citation.document_id, citation.start, citation.end, citation.quote


@pytest.mark.parametrize(
    "places",
    [
        pytest.param(in_langchain, marks=needs("langchain_core", "langchain")),
        pytest.param(in_llama_index, marks=needs("llama_index", "llama-index")),
        pytest.param(in_haystack, marks=needs("haystack", "haystack")),
    ],
)
@settings(max_examples=8)
@given(words=st.lists(st.sampled_from(WORDS), min_size=2, max_size=4))
def test_offsets_hold_inside_every_framework(
    library: HeldLibrary,
    places: Callable[[HeldLibrary, str], Iterable[Place]],
    words: list[str],
) -> None:
    found = list(places(library, f"What about {' '.join(words)}?"))
    assert found
    for id_, start, end, quote in found:
        assert library.document(id_).text[start:end] == quote
