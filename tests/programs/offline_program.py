"""Adds articles, asks and opens the page: `python -m tests.programs.offline_program DIR`.

Prints one line of JSON about the answer. Whether it reached for anybody is told by
`tests.programs.wiretap`.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

ARTICLES = {
    "cable.html": "<html><head><title>Cut off</title></head><body><article><h1>Cut off</h1><p>The "
    "ship lifted the broken end of the cable from ninety metres of water on Tuesday.</p></article>",
    "bank.txt": "Banks\n\nThe banks on the island closed for nine hours.\n",
}
QUESTION = "From how deep did the ship lift the broken end of the cable?"
ANSWER = "ninety metres"


def put_articles(articles: Path) -> Path:
    """The folder, with articles in it."""
    articles.mkdir()
    for name, text in ARTICLES.items():
        (articles / name).write_text(text)
    return articles


def main(folder: Path) -> None:
    stubs: list[str] = []
    sys.addaudithook(
        lambda event, given: (
            stubs.append(str(given[0]))
            if event == "open" and str(given[0]).endswith(".pyi")
            else None
        )
    )
    from index import Library
    from rag import Assistant
    from ui.page.app import build_app

    articles = put_articles(folder / "articles")
    with Library.open(folder / "library") as library:
        report = library.update([articles])
        assert sorted(report.added) == ["bank.txt", "cable.html"]
        assistant = Assistant(library, model="bundled")
        answer = assistant.answer(QUESTION)
        from starlette.testclient import TestClient

        app = build_app(assistant, library)
        page = TestClient(app, base_url="http://127.0.0.1").get("/").status_code
    told = {
        "state": answer.state,
        "text": answer.text,
        "model": answer.model,
        "notes": answer.notes,
        "page": page,
        "stubs": stubs,
        "environment": {
            name: os.environ.get(name)
            for name in ("HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "GRADIO_ANALYTICS_ENABLED",
                         "ORT_DISABLE_TELEMETRY")
        },
    }  # fmt: skip
    print(json.dumps(told))  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]))
