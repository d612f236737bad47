"""Serve the web page that records the microphone and plays uploads with their words.

The page is public, also if the service asks for keys: it contains nothing of the models.
"""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from fonoteka.service.api_errors import ApiError
from fonoteka.service.page_files import page_files

# Scripts, styles, requests and sockets of this origin alone; a recording is an object of the page.
# No script may write HTML, so text of an upload or a model cannot become elements.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "media-src blob:",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
HEADERS = {
    # A browser asks each time whether a file has changed, so that the scripts fit each other and
    # the service. That costs a header, and no body unless it has.
    "Cache-Control": "no-cache",
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_METHODS = ["GET", "HEAD"]

# The page is not an interface for programs, so the OpenAPI page does not list it.
router = APIRouter(include_in_schema=False)


@router.api_route("/", methods=_METHODS)
async def index(request: Request) -> Response:
    """Return the page."""
    return _answer(request, "index.html")


@router.api_route("/page/{name}", methods=_METHODS)
async def page_file(request: Request, name: str) -> Response:
    """Return a script or the style of the page.

    Raises:
        ApiError: 404, the page has no such file.
    """
    return _answer(request, name)


def _answer(request: Request, name: str) -> Response:
    file = page_files().get(name)
    if file is None:
        raise ApiError(404, f"the page has no file {name!r}; it starts at /", "not_found")
    headers = {**HEADERS, "ETag": file.etag}
    tags = request.headers.get("If-None-Match", "").split(",")
    # Proxies that compress a body make its tag a weak one.
    if file.etag in {tag.strip().removeprefix("W/") for tag in tags}:
        return Response(status_code=304, headers=headers)
    return Response(file.content, media_type=file.media_type, headers=headers)
