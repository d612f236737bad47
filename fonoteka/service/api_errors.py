"""Errors of the service as OpenAI's clients expect them.

{"error": {"message": ..., "type": ..., "param": ..., "code": ...}}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fonoteka.service.interfaces import (
    BusyError,
    DeadlineError,
    JobError,
    UnanswerableError,
    UnavailableError,
    UnknownModelError,
)

REQUEST, AUTHENTICATION, RATE, SERVER = (
    "invalid_request_error", "authentication_error", "rate_limit_error", "server_error",
)  # fmt: skip


@dataclass
class ApiError(Exception):
    """An answer with a status of 4xx or 5xx.

    Attributes:
        status: of HTTP.
        message: one sentence with the value and the way out, written for the client.
        code: a word for programs.
        param: the field of the request that is at fault.
        type: of OpenAI's errors.
        headers: of the answer.
    """

    status: int
    message: str
    code: str
    param: str | None = None
    type: str = REQUEST
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.message

    def body(self) -> dict[str, dict[str, str | None]]:
        """Return the JSON body."""
        return {
            "error": {
                "message": self.message, "type": self.type, "param": self.param, "code": self.code
            }
        }  # fmt: skip


def api_error(refusal: JobError) -> ApiError:
    """Return the answer to a refused job or stream.

    >>> api_error(BusyError("64 jobs wait", 3)).headers
    {'Retry-After': '3'}
    """
    message = str(refusal)
    match refusal:
        case BusyError(retry_after_s=seconds):
            headers = {"Retry-After": str(seconds)}
            return ApiError(429, message, "busy", type=RATE, headers=headers)
        case UnknownModelError():
            return ApiError(404, message, "model_not_found", "model")
        case UnanswerableError():
            return ApiError(400, message, "unanswerable")
        case DeadlineError():
            return ApiError(504, message, "deadline_exceeded", type=SERVER)
        case UnavailableError():
            headers = {"Retry-After": "1"}
            return ApiError(503, message, "unavailable", type=SERVER, headers=headers)
    raise AssertionError(f"a refusal without an answer: {refusal!r}")
