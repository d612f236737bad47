"""Whether the service lives and is ready, and its metrics."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from fonoteka.service.context import ServiceContext, context_of, record_of
from fonoteka.service.interfaces import WorkerState
from fonoteka.service.telemetry.metrics import CONTENT_TYPE
from fonoteka.service.telemetry.middleware import Telemetry

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"]


class Readiness(BaseModel):
    """Whether requests can succeed.

    Attributes:
        status: `ready` or `unready`.
        reasons: one sentence per reason why it is unready.
        models: names of the models that are offered.
    """

    status: Literal["ready", "unready"]
    reasons: list[str]
    models: list[str]


@router.get("/health", summary="Whether the process lives")
async def health() -> Health:
    """Answer at once; a service that is busy or lost its workers lives."""
    return Health(status="ok")


@router.get(
    "/ready",
    summary="Whether requests can succeed",
    responses={503: {"model": Readiness, "description": "not now; `reasons` has why"}},
)
async def ready(request: Request, response: Response) -> Readiness:
    """Answer 200 if workers of each kind live and at least one model is offered."""
    context = context_of(request)
    reasons = reasons_against(context)
    if reasons:
        record_of(request).error, response.status_code = "unready", 503
    return Readiness(
        status="unready" if reasons else "ready",
        reasons=reasons,
        models=[model.name for model in context.models.listed()],
    )


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(request: Request) -> Response:
    """Return all metrics in Prometheus' text format."""
    telemetry: Telemetry = request.scope["state"]["telemetry"]
    return Response(telemetry.metrics.text(), media_type=CONTENT_TYPE)


def reasons_against(context: ServiceContext) -> list[str]:
    """Return why requests cannot succeed; nothing waits for it."""
    reasons = []
    kinds: dict[str, list[WorkerState]] = {}
    for state in context.workers.state():
        kinds.setdefault(state.name.rpartition("-")[0] or state.name, []).append(state)
    if not kinds:
        reasons.append("no worker was started")
    for kind, states in sorted(kinds.items()):
        if all(state.process is None for state in states):
            reasons.append(f"no {kind} worker runs; {len(states)} are being started")
    if context.models.is_loading:
        reasons.append("models are being loaded")
    elif not context.models.listed():
        refused = len(context.models.refused())
        reasons.append(f"no model is offered; {refused} packages were refused, see /models")
    return reasons
