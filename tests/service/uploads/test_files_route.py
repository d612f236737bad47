"""/v1/files as OpenAI's client uses it, and as its OpenAPI page describes it."""

from __future__ import annotations

from pathlib import Path

import httpx
import openai
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance
from scripted_parts import answers, scripted_context
from sound_bytes import wav
from uploads_app import running_app, settings_for

from fonoteka.service.app import create_app

NAME = "../../etc/passwd"


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    with running_app(settings_for(folder, stored_mib=64, body_mib=1)) as running:
        yield running


@pytest.fixture(scope="module")
def client(app):
    with openai.OpenAI(base_url=f"{app.url}/v1", api_key="x", max_retries=0) as opened:
        yield opened


@pytest.fixture
def stored(client, app):
    file = client.files.create(file=(NAME, wav(1)), purpose="user_data")
    yield file
    if app.leftovers():
        client.files.delete(file.id)
    assert app.leftovers() == []


def test_a_stored_file_is_described_read_and_deleted(client, app, stored):
    assert (stored.filename, stored.bytes, stored.purpose) == (NAME, len(wav(1)), "user_data")
    assert stored.expires_at == stored.created_at + 3600
    assert client.files.retrieve(stored.id) == stored
    assert client.files.content(stored.id).read() == wav(1)
    assert client.files.delete(stored.id).deleted
    assert app.leftovers() == []
    with pytest.raises(openai.NotFoundError, match="no stored file has the id"):
        client.files.retrieve(stored.id)


def test_a_client_chooses_an_earlier_expiry(client, stored):
    file = client.files.create(
        file=("a.wav", wav(1)), purpose="evals",
        expires_after={"anchor": "created_at", "seconds": 1800},
    )  # fmt: skip
    assert file.expires_at == file.created_at + 1800
    client.files.delete(file.id)


def test_files_are_listed_in_pages(client):
    ids = [client.files.create(file=b"%d" % n, purpose="vision").id for n in range(5)]
    assert [file.id for file in client.files.list(limit=2)] == ids[::-1]
    assert [file.id for file in client.files.list(order="asc", after=ids[2])] == ids[3:]
    assert client.files.list(purpose="evals").data == []
    first = client.files.list(limit=2)
    assert (first.has_more, first.data[0].id) == (True, ids[4])
    for file_id in ids:
        client.files.delete(file_id)


@pytest.mark.parametrize(
    ("data", "param"),
    [
        ({"purpose": "other"}, "purpose"), ({"purpose": ["evals", "evals"]}, "purpose"),
        ({"expires_after[seconds]": "0"}, "expires_after[seconds]"),
        ({"expires_after[seconds]": "9" * 30}, "expires_after[seconds]"),
        ({"expires_after[anchor]": "now"}, "expires_after[anchor]"), ({"porpose": "x"}, "porpose"),
    ],
)  # fmt: skip
def test_a_field_that_cannot_be_used_is_named_and_nothing_is_stored(app, data, param):
    answer = httpx.post(f"{app.url}/v1/files", files={"file": b"x"}, data=data)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param
    assert app.leftovers() == []


def test_a_form_without_a_file_is_refused(app):
    files = {"purpose": (None, "evals")}
    answer = httpx.post(f"{app.url}/v1/files", files=files)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "file")


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "order=up", "after=file-x", "purpose=x"])
def test_a_parameter_that_cannot_be_used_is_named(app, query):
    answer = httpx.get(f"{app.url}/v1/files?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == query.partition("=")[0]


@pytest.mark.parametrize("file_id", ["..%2f..%2fetc%2fpasswd", "%00", "file-" + "a" * 24, "..."])
def test_an_id_that_was_not_given_is_not_found(app, file_id):
    for method, path in (("GET", ""), ("GET", "/content"), ("DELETE", "")):
        answer = httpx.request(method, f"{app.url}/v1/files/{file_id}{path}")
        assert answer.status_code == 404


def test_content_is_never_shown_as_a_page(app, client):
    file = client.files.create(file=("a.html", b"<script>alert(1)</script>"), purpose="user_data")
    headers = httpx.get(f"{app.url}/v1/files/{file.id}/content").headers
    assert headers["content-type"] == "application/octet-stream"
    assert headers["content-disposition"] == "attachment"
    client.files.delete(file.id)


def test_an_expired_file_is_deleted_without_a_request_for_it(app, client):
    expiry = {"anchor": "created_at", "seconds": 1}
    file = client.files.create(file=b"sound", purpose="user_data", expires_after=expiry)
    (path,) = app.leftovers()
    while path.exists():
        httpx.get(f"{app.url}/docs")
    with pytest.raises(openai.NotFoundError, match="may have expired"):
        client.files.retrieve(file.id)


PAGE = schemathesis.openapi.from_dict(create_app(scripted_context(Path(), answers())).openapi())


# A schema cannot name the ids of the files that are stored.
@PAGE.include(path_regex="^/v1/files").parametrize()
@settings(max_examples=25, suppress_health_check=list(HealthCheck), deadline=None, derandomize=True)
def test_answers_are_as_the_openapi_page_describes_them(case, app):
    case.call_and_validate(base_url=app.url, excluded_checks=[positive_data_acceptance])
    for stored in app.uploads.stored_files():
        app.uploads.discard(stored.file_id)
    assert app.leftovers() == []
