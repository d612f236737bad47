"""How a socket is closed: the codes of RFC 6455 and of IANA's registry, and when each is used."""

from __future__ import annotations

from enum import IntEnum

from fonoteka.service.api_errors import RATE, SERVER, ApiError

REASON_BYTES = 123  # that a close frame has room for


class CloseCode(IntEnum):
    """Why the service closes a socket."""

    NORMAL = 1000  # the stream was finished
    WRONG_DATA = 1003  # a message that is not understood, or a wrong sample
    REFUSED = 1008  # for its key, model or options, or because it was idle
    TOO_BIG = 1009
    FAULT = 1011  # of the service
    RESTART = 1012  # the service stops; the text up to now was sent
    BUSY = 1013  # another try may succeed


_BY_ERROR = {
    "busy": CloseCode.BUSY,
    "wrong_data": CloseCode.WRONG_DATA,
    "message_too_big": CloseCode.TOO_BIG,
    "service_restart": CloseCode.RESTART,
}


def close_code(error: ApiError) -> CloseCode:
    """Return the code for an error.

    >>> close_code(wrong_data("not JSON")), close_code(ApiError(500, "a fault", "server_error"))
    (<CloseCode.WRONG_DATA: 1003>, <CloseCode.FAULT: 1011>)
    """
    default = CloseCode.FAULT if error.status >= 500 else CloseCode.REFUSED
    return _BY_ERROR.get(error.code, default)


def close_reason(error: ApiError) -> str:
    """Return as much of the message of an error as a close frame has room for.

    >>> len(close_reason(wrong_data("š" * 100)).encode())
    123
    """
    text = error.message
    if len(text.encode()) > REASON_BYTES:
        text = text.encode()[: REASON_BYTES - 3].decode(errors="ignore") + "…"
    return text


def wrong_data(message: str) -> ApiError:
    """Return the error for a message of the client that is not understood."""
    return ApiError(400, message, "wrong_data")


def too_big(size: int, most: int) -> ApiError:
    """Return the error for a message of `size` bytes."""
    return ApiError(
        413, f"a message of {size} bytes; send at most {most} bytes per message", "message_too_big"
    )


def idle(seconds: float) -> ApiError:
    """Return the error for a client that sent nothing for too long."""
    return ApiError(
        408, f"no message for {seconds:g} s; send samples or a message that keeps the stream open",
        "idle",
    )  # fmt: skip


def restart() -> ApiError:
    """Return the error for a stream that a stopping service ended."""
    return ApiError(
        503, "the service restarts; open another stream", "service_restart", type=SERVER
    )


def too_slow(message: str) -> ApiError:
    """Return the error for a stream whose samples wait too long."""
    return ApiError(429, message, "busy", type=RATE)
