"""What every test shares: no network but this machine, no deadlines on a busy one."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

# Speed is measured by the benchmark; a slow moment of the machine is not a failure.
settings.register_profile("pilcrow", deadline=None)
settings.load_profile("pilcrow")


@pytest.fixture(autouse=True)
def _folder_for_uploads() -> Iterator[None]:
    """Gradio reads it from the environment, where the page that was built last has put it."""
    before = os.environ.get("GRADIO_TEMP_DIR")
    yield
    if before is None:
        os.environ.pop("GRADIO_TEMP_DIR", None)
    else:
        os.environ["GRADIO_TEMP_DIR"] = before
