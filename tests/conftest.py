"""What every test shares: no network but this machine, no deadlines on a busy one."""

from __future__ import annotations

import ast
import gc
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

# Speed is measured by the benchmark; a slow moment of the machine is not a failure.
settings.register_profile("pilcrow", deadline=None)
settings.load_profile("pilcrow")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests in the browser come last: its driver's event loop stays, and keeps others out."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


@pytest.fixture(autouse=True)
def _folder_for_uploads() -> Iterator[None]:
    """Gradio reads it from the environment, where the page that was built last has put it."""
    before = os.environ.get("GRADIO_TEMP_DIR")
    yield
    if before is None:
        os.environ.pop("GRADIO_TEMP_DIR", None)
    else:
        os.environ["GRADIO_TEMP_DIR"] = before


@pytest.fixture(scope="session", autouse=True)
def _no_fetched_models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What a person has fetched and made the default is nobody's default in a test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PILCROW_MODELS", str(tmp_path_factory.mktemp("models")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_recognised_text() -> Iterator[None]:
    """Recognition takes seconds a page; tests that want it say so, and bring a quick one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PILCROW_OCR", "none")
        yield


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> None:
    """Programs that tests start can be interrupted, though a suite in the background cannot."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _one_syntax_tree_at_a_time() -> Iterator[None]:
    """Lets one thread at a time build a syntax tree, and nothing of Python's run meanwhile.

    Python 3.11 counts its depth in one place for all threads. A collection of garbage in the middle
    runs Python code (Hypothesis watches each), so another thread may have its turn and build its
    own: "AST constructor recursion depth mismatch". Gradio builds trees when it is imported,
    `traceback` whenever it formats one, and servers run in threads here.
    """
    build, turn = ast.parse, threading.RLock()

    def parse(*given: Any, **named: Any) -> Any:
        with turn:
            collected = gc.isenabled()
            gc.disable()
            try:
                return build(*given, **named)
            finally:
                if collected:
                    gc.enable()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ast, "parse", parse)
        yield
