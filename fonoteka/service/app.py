"""The application: routes, error bodies, keys and origins around the parts of a service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi_offline import FastAPIOffline
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from fonoteka.service.context import ServiceContext
from fonoteka.service.failures import UnexpectedFailures, add_handlers
from fonoteka.service.guards import DOCS_FILES, KeyGuard, OriginGuard, is_open
from fonoteka.service.keys import KeyFile
from fonoteka.service.routes import (
    align,
    files,
    health,
    models,
    page,
    process,
    stream,
    transcriptions,
)
from fonoteka.service.routes.openapi import add_security, describe
from fonoteka.service.uploads.body_guard import BodyGuard

ROUTERS: tuple[APIRouter, ...] = (
    transcriptions.router, align.router, process.router, models.router, files.router,
    stream.router, health.router, page.router,
)  # fmt: skip
API_VERSION = "1"  # of the paths under /v1
_EXPOSED = (
    "X-Request-ID", "X-Model", "X-Model-Version", "X-File-ID", "X-Doubt", "Retry-After",
)  # fmt: skip


def create_app(
    context: ServiceContext,
    routers: Sequence[APIRouter] = ROUTERS,
    outermost: Sequence[Middleware] = (),
) -> FastAPI:
    """Return the application of a service.

    Args:
        context: its parts; the application starts and stops them.
        routers: of its routes.
        outermost: middleware around all other, the first outermost. It must make
            `scope["state"]["record"]`, see `fonoteka.service.context.RequestRecord`.

    Raises:
        UserError: the file of keys cannot be used.
    """
    # FastAPI alone takes the files of /docs from a site, so that the page is empty without network.
    app = FastAPIOffline(
        title="Fonoteka",
        version=API_VERSION,
        description="Words, phones and their times in recordings and live streams.",
        lifespan=_lifespan,
        middleware=[*outermost, *_middleware(context)],
        # A slash at the end is another path: a redirect would send a large body twice.
        redirect_slashes=False,
        redoc_url=None,
        static_url=DOCS_FILES.rstrip("/"),
    )
    app.state.context, app.state.routers = context, routers
    add_handlers(app)
    for router in routers:
        app.include_router(router)

    def openapi() -> dict[str, Any]:
        page = describe(app)
        if context.settings.keys is not None:
            add_security(page, is_open)
        return page

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI documents this as the way
    return app


def _middleware(context: ServiceContext) -> list[Middleware]:
    """Return the middleware in order: preflights of CORS carry no key, so it is before the keys."""
    settings = context.settings
    layers = [Middleware(OriginGuard, origins=settings.origins)]
    if settings.origins:
        layers.append(
            Middleware(
                CORSMiddleware, allow_origins=settings.origins, expose_headers=_EXPOSED,
                allow_methods=("GET", "POST", "DELETE"),
                allow_headers=("Authorization", "X-API-Key", "X-Request-ID"),
            )
        )  # fmt: skip
    layers.append(Middleware(BodyGuard, limits=settings.limits))
    if settings.keys is not None:
        layers.append(Middleware(KeyGuard, keys=KeyFile(settings.keys)))
    return [*layers, Middleware(UnexpectedFailures)]


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Start the parts, load the models, and stop all in the opposite order."""
    context: ServiceContext = app.state.context
    await context.uploads.start()
    try:
        await context.workers.start()
        try:
            await context.models.start()
            try:
                yield
            finally:
                await context.models.stop()
        finally:
            await context.workers.stop(context.settings.drain_s)
    finally:
        await context.uploads.stop()
