"""What /v1/audio/transcriptions refuses, and how OpenAI's client raises it."""

import httpx
import openai
import pytest
from fastapi import APIRouter
from recording_service import RECORDING, recording_service
from scripted_parts import FINISHED, FIRST, STREAM, WORDS, ScriptedModels, answers, raises

from fonoteka.service.failures import allowed_methods
from fonoteka.service.interfaces import (
    BusyError,
    DeadlineError,
    UnanswerableError,
    UnavailableError,
)


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with recording_service(tmp_path_factory.mktemp("errors"), answers(FIRST, FINISHED)) as running:
        yield running


def post(service, fields=(), files=None, path="/v1/audio/transcriptions"):
    files = {"file": RECORDING} if files is None else files
    response = httpx.post(service.url + path, data=dict(fields), files=files)
    assert not service.uploads.temporary()
    return response.status_code, response.json()["error"]


@pytest.mark.parametrize("name", ["gpt-9", "../tuned", "tuned/../../etc/passwd", "tuned\0"])
def test_an_unknown_model_is_not_found(service, name):
    with pytest.raises(openai.NotFoundError, match="is not offered") as caught:
        service.transcribe(model=name)
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


def test_a_model_of_live_streams_is_not_found_for_recordings(service):
    with pytest.raises(openai.NotFoundError, match="open /v1/stream"):
        service.transcribe(model=STREAM.name)


@pytest.mark.parametrize(
    ("param", "options"),
    [
        ("response_format", {"response_format": "diarized_json"}),
        ("language", {"language": "xx"}),
        ("language", {"language": ""}),
        ("script", {"extra_body": {"script": "greek"}}),
        ("script", {"language": "hr", "extra_body": {"script": "cyrillic"}}),
        ("temperature", {"temperature": 0.5}),
        ("temperature", {"extra_body": {"temperature": "warm"}}),
        ("temperature", {"extra_body": {"temperature": "nan"}}),
        ("prompt", {"prompt": "Sarajevo"}),
        ("chunking_strategy", {"chunking_strategy": {"type": "server_vad"}}),
        ("timestamp_granularities[]", {"timestamp_granularities": ["word"]}),
        ("timestamp_granularities[]", {
            "timestamp_granularities": ["phone"], "response_format": "verbose_json"}),
        ("response_format", {"stream": True, "response_format": "srt"}),
        ("stream", {"extra_body": {"stream": "perhaps"}}),
        ("include[]", {"include": ["logprobs"]}),
        ("language", {"model": "whisper_ctc", "language": "bs"}),
        ("script", {"model": "whisper_ctc", "extra_body": {"script": "latin"}}),
    ],
)  # fmt: skip
def test_a_value_without_effect_is_refused_with_its_field(service, param, options):
    with pytest.raises(openai.BadRequestError, match=r"\w") as caught:
        service.transcribe(**options)
    error = caught.value.body
    assert error["type"] == "invalid_request_error"
    assert str(error["param"]).startswith(param)
    assert service.records[-1].error == error["code"]


@pytest.mark.parametrize(
    ("status", "param", "fields", "files"),
    [
        (400, "file", {"model": "tuned"}, {"other": (None, "x")}),
        (400, "model", {}, None),
        (400, "model", {"model": " "}, None),
        (400, "model", {"model": ["tuned", "tuned"]}, None),
        (400, "file", {"model": "tuned"}, {"file": ("empty.wav", b"")}),
        (400, "file", {"model": "tuned"}, {"file": ("text.wav", b"not a recording")}),
        (400, "modell", {"model": "tuned", "modell": "tuned"}, None),
    ],
)
def test_a_malformed_form_is_refused_with_its_field(service, status, param, fields, files):
    answered, error = post(service, fields, files)
    assert (answered, error["param"]) == (status, param)


@pytest.mark.parametrize(
    ("refusal", "exception", "status"),
    [
        (UnanswerableError("no speech"), openai.BadRequestError, 400),
        (BusyError("64 jobs wait", 7), openai.RateLimitError, 429),
        (UnavailableError("the service stops"), openai.InternalServerError, 503),
        (DeadlineError("it took 60 s"), openai.InternalServerError, 504),
    ],
)
@pytest.mark.parametrize("wrap", [raises, answers])
def test_a_refused_job_is_raised_with_its_status(tmp_path, refusal, exception, status, wrap):
    with (
        recording_service(tmp_path, wrap(refusal)) as service,
        pytest.raises(exception, match=str(refusal)) as caught,
    ):
        service.transcribe()
    assert caught.value.status_code == status
    assert not service.uploads.temporary()


def test_a_busy_service_states_when_to_try_again(tmp_path):
    with (
        recording_service(tmp_path, raises(BusyError("64 jobs wait", 7))) as service,
        pytest.raises(openai.RateLimitError, match="64 jobs wait") as caught,
    ):
        service.transcribe()
    assert caught.value.response.headers["retry-after"] == "7"
    assert caught.value.body["type"] == "rate_limit_error"


def test_word_times_without_a_phone_recogniser_are_refused(tmp_path):
    models = ScriptedModels([WORDS])
    with (
        recording_service(tmp_path, answers(FIRST, FINISHED), models=models) as service,
        pytest.raises(openai.BadRequestError, match="none is offered"),
    ):
        service.transcribe(response_format="verbose_json", timestamp_granularities=["word"])


def test_subtitles_without_a_phone_recogniser_have_a_cue_per_segment(tmp_path):
    models = ScriptedModels([WORDS])
    with recording_service(tmp_path, answers(FIRST, FINISHED), models=models) as service:
        assert "Dobar dan." in service.transcribe(response_format="srt")
    assert service.workers.jobs[-1].aligner is None


def test_an_unexpected_failure_is_answered_with_its_request_and_logged(tmp_path, caplog):
    with recording_service(tmp_path, raises(RuntimeError("a fault of ours"))) as service:
        with pytest.raises(openai.InternalServerError, match="req-7") as caught:
            service.transcribe(extra_headers={"X-Request-ID": "req-7"})
        assert not service.uploads.temporary()
    assert caught.value.status_code == 500
    assert "a fault of ours" not in str(caught.value.body)
    assert "a fault of ours" in caplog.text
    assert service.records[-1].error == "internal_error"


def test_an_unexpected_failure_in_a_stream_is_an_event_and_logged(tmp_path, caplog):
    with recording_service(tmp_path, answers(FIRST, RuntimeError("a fault of ours"))) as service:
        stream = service.transcribe(stream=True)
        with pytest.raises(openai.APIError, match="under request made"):
            list(stream)
    assert "a fault of ours" in caplog.text


def test_translations_are_not_offered(service):
    status, error = post(service, {"model": "whisper-1"}, path="/v1/audio/translations")
    assert (status, error["code"]) == (404, "not_found")
    assert "translations are not offered" in error["message"]


def test_an_unknown_path_is_not_found(service):
    status, error = post(service, path="/v1/chat/completions")
    assert (status, error["code"]) == (404, "not_found")


def test_another_method_is_refused_with_those_that_are_allowed(service):
    for path, allowed in (("models", "GET"), ("models/refresh", "POST"), ("models/x", "GET")):
        response = httpx.put(f"{service.url}/v1/{path}")
        assert (response.status_code, response.headers["allow"]) == (405, allowed)
        assert response.json()["error"]["code"] == "method_not_allowed"


def test_all_methods_of_a_path_are_allowed():
    router = APIRouter()
    for method in ("GET", "DELETE"):
        router.add_api_route("/v1/files/{file_id}", lambda: None, methods=[method])
    assert allowed_methods([router], "/v1/files/7") == "DELETE, GET"
