"""Through every interface, a citation's offsets give its quote in the document's text."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import anyio
import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from mcp import Client
from typer.testing import CliRunner

from rag import Assistant
from rag.types import Answer
from tests.support.page_fakes import ARTICLES, HeldLibrary, make_library
from ui.api.app import ApiOptions, build_api
from ui.api.links import Links
from ui.api.mcp_server import build_mcp
from ui.api.service import Service
from ui.cli import app as commands
from ui.commands.session import Parts

HOME = "http://127.0.0.1:7861"
EMOJI = {
    "astral.md": "# Über 𝔘nicode 🐙\n\n"
    "The octopus 🐙 of Zürich counts 𝟗 arms; nobody “believed” it.\n\n"
    "“Naïve” readers of the 𝔊azette doubted the octopus 🐙 for weeks. [1] They were wrong | so.\n",
}
WORDS = sorted({
    word.strip(".,“”") for text in (*ARTICLES.values(), *EMOJI.values()) for word in text.split()
    if len(word) > 4 and word.isprintable()
})  # fmt: skip
NAMES = ("python", "command", "agent", "native", "events", "chat", "chunks")
Ask = Callable[[str], dict[str, Any]]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HeldLibrary]:
    with make_library(tmp_path_factory.mktemp("offsets"), ARTICLES | EMOJI) as made:
        yield made


@pytest.fixture(scope="module")
def interfaces(library: HeldLibrary) -> Iterator[dict[str, Ask]]:
    """Each gives an answer as `Answer.to_dict()` has it."""
    assistant = Assistant(library, None, reader="none")
    app = build_api(assistant, library, ApiOptions())
    tools = build_mcp(Service(assistant, library), Links(HOME, page=True))
    parts = Parts(open_library=lambda *_: library, make_assistant=lambda *_: assistant)

    def command(question: str) -> dict[str, Any]:
        done = CliRunner().invoke(commands, ["ask", "--json", question], obj=parts)
        shown: dict[str, Any] = json.loads(done.stdout)
        return shown

    def agent(question: str) -> dict[str, Any]:
        async def call() -> Any:
            async with Client(tools) as client:
                result = await client.call_tool("ask", {"question": question})
                return result.structured_content

        shown: dict[str, Any] = anyio.run(call)
        return shown

    with TestClient(app, base_url=HOME) as http:

        def native(question: str) -> dict[str, Any]:
            shown: dict[str, Any] = http.post("/v1/answers", json={"question": question}).json()
            return shown

        def events(question: str) -> dict[str, Any]:
            body = {"question": question, "stream": True}
            last = http.post("/v1/answers", json=body).text.strip().split("\n\n")[-1]
            shown: dict[str, Any] = json.loads(last.split("data: ", 1)[1])["answer"]
            return shown

        def chat(question: str) -> dict[str, Any]:
            messages = [{"role": "user", "content": question}]
            body = {"model": "pilcrow", "messages": messages}
            reply = http.post("/v1/chat/completions", json=body).json()
            shown: dict[str, Any] = reply["pilcrow"]
            message = reply["choices"][0]["message"]
            return shown | {"content": message["content"], "annotations": message["annotations"]}

        def chunks(question: str) -> dict[str, Any]:
            messages = [{"role": "user", "content": question}]
            body = {"model": "pilcrow", "messages": messages, "stream": True}
            lines = http.post("/v1/chat/completions", json=body).text.strip().split("\n\n")
            assert lines.pop() == "data: [DONE]"
            came = [json.loads(line.removeprefix("data: ")) for line in lines]
            deltas = [chunk["choices"][0]["delta"] for chunk in came]
            shown: dict[str, Any] = came[-1]["pilcrow"]
            return shown | {
                "content": "".join(delta.get("content", "") for delta in deltas),
                "annotations": [one for delta in deltas for one in delta.get("annotations", ())],
            }

        yield {
            "python": lambda question: assistant.answer(question).to_dict(),
            "command": command, "agent": agent, "native": native, "events": events, "chat": chat,
            "chunks": chunks,
        }  # fmt: skip


@settings(max_examples=8)
@given(words=st.lists(st.sampled_from(WORDS), min_size=2, max_size=4))
@pytest.mark.parametrize("name", list(NAMES))
def test_offsets_hold(
    library: HeldLibrary, interfaces: dict[str, Ask], name: str, words: list[str]
) -> None:
    answer = interfaces[name](f"What about {' '.join(words)}?")
    shown = [*answer["citations"], *filter(None, [answer.get("headline")])]
    for citation in shown:
        text = library.document(citation["document_id"]).text
        assert text[citation["start"] : citation["end"]] == citation["quote"]
        if "url" in citation:
            holds(citation["url"], library, citation)
    by_number = {citation["number"]: citation for citation in answer["citations"]}
    for annotation in answer.get("annotations", ()):
        over = annotation["url_citation"]
        said = answer["content"][over["start_index"] : over["end_index"]]
        carried = [
            by_number[number]["url"]
            for statement in answer["statements"]
            for number in statement["citations"]
            if statement["text"].translate(str.maketrans("[]|", "()/")) == said
            or statement["text"].translate(str.maketrans("[]", "()")) == said
        ]
        assert over["url"] in carried


def holds(url: str, library: HeldLibrary, citation: dict[str, Any]) -> None:
    """The link names the document and the very characters."""
    parts = urlsplit(url)
    given = parse_qs(parts.query or parts.fragment)
    id_ = unquote(parts.path.removeprefix("/read/")) if parts.query else given["read"][0]
    start, end = int(given["start"][0]), int(given["end"][0])
    assert library.document(id_).text[start:end] == citation["quote"]


def test_the_last_snapshot_is_read_back_whole(library: HeldLibrary) -> None:
    answer = Assistant(library, None, reader="none").answer("What about the octopus of Zürich?")
    assert answer.citations
    assert Answer.from_dict(json.loads(json.dumps(answer.to_dict()))).to_dict() == answer.to_dict()
