"""The answers to uploads that cannot be taken, each with its sentence."""

from __future__ import annotations

import errno

from fonoteka.service.api_errors import RATE, SERVER, ApiError

_FULL = (errno.ENOSPC, errno.EDQUOT)


def malformed(message: str, param: str | None = None) -> ApiError:
    """Return the error of a body that is not the form it claims to be."""
    return ApiError(400, message, "malformed_body", param)


def too_large(limit_bytes: int) -> ApiError:
    """Return the error of a body beyond the limit."""
    size = f"{limit_bytes / 2**20:g} MiB"
    message = f"the body has more than {size}; send a shorter or compressed recording"
    return ApiError(413, message, "body_too_large", "file")


def too_slow(seconds: float) -> ApiError:
    """Return the error of a body whose bytes do not arrive."""
    message = f"the body stopped: too few bytes came within {seconds:g} s; send it again"
    return ApiError(408, message, "body_too_slow")


def busy(waiting: int) -> ApiError:
    """Return the error of a recording that finds the queue full."""
    message = f"{waiting} recordings wait for a decoder; try again in 2 s"
    return ApiError(429, message, "busy", type=RATE, headers={"Retry-After": "2"})


def unavailable(reason: str) -> ApiError:
    """Return the error of a request that no decoder could serve."""
    return ApiError(
        503, f"no decoder runs: {reason}; try again in 2 s", "unavailable", type=SERVER,
        headers={"Retry-After": "2"},
    )  # fmt: skip


def is_full(error: BaseException | None) -> bool:
    """Return whether a full disk caused an error, directly or not."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL:
            return True
        error = error.__cause__ or error.__context__
    return False


def not_written(error: OSError) -> ApiError:
    """Return the error of a file that the folder of uploads did not take."""
    if is_full(error):
        return disk_full()
    reason = error.strerror or type(error).__name__
    message = f"the folder of uploads cannot be written: {reason}; its owner has to repair it"
    return ApiError(503, message, "unavailable", type=SERVER, headers={"Retry-After": "10"})


def disk_full() -> ApiError:
    """Return the error of a request that needs more room than the disk has."""
    message = "the disk of the service is full; try again later"
    return ApiError(507, message, "disk_full", type=SERVER, headers={"Retry-After": "10"})
