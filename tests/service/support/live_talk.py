"""What a client of `/v1/stream` sends and receives, and what the engine returns directly."""

from __future__ import annotations

import json
from contextlib import suppress
from itertools import pairwise

from live_server import level_engine
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect


def split(data: bytes, cuts) -> list[bytes]:
    edges = [0, *sorted(cuts), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


def talk(server, pieces, query="", path="/v1/stream", **options):
    """Send pieces and `finish`; return the messages and the close code."""
    messages = []
    with connect(server.url(f"{path}?{query}"), **options) as client:
        for piece in pieces:
            client.send(piece)
        client.send('{"type": "finish"}')
        with suppress(ConnectionClosed):
            while True:
                messages.append(json.loads(client.recv(10)))
        return messages, client.close_code


def committed(messages) -> list[tuple[str, float, float]]:
    return [
        (phone["phone"], phone["start"], phone["end"])
        for message in messages
        if message["type"] == "update"
        for phone in message["committed"]
    ]


def directly(signal, engine=None):
    engine = engine or level_engine()
    updates = [engine.feed(signal), engine.finish()]
    return [
        (phone.symbol, round(phone.start_s, 3), round(phone.end_s, 3))
        for update in updates
        for phone in update.committed
    ]
