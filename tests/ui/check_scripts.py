"""The types of the page's scripts: python -m tests.ui.check_scripts, in `make check`.

Their JSDoc says what every function takes; `page.d.ts` beside them what the page brings along. Deno
carries TypeScript's checker, runs nothing of ours and asks nobody: it may only look at these files.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

ASSETS = Path(__file__).resolve().parents[2] / "ui" / "page" / "assets"


def check(folder: Path) -> tuple[str, int]:
    """What is wrong with the scripts of a folder, in words, and the exit status."""
    with tempfile.TemporaryDirectory() as scratch:
        rules = {
            "checkJs": True, "allowJs": True, "strict": False, "noImplicitAny": True,
            "lib": ["dom", "dom.iterable", "esnext"], "types": [str(ASSETS / "page.d.ts")],
        }  # fmt: skip
        config = Path(scratch, "deno.json")
        config.write_text(json.dumps({"compilerOptions": rules}))
        done = subprocess.run(
            [_program(), "check", "--quiet", "--no-lock", "--no-remote", "--config", str(config)]
            + [str(script) for script in sorted(folder.glob("*.js"))],
            env=os.environ | {"DENO_DIR": scratch, "DENO_NO_UPDATE_CHECK": "1", "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
    return done.stderr.strip(), done.returncode


def _program() -> str:
    """Where its package has put Deno, also where the environment is not the one it is in."""
    files = metadata.files("deno") or []
    return str(next(file.locate() for file in files if file.name in ("deno", "deno.exe")))


def main() -> int:
    """Check the page's scripts, say what is wrong, and return the exit status."""
    wrong, status = check(ASSETS)
    fine = f"scripts: {len(list(ASSETS.glob('*.js')))} files, no type is wrong"
    print(wrong or fine)  # noqa: T201
    return status


if __name__ == "__main__":
    sys.exit(main())
