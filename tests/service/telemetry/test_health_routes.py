"""Health never waits, readiness has its reasons, and both keep to their OpenAPI page."""

from __future__ import annotations

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from starlette.testclient import TestClient
from telemetry_app import MODEL, FixedModels, FixedWorkers, fixed_context, served, telemetry_app

from fonoteka.service.interfaces import WorkerState

LIVE = [WorkerState("batch-0", 7, 0, 0, 1.0, 0), WorkerState("live-0", 8, 0, 0, 1.0, 0)]


def client(states, models=(MODEL,), problems=None):
    context = fixed_context(
        workers=FixedWorkers(list(states)), models=FixedModels(list(models), problems or {})
    )
    return TestClient(telemetry_app(context))


def test_a_service_whose_workers_live_and_that_offers_a_model_is_ready():
    answer = client(LIVE).get("/ready")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ready", "reasons": [], "models": ["tuned"]}


@pytest.mark.parametrize(
    ("states", "models", "reason"),
    [
        ([], [MODEL], "no worker was started"),
        (
            [LIVE[0], WorkerState("live-0", None, 0, 0, 1.0, 0)], [MODEL],
            "no live worker runs; 1 are being started",
        ),
        (LIVE, [], "no model is offered; 1 packages were refused, see /models"),
    ],
)  # fmt: skip
def test_a_service_that_cannot_answer_is_unready_and_has_the_reason(states, models, reason):
    answer = client(states, models, {"tuned": "a hash differs"}).get("/ready")
    assert answer.status_code == 503
    assert answer.json()["status"] == "unready"
    assert answer.json()["reasons"] == [reason]


def test_a_worker_that_restarts_beside_another_of_its_kind_does_not_matter():
    states = [*LIVE, WorkerState("batch-1", None, 0, 0, 1.0, 4)]
    assert client(states).get("/ready").status_code == 200


def test_a_service_without_workers_lives():
    answer = client([], []).get("/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_metrics_are_text_for_prometheus():
    with served(fixed_context()) as (url, _):
        answer = httpx.get(url + "/metrics")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert (
        'fonoteka_model_info{kind="words",model="tuned",version="0123456789ab"} 1.0' in answer.text
    )


@pytest.mark.parametrize(("states", "statuses"), [(LIVE, {200}), ([], {200, 503})])
def test_the_routes_answer_as_their_openapi_page_describes(states, statuses):
    app = telemetry_app(fixed_context(workers=FixedWorkers(states)))
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    checked = []
    for operation in (result.ok() for result in schema.get_all_operations()):

        @given(case=operation.as_strategy())
        @settings(max_examples=20, suppress_health_check=[*HealthCheck])
        def check(case):
            checked.append(case.call_and_validate(excluded_checks=[not_a_server_error]).status_code)

        check()
    assert {*checked} - {405} == statuses
