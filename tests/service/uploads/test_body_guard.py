"""Bodies are bounded while they are read, whatever the application does with them."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from fonoteka.service.context import RequestRecord
from fonoteka.service.settings import UploadLimits
from fonoteka.service.uploads.body_guard import OTHER_BYTES, BodyGuard

LIMITS = UploadLimits(body_mib=1, idle_s=0.05)
FORM = (b"content-type", b"multipart/form-data; boundary=b")
CHUNKED = (b"transfer-encoding", b"chunked")
PIECE = bytes(1 << 16)


class GuardedExchange:
    """A request of given headers and pieces of a body, the answer, and how much was read."""

    def __init__(self, headers, pieces, then="silence"):
        self.record = RequestRecord("r")
        state = {"record": self.record}
        self.scope = {"type": "http", "headers": headers, "state": state, "method": "POST"}
        self.pieces, self.then = [*pieces], then
        self.read, self.sent = 0, []

    async def receive(self):
        if not self.pieces:
            if self.then == "silence":
                await asyncio.Event().wait()
            return {"type": "http.disconnect"}
        piece = self.pieces.pop(0)
        self.read += len(piece)
        return {"type": "http.request", "body": piece, "more_body": bool(self.pieces or self.then)}

    async def send(self, message):
        self.sent.append(message)

    def answer(self, app, limits=LIMITS):
        asyncio.run(BodyGuard(app, limits)(self.scope, self.receive, self.send))
        return self.sent[0]["status"]

    @property
    def headers(self):
        return dict(self.sent[0]["headers"])

    @property
    def error(self):
        return json.loads(b"".join(message.get("body", b"") for message in self.sent[1:]))["error"]


async def reading(scope, receive, send):
    """Read the body, then answer 200."""
    message = {"more_body": True}
    while message.get("more_body"):
        message = await receive()
    await done(send)


async def done(send, status=200):
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


async def hiding(scope, receive, send):
    """Answer 500 if the body cannot be read, as a framework might."""
    try:
        await reading(scope, receive, send)
    except Exception:
        await done(send, 500)


async def wrapping(scope, receive, send):
    try:
        await reading(scope, receive, send)
    except Exception as error:
        raise RuntimeError("wrapped") from error


def test_a_body_beyond_the_limit_is_refused_before_it_is_read():
    exchange = GuardedExchange([FORM, (b"content-length", b"1048577")], [PIECE] * 20)
    assert exchange.answer(reading) == 413
    assert exchange.read == 0
    assert exchange.headers[b"connection"] == b"close"
    assert exchange.error["code"] == exchange.record.error == "body_too_large"


@pytest.mark.parametrize("length", [b"9" * 5000, b"10737418240", b"00009999999"])
def test_a_length_of_any_size_is_compared_with_the_limit(length):
    assert GuardedExchange([FORM, (b"content-length", length)], []).answer(reading) == 413


@pytest.mark.parametrize("length", [b"-1", b"1e3", b"", b"0x10"])
def test_a_length_that_is_not_a_number_is_refused(length):
    assert GuardedExchange([FORM, (b"content-length", length)], []).answer(reading) == 400


@pytest.mark.parametrize("app", [reading, hiding, wrapping])
@pytest.mark.parametrize("header", [CHUNKED, (b"content-length", b"10")], ids=["chunked", "lie"])
def test_a_body_without_a_true_length_is_refused_at_the_limit(app, header):
    exchange = GuardedExchange([FORM, header], [PIECE] * 100)
    assert exchange.answer(app) == 413
    assert exchange.read == (1 << 20) + len(PIECE)
    assert exchange.error["type"] == "invalid_request_error"


def test_a_body_of_the_limit_is_accepted():
    exchange = GuardedExchange([FORM, (b"content-length", b"1048576")], [PIECE] * 16, then="")
    assert exchange.answer(reading) == 200
    assert b"connection" not in exchange.headers


def test_a_body_that_is_not_a_form_may_have_a_mebibyte():
    headers = [(b"content-type", b"application/json"), CHUNKED]
    pieces = [PIECE] * (OTHER_BYTES // len(PIECE))
    limits = replace(LIMITS, body_mib=2)  # of forms, and not of this
    assert GuardedExchange(headers, pieces, then="").answer(reading, limits) == 200
    assert GuardedExchange(headers, [*pieces, b"x"]).answer(reading, limits) == 413


@pytest.mark.parametrize("app", [reading, hiding, wrapping])
def test_a_client_that_falls_silent_is_answered_408(app):
    exchange = GuardedExchange([FORM, CHUNKED], [PIECE])
    assert exchange.answer(app) == 408
    assert exchange.error["code"] == "body_too_slow"


def test_a_client_that_sends_a_byte_at_a_time_is_answered_408():
    class Trickle(GuardedExchange):
        async def receive(self):
            await asyncio.sleep(LIMITS.idle_s / 5)
            return {"type": "http.request", "body": b"x", "more_body": True}

    assert Trickle([FORM, CHUNKED], []).answer(reading) == 408


def test_an_application_that_answers_at_once_ends_the_connection_of_a_long_body():
    async def refusing(scope, receive, send):
        await done(send, 401)

    exchange = GuardedExchange([FORM, (b"content-length", b"1000000")], [PIECE])
    assert exchange.answer(refusing) == 401
    assert exchange.headers[b"connection"] == b"close"
    assert not exchange.sent[-1].get("more_body")


def test_waiting_for_a_client_to_leave_has_no_limit_once_the_body_is_complete():
    async def waiting(scope, receive, send):
        while (await receive())["type"] != "http.disconnect":
            pass
        await done(send)

    class Patient(GuardedExchange):
        async def receive(self):
            await asyncio.sleep(2 * LIMITS.idle_s)
            return {"type": "http.disconnect"}

    assert Patient([], []).answer(waiting) == 200


def test_a_failure_of_the_application_is_not_hidden():
    async def failing(scope, receive, send):
        raise LookupError("a fault")

    with pytest.raises(LookupError, match="a fault"):
        GuardedExchange([], []).answer(failing)


def test_websockets_pass():
    async def noting(scope, receive, send):
        await send({"type": "websocket.accept"})

    exchange = GuardedExchange([], [])
    exchange.scope["type"] = "websocket"
    asyncio.run(BodyGuard(noting, LIMITS)(exchange.scope, exchange.receive, exchange.send))
    assert exchange.sent == [{"type": "websocket.accept"}]
