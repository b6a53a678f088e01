"""Questions: `search` and `ask`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from ui.commands.session import (
    JsonOption,
    ModelOption,
    NoModelOption,
    StoreOption,
    print_json,
    say,
    session_of,
    settings_of,
)
from ui.terminal import open_console, show_hits

NOTHING_FOUND = 3


def search(
    ctx: typer.Context,
    query: Annotated[str, typer.Argument(metavar="Q", show_default=False)],
    k: Annotated[int, typer.Option("-k", min=1, max=1000, help="How many passages.")] = 10,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find the passages nearest to a question."""
    session = session_of(ctx, store, as_json)
    with session.library(filled=True) as library:
        hits = library.search(query, k=k)
    if session.json:
        print_json({"query": query, "hits": [asdict(hit) for hit in hits]})
    else:
        show_hits(hits, open_console())
    if not hits:
        say("nothing found")
        raise typer.Exit(NOTHING_FOUND)


def ask(
    ctx: typer.Context,
    question: Annotated[str, typer.Argument(metavar="Q", show_default=False)],
    model: ModelOption = None,
    no_model: NoModelOption = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Answer a question from your articles, with numbered sources."""
    from rag.query.question import checked_question
    from ui.terminal_answer import show_answer

    session = session_of(ctx, store, as_json)
    checked_question(question)  # a bad question costs nothing, not even opening the library
    with session.library(filled=True) as library:
        assistant = session.parts.make_assistant(library, settings_of(session, model), no_model)
        if session.json:
            answer = assistant.answer(question)
            print_json(answer.to_dict())
        else:
            answer = show_answer(assistant.stream(question), open_console())
    for note in answer.notes:
        say(note)
    if answer.state == "not_found":
        raise typer.Exit(NOTHING_FOUND)


def schema(
    events: Annotated[
        bool, typer.Option("--events", help="Of the events of /v1/answers instead.")
    ] = False,
) -> None:
    """Print the JSON schema of an answer, as --json and every interface give it."""
    from rag.streams import json_schema

    print_json(json_schema(events=events))
