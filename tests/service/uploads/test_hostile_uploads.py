"""A server answers every hostile upload with 200 or 4xx, and nothing of it stays."""

from __future__ import annotations

import gc
import socket
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import psutil
import pytest
from corpus_maker import shared_corpus
from hostile_uploads import hostile_uploads
from sound_bytes import silent_flac, wav, wav_claiming
from uploads_app import running_app, settings_for

from fonoteka.service.uploads import folder as folder_module

IDLE_S = 0.5
BUFFERS = 320 << 10  # what uvicorn reads before it looks at the limit again
HEAD = b"POST /decode HTTP/1.1\r\nHost: test\r\nContent-Type: multipart/form-data; boundary=b\r\n"
PART = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    settings = settings_for(tmp_path_factory.mktemp("hostile"), body_mib=4, idle_s=IDLE_S)
    with running_app(settings) as running:
        yield running


@pytest.fixture(scope="module")
def client(app):
    with httpx.Client(base_url=app.url, timeout=60) as opened:
        yield opened


@pytest.fixture(autouse=True)
def nothing_stays(app):
    """Check after each test that the folder is empty and that a recording is decoded."""
    app.reads.left.clear()
    app.reads.bytes = 0
    yield
    assert httpx.post(f"{app.url}/decode", files={"file": wav(1)}).json()["audio_s"] == 1
    assert app.leftovers() == []


@pytest.fixture
def connection(app):
    with socket.create_connection(("127.0.0.1", app.port), timeout=60) as opened:
        yield opened


def chunk(data):
    return b"%x\r\n%b\r\n" % (len(data), data)


def send_forever(connection):
    while True:
        connection.sendall(chunk(bytes(1 << 16)))


def memory(app):
    """Return the resident bytes of this process, which serves, and of its decoders."""
    gc.collect()
    processes = [psutil.Process(), *map(psutil.Process, app.uploads.decoders)]
    return [process.memory_info().rss for process in processes]


def test_500_hostile_uploads_are_answered_below_500_in_flat_memory(app, client, tmp_path):
    statuses, before = Counter(), []
    for number, upload in enumerate(hostile_uploads(tmp_path, 500)):
        if number == 200:  # allocators have what they need
            before = memory(app)
        headers = [(b"Content-Type", upload.kind)]
        answer = client.post("/decode", content=upload.body, headers=headers)
        statuses[answer.status_code] += 1
        if answer.status_code != 200:
            assert answer.json()["error"]["message"], upload
        assert app.leftovers() == []
    assert all(status == 200 or 400 <= status < 500 for status in statuses), statuses
    assert min(statuses[200], statuses[400], statuses[415]) >= 10, statuses
    for start, end in zip(before, memory(app), strict=True):
        assert end < 1.1 * start


def test_every_malformed_file_is_answered_below_500(app, client):
    for path in shared_corpus("malformed").rglob("*"):
        if path.is_file() and path.stat().st_size < 1 << 20:
            answer = client.post("/decode", files={"file": (path.name, path.read_bytes())})
            assert answer.status_code in (200, 400, 413, 415), path


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (wav_claiming(16_000, 1, 10 << 30, b"RF64"), 400), (wav_claiming(16_000, 0, 3200), 400),
        (wav_claiming(0, 1, 3200), 400), (silent_flac(7260), 413), (b"", 400),
        (b"#EXTM3U\nhttp://127.0.0.1/\n", 415),
    ],
)  # fmt: skip
def test_a_file_that_claims_too_much_is_refused(client, data, status):
    assert client.post("/decode", files={"file": data}).status_code == status


def test_a_body_beyond_the_limit_is_not_read(app, client):
    answer = client.post("/decode", files={"file": bytes(5 << 20)})
    assert answer.status_code == 413
    assert answer.headers["connection"] == "close"
    assert app.reads.bytes == 0


def test_an_endless_body_is_stopped_at_the_limit(app, connection):
    connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk(PART))
    with pytest.raises(OSError, match=r"reset|[Bb]roken pipe"):
        send_forever(connection)
    assert 4 << 20 < app.reads.bytes <= (4 << 20) + BUFFERS


@pytest.mark.parametrize("more", [b"Content-Length: 999", b"Transfer-Encoding: chunked"])
def test_a_client_that_falls_silent_is_answered_408(connection, more):
    data = PART if b"Length" in more else chunk(PART)
    connection.sendall(HEAD + more + b"\r\n\r\n" + data)
    answer = b"".join(iter(lambda: connection.recv(4096), b""))  # the server closes
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"body_too_slow" in answer


@pytest.mark.parametrize("size", [0, 10, 300_000], ids=["no-byte", "a-few", "spooled"])
def test_a_client_that_leaves_in_mid_body_leaves_nothing(app, connection, size):
    connection.sendall(HEAD + b"Content-Length: 999999\r\n\r\n" + PART + bytes(size))
    connection.close()
    assert app.reads.left.wait(10)


def test_a_half_open_connection_is_closed(app, connection):
    connection.sendall(HEAD + b"Content-Length: 999999\r\n\r\n" + PART + bytes(300_000))
    connection.shutdown(socket.SHUT_WR)
    assert app.reads.left.wait(10)


def test_two_uploads_at_a_time_are_both_decoded(app, client):
    together = threading.Barrier(2)

    def send(seconds):
        together.wait()
        files = {"file": ("same.wav", wav(seconds, 44_100))}
        return client.post("/decode", files=files).json()["audio_s"]

    with ThreadPoolExecutor(2) as threads:
        assert [*threads.map(send, (1.0, 2.0) * 5)] == pytest.approx([1.0, 2.0] * 5)


def test_a_full_disk_is_answered_507_and_the_service_recovers(client, monkeypatch):
    real = folder_module.os.open
    with monkeypatch.context() as patch:
        patch.setattr(
            folder_module, "_create", lambda path: real("/dev/full", folder_module.os.O_WRONLY)
        )
        answer = client.post("/decode", files={"file": wav(1)})
    assert answer.status_code == 507
    assert answer.json()["error"]["message"] == "the disk of the service is full; try again later"
    assert client.post("/decode", files={"file": wav(1)}).status_code == 200
