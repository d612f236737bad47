"""The OpenAPI page describes what the service does: schemathesis compares it with the answers."""

from pathlib import Path

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from recording_service import recording_service
from schemathesis.specs.openapi.checks import positive_data_acceptance
from scripted_parts import FINISHED, FIRST, answers, scripted_context

from fonoteka.service.app import create_app
from fonoteka.service.keys import new_key

SCRIPT = answers(FIRST, FINISHED)
PAGE = schemathesis.openapi.from_dict(create_app(scripted_context(Path(), SCRIPT)).openapi())


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with recording_service(tmp_path_factory.mktemp("page"), SCRIPT) as running:
        yield running


# A schema cannot describe which bytes are a recording, or which names are models, so data that it
# allows may be refused; status, type and body of the refusal are checked.
@PAGE.parametrize()
@settings(max_examples=10, suppress_health_check=list(HealthCheck), deadline=None)
def test_answers_are_as_described(case, service):
    case.call_and_validate(base_url=service.url, excluded_checks=[positive_data_acceptance])


def test_the_errors_around_every_route_are_described(service):
    page = httpx.get(f"{service.url}/openapi.json").json()
    for operations in page["paths"].values():
        for operation in operations.values():
            errors = {s: r for s, r in operation["responses"].items() if s[0] in "45"}
            assert {"400", "401", "403", "408", "413", "500"} <= set(errors)
            assert all(response["content"]["application/json"] for response in errors.values())


def test_keys_are_described_if_the_service_has_them(service, tmp_path):
    assert "security" not in httpx.get(f"{service.url}/openapi.json").text
    new_key(tmp_path / "keys", "ana")
    with recording_service(tmp_path, SCRIPT, keys=tmp_path / "keys") as guarded:
        page = httpx.get(f"{guarded.url}/openapi.json").json()
    secured = page["paths"]["/v1/models/refresh"]["post"]["security"]
    assert secured == [{"bearer": []}, {"header": []}]
    assert set(page["components"]["securitySchemes"]) == {"bearer", "header"}
