"""Metrics count what ends, read the state of workers, and never grow with what clients make up."""

from __future__ import annotations

from dataclasses import replace

import pytest
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families
from telemetry_app import LINE, USAGE, FixedModels, FixedWorkers

from fonoteka.service.interfaces import Usage, WorkerState
from fonoteka.service.telemetry.metrics import REASONS, ServiceMetrics
from fonoteka.service.telemetry.service_memory import ServiceMemory


@pytest.fixture
def metrics():
    return ServiceMetrics(FixedWorkers(), FixedModels())


def samples(metrics) -> dict[tuple, float]:
    """Return the values by name and labels, read from the text as Prometheus does."""
    families = text_string_to_metric_families(metrics.text().decode())
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def test_an_answer_is_counted_with_its_cost(metrics):
    for _ in range(2):
        metrics.count(LINE, USAGE)
    values, model = samples(metrics), ("model", "tuned")
    assert values["fonoteka_requests_total", ("method", "POST"), ("route", "/v1/align"),
                  ("status", "200")] == 2  # fmt: skip
    assert values["fonoteka_request_seconds_sum", ("route", "/v1/align")] == pytest.approx(0.3)
    assert values["fonoteka_request_seconds_bucket", ("le", "0.2"), ("route", "/v1/align")] == 2
    assert values["fonoteka_request_seconds_bucket", ("le", "0.1"), ("route", "/v1/align")] == 0
    assert values["fonoteka_audio_seconds_total", model] == 8
    assert values["fonoteka_compute_seconds_total", model] == 1
    assert values["fonoteka_queue_seconds_sum", model] == 0.5
    assert values["fonoteka_rtf_sum", model] == 2 * 0.5 / 4.0
    assert not [name for name, *_ in values if name.startswith("fonoteka_refused")]


def test_an_answer_without_sound_has_no_rtf(metrics):
    metrics.count(LINE, Usage(audio_s=0.0, queued_s=0.0, compute_s=0.1, turns=1))
    assert ("fonoteka_rtf_count", ("model", "tuned")) not in samples(metrics)


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [("busy", 429, "busy"), (None, 404, "http_404"), ("client_left", 200, "client_left")],
)
def test_refusals_are_counted_by_reason(error, status, reason, metrics):
    metrics.count(replace(LINE, error=error, status=status), None)
    assert samples(metrics)["fonoteka_refused_total", ("reason", reason)] == 1


def test_a_connection_is_counted_with_its_code_and_not_with_the_seconds_of_requests(metrics):
    for code in (1000, 3999, 4000, 4999):
        metrics.count(replace(LINE, status=101, close_code=code), USAGE)
    values = samples(metrics)
    assert values["fonoteka_streams_closed_total", ("code", "1000"), ("route", "/v1/align")] == 1
    assert values["fonoteka_streams_closed_total", ("code", "other"), ("route", "/v1/align")] == 3
    assert ("fonoteka_request_seconds_count", ("route", "/v1/align")) not in values


def test_what_clients_make_up_does_not_add_series(metrics):
    for number in range(3 * REASONS):
        metrics.count(
            replace(LINE, method=f"M{number}", error=f"e{number}", request_id=str(number)), None
        )
    names = [key for key in samples(metrics) if key[0] == "fonoteka_refused_total"]
    assert len(names) == REASONS + 1
    methods = {key[1] for key in samples(metrics) if key[0] == "fonoteka_requests_total"}
    assert methods == {("method", "other")}


def test_the_state_of_workers_and_models_is_read_at_each_collection():
    workers = FixedWorkers()
    metrics = ServiceMetrics(workers, FixedModels())
    values = samples(metrics)
    assert values["fonoteka_queue_length",] == 5
    assert values["fonoteka_worker_up", ("worker", "batch-0")] == 0
    assert values["fonoteka_worker_restarts_total", ("worker", "batch-0")] == 2
    assert values["fonoteka_worker_memory_bytes", ("worker", "live-0")] == 50 * 2**20
    assert values["fonoteka_worker_streams", ("worker", "live-0")] == 3
    info = ("kind", "words"), ("model", "tuned"), ("version", "0123456789ab")
    assert values["fonoteka_model_info", *info] == 1
    workers.states, workers.waiting = [WorkerState("batch-0", 7, 0, 0, 1.0, 3)], 0
    values = samples(metrics)
    assert values["fonoteka_queue_length",] == 0
    assert values["fonoteka_worker_up", ("worker", "batch-0")] == 1
    assert ("fonoteka_worker_up", ("worker", "live-0")) not in values


def test_two_services_of_one_process_share_nothing(metrics):
    other = ServiceMetrics(FixedWorkers(), FixedModels())
    metrics.count(LINE, USAGE)
    assert ("fonoteka_audio_seconds_total", ("model", "tuned")) not in samples(other)
    assert not [m.name for m in REGISTRY.collect() if m.name.startswith("fonoteka")]


def test_memory_is_that_of_the_service_and_its_living_workers_at_most_once_per_second():
    states = [WorkerState("batch-0", 7, 0, 0, 0.0, 0), WorkerState("batch-1", None, 0, 0, 0.0, 0)]
    clock, requested = [100.0], []
    memory = ServiceMemory(
        FixedWorkers(states), lambda: clock[0], lambda process: requested.append(process) or 20.0
    )
    for clock[0] in (100.0, 100.5, 100.9, 101.0):
        assert memory.mib() == 40.0
    assert len(requested) == 4
    assert requested[1] == requested[3] == 7


def test_a_worker_that_has_ended_uses_no_memory():
    states = [WorkerState("batch-0", 2**22 + 1, 0, 0, 0.0, 0)]  # above the largest id of Linux
    assert ServiceMemory(FixedWorkers(states)).mib() > 5
