"""Each WebSocket ends in one line, with the id of its handshake."""

from __future__ import annotations

import socket

import httpx
import pytest
from telemetry_app import assert_is_access_line, fixed_context, served
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect


@pytest.fixture(scope="module")
def service():
    with served(fixed_context()) as (url, log):
        yield url.replace("http", "ws"), log


def test_a_connection_has_one_line_with_its_code_sizes_and_usage(service):
    url, log = service
    headers = {"X-Request-ID": "stream-7"}
    with connect(f"{url}/ws/secret", additional_headers=headers) as client:
        assert client.response.headers["X-Request-ID"] == "stream-7"
        assert client.response.headers["X-Room"] == "secret"
        client.send("šta")
        assert client.recv() == "šta"
        client.send("close")
        with pytest.raises(ConnectionClosed, match="4000"):
            client.recv()
    line = log.next("websocket")
    assert_is_access_line(line)
    assert (line["request_id"], line["route"]) == ("stream-7", "/ws/{room}")
    assert (line["status"], line["close_code"], line["level"]) == (101, 4000, "info")
    assert (line["bytes_in"], line["bytes_out"]) == (len("štaclose".encode()), 4)
    assert (line["model"], line["compute_s"], line["error"]) == ("tuned", 0.5, None)
    assert "secret" not in str([line, *log.rest()])


def test_an_odd_id_of_a_handshake_is_replaced(service):
    url, log = service
    with connect(f"{url}/ws/a", additional_headers={"X-Request-ID": "a b"}) as client:
        created = client.response.headers["X-Request-ID"]
    assert len(created) == 32
    assert log.next("websocket")["request_id"] == created


@pytest.mark.parametrize(("code", "error"), [(1000, None), (1001, None), (3000, "client_left")])
def test_a_client_that_closes_is_logged_with_its_code(code, error, service):
    url, log = service
    with connect(f"{url}/ws/a") as client:
        client.close(code)
    line = log.next("websocket")
    assert (line["close_code"], line["error"], line["level"]) == (code, error, "info")


def test_a_connection_that_breaks_has_code_1006(service):
    url, log = service
    with connect(f"{url}/ws/a") as client:
        client.socket.shutdown(socket.SHUT_RDWR)
    line = log.next("websocket")
    assert (line["close_code"], line["error"], line["level"]) == (1006, "client_left", "info")
    assert log.rest() == []


def test_a_fault_closes_with_1011_and_is_logged_once_with_its_traceback(service):
    url, log = service
    with connect(f"{url}/ws/a") as client:
        client.send("fail")
        with pytest.raises(ConnectionClosed, match="1011"):
            client.recv()
    line = log.next("websocket")
    assert (line["close_code"], line["error"], line["level"]) == (1011, "internal_error", "error")
    assert line["exception"].endswith("RuntimeError: in a stream")
    with connect(f"{url}/ws/a"):
        pass
    log.next("websocket")
    assert log.rest() == []


@pytest.mark.parametrize(
    ("path", "status", "error", "level"),
    [
        ("/denied", 401, "missing_api_key", "info"),
        ("/refused", 403, None, "info"),
        ("/nowhere", 403, None, "info"),
        ("/broken", 500, "internal_error", "error"),
    ],
)
def test_a_refused_handshake_has_its_status(path, status, error, level, service):
    url, log = service
    with pytest.raises(InvalidStatus, match=str(status)) as refusal:
        connect(url + path)
    line = log.next("websocket")
    assert (line["status"], line["error"], line["level"]) == (status, error, level)
    assert line["close_code"] is None
    if status in (401, 500):  # 403 is the server's own answer
        assert refusal.value.response.headers["X-Request-ID"] == line["request_id"]


def test_open_connections_are_counted(service):
    url, log = service
    metrics = url.replace("ws", "http") + "/metrics"
    with connect(f"{url}/ws/a"), connect(f"{url}/ws/b"):
        assert "fonoteka_streams_open 2.0" in httpx.get(metrics).text
    for _ in range(2):
        log.next("websocket")
    assert "fonoteka_streams_open 0.0" in httpx.get(metrics).text
