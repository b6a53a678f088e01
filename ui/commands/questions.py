"""Questions: `search`, `ask`, and `chat`, the page where they are asked."""

from __future__ import annotations

import threading
from dataclasses import asdict
from typing import Annotated

import typer

from ui.commands.model import larger_model_hint
from ui.commands.session import (
    GpuLayersOption,
    JsonOption,
    ModelOption,
    NoModelOption,
    StoreOption,
    print_json,
    say,
    session_of,
    settings_of,
)
from ui.terminal import harmless_output, open_console, show_hits

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
    gpu_layers: GpuLayersOption = None,
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
        assistant = session.parts.make_assistant(
            library, settings_of(session, model, gpu_layers), no_model
        )
        if session.json:
            answer = assistant.answer(question)
            print_json(answer.to_dict())
        else:
            answer = show_answer(assistant.stream(question), open_console())
    for note in answer.notes:
        say(note)
    if answer.state == "not_found":
        raise typer.Exit(NOTHING_FOUND)


def chat(
    ctx: typer.Context,
    model: ModelOption = None,
    gpu_layers: GpuLayersOption = None,
    no_model: NoModelOption = False,
    host: Annotated[
        str | None, typer.Option("--host", help="Address to listen on (PILCROW_HOST).")
    ] = None,
    port: Annotated[
        int | None, typer.Option("--port", min=1, max=65535, help="Port (PILCROW_PORT, 7860).")
    ] = None,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in your browser.")
    ] = False,
    store: StoreOption = None,
) -> None:
    """Serve the page where you ask and read.

    With PILCROW_PASSWORD set, the page asks for it.
    """
    import seeds
    from ui.page.app import PageOptions

    session = session_of(ctx, store, False)
    settings = settings_of(session, model, gpu_layers)
    password = settings.password.get_secret_value() if settings.password else None
    with session.library(create=True) as library:
        if not library.documents():
            say("the library is empty: add articles on the page, or with `pilcrow add ARTICLES`")
        assistant = session.parts.make_assistant(library, settings, no_model)
        if hint := "" if no_model or assistant.missing else larger_model_hint(settings):
            say(hint)

        def ready(url: str) -> None:
            say(f"Pilcrow is at {url} (Ctrl-C stops it)")
            # while the person types the first question; one that ends first is not waited for
            threading.Thread(target=assistant.warm_up, daemon=True).start()

        with harmless_output():
            session.parts.serve(
                assistant,
                library,
                options=PageOptions(
                    quick=session.parts.make_assistant(library, settings, True),
                    samples=seeds.articles(),
                    notice=assistant.missing,
                ),
                host=host or settings.host,
                port=port or settings.port,
                open_browser=browser,
                on_ready=ready,
                password=password,
                trusted_proxy=str(settings.trusted_proxy or ""),
            )
