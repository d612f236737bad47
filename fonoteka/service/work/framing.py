"""Messages between the service and a worker: pickled, each after its length in bytes.

Only the two ends of a socket pair, which the service makes itself, exchange them; nothing that a
client sends is unpickled.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Iterator
from typing import Any

_LENGTH = struct.Struct("!Q")


def frame(message: object) -> bytes:
    """Return the bytes of a message."""
    data = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(data)) + data


class FrameReader:
    """Joins bytes to messages, wherever the bytes are cut."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Any]:
        """Yield the messages that these bytes complete.

        >>> reader, data = FrameReader(), frame("a") + frame("b")
        >>> [list(reader.feed(data[:20])), list(reader.feed(data[20:]))]
        [[], ['a', 'b']]
        """
        self._buffer += data
        while len(self._buffer) >= _LENGTH.size:
            end = _LENGTH.size + _LENGTH.unpack_from(self._buffer)[0]
            if len(self._buffer) < end:
                return
            body = bytes(self._buffer[_LENGTH.size : end])
            del self._buffer[:end]
            yield pickle.loads(body)  # noqa: S301 - the other end is our own process
