"""A live stream to the service, whose updates are shown as `fonoteka listen` shows them.

The main thread sends samples as they come, and another one receives the updates.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from threading import Thread
from typing import Any

import numpy as np
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.sync.client import ClientConnection, connect

from fonoteka.audio.dsp import Signal
from fonoteka.core.errors import UserError
from fonoteka.service.client.client_request import headers_of, stream_url
from fonoteka.streaming.interfaces import StreamedPhone, StreamUpdate
from fonoteka.streaming.listen import View

LAST_UPDATES_S = 60.0  # longest wait for the end of a stream after its last samples


def stream(
    url: str, key: str | None, model: str | None, chunks: Iterable[Signal], view: View
) -> None:
    """Send chunks `[N]` at 16 kHz to the service, and show the updates until the last one.

    Raises:
        UserError: the service does not answer, refuses the stream or ends it.
    """
    query = {"encoding": "pcm_f32le", **({"model": model} if model else {})}
    address = stream_url(url, **query)
    try:
        with connect(address, additional_headers=headers_of(key), max_size=None) as connection:
            _talk(connection, chunks, view, url)
    except InvalidStatus as error:
        raise UserError(f"{url}: {_refusal(error)}") from error
    except (ConnectionRefusedError, TimeoutError) as error:
        raise UserError(
            f"{url}: no service answers; start it by fonoteka serve, or name it with --url"
        ) from error
    except (InvalidHandshake, InvalidURI) as error:
        raise UserError(f"{url}: not an address of the service: {error}") from error


def _talk(connection: ClientConnection, chunks: Iterable[Signal], view: View, url: str) -> None:
    receiver = _Receiver(connection, view)
    receiver.start()
    with suppress(ConnectionClosed):  # then the receiver has the reason
        for chunk in chunks:
            if not receiver.is_alive():
                break
            connection.send(np.asarray(chunk, dtype="<f4").tobytes())
        connection.send(json.dumps({"type": "finish"}))
    receiver.join(LAST_UPDATES_S)
    if receiver.is_alive():
        raise UserError(f"{url}: no last update within {LAST_UPDATES_S:g} s; try again")
    if receiver.failure is not None:
        raise receiver.failure
    if not receiver.is_final:
        raise UserError(f"{url}: {receiver.problem}")


class _Receiver(Thread):
    """Shows the updates of a connection until it is closed.

    Attributes:
        is_final: whether the service has sent all it had.
        problem: why the stream ended before.
        failure: an exception of the view.
    """

    def __init__(self, connection: ClientConnection, view: View) -> None:
        super().__init__(name="receive-updates", daemon=True)
        self._connection, self._view = connection, view
        self.is_final = False
        self.problem = "the connection broke before the last update; try again"
        self.failure: Exception | None = None

    def run(self) -> None:
        try:
            for text in self._connection:
                self._take(json.loads(text))
        except ConnectionClosed as closed:
            self.is_final = False
            if closed.rcvd is not None and closed.rcvd.reason:
                self.problem = closed.rcvd.reason
        except Exception as error:  # raised again in the main thread
            self.failure = error

    def _take(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind == "update":
            committed, provisional = (
                tuple(
                    StreamedPhone(
                        phone["phone"], phone["start"], phone["end"], phone["confidence"]
                    )
                    for phone in message[name]
                )
                for name in ("committed", "provisional")
            )  # fmt: skip
            self._view.show(
                StreamUpdate(message["audio_s"], committed, provisional, message["endpoint"])
            )
        elif kind == "final":
            self.is_final = True


def _refusal(error: InvalidStatus) -> str:
    """Return why a handshake was refused."""
    response = error.response
    if response.status_code == 401:
        return "the service refuses the key or needs one; name a file with a key by --key-file"
    try:
        return str(json.loads(response.body or b"")["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"status {response.status_code} for a live stream; is it the address of the service?"
