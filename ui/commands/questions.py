"""Questions: `search` and `ask`."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from index.errors import InputError, PilcrowError
from ui.commands.session import (
    GpuLayersOption,
    JsonOption,
    ModelOption,
    NoModelOption,
    Session,
    StoreOption,
    print_json,
    read_line,
    say,
    session_of,
    settings_of,
)
from ui.language.catalogue import gettext, speaking
from ui.terminal import open_console, show_hits

if TYPE_CHECKING:
    from index.types import SearchScope
    from rag.assistant import Assistant
    from rag.types import Answer
    from ui.api.scope import Filters

NOTHING_FOUND = 3
_TURNS_REMEMBERED = 3
"""Earlier turns handed on with a question, as on the page."""


DocumentsOption = Annotated[
    list[str] | None,
    typer.Option("--document", metavar="DOC", help="Only in this one (id or title)."),
]
AuthorsOption = Annotated[
    list[str] | None, typer.Option("--author", metavar="NAME", help="Only by this author.")
]
SourcesOption = Annotated[
    list[str] | None, typer.Option("--source", metavar="NAME", help="Only from this outlet.")
]
TagsOption = Annotated[
    list[str] | None, typer.Option("--tag", metavar="TAG", help="Only with this tag.")
]
FoldersOption = Annotated[
    list[str] | None,
    typer.Option(
        "--folder", metavar="FOLDER", help="Only in or below this folder, as ids have it."
    ),
]
TypesOption = Annotated[
    list[str] | None,
    typer.Option("--type", metavar="ENDING", help="Only files of this kind: pdf, md."),
]
SectionsOption = Annotated[
    list[str] | None,
    typer.Option("--section", metavar="HEADING", help="Only below such a heading, or part of it."),
]
CollectionsOption = Annotated[
    list[str] | None,
    typer.Option("--collection", metavar="NAME", help="Only in this collection."),
]
SinceOption = Annotated[
    str, typer.Option("--since", metavar="DATE", help="Only from this day (2024-09) on.")
]
UntilOption = Annotated[str, typer.Option("--until", metavar="DATE", help="Only until this day.")]


def search(
    ctx: typer.Context,
    query: Annotated[str, typer.Argument(metavar="Q", show_default=False)],
    k: Annotated[int, typer.Option("-k", min=1, max=1000, help="How many passages.")] = 10,
    document: DocumentsOption = None,
    author: AuthorsOption = None,
    source: SourcesOption = None,
    tag: TagsOption = None,
    folder: FoldersOption = None,
    kind: TypesOption = None,
    section: SectionsOption = None,
    collection: CollectionsOption = None,
    since: SinceOption = "",
    until: UntilOption = "",
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find the passages nearest to a question.

    What chooses where to look can be given several times.
    """
    from ui.api.scope import scope_of

    session = session_of(ctx, store, as_json)
    filters = _filters(
        document, author, source, tag, folder, kind, section, collection, since=since, until=until
    )
    with session.library(filled=True) as library:
        hits = library.search(query, k=k, scope=scope_of(library, filters))
    if session.json:
        print_json({"query": query, "hits": [asdict(hit) for hit in hits]})
    else:
        show_hits(hits, open_console())
    if not hits:
        with speaking(session.language):
            say(gettext("nothing found"))
        raise typer.Exit(NOTHING_FOUND)


def ask(
    ctx: typer.Context,
    question: Annotated[str | None, typer.Argument(metavar="[Q]", show_default=False)] = None,
    document: DocumentsOption = None,
    author: AuthorsOption = None,
    source: SourcesOption = None,
    tag: TagsOption = None,
    folder: FoldersOption = None,
    kind: TypesOption = None,
    section: SectionsOption = None,
    collection: CollectionsOption = None,
    since: SinceOption = "",
    until: UntilOption = "",
    model: ModelOption = None,
    gpu_layers: GpuLayersOption = None,
    no_model: NoModelOption = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Answer a question from your articles, with numbered sources; without one, go on asking.

    A conversation remembers what was said. What chooses where to look can be given several times.
    """
    from rag.query.question import checked_question
    from ui.api.scope import scope_of

    session = session_of(ctx, store, as_json)
    if question is not None:
        checked_question(question)  # a bad question costs nothing, not even opening the library
    elif session.json:
        raise InputError("--json answers one question: pilcrow ask --json QUESTION")
    filters = _filters(
        document, author, source, tag, folder, kind, section, collection, since=since, until=until
    )
    with speaking(session.language), session.library(filled=True) as library:
        scope = scope_of(library, filters)
        assistant = session.parts.make_assistant(
            library, settings_of(session, model, gpu_layers), no_model
        )
        if question is None:
            _converse(assistant, scope)
        else:
            _answer_once(session, assistant, question, scope)


def _answer_once(session: Session, assistant: Assistant, question: str, scope: SearchScope) -> None:
    """Shows the answer to one question; the exit code says whether there was any."""
    from ui.terminal_answer import show_answer

    if session.json:
        answer = assistant.answer(question, scope=scope)
        print_json(answer.to_dict())
    else:
        answer = show_answer(assistant.stream(question, scope=scope), open_console())
    _say_notes(answer)
    if answer.state == "not_found":
        raise typer.Exit(NOTHING_FOUND)


def _filters(*names: list[str] | None, since: str, until: str) -> Filters:
    """Where to look, as it was typed.

    Args:
        names: documents, authors, sources, tags, folders, types, sections and collections.
        since: the first day.
        until: the last one.
    """
    from ui.api.scope import Filters

    documents, authors, sources, tags, *others = (tuple(given or ()) for given in names)
    return Filters(documents, authors, sources, tags, since, until, *others)


def _converse(assistant: Assistant, scope: SearchScope) -> None:
    """Questions from the terminal, or a line each from a pipe, until there are no more."""
    history: list[tuple[str, str]] = []
    say(gettext("Ask your articles. /new begins a new conversation, /quit or Ctrl-D ends it."))
    threading.Thread(target=assistant.warm_up, daemon=True).start()
    while (question := read_line("¶ ")) is not None:
        question = question.strip()
        if question in ("/quit", "/exit"):
            return
        if question == "/new":
            history.clear()
        elif question:
            history += _one_turn(assistant, question, history[-_TURNS_REMEMBERED:], scope)


def _one_turn(
    assistant: Assistant, question: str, history: Sequence[tuple[str, str]], scope: SearchScope
) -> list[tuple[str, str]]:
    """The turn, for the history; none when it could not be answered, or Ctrl-C stopped it."""
    from ui.terminal_answer import show_answer

    try:
        stream = assistant.stream(question, history, scope=scope)
        answer = show_answer(stream, open_console())
    except PilcrowError as error:
        say(f"pilcrow: {error}")
        return []
    except KeyboardInterrupt:
        say(gettext("stopped"))
        return []
    _say_notes(answer)
    return [(question, answer.text)] if answer.text else []


def _say_notes(answer: Answer) -> None:
    """Say what an answer remarks on itself."""
    from ui.language.replies import retold

    for note in answer.notes:
        say(retold(note))


def schema(
    events: Annotated[
        bool, typer.Option("--events", help="Of the events of /v1/answers instead.")
    ] = False,
) -> None:
    """Print the JSON schema of an answer, as --json and every interface give it."""
    from rag.replies.streams import json_schema

    print_json(json_schema(events=events))
