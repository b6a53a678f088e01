"""What every command works with: the library, the assistant, the page, and the way to say things.

Data go to stdout, messages to stderr. Heavy imports happen inside the functions that need them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from index.errors import InputError, LibraryMissing
from index.types import CheckLine
from ui.language.catalogue import ENGLISH, LANGUAGES, language_of_terminal
from ui.terminal import clean, harmless, open_console, show_lines, to_json

if TYPE_CHECKING:
    from index.embedding.encoder import Encoder
    from index.library import Library
    from index.sources.fetching import Fetcher
    from index.storage.postgres.address import Place
    from rag.assistant import Assistant
    from rag.settings import Settings


def _open_library(path: Path, create: bool, threads: int) -> Library:
    from index.library import Library

    return Library.open(path, create=create, threads=threads)


def _make_assistant(library: Library, settings: Settings, quotes_only: bool) -> Assistant:
    from rag.assistant import Assistant

    generator: Literal["default"] | None = None if quotes_only else "default"
    return Assistant(
        library,
        generator,
        model=settings.model,
        threads=settings.threads,
        reader=settings.reader,
        judge=settings.judge,
        gpu_layers=settings.gpu_layers,
    )


def _serve(assistant: Assistant, library: Library, **options: Any) -> None:
    from ui.page.server import serve

    serve(assistant, library, **options)


def _serve_api(assistant: Assistant, library: Library, **options: Any) -> None:
    from ui.api.server import serve_api

    serve_api(assistant, library, **options)


def _serve_mcp(assistant: Assistant, library: Library, **options: Any) -> None:
    from ui.api.server import serve_mcp

    serve_mcp(assistant, library, **options)


def _serve_by_many(opening: Callable[[], Any], count: int, *, options: Any, **more: Any) -> None:
    from ui.api.workers import Worker, serve_by_many

    serve_by_many(Worker(opening, options), count, **more)


def _at_terminal() -> bool:
    """Whether somebody sits at the terminal."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def _is_read() -> bool:
    """Whether what is said on stderr is seen on a terminal."""
    return sys.stderr.isatty()


def _confirm(question: str) -> bool:
    """Asks whoever sits at the terminal; without one it is no."""
    if not _at_terminal():
        return False
    return typer.confirm(clean(question), err=True)


def _ask_password(question: str) -> str:
    """Asks for a password twice, unseen, until it is the same."""
    given: str = typer.prompt(clean(question), hide_input=True, confirmation_prompt=True, err=True)
    return given


@dataclass(frozen=True)
class Parts:
    """How the commands get their library, assistant and page; a test hands in its own."""

    open_library: Callable[[Any, bool, int], Library] = _open_library
    make_assistant: Callable[[Library, Settings, bool], Assistant] = _make_assistant
    serve: Callable[..., None] = _serve
    serve_api: Callable[..., None] = _serve_api
    serve_mcp: Callable[..., None] = _serve_mcp
    serve_by_many: Callable[..., None] = _serve_by_many
    confirm: Callable[[str], bool] = _confirm
    ask_password: Callable[[str], str] = _ask_password
    at_terminal: Callable[[], bool] = _at_terminal
    is_read: Callable[[], bool] = _is_read


@dataclass(frozen=True)
class Session:
    """One run of one command: the global options and the parts."""

    parts: Parts = field(default_factory=Parts)
    store: str | None = field(default=None, repr=False)
    json: bool = False
    encoder: str | None = None
    """What embeds, in the place of PILCROW_ENCODER."""

    @property
    def settings(self) -> Settings:
        """The settings from the environment."""
        from rag.settings import load_settings

        return load_settings()

    @property
    def language(self) -> str:
        """What a person at the terminal is told in; what programs read stays English.

        Raises:
            InputError: when PILCROW_LANGUAGE names a language that nothing is written in.
        """
        chosen = self.settings.language
        if chosen is None:
            return language_of_terminal(os.environ) if self.parts.is_read() else ENGLISH
        if chosen not in LANGUAGES:
            raise InputError(f"PILCROW_LANGUAGE={chosen!r} is none of {', '.join(LANGUAGES)}")
        return chosen

    @property
    def path(self) -> Place:
        """Where the library lives."""
        from rag.settings import store_path

        return store_path(self.store)

    @property
    def fetcher(self) -> Fetcher:
        """What asks the web for the addresses that somebody typed."""
        from index.sources.fetching import Fetcher

        own = self.settings.own_network
        return Fetcher([own] if own else ())

    def find_encoder(self, name: str) -> Encoder:
        """The encoder that somebody named.

        Raises:
            ModelMissing: when there is none.
        """
        from rag.llm.catalogue.encoders import find_encoder
        from rag.llm.catalogue.folder import ModelFolder, models_folder

        settings = self.settings
        folder = ModelFolder(settings.models or models_folder())
        return find_encoder(name, folder, settings.threads)

    @contextmanager
    def library(self, *, create: bool = False, filled: bool = False) -> Iterator[Library]:
        """The library, closed afterwards.

        Raises LibraryMissing, naming the command that helps, when there is none and `create` is
        off, or when `filled` is asked for and it holds no documents.
        """
        shown = self.store if isinstance(self.path, Path) else self.path
        flag = f" --store {shown}" if shown else ""
        remedy = f"Add your articles with: pilcrow{flag} add ARTICLES"
        try:
            library = self.parts.open_library(self.path, create, self.settings.threads)
        except LibraryMissing:
            raise LibraryMissing(f"there is no library at {self.path} yet. {remedy}") from None
        with closing(library):
            if chosen := self.encoder or self.settings.encoder:
                library.use_encoder(self.find_encoder(chosen))
            if filled and not library.documents():
                raise LibraryMissing(f"the library at {self.path} is empty. {remedy}")
            yield library


StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="FOLDER|postgresql://…",
        help="Where the library lives (else PILCROW_STORE, else index/built/ in a checkout, "
        "else your data folder).",
    ),
]
EncoderOption = Annotated[
    str | None,
    typer.Option(
        "--encoder",
        metavar="NAME|FOLDER",
        help="What embeds: english, a name of `pilcrow model list`, or a sentence-transformers "
        "folder; the library remembers it (PILCROW_ENCODER).",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON value on stdout.")]
ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME|GGUF|openai:MODEL@URL",
        help="What to answer with: a name of `pilcrow model list`, a file, or a model server "
        "(PILCROW_MODEL).",
    ),
]
GpuLayersOption = Annotated[
    int | None,
    typer.Option(
        "--gpu-layers",
        min=0,
        metavar="N",
        help="Layers of the model that run on a GPU; all where llama.cpp was built for one "
        "(PILCROW_GPU_LAYERS).",
    ),
]
NoModelOption = Annotated[
    bool, typer.Option("--no-model", help="Answer with quotes only, without a language model.")
]


def session_of(ctx: typer.Context, store: str | None, as_json: bool) -> Session:
    """The session, with options given after the command taking the place of those before it."""
    session: Session = ctx.obj
    return replace(session, store=store or session.store, json=as_json or session.json)


def settings_of(session: Session, model: str | None, gpu_layers: int | None = None) -> Settings:
    """The settings, with `--model` and `--gpu-layers` taking the place of the environment's."""
    given = {"model": model or None, "gpu_layers": gpu_layers}
    chosen = {name: value for name, value in given.items() if value is not None}
    return session.settings.model_copy(update=chosen)


def show_findings(session: Session, lines: Sequence[CheckLine]) -> None:
    """Show findings, a line each."""
    if session.json:
        print_json([asdict(line) for line in lines])
    else:
        show_lines(lines, open_console())


def print_json(value: Any) -> None:
    """Print one JSON value on stdout."""
    print(to_json(value), flush=True)


def print_line(value: Any) -> None:
    """Print one JSON value on a line of its own on stdout."""
    print(" ".join(to_json(value).split("\n")), flush=True)


def print_text(text: str) -> None:
    """Print lines of text on stdout, unable to steer a terminal."""
    print(harmless(text))


def say(message: str) -> None:
    """Say one line to the person, on stderr."""
    print(clean(message), file=sys.stderr, flush=True)


def read_line(prompt: str) -> str | None:
    """One line from whoever asks; None at the end, or when Ctrl-C is pressed instead."""
    if not sys.stdin.isatty():
        return sys.stdin.readline() or None
    with suppress(ImportError):  # editing and the lines before, where the system has it
        import readline  # noqa: F401
    try:
        return input(prompt)
    except (EOFError, KeyboardInterrupt):
        return None
