"""Small products of matrices on one core.

A question's matrices are so small that a second thread of the linear algebra library is mostly
waited for: on a busy pair of cores one product of 30 x 384 by 384 x 96 took 20 ms instead of 0.1.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from typing import Any


def one_core() -> AbstractContextManager[Any]:
    """While this lasts, numpy's products of matrices run on one core."""
    limited: AbstractContextManager[Any] = _pools().limit(limits=1, user_api="blas")
    return limited


@cache
def _pools() -> Any:
    """The thread pools of this process; looked for once, which takes milliseconds."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
