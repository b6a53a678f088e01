"""What every test shares: no network but this machine, no deadlines on a busy one."""

from __future__ import annotations

from hypothesis import settings

# Speed is measured by the benchmark; a slow moment of the machine is not a failure.
settings.register_profile("pilcrow", deadline=None)
settings.load_profile("pilcrow")
