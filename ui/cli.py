"""The command line, `pilcrow`: data on stdout, messages and progress on stderr.

Exit codes: 0 ok · 1 failed · 2 usage · 3 nothing found · 4 some files failed or are away (listed) ·
69 the server of the library does not answer ·
75 the library is being written by another process · 130 interrupted.

The commands are in `ui.commands`. Heavy imports happen inside the functions that need them, so that
`pilcrow --help` is instant.
"""

from __future__ import annotations

import io
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from index.errors import PilcrowError
from index.system.offline import stay_offline
from ui.commands import accounts, articles, care, model, questions, serving
from ui.commands.session import JsonOption, Parts, Session, StoreOption, say

INTERRUPTED = 130


class _Commands(TyperGroup):
    """Turns what people can act on into one line; bugs keep their traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except PilcrowError as error:
            say(f"pilcrow: {error}")
            raise typer.Exit(error.exit_code) from error
        except MemoryError:
            say("pilcrow: there is not enough memory for this. Close other programs, or add less")
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            say("pilcrow: interrupted")
            raise typer.Exit(INTERRUPTED) from None


app = typer.Typer(
    name="pilcrow",
    cls=_Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from rag.settings import installed_version

        typer.echo(f"pilcrow {installed_version()}")
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


# in the order of the help
app.command(help=articles.ADD_HELP)(articles.add)
app.command("import")(articles.import_)
app.command()(articles.watch)
app.command()(articles.remove)
app.command()(articles.rebuild)
app.command()(articles.forget)
app.command("list")(articles.list_documents)
app.command()(questions.search)
app.command()(questions.ask)
app.command()(serving.chat)
app.command()(serving.serve)
app.command()(serving.mcp)
app.command()(questions.schema)
app.command()(care.check)
app.command("eval")(care.evaluate)
app.command()(care.verify)
app.command()(care.doctor)
app.add_typer(model.app, name="model")
app.add_typer(accounts.app, name="accounts")


def main() -> None:
    """The console script."""
    stay_offline()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a Latin-1 terminal shows ? instead of failing
    app(prog_name="pilcrow")


if __name__ == "__main__":
    main()
