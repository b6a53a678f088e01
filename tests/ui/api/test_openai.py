"""The real `openai` client, as any program uses it, against the real server."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator

import httpx
import openai
import pytest
import yaml
from openai import OpenAI

from tests.support.programs import LOCAL, PATIENCE, ROOT, Program, running
from ui.commands.serving import _PORT

QUESTION = "How many participants registered for the forum held in Kyoto?"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with running("tests.ui.api.served_api", tmp_path_factory.mktemp("api"), "sesame") as program:
        yield program


@pytest.fixture
def client(server: Program) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{server.address}/v1", api_key="sesame", max_retries=0) as made:
        yield made


def document(server: Program, id_: str) -> str:
    headers = {"Authorization": "Bearer sesame"}
    reply = httpx.get(f"{server.address}/v1/documents/{id_}", headers=headers, **LOCAL)
    text: str = reply.raise_for_status().json()["text"]
    return text


def test_the_model_is_listed(client: OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["pilcrow"]
    assert client.models.retrieve("pilcrow").id == "pilcrow"


def test_an_answer_has_annotations_over_its_text(client: OpenAI, server: Program) -> None:
    done = client.chat.completions.create(
        model="pilcrow", messages=[{"role": "user", "content": QUESTION}], temperature=0.3, seed=7
    )
    message = done.choices[0].message
    assert message.content and done.choices[0].finish_reason == "stop"
    assert message.annotations
    answer = (done.model_extra or {})["pilcrow"]
    said = [statement["text"] for statement in answer["statements"]]
    for annotation, statement in zip(message.annotations, said, strict=True):
        cited = annotation.url_citation
        assert message.content[cited.start_index : cited.end_index] == statement
        assert cited.title == "Kyoto hosts the Internet Governance Forum"
    for citation in answer["citations"]:
        text = document(server, citation["document_id"])
        assert text[citation["start"] : citation["end"]] == citation["quote"]


def test_what_chat_programs_set_by_themselves_is_taken(client: OpenAI) -> None:
    """What Open WebUI and LibreChat send along."""
    done = client.chat.completions.create(
        model="pilcrow", messages=[{"role": "user", "content": QUESTION}],
        temperature=1, top_p=1, presence_penalty=0, frequency_penalty=0, max_tokens=1000,
        stop=["###"], user="65f1", metadata={"chat": "1"}, tools=[], parallel_tool_calls=False,
        extra_body={"session_id": "s", "chat_id": "c", "features": {"web_search": False}},
    )  # fmt: skip
    assert done.choices[0].message.annotations


def test_what_librechat_is_told_is_so(client: OpenAI) -> None:
    text = (ROOT / "ui/README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```yaml\n(endpoints:.*?)^```", text, re.MULTILINE | re.DOTALL)
    (endpoint,) = yaml.safe_load(block)["endpoints"]["custom"]
    assert endpoint["models"]["default"] == [model.id for model in client.models.list()]
    assert endpoint["baseURL"] == f"http://127.0.0.1:{_PORT}/v1"


def test_a_link_opens_the_article_without_the_key(client: OpenAI, server: Program) -> None:
    done = client.chat.completions.create(
        model="pilcrow", messages=[{"role": "user", "content": QUESTION}]
    )
    annotated = done.choices[0].message.annotations
    assert annotated
    url = annotated[0].url_citation.url
    assert url.startswith(f"{server.address}/read/kyoto.txt?") and "#:~:text=" in url
    assert httpx.get(url, **LOCAL).text == document(server, "kyoto.txt")
    forged = httpx.get(url.replace("kyoto.txt", "cables.md"), **LOCAL)
    assert forged.status_code == 403 and "not made by this Pilcrow" in forged.text


def test_a_stream_is_the_same_answer(client: OpenAI) -> None:
    stream = client.chat.completions.create(
        model="pilcrow", messages=[{"role": "user", "content": QUESTION}], stream=True,
        stream_options={"include_usage": True},
    )  # fmt: skip
    text, annotations, last, usage, evidence = "", [], None, None, None
    for chunk in stream:
        usage = chunk.usage or usage
        extra = (chunk.model_extra or {}).get("pilcrow")
        if extra and extra.get("type") == "evidence":
            assert not text, "the best sentence comes first"
            evidence = extra["citation"]["quote"]
        elif extra:
            last = extra
        for choice in chunk.choices:
            text += choice.delta.content or ""
            annotations += (choice.delta.model_extra or {}).get("annotations", [])
    assert last and usage and evidence
    assert text == last["text"]
    cited = [annotation["url_citation"] for annotation in annotations]
    assert [text[c["start_index"] : c["end_index"]] for c in cited] == [
        statement["text"] for statement in last["statements"]
    ]


def test_the_messages_are_the_history(client: OpenAI) -> None:
    done = client.chat.completions.create(
        model="pilcrow",
        messages=[
            {"role": "system", "content": "You are a pirate."},
            {"role": "user", "content": "Who came?"},
            {"role": "assistant", "content": "Many came. [1]\n\nNote: No model."},
            {"role": "user", "content": [{"type": "text", "text": "echo"}]},
        ],
    )
    assert json.loads(done.choices[0].message.content or "") == [["Who came?", "Many came. [1]"]]


def test_what_is_not_there_is_said(client: OpenAI) -> None:
    done = client.chat.completions.create(
        model="pilcrow", messages=[{"role": "user", "content": "Zebras?"}]
    )
    assert done.choices[0].message.content == "Not in your documents."
    assert done.choices[0].message.annotations == []
    assert done.model_extra and done.model_extra["pilcrow"]["state"] == "not_found"


def test_it_looks_only_where_it_is_told(client: OpenAI) -> None:
    def ask(where: dict[str, object]) -> str:
        done = client.chat.completions.create(
            model="pilcrow", messages=[{"role": "user", "content": QUESTION}],
            extra_body={"pilcrow": where},
        )  # fmt: skip
        assert done.model_extra
        return str(done.model_extra["pilcrow"]["state"])

    assert ask({"sources": ["The Link"]}) == "answered"
    assert ask({"documents": ["Cables under the sea"]}) == "not_found"
    with pytest.raises(openai.BadRequestError, match="no document has the source: 'The Lnk'"):
        ask({"sources": ["The Lnk"]})


@pytest.mark.parametrize("stream", [True, False])
def test_who_goes_away_ends_the_work(client: OpenAI, server: Program, stream: bool) -> None:
    stopped = server.folder / "stopped"
    stopped.unlink(missing_ok=True)
    body = {"model": "pilcrow", "stream": stream, "messages": [{"role": "user", "content": "hold"}]}
    if stream:
        begun = client.chat.completions.create(
            model="pilcrow", messages=[{"role": "user", "content": "hold"}], stream=True
        )
        begun.close()
    else:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(
                f"{server.address}/v1/chat/completions", json=body, timeout=1,
                headers={"Authorization": "Bearer sesame"},
            )  # fmt: skip
    deadline = time.monotonic() + PATIENCE
    while not stopped.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_wrong_key_is_refused(server: Program) -> None:
    wrong = OpenAI(base_url=f"{server.address}/v1", api_key="guess", max_retries=0)
    with wrong, pytest.raises(openai.AuthenticationError, match="not the API key"):
        wrong.models.list()
    with OpenAI(base_url=f"{server.address}/v1", api_key="sesame", max_retries=0) as right:
        right.models.list()
    assert "sesame" not in server.terminal.read_text()
    assert "guess" not in server.terminal.read_text()


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"model": "gpt-5"}, openai.NotFoundError, "no model 'gpt-5'"),
        ({"n": 2}, openai.BadRequestError, "n can only be 1"),
        ({"logprobs": True}, openai.BadRequestError, "logprobs"),
        ({"response_format": {"type": "json_object"}}, openai.BadRequestError, "can only be text"),
        ({"temperature": "hot"}, openai.BadRequestError, "temperature"),
        ({"messages": []}, openai.BadRequestError, "messages"),
        ({"messages": [{"role": "user", "content": "x" * 2001}]}, openai.BadRequestError, "long"),
        (
            {"messages": [{"role": "assistant", "content": "Hello"}]},
            openai.BadRequestError, "must be the user's question",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
            openai.BadRequestError, "'image_url' cannot be read",
        ),
        (
            {"messages": [{"role": "user", "content": "Again?"}] * 1000},
            openai.BadRequestError, "messages",
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("stream", [True, False])
def test_what_cannot_be_given_is_refused_in_a_sentence(
    client: OpenAI,
    changes: dict[str, object],
    error: type[openai.APIStatusError],
    words: str,
    stream: bool,
) -> None:
    body = {
        "model": "pilcrow",
        "messages": [{"role": "user", "content": QUESTION}],
        "stream": stream,
        **changes,
    }
    with pytest.raises(error) as raised:
        client.post("/chat/completions", body=body, cast_to=object)
    assert words in str(raised.value) and "\n" not in str(raised.value)


def test_a_bug_is_told_without_its_inside(client: OpenAI) -> None:
    with pytest.raises(openai.InternalServerError) as raised:
        client.chat.completions.create(
            model="pilcrow", messages=[{"role": "user", "content": "crash, please"}]
        )
    assert "Something went wrong inside Pilcrow" in str(raised.value)
    assert "on purpose" not in str(raised.value)
    with pytest.raises(openai.APIError, match="Something went wrong"):
        list(
            client.chat.completions.create(
                model="pilcrow", messages=[{"role": "user", "content": "crash"}], stream=True
            )
        )
