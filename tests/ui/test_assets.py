"""The page's scripts and style sheets, looked at as files."""

from __future__ import annotations

import re
from pathlib import Path

from tests.ui import check_scripts

ASSETS = check_scripts.ASSETS
PAGE = ASSETS.parent
GRADIO = {"contain", "gradio-container", "html-container", "lg", "main", "toast-wrap"}
"""Classes of Gradio's that we have to name, beside its `block`, `column` and `upload-container`."""


def read(paths: list[Path]) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


STYLES = read(sorted(ASSETS.glob("*.css")))


def test_a_wrong_type_in_a_script_is_found(tmp_path: Path) -> None:
    (tmp_path / "wrong.js").write_text(
        "/** @param {string} id */\nexport const byId = (id) => document.getElementById(id);\n"
        'byId("x").focus();\nbyId(3);\n'
    )
    said, status = check_scripts.check(tmp_path)
    assert status == 1
    assert "wrong.js:4" in said and "wrong.js:3" not in said


def test_the_style_sheets_stay_small_and_overrule_little() -> None:
    assert len(STYLES.splitlines()) < 1200
    assert STYLES.count("!important") <= 14


def test_every_class_and_id_that_is_styled_is_drawn() -> None:
    drawn = read([*PAGE.rglob("*.html"), *PAGE.rglob("*.py"), *ASSETS.glob("*.js")])
    plain = re.sub(r"/\*.*?\*/", "", STYLES, flags=re.DOTALL)
    selectors = re.sub(r"\{[^{}]*\}|[\w-]+: [^;{}]*;", "{", plain)
    named = set(re.findall(r"[.#]([a-z][\w-]*)", selectors))
    assert len(named) > 150
    unused = {name for name in named if not re.search(rf"(?<![\w-]){name}(?![\w-])", drawn)}
    assert unused <= GRADIO | {"block", "column", "upload-container"}
