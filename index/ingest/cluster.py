"""Parcels of files, worked on by a Ray cluster. The only file that imports ray.

Ray Data hands each parcel to a free worker, hands it out again when that one dies, and never holds
more parcels than it can keep in memory. A cluster of this machine's own listens on the loopback
address alone, asks for a token that nobody else knows, and keeps its files in a folder of its own.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from index.errors import InputError, PilcrowError
from index.ingest.discovery import SourceFile
from index.ingest.parcels import ParcelReport, ParcelWorker, Workers, WorkPlan
from index.system.offline import no_telemetry

_STORE_BYTES = 512_000_000
"""Memory for what is on its way between workers, of a cluster of this machine's own."""
_ONE_AHEAD = 2
"""Parcels that a worker is handed at a time: it never waits for the next one."""
# Read when ray is imported, by it and by the processes that it starts. The first of its own keeps a
# cluster to the loopback address, as on systems where a firewall would ask.
_QUIET = {
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1", "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}  # fmt: skip
_OWN = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_AUTH_MODE": "token"}
_PATIENCE = 10.0
"""Seconds to wait for a cluster's answer."""
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_FOLDER = "pilcrow-ray-"
"""How the name of such a folder begins, before the number of the driver's process."""
_PROXIES = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
_TOKEN = secrets.token_hex(32)


def reports(
    parcels: Sequence[Sequence[SourceFile]], plan: WorkPlan, workers: Workers
) -> Iterator[ParcelReport]:
    """What became of each parcel, in the order they were done.

    Args:
        parcels: what to read, embed and, in a library for many, write.
        plan: what a worker has to know.
        workers: who does it.

    Raises:
        InputError: as `require`.
        PilcrowError: when there is no cluster, or it fails.
    """
    ray = require(plan, workers)
    if not parcels:
        return
    with running(workers):
        packed = [{"parcel": ray.cloudpickle.dumps(parcel)} for parcel in parcels]
        stream = ray.data.from_items(packed, override_num_blocks=len(packed))
        stream = stream.map(
            _RayWorker,
            fn_constructor_args=(plan,),
            compute=ray.data.ActorPoolStrategy(
                size=min(workers.count, len(packed)), max_tasks_in_flight_per_actor=_ONE_AHEAD
            ),
            num_cpus=workers.threads,
        )
        try:
            batches = stream.iter_batches(batch_size=None, prefetch_batches=0)
            for batch in batches:
                for report in batch["report"]:
                    yield ray.cloudpickle.loads(report)
        except ray.exceptions.RayTaskError:
            raise  # a bug of ours
        except ray.exceptions.RayError as error:
            raise PilcrowError(
                f"the Ray cluster failed ({_first_line(error)}). Run the same again: what is done "
                "is kept"
            ) from error


def require(plan: WorkPlan, workers: Workers) -> Any:
    """Ray, ready to be used.

    Raises:
        InputError: when it is not installed, or these workers cannot reach the library.
    """
    if not plan.is_shared and not workers.is_local:
        raise InputError(
            "a library in a folder is this machine's alone: use --ray local, or a library on a "
            "server (--store postgresql://…)"
        )
    return _import_ray(workers)


class _RayWorker:
    """A worker as Ray Data wants it: rows in, rows out, packed as Ray packs what it hands on."""

    def __init__(self, plan: WorkPlan) -> None:
        no_telemetry()
        self._worker = ParcelWorker(plan)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        from ray import cloudpickle

        report = self._worker.work(cloudpickle.loads(row["parcel"]))
        return {"report": cloudpickle.dumps(report)}


def _import_ray(workers: Workers) -> Any:
    """Ray, told first to tell nobody of it."""
    no_telemetry()
    os.environ.update(_QUIET)
    if workers.is_local:
        os.environ.update(_OWN | {"RAY_AUTH_TOKEN": _TOKEN})
    try:
        import ray
        import ray.data
    except ModuleNotFoundError:
        raise InputError(
            "an import on Ray needs ray, which is not installed: pip install 'pilcrow-rag[ray]'"
        ) from None
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    ray.data.DataContext.get_current().print_on_execution_start = False
    return ray


@contextmanager
def running(workers: Workers) -> Iterator[None]:
    """The cluster, joined or begun for as long as the block runs; imports within it share it."""
    ray = _import_ray(workers)
    if ray.is_initialized():  # the program's that uses us
        yield
        return
    folder = _own_folder() if workers.is_local else ""
    try:
        _join(ray, workers, folder)
        yield
    finally:
        ray.shutdown()
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


def _own_folder() -> str:
    """A new folder for a cluster's files; those of clusters whose driver was killed go."""
    place = Path(tempfile.gettempdir())
    for left in place.glob(f"{_FOLDER}*-*"):
        number = left.name.removeprefix(_FOLDER).partition("-")[0]
        if number.isdecimal() and not _runs(int(number)):
            shutil.rmtree(left, ignore_errors=True)
    return tempfile.mkdtemp(prefix=f"{_FOLDER}{os.getpid()}-")


def _runs(process: int) -> bool:
    """Whether there is a process of this number."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # somebody else's
        return True
    return True


def _join(ray: Any, workers: Workers, folder: str) -> None:
    """Join a cluster, or begin one whose files lie in a folder."""
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    if folder:
        options |= {
            "num_cpus": workers.count * workers.threads, "num_gpus": 0, "include_dashboard": False,
            "object_store_memory": _STORE_BYTES, "_temp_dir": folder,
        }  # fmt: skip
    try:
        if not folder:
            _knock(workers.address)
        with _native_output_aside(), _cut_off(bool(folder)):
            ray.init(workers.address, **options)
    except (OSError, OverflowError, ValueError, RuntimeError) as error:
        raise PilcrowError(
            f"no Ray cluster can be used at {workers.address!r} ({_first_line(error)}). Start one "
            "(ray start --head), or use --ray local"
        ) from error
    there = int(ray.cluster_resources().get("CPU", 0))
    if there < workers.threads:
        raise InputError(
            f"the Ray cluster has {there} cores, and a worker is to use {workers.threads}: "
            "see --threads"
        )


@contextmanager
def _cut_off(wanted: bool) -> Iterator[None]:
    """While this lasts, processes that are started ask nobody else's web server anything.

    One of Ray's looks for the cloud that it might be in (169.254.169.254 and
    metadata.google.internal), reports or no reports, and has no switch. Nobody is at this proxy.
    """
    before = {name: os.environ.get(name) for name in _PROXIES} if wanted else {}
    os.environ.update(dict.fromkeys(before, "http://127.0.0.1:9"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _native_output_aside() -> Iterator[None]:
    """While this lasts, what is written to standard error past Python goes nowhere.

    Ray's core says there how much it is to say.
    """
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _knock(address: str) -> None:
    """Make sure that somebody listens there: Ray would wait for them for minutes.

    Raises:
        OSError: when nobody does.
    """
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=_PATIENCE).close()


def _first_line(error: BaseException) -> str:
    lines = _COLOURS.sub("", str(error)).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:200].rstrip(".")
