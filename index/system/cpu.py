"""How many cores there are for us, and small products of matrices on one of them.

A question's matrices are so small that a second thread of the linear algebra library is mostly
waited for: on a busy pair of cores one product of 30 x 384 by 384 x 96 took 20 ms instead of 0.1.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import Any


def usable_cores() -> int:
    """How many cores this process may really use, at least 1.

    The affinity mask counts, and so does a container's quota: a pool as wide as a big host inside a
    two-core container makes everything many times slower.
    """
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows have no affinity mask to ask for
        cores = os.cpu_count() or 1
    return max(1, min(cores, container_cores(Path("/sys/fs/cgroup/cpu.max")) or cores))


def container_cores(quota_file: Path) -> int | None:
    """Cores granted by a cgroup v2 quota (`"200000 100000"` is two), None without a quota."""
    try:
        quota, period = quota_file.read_text(encoding="ascii").split()
        return round(int(quota) / int(period))
    except (OSError, ValueError, ZeroDivisionError):  # no such file, or "max": no limit
        return None


def one_core() -> AbstractContextManager[Any]:
    """While this lasts, numpy's products of matrices run on one core."""
    limited: AbstractContextManager[Any] = _pools().limit(limits=1, user_api="blas")
    return limited


@cache
def _pools() -> Any:
    """The thread pools of this process; looked for once, which takes milliseconds."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
