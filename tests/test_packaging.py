"""The wheel holds what it must, nothing built, and works far away from the checkout."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
PACKAGES = ("rag", "index", "ui", "seeds")
HEAVY = ("torch", "gradio", "llama_cpp", "sentence_transformers", "transformers", "faiss")


def run_python(*arguments: str, cwd: Path, path: Path | None = None) -> str:
    """What a fresh interpreter prints in `cwd`, with only `path` added to where it imports from."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PILCROW_"))}
    if path:
        environment["PYTHONPATH"] = str(path)
    done = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this checkout without the network."""
    folder = tmp_path_factory.mktemp("wheel")
    run_python("-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), cwd=CHECKOUT)
    (built,) = folder.glob("pilcrow_rag-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the wheel is installed into; its dependencies come from this environment."""
    target = tmp_path_factory.mktemp("installed")
    options = ("--quiet", "--no-deps", "--no-index", "--disable-pip-version-check")
    run_python(
        "-m", "pip", "install", *options, "--target", str(target), str(wheel), cwd=wheel.parent
    )
    return target


def test_the_wheel_holds_the_four_packages_whole(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    ours = {
        file.relative_to(CHECKOUT).as_posix()
        for package in PACKAGES
        for file in (CHECKOUT / package).rglob("*")
        if file.is_file()
        and not {"__pycache__", "built", "screenshots"} & set(file.parts)
        and (CHECKOUT / "rag" / "training") not in file.parents
    }
    assert {f"{package}/py.typed" for package in PACKAGES} <= ours
    assert "seeds/questions.jsonl" in ours
    assert any(name.startswith("seeds/articles/") for name in ours)
    assert ours <= names


def test_the_wheel_holds_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {*PACKAGES, "pilcrow_rag"}
    left_out = ("index/built", "rag/training", "ui/screenshots")
    assert not [name for name in names if name.startswith(left_out) or "__pycache__" in name]


def test_the_wheel_names_its_licence_and_command(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (entry_points,) = (n for n in names if n.endswith(".dist-info/entry_points.txt"))
        (licence,) = (n for n in names if n.endswith("/licenses/LICENSE"))
        assert "pilcrow = ui.cli:main" in archive.read(entry_points).decode()
        assert "Apache License" in archive.read(licence).decode()


def test_built_libraries_are_left_out_even_when_git_would_let_them_in() -> None:
    manifest = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "/index/built" in manifest["tool"]["hatch"]["build"]["exclude"]


def test_the_installed_packages_work_from_an_unrelated_folder(
    installed: Path, tmp_path: Path
) -> None:
    code = f"import {', '.join(PACKAGES)}; print(rag.__file__, seeds.__file__)"
    places = run_python("-c", code, cwd=tmp_path, path=installed).split()
    assert all(Path(place).is_relative_to(installed) for place in places)


def test_the_console_script_runs_from_an_unrelated_folder(installed: Path, tmp_path: Path) -> None:
    script = str(installed / "bin" / "pilcrow")
    assert "Usage: pilcrow" in run_python(script, "--help", cwd=tmp_path, path=installed)
    assert run_python(script, "--version", cwd=tmp_path, path=installed).startswith("pilcrow ")


def test_an_installed_package_keeps_its_library_out_of_itself(
    installed: Path, tmp_path: Path
) -> None:
    code = "from rag.settings import store_path; print(store_path())"
    place = Path(run_python("-c", code, cwd=tmp_path, path=installed).strip())
    assert not place.is_relative_to(installed)
    assert not place.is_relative_to(CHECKOUT)


def test_no_other_package_uses_our_four_names(installed: Path, tmp_path: Path) -> None:
    code = (
        "import json; from importlib.metadata import packages_distributions as named; "
        f"print(json.dumps({{name: sorted(set(named()[name])) for name in {PACKAGES!r}}}))"
    )
    owners = json.loads(run_python("-c", code, cwd=tmp_path, path=installed))
    assert owners == {name: ["pilcrow-rag"] for name in PACKAGES}


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("import rag, index, ui, seeds", id="packages"),
        pytest.param("import ui.cli; ui.cli.app(['--help'], standalone_mode=False)", id="help"),
    ],
)
def test_importing_and_help_load_nothing_heavy(code: str) -> None:
    after = f"import sys; print('loaded:', sorted(set({HEAVY!r}) & set(sys.modules)))"
    printed = run_python("-c", f"{code}\n{after}", cwd=CHECKOUT)
    assert printed.splitlines()[-1] == "loaded: []"


def test_help_does_not_wait_for_what_answers() -> None:
    code = "import ui.cli; ui.cli.app(['--help'], standalone_mode=False); import sys; "
    printed = run_python("-c", f"{code}print('rag' in sys.modules)", cwd=CHECKOUT)
    assert printed.splitlines()[-1] == "False"


def test_the_engine_of_the_language_model_is_an_extra(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        metadata = archive.read(name).decode()
    assert "\nName: pilcrow-rag\n" in metadata
    wanted = [
        line for line in metadata.splitlines() if re.match("Requires-Dist: ll(?:ama|m)-", line)
    ]
    # the weights' package asks for the engine, and for llm itself
    assert len(wanted) == 3
    assert all("extra == " in line for line in wanted)


def test_without_the_engine_answers_are_quotes_and_say_how_to_get_it(
    installed: Path, tmp_path: Path
) -> None:
    code = (
        "import sys; sys.modules['llama_cpp'] = None\n"
        "from importlib import util; found = util.find_spec\n"
        "util.find_spec = lambda name: None if name == 'llama_cpp' else found(name)\n"
        "from rag.llm.client import default_choice; made = default_choice(None, 1)\n"
        "print(made.generator, made.missing)"
    )
    printed = run_python("-c", code, cwd=tmp_path, path=installed)
    assert printed.startswith("None ") and "pip install pilcrow-rag[model]" in printed


def test_nobody_is_told_to_install_another_project() -> None:
    papers = [*CHECKOUT.glob("*.md"), *(p for top in PACKAGES for p in (CHECKOUT / top).rglob("*"))]
    said = [
        path
        for path in papers
        if path.suffix in (".py", ".md", ".html", ".js")
        and re.search(r"(?:pip|uv tool|pipx) install (?:-\S+ )*pilcrow(?!-rag)", path.read_text())
    ]
    assert not said
