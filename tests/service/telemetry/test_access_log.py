"""Each request ends in one line, whatever happens to it."""

from __future__ import annotations

import socket
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from urllib.parse import urlsplit

import httpx
import pytest
from telemetry_app import MODEL, assert_is_access_line, fixed_context, served


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    (folder / "page.js").write_text("1")
    with served(fixed_context(), folder) as parts:
        yield parts


def request(service, path, method="GET", **options):
    """Return an answer and its log line."""
    url, log = service
    answer = httpx.request(method, url + path, **options)
    line = log.next("request")
    assert line["request_id"] == answer.headers["X-Request-ID"]
    return answer, line


def test_a_line_has_what_its_dataclass_documents(service):
    answer, line = request(service, "/items/71", "POST", content=b"12345")
    assert_is_access_line(line)
    assert datetime.fromisoformat(line["time"]).utcoffset().total_seconds() == 0
    assert (line["level"], line["event"]) == ("info", "request")
    assert (line["method"], line["route"], line["status"]) == ("POST", "/items/{item}", 200)
    assert (line["model"], line["model_version"]) == (MODEL.name, MODEL.version)
    assert (line["audio_s"], line["queued_s"], line["compute_s"]) == (4.0, 0.25, 0.5)
    # `seconds` is written in tenths of a millisecond.
    assert line["cpu_share"] == pytest.approx(0.5 / line["seconds"], rel=0.2)
    assert line["memory_mib"] > 10
    assert (line["bytes_in"], line["bytes_out"]) == (0, len(answer.content))
    assert (line["key"], line["error"], line["close_code"]) == ("ana", None, None)


def test_neither_the_path_nor_the_text_is_in_the_line(service):
    _, line = request(service, "/items/secret-id?key=secret")
    assert "secret" not in str(line)
    assert "dobar" not in str(line)


def test_text_is_in_the_line_if_the_settings_ask_for_it():
    with served(fixed_context(log_text=True)) as service:
        _, line = request(service, "/items/1")
        assert_is_access_line(line)
        assert line["text"] == "dobar\ndan \ud800"


def test_an_id_is_taken_and_returned(service):
    headers = {"X-Request-ID": "trace-1:7_a.b"}
    answer, _ = request(service, "/own-id", headers=headers)
    assert answer.headers.get_list("X-Request-ID") == ["trace-1:7_a.b"]
    assert answer.text == "trace-1:7_a.b"
    answer, _ = request(service, "/items/1", headers=headers)
    assert answer.headers.get_list("X-Request-ID") == ["trace-1:7_a.b"]


def test_an_odd_id_is_not_echoed(service):
    answer, line = request(service, "/own-id", headers={"X-Request-ID": "a b<script>"})
    assert "script" not in str(answer.headers) + answer.text + str(line)
    assert len(answer.text) == 32


def test_two_clients_with_one_id_are_served_and_have_lines_of_their_own(service):
    url, log = service

    def call(number):
        return httpx.get(f"{url}/items/{number}", headers={"X-Request-ID": "same"}).text

    with ThreadPoolExecutor(4) as pool:
        answers = [*pool.map(call, range(8))]
    lines = [log.next("request") for _ in range(8)]
    assert answers == [f"item {number}" for number in range(8)]
    assert {line["request_id"] for line in lines} == {"same"}
    assert len({line["connection"] for line in lines}) == 8


def test_an_unready_service_is_a_warning_with_its_code(service):
    _, line = request(service, "/ready")
    assert (line["status"], line["level"], line["error"]) == (503, "warning", "unready")


@pytest.mark.parametrize(
    ("path", "method", "route", "status"),
    [
        ("/nowhere/5", "GET", "unrouted", 404),
        ("/items/5", "DELETE", "/items/{item}", 405),
        ("/files/page.js", "GET", "/files", 200),
        ("/files/none", "GET", "/files", 404),
        ("/docs", "GET", "/docs", 200),
        ("/busy", "GET", "/busy", 429),
    ],
)
def test_a_route_is_a_template_and_a_refusal_no_error_of_the_service(
    path, method, route, status, service
):
    _, line = request(service, path, method)
    assert (line["route"], line["status"], line["level"]) == (route, status, "info")
    assert line["error"] == ("busy" if status == 429 else None)


def test_a_fault_is_answered_with_its_id_and_logged_once_with_its_traceback(service):
    answer, line = request(service, "/boom")
    assert_is_access_line(line)
    assert answer.status_code == 500
    assert line["request_id"] in answer.json()["error"]["message"]
    assert "second" not in answer.text
    assert (line["level"], line["status"], line["error"]) == ("error", 500, "internal_error")
    assert line["exception"].endswith("RuntimeError: first\nsecond")
    request(service, "/own-id")
    assert service[1].rest() == []  # uvicorn's own report came before


def test_a_fault_after_the_answer_began_ends_the_connection(service):
    url, log = service
    with pytest.raises(httpx.RemoteProtocolError, match="closed connection without"):
        httpx.get(url + "/late")
    line = log.next("request")
    assert (line["level"], line["status"], line["error"]) == ("error", 200, "internal_error")
    assert line["bytes_out"] == 5
    assert "too late" in line["exception"]


def test_a_client_that_leaves_during_the_answer_is_logged(service):
    url, log = service
    with httpx.stream("GET", url + "/endless") as answer:
        next(answer.iter_raw())
    line = log.next("request")
    assert (line["status"], line["error"], line["level"]) == (200, "client_left", "info")
    assert line["bytes_out"] >= 65536
    assert "exception" not in line


def test_a_client_that_leaves_during_its_body_has_status_499(service):
    url, log = service
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port)) as client:
        client.sendall(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nfour")
    line = log.next("request")
    assert (line["status"], line["error"], line["level"]) == (499, "client_left", "info")
    assert (line["route"], line["bytes_in"], line["bytes_out"]) == ("/echo", 4, 0)
    assert log.rest() == []


def test_lines_of_one_service_are_numbered(service):
    numbers = [request(service, "/own-id")[1]["connection"] for _ in range(5)]
    assert [number - numbers[0] for number in numbers] == [0, 1, 2, 3, 4]


def test_nothing_stays_in_flight(service):
    url, log = service
    log.rest()
    for path in ("/items/1", "/boom", "/nowhere"):
        httpx.get(url + path)
    counts = Counter(line["event"] for line in [log.next() for _ in range(3)])
    assert counts == {"request": 3}
    metrics = httpx.get(url + "/metrics").text
    assert "fonoteka_requests_in_flight 1.0" in metrics  # this one
