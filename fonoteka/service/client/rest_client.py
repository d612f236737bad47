"""Requests to the service about recordings, with tries that wait as long as the service asks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from time import sleep
from types import TracebackType

import httpx

from fonoteka.core.errors import UserError
from fonoteka.service.client.client_request import base_url, headers_of

TRIES = 5
LONGEST_WAIT_S = 60.0  # whatever the service asks for
_RETRIED = {429, 503}
_CONNECT_S = 10.0


class AllFailError(UserError):
    """A mistake that concerns each request: the address, the key or the model."""


class RestClient:
    """Sends recordings to one service."""

    def __init__(self, url: str, key: str | None = None, timeout_s: float = 3600.0) -> None:
        """Prepare requests; the first one connects.

        Args:
            url: of the service.
            key: None for a service without keys.
            timeout_s: longest wait for an answer.

        Raises:
            UserError: the address is not one of a service.
        """
        self._url, self._has_key = base_url(url), key is not None
        self._answered = False  # whether the service has answered before
        timeout = httpx.Timeout(timeout_s, connect=_CONNECT_S)
        self._http = httpx.Client(headers=headers_of(key), timeout=timeout)

    def __enter__(self) -> RestClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:  # fmt: skip
        self._http.close()

    def send(self, route: str, path: Path, fields: Mapping[str, str]) -> bytes:
        """Send a recording and return the body of the answer.

        Args:
            route: for example `/v1/audio/transcriptions`.
            path: of the recording.
            fields: of the form.

        Raises:
            UserError: the service cannot answer; an `AllFailError` if it can answer no request.
            OSError: the recording cannot be read.
        """
        for left in reversed(range(TRIES)):
            try:
                with path.open("rb") as file:
                    response = self._http.post(
                        self._url + route, data=dict(fields), files={"file": (path.name, file)}
                    )
            except httpx.ConnectError as error:
                # The first request shows a wrong address; a service that restarts comes back.
                if not self._answered or not left:
                    raise AllFailError(
                        f"{self._url}: no service answers ({error}); start it by fonoteka serve, "
                        "or name it with --url"
                    ) from error
                sleep(1.0)
                continue
            except httpx.TimeoutException as error:
                raise UserError(
                    f"{path}: no answer in time; raise --timeout-s, or send a shorter recording"
                ) from error
            except httpx.TransportError as error:
                raise UserError(f"{path}: the connection broke: {error}") from error
            self._answered = True
            if response.status_code not in _RETRIED or not left:
                break
            sleep(waiting_s(response.headers.get("Retry-After")))
        if response.is_success:
            return response.content
        raise self._failure(path, response)

    def _failure(self, path: Path, response: httpx.Response) -> UserError:
        message, code = _error_of(response)
        if response.status_code in {401, 403}:
            remedy = "name another key" if self._has_key else "name a file with a key"
            return AllFailError(f"{self._url}: {message}; {remedy} by --key-file")
        if code == "model_not_found":
            return AllFailError(f"{self._url}: {message}")
        if response.status_code in _RETRIED:
            message += f"; {TRIES} tries failed"
        return UserError(f"{path}: {message}")


def waiting_s(retry_after: str | None) -> float:
    """Return the seconds to wait before the next try.

    >>> waiting_s("3"), waiting_s(None), waiting_s("86400"), waiting_s("Wed, 21 Oct 2026")
    (3.0, 1.0, 60.0, 1.0)
    """
    if retry_after is None or not retry_after.isdecimal():
        return 1.0
    return min(float(retry_after), LONGEST_WAIT_S)


def _error_of(response: httpx.Response) -> tuple[str, str]:
    """Return the message and the code of an error, whatever answered."""
    try:
        error = json.loads(response.content)["error"]
        return str(error["message"]), str(error.get("code"))
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"status {response.status_code} without a message of the service", ""
