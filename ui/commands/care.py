"""Care: `check` and `doctor` for library and machine, `eval` and `verify` for answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from index.types import CheckLine, Progress
from ui.commands.session import (
    GpuLayersOption,
    JsonOption,
    ModelOption,
    NoModelOption,
    Session,
    StoreOption,
    print_json,
    print_text,
    say,
    session_of,
    settings_of,
    show_findings,
)
from ui.terminal import open_console, progress_bar, show_lines

if TYPE_CHECKING:
    from rag.evaluation import Question, Report
    from rag.settings import Settings


class ExportFormat(StrEnum):
    """What `eval --export` writes."""

    trec = "trec"
    ragas = "ragas"


def check(
    ctx: typer.Context,
    repair: Annotated[bool, typer.Option("--repair", help="Mend what can be mended.")] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check that the library is whole.

    Stored text, offsets, vectors and indexes have to agree; conversations have to be readable.
    """
    from ui.commands import salvage

    session = session_of(ctx, store, as_json)
    with session.library() as library:
        lines = library.check(repair=repair).lines
        if isinstance(library.place, Path):  # else the server minds them
            lines = (*lines, salvage.check(library.place, repair=repair))
    show_findings(session, lines)
    if not all(line.ok for line in lines):
        if not repair:
            say("pilcrow: the library needs care. Try: pilcrow check --repair")
        raise typer.Exit(1)


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
    export: Annotated[
        ExportFormat | None,
        typer.Option("--export", help="Write what other tools score, instead of a report."),
    ] = None,
    to: Annotated[
        Path, typer.Option("--to", metavar="FOLDER", help="Where --export writes.")
    ] = Path(),
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE", help="Draw risk, calibration and time (.png .svg)."),
    ] = None,
    model: ModelOption = None,
    gpu_layers: GpuLayersOption = None,
    no_model: NoModelOption = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score the answers to a file of questions.

    With --export trec a run and its judgements are written, with ragas a line for each question.
    """
    from rag import evaluation
    from ui.commands import plots

    session = session_of(ctx, store, as_json)
    questions = evaluation.load_questions(file)
    settings = settings_of(session, model, gpu_layers)
    if export:
        _export(session, settings, no_model, questions[:limit], export, to, file.stem)
        return
    if plot:
        plots.check_target(plot)
    earlier = evaluation.load_report(against) if against else None
    with session.library(filled=True) as library, progress_bar(open_console(stderr=True)) as draw:
        assistant = None
        if not retrieval_only:
            assistant = session.parts.make_assistant(library, settings, no_model)
        report = evaluation.evaluate(
            library,
            assistant,
            questions,
            limit=limit,
            far=far,
            retrieval_only=retrieval_only,
            progress=draw and (lambda done, total: draw(Progress("asking", done, total))),
        )
    _show_report(session, report, earlier, plot)


def _show_report(
    session: Session, report: Report, earlier: Report | None, plot: Path | None
) -> None:
    """Prints a report beside an earlier one, and draws it into a file."""
    from rag import evaluation
    from ui.commands import plots
    from ui.commands.report_table import report_lines

    comparison = evaluation.compare(report, earlier) if earlier else None
    if plot:
        plots.draw_report(report, plot)
    if session.json:
        print_json(report.to_dict() | (comparison.to_dict() if comparison else {}))
    else:
        tables = plots.tables(report) if plot else []
        print_text("\n".join(report_lines(report, comparison) + tables))


def _export(
    session: Session,
    settings: Settings,
    no_model: bool,
    questions: Sequence[Question],
    form: ExportFormat,
    folder: Path,
    stem: str,
) -> None:
    """Writes the questions' answers for other tools."""
    from rag.evaluation.export import export_ragas, export_trec

    with session.library(filled=True) as library, progress_bar(open_console(stderr=True)) as draw:

        def told(done: int, total: int) -> None:
            if draw:
                draw(Progress("asking", done, total))

        written: list[Path] = []
        if form is ExportFormat.trec:
            written += export_trec(library, questions, folder, stem, told)
        else:
            assistant = session.parts.make_assistant(library, settings, no_model)
            written.append(export_ragas(library, assistant, questions, folder, stem, told))
    if session.json:
        print_json({"written": [str(path) for path in written]})
    for path in written:
        say(f"wrote {path}")


def verify(
    ctx: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="FILE", show_default=False)],
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check an exported answer against the library, without a model.

    FILE is what the chat page exports: .html, .docx, .md or .json. Exit code 1 when something does
    not hold; what nobody vouches for is said.
    """
    from rag.grounding import bundle, sealing
    from ui.page.export import looks, read

    session = session_of(ctx, store, as_json)
    file = read(path)
    with session.library() as library:
        findings = bundle.check_bundle(file.saved, library, sealing.key_of(library))
    findings += looks(file)
    if session.json:
        print_json([asdict(finding) for finding in findings])
    else:
        show_lines(
            [CheckLine(finding.what, finding.ok, finding.detail) for finding in findings],
            open_console(),
        )
    wrong = sum(not finding.ok for finding in findings)
    if wrong:
        say(f"{wrong} of {len(findings)} checks failed")
    elif all(finding.vouched for finding in findings):
        say("everything it claims holds")
    else:
        say(f"what can be checked here holds; nobody vouches for {bundle.UNVOUCHED}")
    if wrong:
        raise typer.Exit(1)


def doctor(ctx: typer.Context, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Check this machine and this installation.

    Each line is ok or says what to do.
    """
    from ui.doctor import examine

    session = session_of(ctx, store, as_json)
    lines = examine(session.path, session.settings, session.parts.open_library)
    show_findings(session, lines)
    if not all(line.ok for line in lines):
        raise typer.Exit(1)
