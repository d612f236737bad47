"""The lists of models, and the words of stored recordings."""

import httpx
import openai
import pytest
from recording_service import RECORDING, recording_service
from scripted_parts import FINISHED, FIRST, PHONES, STREAM, WORDS, ScriptedModels, answers

from fonoteka.service.interfaces import ModelKind, ModelVersion, WordsJob


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with recording_service(tmp_path_factory.mktemp("models"), answers(FIRST, FINISHED)) as running:
        yield running


def test_models_are_listed_with_their_versions_and_metrics(service):
    models = list(service.client.models.list())
    assert [model.id for model in models] == ["streaming", "tuned", "whisper_ctc"]
    assert [model.object for model in models] == ["model"] * 3
    tuned = models[1]
    assert (tuned.owned_by, tuned.version, tuned.kind) == ("fonoteka", WORDS.version, "words")
    assert (tuned.metrics, tuned.gates) == ({"wer": 0.25}, {"wer": 0.5})


def test_a_model_is_described_by_its_name_and_by_its_alias(service):
    assert service.client.models.retrieve("whisper_ctc").version == PHONES.version
    assert service.client.models.retrieve("whisper-1").id == WORDS.name


@pytest.mark.parametrize("name", ["gpt-9", "../tuned", "a/b", "tuned\0", "č", "%2e%2e"])
def test_the_description_of_an_unknown_model_is_not_found(service, name):
    with pytest.raises(openai.NotFoundError, match="not offered") as caught:
        service.client.models.retrieve(name)
    assert caught.value.code == "model_not_found"


def test_a_model_was_created_when_its_package_was_written(tmp_path):
    package = tmp_path / "package.json"
    package.write_text("{}")
    model = ModelVersion("tuned", "0" * 12, ModelKind.WORDS, tmp_path)
    with recording_service(tmp_path, answers(), models=ScriptedModels([model])) as service:
        assert service.client.models.retrieve("tuned").created == int(package.stat().st_mtime)
        package.unlink()
        assert service.client.models.retrieve("tuned").created == 0


def test_the_short_list_has_names_kinds_and_versions(service):
    models = httpx.get(f"{service.url}/models").json()["models"]
    assert models[0] == {"name": "streaming", "kind": "stream", "version": STREAM.version}
    assert len(models) == 3


def test_a_refresh_returns_what_happened_to_each_package(service):
    packages = httpx.post(f"{service.url}/v1/models/refresh").json()["packages"]
    assert packages == {"tuned": "unchanged", "whisper_ctc": "unchanged", "streaming": "unchanged"}


@pytest.fixture(scope="module")
def file_id(service):
    raw = service.client.audio.transcriptions.with_raw_response.create(
        file=RECORDING, model="tuned", extra_body={"store": "1"}
    )
    return raw.headers["x-file-id"]


def process(service, file_id, **query):
    return httpx.post(f"{service.url}/process/whisper/{file_id}", params=query)


def test_a_stored_recording_is_processed_more_than_once(service, file_id):
    for script in ("latin", "cyrillic"):
        response = process(service, file_id, script=script)
        assert response.headers["x-model-version"] == WORDS.version
        job = service.workers.jobs[-1]
        assert isinstance(job, WordsJob)
        assert (job.language, job.script) == ("auto", script)
    segment = {"id": 0, "start": 0.25, "end": 0.75, "text": "Dobar dan."}
    assert response.json()["segments"] == [segment]
    assert response.json()["model"] == WORDS.name
    assert not service.uploads.temporary()


@pytest.mark.parametrize(
    ("query", "status", "param"),
    [
        ({"language": "xx"}, 400, "language"),
        ({"language": "en", "script": "cyrillic"}, 400, "script"),
        ({"script": ["latin", "latin"]}, 400, "script"),
        ({"prompt": "x"}, 400, "prompt"),
        ({"model": "whisper_ctc"}, 404, "model"),
        ({"model": "../tuned"}, 404, "model"),
        ({"model": ""}, 400, "model"),
    ],
)
def test_a_malformed_query_is_refused_with_its_field(service, file_id, query, status, param):
    response = process(service, file_id, **query)
    assert (response.status_code, response.json()["error"]["param"]) == (status, param)


@pytest.mark.parametrize("file_id", ["0" * 32, "..%2Fkeys", "%00", "tuned"])
def test_an_id_that_was_not_given_out_is_not_found(service, file_id):
    assert process(service, file_id).status_code == 404
