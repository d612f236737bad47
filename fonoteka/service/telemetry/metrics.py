"""Metrics of the service in the format of Prometheus, in a registry of their own.

Every label has a bounded number of values, so no client can fill the memory of the service or of
Prometheus with names that it makes up: a path is a template, and of methods, reasons and close
codes all but the usual ones are `other`.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from fonoteka.service.interfaces import Models, Usage, Workers
from fonoteka.service.telemetry.access_line import AccessLine

OTHER = "other"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
CLOSE_CODES = range(1000, 1016)  # of RFC 6455; a client may send any up to 4999
REASONS = 64
"""Codes of errors that are counted apart; the service has fewer, so more are a mistake."""

# From a cached answer to a recording of two hours.
_SECONDS = (0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 1, 2, 3, 5, 10, 30, 60, 120, 300, 600, 1800)
_RTF = (0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 4)
CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


class ServiceMetrics:
    """Counts what ends; the state of workers and models is read when Prometheus asks."""

    def __init__(self, workers: Workers, models: Models) -> None:
        # A series with the time of creation per counter would double what Prometheus stores.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry = CollectorRegistry()
        self._reasons: set[str] = set()
        self.in_flight = Gauge(
            "fonoteka_requests_in_flight", "Requests without a complete answer", registry=registry
        )
        self.open_streams = Gauge(
            "fonoteka_streams_open", "WebSocket connections", registry=registry
        )
        self._requests = Counter(
            "fonoteka_requests", "Answers, with the answers to handshakes of WebSockets",
            ("route", "method", "status"), registry=registry,
        )  # fmt: skip
        self._closed = Counter(
            "fonoteka_streams_closed", "WebSocket connections that ended", ("route", "code"),
            registry=registry,
        )  # fmt: skip
        self._refused = Counter(
            "fonoteka_refused", "Requests and connections without a result", ("reason",),
            registry=registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "fonoteka_request_seconds", "From the headers to the end of the answer", ("route",),
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self._audio = Counter(
            "fonoteka_audio_seconds", "Sound that was recognised", ("model",), registry=registry
        )
        self._compute = Counter(
            "fonoteka_compute_seconds", "Processor time of turns", ("model",), registry=registry
        )
        self._queue = Histogram(
            "fonoteka_queue_seconds", "From admission to the first turn", ("model",),
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self._rtf = Histogram(
            "fonoteka_rtf", "Processor time per second of sound", ("model",), buckets=_RTF,
            registry=registry,
        )  # fmt: skip
        registry.register(_State(workers, models))
        ProcessCollector(registry=registry)

    def count(self, line: AccessLine, usage: Usage | None) -> None:
        """Count a request or connection that ended."""
        method = line.method if line.method in METHODS else OTHER
        self._requests.labels(line.route, method, str(line.status)).inc()
        if line.status == 101:
            code = str(line.close_code) if line.close_code in CLOSE_CODES else OTHER
            self._closed.labels(line.route, code).inc()
        else:
            self._seconds.labels(line.route).observe(line.seconds)
        if line.error is not None or line.status >= 400:
            self._refused.labels(self._reason(line)).inc()
        if usage is not None and line.model is not None:
            self._count_usage(line.model, usage)

    def text(self) -> bytes:
        """Return all metrics as Prometheus reads them."""
        return generate_latest(self.registry)

    def _count_usage(self, model: str, usage: Usage) -> None:
        self._audio.labels(model).inc(usage.audio_s)
        self._compute.labels(model).inc(usage.compute_s)
        self._queue.labels(model).observe(usage.queued_s)
        if usage.audio_s > 0:
            self._rtf.labels(model).observe(usage.compute_s / usage.audio_s)

    def _reason(self, line: AccessLine) -> str:
        reason = line.error or f"http_{line.status}"
        if len(self._reasons) < REASONS:
            self._reasons.add(reason)
        return reason if reason in self._reasons else OTHER


class _State(Collector):
    """The state of workers and models, read at each collection."""

    def __init__(self, workers: Workers, models: Models) -> None:
        self._workers, self._models = workers, models

    def collect(self) -> Iterator[Metric]:
        """Yield queue, workers and models."""
        yield GaugeMetricFamily(
            "fonoteka_queue_length", "Jobs that wait for their first turn", self._workers.queued()
        )
        gauges = {
            name: GaugeMetricFamily(f"fonoteka_worker_{name}", text, labels=("worker",))
            for name, text in (
                ("up", "Whether the process runs"), ("jobs", "Jobs that it works on"),
                ("streams", "Streams that it works on"), ("memory_bytes", "Resident memory"),
            )
        }  # fmt: skip
        restarts = CounterMetricFamily(
            "fonoteka_worker_restarts", "Since the service began", labels=("worker",)
        )
        for state in self._workers.state():
            gauges["up"].add_metric((state.name,), float(state.process is not None))
            gauges["jobs"].add_metric((state.name,), state.jobs)
            gauges["streams"].add_metric((state.name,), state.streams)
            gauges["memory_bytes"].add_metric((state.name,), state.memory_mib * 2**20)
            restarts.add_metric((state.name,), state.restarts)
        yield from gauges.values()
        yield restarts
        offered = GaugeMetricFamily(
            "fonoteka_model_info", "Models that are offered", labels=("model", "version", "kind")
        )
        for model in self._models.listed():
            offered.add_metric((model.name, model.version, model.kind.value), 1)
        yield offered
