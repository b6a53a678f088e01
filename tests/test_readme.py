"""What the documents show is so: code is run, commands, options, paths and folders are there.

Code is run with a fake encoder and without a language model: what is wanted from it here is that it
runs to its end, not what the models are worth. Only these two are put in; the rest is as printed.
"""

from __future__ import annotations

import ast
import importlib
import re
import shlex
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

import seeds
from index import Library
from rag import Assistant
from tests.index.formats.test_documents import PAGES, pdf
from tests.support.fakes import BagOfWordsEncoder
from ui.cli import app

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TOPS = ("rag", "index", "ui", "seeds", "tests")
PAPERS = [
    *sorted(set(ROOT.glob("*.md")) - {ROOT / "CHANGELOG.md"}),  # that is history
    *(path for top in TOPS for path in sorted((ROOT / top).rglob("README.md"))),
    ROOT / "rag/reader/MODEL_CARD.md",
    ROOT / "tests/benchmarks/RESULTS.md",
]
PACKAGES = sorted(
    ".".join(path.parent.relative_to(ROOT).parts)
    for top in ("rag", "index")
    for path in (ROOT / top).rglob("__init__.py")
)
MADE_LATER = {"index/built/"}
LEFT_BY_TOOLS = {"__pycache__", "built", "build", "dist"}
FORUM = """Nine days in Kyoto

By Ann Berg
Published: 14 October 2023

KYOTO - The governor of Kyoto opened the forum on Monday, 9 October 2023. More than nine thousand
people came to the halls by the river, and people from 178 countries took part.

The next forum is to be held in Riyadh. Nobody has said who will pay for it.
"""


# ---------------------------------------------------------------- code


def code_of(docstring: str) -> str:
    """The indented lines of a docstring, when they are Python."""
    lines = [line for line in docstring.splitlines() if not line or line.startswith("    ")]
    code = "\n".join(line[4:] for line in lines).strip("\n")
    try:
        ast.parse(code)
    except SyntaxError:
        return ""
    return code


EXAMPLES = {
    "README.md": "".join(re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL))
} | {
    name: code
    for name in PACKAGES
    if (code := code_of(importlib.import_module(name).__doc__ or ""))
}


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """What an example may take for granted: articles, a paper, a library, an assistant."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(seeds.articles(), "articles")
    Path("articles/forum.txt").write_text(FORUM, encoding="utf-8")
    Path("paper.pdf").write_bytes(pdf(*PAGES))
    questions = seeds.questions().read_text(encoding="utf-8").splitlines(keepends=True)
    Path("questions.jsonl").write_text("".join(questions[::8]), encoding="utf-8")
    encoder = BagOfWordsEncoder()
    library = Library.open("library", encoder=encoder)
    library.update(["articles/"])
    assistant = Assistant(library, None, reader="none")
    names = {"encoder": encoder, "library": library, "answer": assistant.answer}
    for module in ("index", "rag", "rag.evaluation"):
        public = importlib.import_module(module)
        names |= {name: getattr(public, name) for name in public.__all__ if name != "answer"}
    yield names
    library.close()


def with_fakes(code: str) -> str:
    """The same code, its encoder and language model put in by hand."""
    code = re.sub(r"\bLibrary\.open\(([^()]+)\)", r"Library.open(\1, encoder=encoder)", code)
    code = re.sub(r"\bAssistant\((\w+)\)", r'Assistant(\1, None, reader="none")', code)
    return re.sub(r"^from rag import answer$", "", code, flags=re.MULTILINE)


def test_the_examples_are_found() -> None:
    assert {"README.md", "rag", "rag.evaluation"} <= EXAMPLES.keys()
    assert all(code.strip() for code in EXAMPLES.values())


@pytest.mark.parametrize("package", sorted(EXAMPLES.keys() - {"README.md"}))
def test_a_packages_example_runs_to_its_end(package: str, names: dict[str, Any]) -> None:
    exec(compile(with_fakes(EXAMPLES[package]), package, "exec"), names)


def test_the_readme_promises_what_happens(names: dict[str, Any]) -> None:
    exec(compile(with_fakes(EXAMPLES["README.md"]), "README.md", "exec"), names)
    assert len(names["report"].added) == 16
    assert names["result"].state == "answered"
    assert "[1]" in names["result"].text
    assert names["result"].citations
    assert "governor of Kyoto" in names["result"].citations[0].quote
    assert names["receipt"].left == 0
    assert names["snapshot"].complete
    assert any(document.title for document in names["library"].documents())
    names["library"].close()


@pytest.mark.model
def test_the_shortest_example_runs_with_the_default_models(
    names: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Library.open("default").update(["articles/forum.txt"])
    monkeypatch.setenv("PILCROW_STORE", "default")
    exec(compile(EXAMPLES["rag"], "rag", "exec"), {})
    assert "governor of Kyoto opened the forum" in capsys.readouterr().out


# ---------------------------------------------------------------- commands


def shown(text: str) -> str:
    """What a document shows as code: fenced and indented blocks, and what stands in backticks."""
    fenced = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    indented = re.findall(r"^ {4}\S.*$", prose, re.MULTILINE)
    inline = [" ".join(one.split()) for one in re.findall(r"`([^`]+)`", prose)]
    return "\n".join([*fenced, *indented, *inline])


def commands(name: str, text: str) -> list[list[str]]:
    """The words after `name` wherever a line of code calls it, without its comment."""
    lines = re.findall(rf"^\s*(?:\$ )?(?:[A-Z_]+=\S* )*{name} (.*)$", shown(text), re.MULTILINE)
    return [shlex.split(line.replace("…", " "), comments=True) for line in lines]


@pytest.mark.parametrize("path", PAPERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_and_option_exists(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    root = typer.main.get_command(app)
    assert isinstance(root, TyperGroup)
    for words in commands("pilcrow", text):
        known = {option for param in root.params for option in param.opts}
        while words and words[0].startswith("--"):  # before the command; all of ours take a value
            assert words[0] in known, words
            words = words[2:]
        if not words:
            continue
        command = root.commands.get(words[0])
        assert command is not None, f"{path.name} shows pilcrow {words[0]}"
        if isinstance(command, TyperGroup) and words[1:2] and words[1] in command.commands:
            command = command.commands[words[1]]
        known |= {option for param in command.params for option in param.opts}
        wrong = [word for word in words[1:] if word.startswith("-") and word not in known]
        assert not wrong, f"{path.name} shows pilcrow {words[0]} {wrong}"
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for words in commands("make", text):
        assert words[0] in targets, f"{path.name} shows make {words[0]}"
    for module in re.findall(r"python -m (\w+(?:\.\w+)*)", text):
        if module.split(".")[0] in ("rag", "index", "ui", "seeds", "tests"):
            assert ROOT.joinpath(*module.split(".")).with_suffix(".py").is_file(), module


def test_the_readme_shows_every_command() -> None:
    root = typer.main.get_command(app)
    assert isinstance(root, TyperGroup)
    assert root.commands.keys() <= {words[0] for words in commands("pilcrow", README)}


def test_help_names_every_target_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    named = re.findall(r'@echo "make ([\w-]+) ', makefile)
    assert sorted(named) == sorted(set(phony.split()) - {"help"})


# ---------------------------------------------------------------- paths


@pytest.mark.parametrize("path", PAPERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_path_exists(path: Path) -> None:
    """In the repository, or below the document's own folder: `views/html.py` in ui/README.md."""
    text = path.read_text(encoding="utf-8")
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    named = re.findall(r"`((?:\.?\w[\w.-]*/)+(?:\w[\w.-]*)?)`", prose)
    named += re.findall(r"\]\((?!https?:)([^)#]+)\)", prose)
    below = {f"/{one.relative_to(path.parent)}" for one in tracked(path.parent)}
    for one in {*named} - MADE_LATER:
        inside = any(there.endswith("/" + one.rstrip("/")) for there in below)
        assert inside or (ROOT / one).exists(), f"{path.name} names {one}"


def test_the_tree_names_every_room_and_no_other() -> None:
    (tree,) = re.findall(r"^```\n(ui/ .*?)^```", README, re.MULTILINE | re.DOTALL)
    top, rooms = "", set()
    for line in tree.splitlines():
        inner = line.startswith(" ")
        if not inner:
            top = line.split("/")[0]
            rooms.add(top)
        rooms |= {f"{top}/{one}" for one in re.findall(r"(?<![/\w])(\w+)/", line) if one != top}
    for inner, room in {
        "ui/views": "ui/page/views",
        "ui/export": "ui/page/export",
        "ui/middleware": "ui/page/middleware",
        "ui/accounts": "ui/http/accounts",
        "rag/catalogue": "rag/llm/catalogue",
        "rag/weights": "rag/llm/weights",
        "rag/verification": "rag/grounding/verification",
        "rag/wording": "rag/replies/wording",
        "rag/extractive": "rag/replies/extractive",
        **{
            f"index/{room}": f"index/formats/{room}"
            for room in ("pdf", "office", "web", "plain", "pictures")
        },
        "index/sqlite": "index/storage/sqlite",
        "index/postgres": "index/storage/postgres",
    }.items():
        rooms = {room if one == inner else one for one in rooms}
    assert not [room for room in rooms if not (ROOT / room).is_dir()]
    folders = {
        str(path.parent.relative_to(ROOT))
        for top in ("ui", "rag", "index", "seeds")
        for path in (ROOT / top).rglob("__init__.py")
    }
    assert folders <= rooms, "a folder that README's tree does not name"


# ---------------------------------------------------------------- sizes


def tracked(folder: Path) -> Iterator[Path]:
    """Files and folders below, without what tools and libraries leave there."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.suffix == ".egg-info" or path.name in LEFT_BY_TOOLS:
            continue
        yield path
        if path.is_dir():
            yield from tracked(path)


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 130


def test_no_folder_holds_more_than_a_person_takes_in() -> None:
    """At most sixteen entries beside the folder's own README."""
    entries = Counter(path.parent for path in tracked(ROOT) if path.name != "README.md")
    for folder, count in entries.items():
        assert count <= 16, f"{folder.relative_to(ROOT)} holds {count}"
