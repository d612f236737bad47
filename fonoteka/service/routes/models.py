"""The models that the service offers."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from fonoteka.packaging import PACKAGE
from fonoteka.service.context import context_of
from fonoteka.service.formats.bodies import (
    ModelEntries,
    ModelEntry,
    RefreshedModels,
    TrainedModel,
    TrainedModels,
)
from fonoteka.service.formats.transcription_answers import json_response
from fonoteka.service.interfaces import Models, ModelVersion
from fonoteka.service.routes.openapi import errors, parameter

router = APIRouter()


@router.post(
    "/v1/models/refresh",
    tags=["models"],
    summary="Load new packages",
    response_class=Response,
    responses=errors() | {200: {"model": RefreshedModels, "description": "what happened"}},
)
async def refresh_models(request: Request) -> Response:
    """Read the packages again; requests that run are answered by the model that they began with."""
    return json_response(RefreshedModels(packages=await context_of(request).models.refresh()))


@router.get(
    "/v1/models",
    tags=["models"],
    summary="List the models with their metrics",
    response_class=Response,
    responses=errors() | {200: {"model": ModelEntries, "description": "sorted by id"}},
)
async def list_models(request: Request) -> Response:
    """List the models that passed their gates."""
    models = context_of(request).models
    return json_response(ModelEntries(data=[_entry(models, model) for model in models.listed()]))


@router.get(
    "/v1/models/{model:path}",
    tags=["models"],
    summary="Describe a model",
    response_class=Response,
    responses=errors(404) | {200: {"model": ModelEntry, "description": "the model"}},
    openapi_extra={
        "parameters": [
            parameter("model", "path", {"type": "string", "description": "an id, or whisper-1"})
        ]
    },
)
async def show_model(request: Request) -> Response:
    """Describe a model; an alias is answered with the model that it stands for."""
    models = context_of(request).models
    return json_response(_entry(models, models.get(request.path_params["model"])))


@router.get(
    "/models",
    tags=["models"],
    summary="List the models by name",
    response_class=Response,
    responses=errors() | {200: {"model": TrainedModels, "description": "sorted by name"}},
)
async def list_trained(request: Request) -> Response:
    """List the models without their metrics, and why other packages are not offered."""
    models = context_of(request).models
    listed = [
        TrainedModel(name=model.name, kind=model.kind, version=model.version)
        for model in models.listed()
    ]
    return json_response(TrainedModels(models=listed, refused=models.refused()))


def _entry(models: Models, model: ModelVersion) -> ModelEntry:
    own = {
        "id": model.name,
        "object": "model",
        "created": _created_s(model),
        "owned_by": "fonoteka",
        "version": model.version,
        "kind": str(model.kind),
    }
    return ModelEntry.model_validate({**models.card(model.name), **own})


def _created_s(model: ModelVersion) -> int:
    """Return when the package was written; 0 if its folder was removed while it is served."""
    try:
        return int((model.folder / PACKAGE).stat().st_mtime)
    except OSError:
        return 0
