"""Writes `.ci/requirements/`: `make lock`, or python -m tests.programs.lock [--upgrade].

uv finds one version of every part that fits the ranges of pyproject.toml on every system and Python
we install on, with the hashes of all its files; here that is divided by the step of the set-up that
installs it. What is locked already stays as long as it fits; `--upgrade` takes the newest. No index
is named: the files come from wherever the machine's pip looks, and have to be these. The extras are
resolved afterwards: a framework of others gets what fits beside Pilcrow, and never has a say in it.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".ci" / "requirements"
STEPS = {
    "build": "what installs and compiles the rest",
    "llama": "compiled here, since it comes as source",
    "cpu": "PyTorch's own build for the CPU, a tenth as large; taken where pip is offered it",
    "run": "what Pilcrow runs on",
    "cuda": "what torch needs besides where it was built for CUDA",
    "dev": "what tests and checks need beside these",
    "extras": "what the extras of pyproject.toml but `model` need beside these, for their tests",
}

# A machine may offer, beside what every index has, what PyTorch builds for the CPU. The index hands
# out no list of these files, so their checksums stand here; another version of torch needs others.
_CPU_BUILDS = {
    "torch==2.13.0+cpu": ("6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b",),
}
_EVERYWHERE = (
    " ; python_full_version < '3.15' and (sys_platform == 'darwin' or sys_platform == 'linux')"
)
_PARENT = re.compile(r"#(?: via)? +(\S+(?: \(\S+\))?)$", re.MULTILINE)
_HASH = re.compile(r"--hash=(sha256:[0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Locked:
    """One version of one part."""

    pin: str
    """`numpy==2.4.6 ; python_full_version < '3.12'`, as pip reads it."""
    hashes: tuple[str, ...]
    wanted_by: tuple[str, ...] = ()
    """Names of parts, or `pilcrow-rag (pyproject.toml:GROUP)`."""

    @property
    def name(self) -> str:
        """Its normalised name."""
        return self.pin.partition("==")[0]

    def __str__(self) -> str:
        return " \\\n    --hash=".join([self.pin, *self.hashes])


def parse(text: str) -> list[Locked]:
    """The parts of a file that uv or `divide` wrote."""
    blocks = re.split(r"\n(?=[a-z0-9])", re.sub(r"\A(?:#.*\n)*", "", text))
    return [
        Locked(
            block.splitlines()[0].removesuffix("\\").rstrip(),
            tuple(_HASH.findall(block)),
            tuple(_PARENT.findall(block)),
        )
        for block in blocks
        if "==" in block
    ]


def divide(parts: list[Locked]) -> dict[str, list[Locked]]:
    """The parts by step, each in the first that needs it."""
    build, run = _needed(parts, ":build"), _needed(parts, "")
    divided: dict[str, list[Locked]] = {step: [] for step in STEPS if step != "extras"}
    for part in parts:
        if part.name in build:
            step = "build"
        elif part.name == "llama-cpp-python":
            step = "llama"
        elif part.name.startswith(("nvidia-", "cuda-")) or part.name == "triton":
            step = "cuda"
        else:
            step = "run" if part.name in run else "dev"
        divided[step].append(replace(part, pin=part.pin.removesuffix(_EVERYWHERE)))
    pins = {part.pin for part in divided["run"]}
    for pin, hashes in _CPU_BUILDS.items():
        if pin.partition("+")[0] not in pins:
            raise SystemExit(
                f"tests/programs/lock.py has the checksum of {pin}, which fits the lock no more"
            )
        divided["cpu"].append(Locked(pin, tuple(f"sha256:{hash}" for hash in hashes)))
    return divided


def _needed(parts: list[Locked], group: str) -> set[str]:
    """The names of what a group of pyproject.toml asks for, and of what these ask for in turn."""
    wanted = {f"pilcrow-rag (pyproject.toml{group})"}
    while more := {p.name for p in parts if wanted & set(p.wanted_by)} - wanted:
        wanted |= more
    return wanted


def project_of_extras(manifest: Mapping[str, Any]) -> str:
    """A pyproject.toml that needs what all extras but `model`, and their tests, need."""
    extras = manifest["project"]["optional-dependencies"]
    wanted = [one for name, parts in extras.items() if name != "model" for one in parts]
    wanted += manifest.get("dependency-groups", {}).get("extras", [])
    return (
        '[project]\nname = "pilcrow-rag"\nversion = "0"\n'
        f"requires-python = {json.dumps(manifest['project']['requires-python'])}\n"
        f"dependencies = {json.dumps(wanted)}\n"
        f"[tool.uv]\nenvironments = {json.dumps(manifest['tool']['uv']['environments'])}\n"
    )


def beside(parts: Iterable[Locked], held: Iterable[Locked]) -> list[Locked]:
    """The parts that are not held already."""
    names = {part.name for part in held}
    return [
        replace(part, pin=part.pin.removesuffix(_EVERYWHERE))
        for part in parts
        if part.name not in names
    ]


def _resolve(folder: Path, found: Path, *options: str) -> list[Locked]:
    """All that the pyproject.toml of a folder needs, as uv writes it to `found`."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", "--quiet"]
    command += ["--universal", "--generate-hashes", "--no-header", "--output-file", str(found)]
    subprocess.run([*command, *options], cwd=folder, check=True)
    return parse(found.read_text(encoding="utf-8"))


def main(*options: str) -> None:
    """Resolve and write."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found, extras = folder / "all.txt", folder / "extras.txt"
        if "--upgrade" not in options:  # uv keeps what the file it writes over holds
            before = [path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.txt"))]
            found.write_text("\n".join(before), encoding="utf-8")
            extras.write_text("\n".join(before), encoding="utf-8")
        wanted = ["--extra", "model", "--group", "build", "--group", "dev"]
        parts = _resolve(ROOT, found, *wanted, *options)
        manifest = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        text = project_of_extras(manifest)
        (folder / "pyproject.toml").write_text(text, encoding="utf-8")
        more = _resolve(folder, extras, "--constraints", str(found), *options)
    divided = divide(parts) | {"extras": beside(more, parts)}
    FOLDER.mkdir(exist_ok=True)
    for step, locked in divided.items():
        head = f"# Written by `make lock`, do not edit: {STEPS[step]}.\n\n"
        text = head + "".join(f"{part}\n" for part in locked)
        path = FOLDER / f"{step}.txt"
        if not path.exists() or path.read_text(encoding="utf-8") != text:  # make goes by the time
            path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
