"""Known weaknesses of the installed parts: python -m tests.programs.audit, in `make check`.

pip-audit asks a service on the network. A weakness fails the check; that the service cannot be
reached is said in one line and fails nothing. pip-audit itself ends with "none found" when a mirror
between here and the service knows no part at all, so what was really looked at is counted here.
"""

from __future__ import annotations

import json
import subprocess
import sys

_SECONDS = 300  # for the whole of it; unreachable services are noticed much sooner


def verdict(reply: str) -> tuple[str, int]:
    """What pip-audit's JSON says, in words, and the exit status: 1 when a weakness is known."""
    try:
        parts = json.loads(reply)["dependencies"]
        looked_at = [part for part in parts if "vulns" in part]
    except (ValueError, KeyError, TypeError):
        looked_at = []
    if not looked_at:
        return "audit: no advisory service can be reached, so nothing was looked up", 0
    found = [
        f"audit: {part['name']} {part['version']}: {one['id']}"
        f" (mended in {', '.join(one['fix_versions']) or 'no version yet'})"
        for part in looked_at
        for one in part["vulns"]
    ]
    if found:
        return "\n".join(found), 1
    return f"audit: no weakness is known in {len(looked_at)} installed parts", 0


def main() -> int:
    """Ask, say what came of it, and return the exit status."""
    asking = [sys.executable, "-m", "pip_audit", "--local", "--progress-spinner", "off"]
    asking += ["--format", "json"]
    try:
        reply = subprocess.run(asking, capture_output=True, text=True, timeout=_SECONDS).stdout
    except subprocess.TimeoutExpired:
        reply = ""
    words, status = verdict(reply)
    print(words)  # noqa: T201
    return status


if __name__ == "__main__":
    raise SystemExit(main())
