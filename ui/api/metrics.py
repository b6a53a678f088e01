"""What Prometheus reads at /metrics: questions, their states, how long each stage took, memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from rag.types import Answer

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """Counts what is asked through one server."""

    def __init__(self) -> None:
        """Nothing was asked yet."""
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._questions = Counter(
            "pilcrow_questions", "Questions answered, by interface and state.",
            ["interface", "state"], registry=self._registry,
        )  # fmt: skip
        self._stages = Histogram(
            "pilcrow_stage_seconds", "Time from the question to the end of a stage.",
            ["stage"], registry=self._registry, buckets=_SECONDS,
        )  # fmt: skip
        self._answering = Gauge(
            "pilcrow_answering", "Questions being answered.", registry=self._registry
        )
        self._ahead = Gauge(
            "pilcrow_queue", "Answers that the model writes before the newest question's.",
            registry=self._registry,
        )  # fmt: skip
        self._refused = Counter(
            "pilcrow_refused", "Questions turned away: too many at once.", registry=self._registry
        )
        self._documents = Gauge(
            "pilcrow_documents", "Documents in the library.", registry=self._registry
        )

    @contextmanager
    def answering(self) -> Iterator[None]:
        """While this lasts, a question is being answered."""
        with self._answering.track_inprogress():
            yield

    def saw(self, snapshot: Answer) -> None:
        """A snapshot of an answer has come."""
        if snapshot.stage == "waiting":
            self._ahead.set(snapshot.ahead)

    def answered(self, interface: str, answer: Answer) -> None:
        """A question was answered."""
        self._questions.labels(interface, answer.state).inc()
        timings = answer.timings
        stages = (
            ("evidence", timings.evidence_ms),
            ("first_token", timings.first_token_ms),
            ("total", timings.total_ms),
        )
        for stage, ms in stages:
            if ms is not None:
                self._stages.labels(stage).observe(ms / 1000)
        if timings.first_token_ms is not None:
            self._ahead.set(0)

    def refused(self) -> None:
        """A question was turned away."""
        self._refused.inc()

    def text(self, documents: int) -> bytes:
        """All of it in Prometheus' own form; `documents` are in the library now."""
        self._documents.set(documents)
        return generate_latest(self._registry)
