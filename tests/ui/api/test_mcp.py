"""The real `mcp` client against the real server, over both transports."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import anyio
import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, TextContent

from tests.support.programs import PATIENCE, ROOT, Program, running

QUESTION = "How many participants registered for the forum held in Kyoto?"
READING = {"search", "fetch", "ask", "list_documents"}
CHANGING = {"add_document", "remove_document", "rebuild"}
Transport = Literal["stdio", "http"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with running("tests.ui.api.served_api", tmp_path_factory.mktemp("mcp"), "sesame") as program:
        yield program


@asynccontextmanager
async def connected(
    transport: Transport, server: Program, folder: Path
) -> AsyncGenerator[Client, None]:
    if transport == "http":
        known = httpx2.AsyncClient(headers={"Authorization": "Bearer sesame"}, timeout=PATIENCE)
        async with (
            known,
            Client(streamable_http_client(f"{server.address}/mcp", http_client=known)) as client,
        ):
            yield client
        return
    program = StdioServerParameters(
        command=sys.executable, args=["-m", "tests.ui.api.served_api", str(folder), "--stdio"],
        cwd=ROOT,
    )  # fmt: skip
    async with Client(program) as client:
        yield client


def same(result: CallToolResult) -> Any:
    """What a tool gave: the same as structured content and as one JSON text."""
    assert not result.is_error, result.content
    (content,) = result.content
    assert isinstance(content, TextContent)
    assert json.loads(content.text) == result.structured_content
    return result.structured_content


def refused(result: CallToolResult) -> str:
    assert result.is_error
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


@pytest.mark.parametrize("transport", ["stdio", "http"])
def test_an_agent_can_use_the_library(
    transport: Transport, server: Program, tmp_path: Path
) -> None:
    async def use() -> None:
        async with connected(transport, server, tmp_path) as client:
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            assert set(tools) == READING | (CHANGING if transport == "http" else set())
            for name in READING:
                hints = tools[name].annotations
                assert hints and hints.read_only_hint

            found = same(await client.call_tool("search", {"query": "submarine cables"}))
            assert set(found) == {"results"}
            assert set(found["results"][0]) == {"id", "title", "url"}
            assert found["results"][0]["title"] == "Cables under the sea"
            ids = [one["id"] for one in found["results"]]
            assert len(ids) == len(set(ids))

            document = same(await client.call_tool("fetch", {"id": "kyoto.txt"}))
            assert set(document) == {"id", "title", "text", "url", "metadata"}
            assert document["metadata"] == {"source": "The Link", "date": "2023-10-12"}

            steps: list[tuple[float, str | None]] = []

            async def progress(progress: float, total: float | None, message: str | None) -> None:
                steps.append((progress, message))

            answer = same(
                await client.call_tool("ask", {"question": QUESTION}, progress_callback=progress)
            )
            assert answer["state"] == "answered" and answer["citations"]
            for citation in answer["citations"]:
                text = document["text"][citation["start"] : citation["end"]]
                assert text == citation["quote"]
                assert "kyoto.txt" in citation["url"]
            assert [done for done, _ in steps] == sorted({done for done, _ in steps})
            assert steps[0][1] == "Searching"
            assert any(message and "Best sentence" in message for _, message in steps)

            listed = same(await client.call_tool("list_documents", {"limit": 2}))
            assert listed["total"] >= 3 and len(listed["documents"]) == 2

    anyio.run(use)


def test_what_is_wrong_is_told_in_a_sentence(server: Program, tmp_path: Path) -> None:
    async def use() -> None:
        async with connected("http", server, tmp_path) as client:
            gone = refused(await client.call_tool("fetch", {"id": "../../etc/passwd"}))
            assert gone.endswith("fetch: no document '../../etc/passwd' in the library")
            late = await client.call_tool("ask", {"question": QUESTION, "since": "soon"})
            assert "'soon' is no date" in refused(late)
            bug = refused(await client.call_tool("ask", {"question": "crash"}))
            assert "Something went wrong inside Pilcrow" in bug and "on purpose" not in bug
            missing = same(await client.call_tool("ask", {"question": "Zebras?"}))
            assert missing["state"] == "not_found" and missing["closest"]

    anyio.run(use)


def test_changes_are_made_only_where_they_are_allowed(server: Program, tmp_path: Path) -> None:
    async def use() -> None:
        async with connected("http", server, tmp_path) as client:
            text = "Wind\n\nA turbine turns on the Velmora hill.\n"
            added = same(await client.call_tool("add_document", {"name": "../w.txt", "text": text}))
            assert added["added"] == ["w.txt"]
            document = same(await client.call_tool("fetch", {"id": "w.txt"}))
            assert document["text"] == text
            receipt = same(await client.call_tool("remove_document", {"id": "w.txt"}))
            assert (receipt["documents"], receipt["left"]) == (["w.txt"], 0)
            assert "removed" in same(await client.call_tool("rebuild", {}))
        async with connected("stdio", server, tmp_path) as reader:
            names = {tool.name for tool in (await reader.list_tools()).tools}
            assert not names & CHANGING
            unknown = await reader.call_tool("remove_document", {"id": "kyoto.txt"})
            assert unknown.is_error

    anyio.run(use)


def test_without_the_key_no_agent_is_answered(server: Program) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    reply = httpx2.post(f"{server.address}/mcp", json=body)
    assert reply.status_code == 401
    foreign = httpx2.post(
        f"{server.address}/mcp", json=body,
        headers={"Authorization": "Bearer sesame", "Origin": "http://evil.example"},
    )  # fmt: skip
    assert foreign.status_code == 403


def snippets(paper: str) -> dict[str, Any]:
    """The configurations for agents that a document shows, by the key programs look under."""
    text = (ROOT / paper).read_text(encoding="utf-8")
    blocks = re.findall(r"^```json\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [json.loads(line) for block in blocks for line in block.splitlines()]
    return {key: value["pilcrow"] for line in lines for key, value in line.items()}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that `pilcrow add` made."""
    folder = tmp_path_factory.mktemp("snippets")
    article = "Cables\n\nThe longest submarine cable was laid by the ship Velmora in 1866.\n"
    (folder / "cables.txt").write_text(article, encoding="utf-8")
    command = [str(Path(sys.executable).with_name("pilcrow")), "add", "cables.txt"]
    subprocess.run([*command, "--store", "library"], cwd=folder, check=True, capture_output=True)
    return folder / "library"


@pytest.mark.model
@pytest.mark.parametrize("key", ["mcpServers", "servers"], ids=["claude-desktop", "vs-code"])
def test_the_configuration_that_is_shown_starts_it(key: str, store: Path) -> None:
    shown = snippets("README.md")
    assert shown == snippets("ui/README.md") and set(shown) == {"mcpServers", "servers"}
    assert shown[key].pop("type", "stdio") == "stdio"
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    program = StdioServerParameters(
        **shown[key], cwd=store.parent, env={"PATH": path, "PILCROW_STORE": str(store)}
    )

    async def use() -> None:
        async with Client(program, read_timeout_seconds=PATIENCE) as client:
            assert {tool.name for tool in (await client.list_tools()).tools} == READING
            question = {"question": "Which ship laid the longest submarine cable?"}
            answer = same(await client.call_tool("ask", question))
            text = same(await client.call_tool("fetch", {"id": "cables.txt"}))["text"]
            (first, *_) = answer["citations"]
            assert text[first["start"] : first["end"]] == first["quote"]
            assert "Velmora" in first["quote"]

    anyio.run(use)
