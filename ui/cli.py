"""The command line, `pilcrow`: data on stdout, messages and progress on stderr.

Exit codes: 0 ok · 1 failed · 2 usage · 3 nothing found · 4 some files failed or are away (listed) ·
75 the library is being written by another process · 130 interrupted.

Heavy imports happen inside the functions that need them, so that `pilcrow --help` is instant.
"""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from index.errors import LibraryMissing, PilcrowError
from index.formats.registry import SUFFIXES_IN_WORDS
from index.system.offline import stay_offline
from index.types import CheckLine, Progress
from ui.terminal import (
    clean,
    harmless,
    harmless_output,
    open_console,
    progress_bar,
    show_answer,
    show_documents,
    show_hits,
    show_lines,
    to_json,
    unreachable_line,
    update_summary,
)

if TYPE_CHECKING:
    from index.library import Library
    from index.types import Receipt, UpdateReport
    from rag.assistant import Assistant
    from rag.settings import Settings

NOTHING_FOUND = 3
SOME_FILES_FAILED = 4
INTERRUPTED = 130

# --- What the commands work with ---------------------------------------------------------------


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
    )


def _serve(assistant: Assistant, library: Library, **options: Any) -> None:
    from ui.page.server import serve

    serve(assistant, library, **options)


def _confirm(question: str) -> bool:
    """Asks whoever sits at the terminal; without one it is no."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    return typer.confirm(clean(question), err=True)


@dataclass(frozen=True)
class Parts:
    """How the commands get their library, assistant and page; a test hands in its own."""

    open_library: Callable[[Path, bool, int], Library] = _open_library
    make_assistant: Callable[[Library, Settings, bool], Assistant] = _make_assistant
    serve: Callable[..., None] = _serve
    confirm: Callable[[str], bool] = _confirm


@dataclass(frozen=True)
class Session:
    """One run of one command: the global options and the parts."""

    parts: Parts = field(default_factory=Parts)
    store: Path | None = None
    json: bool = False

    @property
    def settings(self) -> Settings:
        """The settings from the environment."""
        from rag.settings import load_settings

        return load_settings()

    @property
    def path(self) -> Path:
        """Where the library lives."""
        from rag.settings import store_path

        return store_path(self.store)

    @contextmanager
    def library(self, *, create: bool = False, filled: bool = False) -> Iterator[Library]:
        """The library, closed afterwards.

        Raises LibraryMissing, naming the command that helps, when there is none and `create` is
        off, or when `filled` is asked for and it holds no documents.
        """
        flag = f" --store {self.store}" if self.store else ""
        remedy = f"Add your articles with: pilcrow{flag} add ARTICLES"
        try:
            library = self.parts.open_library(self.path, create, self.settings.threads)
        except LibraryMissing:
            raise LibraryMissing(f"there is no library at {self.path} yet. {remedy}") from None
        with closing(library):
            if filled and not library.documents():
                raise LibraryMissing(f"the library at {self.path} is empty. {remedy}")
            yield library


class _Commands(TyperGroup):
    """Turns what people can act on into one line; bugs keep their traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except PilcrowError as error:
            _say(f"pilcrow: {error}")
            raise typer.Exit(error.exit_code) from error
        except MemoryError:
            _say("pilcrow: there is not enough memory for this. Close other programs, or add less")
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            _say("pilcrow: interrupted")
            raise typer.Exit(INTERRUPTED) from None


app = typer.Typer(
    name="pilcrow",
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

StoreOption = Annotated[
    Path | None,
    typer.Option(
        "--store",
        metavar="PATH",
        help="Where the library lives (else PILCROW_STORE, else index/built/ in a checkout, "
        "else your data folder).",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON value on stdout.")]
ModelOption = Annotated[
    str | None,
    typer.Option("--model", metavar="GGUF", help="A model file to answer with (PILCROW_MODEL)."),
]
NoModelOption = Annotated[
    bool, typer.Option("--no-model", help="Answer with quotes only, without a language model.")
]


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"pilcrow {version('pilcrow')}")
        raise typer.Exit


@app.callback()
def _begin(
    ctx: typer.Context,
    store: StoreOption = None,
    as_json: JsonOption = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Ask your own articles; every statement points at the sentences that support it."""
    ctx.obj = Session(parts=ctx.obj or Parts(), store=store, json=as_json)


def _session(ctx: typer.Context, store: Path | None, as_json: bool) -> Session:
    """The session, with options given after the command taking the place of those before it."""
    session: Session = ctx.obj
    return replace(session, store=store or session.store, json=as_json or session.json)


# --- Articles in, articles out -----------------------------------------------------------------


@app.command(
    help="Add or update articles.\n\n"
    f"Files or whole folders: {SUFFIXES_IN_WORDS}. What you removed stays out of its folder until "
    "you add the file itself."
)
def add(
    ctx: typer.Context,
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", show_default=False)],
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add or update articles."""
    session = _session(ctx, store, as_json)
    with (
        session.library(create=True) as library,
        progress_bar(open_console(stderr=True)) as progress,
    ):
        report = library.update(paths, progress=progress)
    _finish_update(session, report)


@app.command()
def remove(
    ctx: typer.Context,
    documents: Annotated[
        list[str],
        typer.Argument(
            metavar="DOC...", help="Documents as `list` names them.", show_default=False
        ),
    ],
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove documents; your files stay where they are, what you uploaded is deleted."""
    from ui.page import upload_copies

    session = _session(ctx, store, as_json)
    with session.library() as library:
        receipt = library.remove(documents)
        upload_copies.discard(library, [one.path for one in receipt.origins])
    _finish_removal(session, receipt)


@app.command()
def rebuild(
    ctx: typer.Context,
    full: Annotated[bool, typer.Option("--full", help="Embed everything again.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would change; change nothing.")
    ] = False,
    forget: Annotated[
        bool,
        typer.Option("--forget", help="Let go of what went missing in great numbers, unasked."),
    ] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read every added place again.

    Unchanged articles cost nothing; with --full everything is embedded anew. Where more than half
    of a place is missing at once, or a folder is empty, you are asked before it is forgotten.
    """
    session = _session(ctx, store, as_json)
    with session.library() as library:
        with progress_bar(open_console(stderr=True)) as progress:
            report = library.rebuild(full=full, forget=forget, progress=progress, dry_run=dry_run)
        lost = [one for one in report.unreachable if one.lost]
        if lost and not dry_run and not session.json:
            for one in lost:
                _say(f"{one.path}: {one.reason}")
            count = sum(len(one.documents) for one in lost)
            if session.parts.confirm(f"Forget these {count} documents? A disk may be away."):
                report = _joined(report, library.rebuild(forget=True))
    _finish_update(session, report, dry_run=dry_run)


@app.command()
def forget(
    ctx: typer.Context,
    place: Annotated[Path, typer.Argument(metavar="PLACE", show_default=False)],
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Forget a folder or file that was added, and its documents.

    It need not be there any more; your files stay where they are, what you uploaded is deleted.
    """
    from ui.page import upload_copies

    session = _session(ctx, store, as_json)
    with session.library() as library:
        receipt = library.forget(place)
        upload_copies.discard(library, [one.path for one in receipt.origins])
    _finish_removal(session, receipt)
    if not session.json:
        _say(f"forgot {place}; rebuild does not look there any more")


@app.command("list")
def list_documents(
    ctx: typer.Context, store: StoreOption = None, as_json: JsonOption = False
) -> None:
    """List the documents in the library."""
    session = _session(ctx, store, as_json)
    with session.library() as library:
        records, stats, away = library.documents(), library.stats(), library.unreachable()
    if session.json:
        _print_json(
            {
                "documents": [asdict(r) for r in records],
                "unreachable": [asdict(one) for one in away],
                "stats": asdict(stats),
            }
        )
        return
    show_documents(records, open_console())
    for one in away:
        _say(unreachable_line(one))
    _say(
        f"{stats.documents} documents, {stats.passages} passages, "
        f"{stats.sentences} sentences in {session.path}"
    )


# --- Questions ---------------------------------------------------------------------------------


@app.command()
def search(
    ctx: typer.Context,
    query: Annotated[str, typer.Argument(metavar="Q", show_default=False)],
    k: Annotated[int, typer.Option("-k", min=1, max=1000, help="How many passages.")] = 10,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find the passages nearest to a question."""
    session = _session(ctx, store, as_json)
    with session.library(filled=True) as library:
        hits = library.search(query, k=k)
    if session.json:
        _print_json({"query": query, "hits": [asdict(hit) for hit in hits]})
    else:
        show_hits(hits, open_console())
    if not hits:
        _say("nothing found")
        raise typer.Exit(NOTHING_FOUND)


@app.command()
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

    session = _session(ctx, store, as_json)
    checked_question(question)  # a bad question costs nothing, not even opening the library
    with session.library(filled=True) as library:
        assistant = session.parts.make_assistant(library, _settings(session, model), no_model)
        if session.json:
            answer = assistant.answer(question)
            _print_json(answer.to_dict())
        else:
            answer = show_answer(assistant.stream(question), open_console())
    for note in answer.notes:
        _say(note)
    if answer.state == "not_found":
        raise typer.Exit(NOTHING_FOUND)


@app.command()
def chat(
    ctx: typer.Context,
    model: ModelOption = None,
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

    session = _session(ctx, store, False)
    settings = _settings(session, model)
    password = settings.password.get_secret_value() if settings.password else None
    with session.library(create=True) as library:
        if not library.documents():
            _say("the library is empty: add articles on the page, or with `pilcrow add ARTICLES`")
        assistant = session.parts.make_assistant(library, settings, no_model)

        def ready(url: str) -> None:
            _say(f"Pilcrow is at {url} (Ctrl-C stops it)")
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


# --- Care --------------------------------------------------------------------------------------


@app.command()
def check(
    ctx: typer.Context,
    repair: Annotated[bool, typer.Option("--repair", help="Mend what can be mended.")] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check that the library is whole.

    Stored text, offsets, vectors and indexes have to agree; conversations have to be readable.
    """
    from ui.page import salvage

    session = _session(ctx, store, as_json)
    with session.library() as library:
        lines = (*library.check(repair=repair).lines, salvage.check(library.path, repair=repair))
    _show_findings(session, lines)
    if not all(line.ok for line in lines):
        if not repair:
            _say("pilcrow: the library needs care. Try: pilcrow check --repair")
        raise typer.Exit(1)


@app.command("eval")
def evaluate(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE.jsonl", show_default=False)],
    limit: Annotated[int | None, typer.Option(min=1, help="Ask only this many.")] = None,
    far: Annotated[
        int, typer.Option(min=0, help="Ask this many again with their articles hidden.")
    ] = 0,
    retrieval_only: Annotated[
        bool, typer.Option("--retrieval-only", help="Search only, without answering.")
    ] = False,
    against: Annotated[
        Path | None, typer.Option(metavar="REPORT", help="An earlier report, saved with --json.")
    ] = None,
    model: ModelOption = None,
    no_model: NoModelOption = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score the answers to a file of questions."""
    from rag import evaluation
    from ui.report_table import report_lines

    session = _session(ctx, store, as_json)
    questions = evaluation.load_questions(file)
    earlier = evaluation.load_report(against) if against else None
    with session.library(filled=True) as library, progress_bar(open_console(stderr=True)) as draw:
        assistant = None
        if not retrieval_only:
            assistant = session.parts.make_assistant(library, _settings(session, model), no_model)
        report = evaluation.evaluate(
            library,
            assistant,
            questions,
            limit=limit,
            far=far,
            retrieval_only=retrieval_only,
            progress=draw and (lambda done, total: draw(Progress("asking", done, total))),
        )
    comparison = evaluation.compare(report, earlier) if earlier else None
    if session.json:
        _print_json(report.to_dict() | (comparison.to_dict() if comparison else {}))
    else:
        print(harmless("\n".join(report_lines(report, comparison))))


@app.command()
def verify(
    ctx: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="FILE", show_default=False)],
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check an exported answer against the library, without a model.

    FILE is what the chat page exports: .html or .json. Exit code 1 when something does not hold;
    what nobody vouches for is said.
    """
    from rag.grounding import bundle, sealing
    from ui.page.export import looks, read

    session = _session(ctx, store, as_json)
    file = read(path)
    with session.library() as library:
        findings = bundle.check_bundle(file.saved, library, sealing.key_in(library.path))
    findings += looks(file)
    if session.json:
        _print_json([asdict(one) for one in findings])
    else:
        show_lines([CheckLine(one.what, one.ok, one.detail) for one in findings], open_console())
    wrong = sum(not one.ok for one in findings)
    if wrong:
        _say(f"{wrong} of {len(findings)} checks failed")
    elif all(one.vouched for one in findings):
        _say("everything it claims holds")
    else:
        _say(f"what can be checked here holds; nobody vouches for {bundle.UNVOUCHED}")
    if wrong:
        raise typer.Exit(1)


@app.command()
def doctor(ctx: typer.Context, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Check this machine and this installation.

    Each line is ok or says what to do.
    """
    from ui.doctor import examine

    session = _session(ctx, store, as_json)
    lines = examine(session.path, session.settings, session.parts.open_library)
    _show_findings(session, lines)
    if not all(line.ok for line in lines):
        raise typer.Exit(1)


# --- Endings -----------------------------------------------------------------------------------


def _settings(session: Session, model: str | None) -> Settings:
    """The settings, with `--model` taking the place of PILCROW_MODEL."""
    settings = session.settings
    return settings.model_copy(update={"model": model}) if model else settings


def _finish_update(session: Session, report: UpdateReport, *, dry_run: bool = False) -> None:
    """Says what an update did; exit code 4 when some files failed or could not be seen."""
    if session.json:
        _print_json(asdict(report))
    for line in update_summary(report, dry_run=dry_run):
        _say(line)
    if report.failed or report.unreachable:
        raise typer.Exit(SOME_FILES_FAILED)


def _joined(first: UpdateReport, then: UpdateReport) -> UpdateReport:
    """What two updates did, one right after the other: the second only let go of documents."""
    return replace(
        first, removed=(*first.removed, *then.removed), unreachable=then.unreachable,
        failed=then.failed, change=then.change,
    )  # fmt: skip


def _finish_removal(session: Session, receipt: Receipt) -> None:
    """Says what a removal took out."""
    if session.json:
        _print_json(asdict(receipt))
        return
    for document in receipt.documents:
        _say(f"removed {document}")
    _say(
        f"with {receipt.passages} passages, {receipt.sentences} sentences and "
        f"{receipt.vectors} vectors; {receipt.left} of them are left"
    )


def _show_findings(session: Session, lines: Sequence[CheckLine]) -> None:
    if session.json:
        _print_json([asdict(line) for line in lines])
    else:
        show_lines(lines, open_console())


def _print_json(value: Any) -> None:
    print(to_json(value), flush=True)


def _say(message: str) -> None:
    """One line for the person, on stderr."""
    print(clean(message), file=sys.stderr, flush=True)


def main() -> None:
    """The console script."""
    stay_offline()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a Latin-1 terminal shows ? instead of failing
    app(prog_name="pilcrow")


if __name__ == "__main__":
    main()
