"""API keys: their file, and what requests and sockets without a valid one are answered."""

import stat

import httpx
import openai
import pytest
from fastapi import APIRouter, WebSocket
from recording_service import recording_service
from running_service import running
from scripted_parts import FINISHED, FIRST, answers, record_maker, scripted_context
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from fonoteka.core.errors import UserError
from fonoteka.service.app import ROUTERS, create_app
from fonoteka.service.keys import KeyFile, new_key, read_keys

SCRIPT = answers(FIRST, FINISHED)
SOCKET = APIRouter()


@SOCKET.websocket("/v1/greeting")
async def greet(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("open")
    await websocket.close()


@pytest.fixture
def keys(tmp_path):
    return tmp_path / "keys"


@pytest.fixture
def key(keys):
    return new_key(keys, "ana")


def test_a_file_of_keys_has_no_key_and_is_private(keys, key):
    assert key not in keys.read_text()
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    assert list(read_keys(keys)) == ["ana"]


def test_each_key_is_another_and_belongs_to_its_name(keys, key):
    other = new_key(keys, "boris")
    file = KeyFile(keys)
    assert (file.owner(key), file.owner(other)) == ("ana", "boris")
    assert file.owner(key[:-1]) is None
    assert file.owner("") is None


def test_a_file_with_wide_rights_and_no_last_newline_is_repaired(keys, key):
    keys.write_text(keys.read_text().rstrip("\n"))
    keys.chmod(0o644)
    new_key(keys, "boris")
    assert list(read_keys(keys)) == ["ana", "boris"]
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["", "a b", "a\nb", "x" * 65, "č"])
def test_a_malformed_name_of_a_key_is_refused(keys, name):
    with pytest.raises(UserError, match="expected 1 to 64 letters"):
        new_key(keys, name)
    assert not keys.exists()


def test_a_second_key_of_a_name_is_refused(keys, key):
    with pytest.raises(UserError, match="ana has a key already"):
        new_key(keys, "ana")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "contains no key"),
        ("# a comment\n\n", "contains no key"),
        ("ana\n", "keys:1: expected a name and a SHA-256"),
        ("ana " + "0" * 63 + "\n", "keys:1: expected a name"),
        ("ana " + "0" * 64 + "\nana " + "1" * 64 + "\n", "keys:2: the name ana is on an earlier"),
    ],
)
def test_a_file_without_a_usable_key_is_refused_at_the_start(keys, content, problem):
    keys.write_text(content)
    with pytest.raises(UserError, match=problem):
        KeyFile(keys)


def test_a_missing_file_of_keys_is_refused_at_the_start(keys):
    with pytest.raises(UserError, match="cannot be read as a file of keys"):
        KeyFile(keys)


def test_a_deleted_line_revokes_its_key_while_the_service_runs(keys, key):
    file = KeyFile(keys)
    other = new_key(keys, "boris")
    keys.write_text("".join(keys.read_text().splitlines(keepends=True)[1:]))
    assert (file.owner(key), file.owner(other)) == (None, "boris")


def test_a_key_that_replaces_another_in_its_line_revokes_it(keys, key):
    file = KeyFile(keys)
    new_file = keys.with_name("new")
    other = new_key(new_file, "ana")
    assert new_file.stat().st_size == keys.stat().st_size
    new_file.replace(keys)
    assert (file.owner(key), file.owner(other)) == (None, "ana")


def test_a_file_that_becomes_malformed_leaves_the_keys_valid_and_is_logged(keys, key, caplog):
    file = KeyFile(keys)
    keys.write_text("half a li")
    assert file.owner(key) == "ana"
    assert "the keys that were read last stay valid" in caplog.text


def test_the_client_with_a_key_is_answered_and_one_with_another_is_not(tmp_path, keys, key):
    with recording_service(tmp_path, SCRIPT, key=key, keys=keys) as service:
        assert service.transcribe().text == "Dobar dan."
        assert service.records[-1].key == "ana"
        wrong = service.client.with_options(api_key="fk_wrong")
        with pytest.raises(openai.AuthenticationError, match="is not valid") as caught:
            wrong.models.list()
        assert (caught.value.type, caught.value.code) == (
            "authentication_error", "invalid_api_key",
        )  # fmt: skip
        assert service.records[-1].error == "invalid_api_key"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer"}, 401),
        ({"Authorization": "Basic {}"}, 401),
        ({"Sec-WebSocket-Protocol": "bearer.{}"}, 401),
        ({"Authorization": "Bearer {}"}, 200),
        ({"Authorization": "bearer {}"}, 200),
        ({"Authorization": "Token {}"}, 200),
        ({"X-API-Key": "{}"}, 200),
    ],
)
def test_a_key_is_read_from_either_header(tmp_path, keys, key, headers, status):
    with recording_service(tmp_path, SCRIPT, keys=keys) as service:
        sent = {name: value.format(key) for name, value in headers.items()}
        response = httpx.get(f"{service.url}/v1/models", headers=sent)
        in_query = httpx.get(f"{service.url}/v1/models", params={"api_key": key, "token": key})
    assert (response.status_code, in_query.status_code) == (status, 401)
    assert ("www-authenticate" in response.headers) == (status == 401)


@pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
def test_the_description_of_the_api_needs_no_key(tmp_path, keys, key, path):
    with recording_service(tmp_path, SCRIPT, keys=keys) as service:
        assert httpx.get(service.url + path).status_code == 200


@pytest.mark.parametrize("path", ["/v1/models/refresh", "/v1/audio/transcriptions", "/v1/align"])
def test_an_unauthorised_request_reaches_no_route(tmp_path, keys, key, path):
    with recording_service(tmp_path, SCRIPT, keys=keys) as service:
        response = httpx.post(service.url + path, content=b"x" * 1_000_000)
    assert response.json()["error"]["code"] == "missing_api_key"
    assert response.status_code == 401


def socket_address(tmp_path, keys):
    context = scripted_context(tmp_path, SCRIPT, keys=keys)
    app = create_app(context, [*ROUTERS, SOCKET], [record_maker()])
    return running(app)


@pytest.mark.parametrize(
    ("protocols", "accepted"),
    [
        (["bearer.{}"], "bearer.{}"),
        (["fonoteka", "bearer.{}"], "fonoteka"),
        (["token", "{}"], "token"),
    ],
)
def test_a_socket_may_send_its_key_as_a_subprotocol(tmp_path, keys, key, protocols, accepted):
    with socket_address(tmp_path, keys) as url:
        address = url.replace("http", "ws") + "/v1/greeting"
        offered = [name.format(key) for name in protocols]
        with connect(address, subprotocols=offered, proxy=None) as socket:
            assert socket.recv() == "open"
            assert socket.subprotocol == accepted.format(key)


@pytest.mark.parametrize("query", ["", "?token={}", "?api_key={}"])
def test_a_socket_without_a_key_is_refused_with_an_error_body(tmp_path, keys, key, query):
    with socket_address(tmp_path, keys) as url:
        address = url.replace("http", "ws") + "/v1/greeting" + query.format(key)
        with pytest.raises(InvalidStatus, match="401") as caught, connect(address, proxy=None):
            pass
    assert b"missing_api_key" in caught.value.response.body
