"""Pages of other sites may not call the service, unless their origin is admitted."""

import asyncio

import httpx
import pytest
from recording_service import recording_service
from scripted_parts import FINISHED, FIRST, answers

from fonoteka.service.context import RequestRecord
from fonoteka.service.guards import OriginGuard

SCRIPT = answers(FIRST, FINISHED)
PAGE = "https://page.example"


@pytest.fixture(scope="module")
def closed(tmp_path_factory):
    with recording_service(tmp_path_factory.mktemp("closed"), SCRIPT) as service:
        yield service


@pytest.fixture(scope="module")
def admitting(tmp_path_factory):
    folder = tmp_path_factory.mktemp("open")
    with recording_service(folder, SCRIPT, origins=(PAGE,)) as service:
        yield service


@pytest.mark.parametrize("origin", [PAGE, "null", "http://[", "http://127.0.0.1:1"])
def test_a_page_of_another_site_is_refused(closed, origin):
    response = httpx.post(f"{closed.url}/v1/models/refresh", headers={"Origin": origin})
    assert (response.status_code, response.json()["error"]["code"]) == (403, "foreign_origin")


def test_the_page_of_the_service_and_programs_are_answered(closed):
    for headers in ({"Origin": closed.url}, {}):
        response = httpx.get(f"{closed.url}/v1/models", headers=headers)
        assert response.status_code == 200
        assert "access-control-allow-origin" not in response.headers


def test_a_preflight_is_refused_without_origins(closed):
    headers = {"Origin": PAGE, "Access-Control-Request-Method": "POST"}
    response = httpx.options(f"{closed.url}/v1/audio/transcriptions", headers=headers)
    assert response.status_code == 403


def test_an_admitted_page_may_read_the_answer_and_its_version(admitting):
    response = httpx.get(f"{admitting.url}/v1/models", headers={"Origin": PAGE})
    assert response.headers["access-control-allow-origin"] == PAGE
    assert "X-Model-Version" in response.headers["access-control-expose-headers"]


def test_the_preflight_of_an_admitted_page_allows_a_key(admitting):
    response = httpx.options(
        f"{admitting.url}/v1/audio/transcriptions",
        headers={
            "Origin": PAGE, "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization",
        },
    )  # fmt: skip
    assert response.status_code == 200
    assert "authorization" in response.headers["access-control-allow-headers"].lower()


def test_a_page_that_is_not_admitted_is_refused_beside_one_that_is(admitting):
    headers = {"Origin": PAGE + ".evil.example"}
    assert httpx.get(f"{admitting.url}/v1/models", headers=headers).status_code == 403


def test_a_page_without_an_origin_is_refused_by_a_request_without_a_host():
    # A sandboxed page sends null, whose site is as empty as the host that HTTP/1.0 may leave out.
    async def reached(scope, receive, send):
        raise AssertionError("the request passed")

    async def send(message):
        sent.append(message)

    sent = []
    scope = {
        "type": "http", "method": "POST", "path": "/v1/models/refresh",
        "headers": [(b"origin", b"null")], "state": {"record": RequestRecord("r")},
    }  # fmt: skip
    asyncio.run(OriginGuard(reached, ())(scope, None, send))
    assert sent[0]["status"] == 403
