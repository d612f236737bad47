"""POST /v1/audio/transcriptions as OpenAI's own client uses it."""

import json

import httpx
import openai
import pytest
import srt
import webvtt
from recording_service import RECORDING, recording_service
from scripted_parts import FINISHED, FIRST, PHONES, SECOND, USAGE, WORDS, answers

from fonoteka.service.interfaces import (
    Finished,
    PhonesJob,
    Segment,
    UnavailableError,
    Unit,
    WordsJob,
)


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("service")
    with recording_service(folder, answers(FIRST, SECOND, FINISHED)) as running_service:
        yield running_service


def test_json_has_the_text_and_the_length_of_the_recording(service):
    answer = service.transcribe()
    assert answer.text == "Dobar dan. Laku noć."
    assert (answer.usage.type, answer.usage.seconds) == ("duration", 2.0)
    assert service.uploads.temporary() == []


def test_text_is_the_text_and_a_newline(service):
    assert service.transcribe(response_format="text") == "Dobar dan. Laku noć.\n"


def test_verbose_json_has_all_fields_of_a_segment(service):
    answer = service.transcribe(response_format="verbose_json")
    first = answer.segments[0]
    assert (answer.language, answer.duration, answer.task) == ("bs", 2.0, "transcribe")
    assert (first.id, first.seek, first.start, first.end) == (0, 25, 0.25, 0.75)
    assert (first.tokens, first.avg_logprob, first.no_speech_prob) == ([11, 12], -0.25, 0.25)
    assert first.temperature == 0
    assert answer.words is None
    assert (answer.model, answer.model_version) == (WORDS.name, WORDS.version)


def test_word_times_are_placed_by_a_phone_recogniser(service):
    answer = service.transcribe(response_format="verbose_json", timestamp_granularities=["word"])
    assert [(word.word, word.start, word.end) for word in answer.words][:2] == [
        ("Dobar", 0.25, 0.5), ("dan.", 0.5, 0.75),
    ]  # fmt: skip
    assert answer.segments is None
    assert service.workers.jobs[-1].aligner == PHONES


def test_both_granularities_are_answered_together(service):
    answer = service.transcribe(
        response_format="verbose_json", timestamp_granularities=["word", "segment"]
    )
    assert (len(answer.words), len(answer.segments)) == (4, 2)


def test_srt_is_read_by_the_srt_package(service):
    cues = list(srt.parse(service.transcribe(response_format="srt")))
    assert [cue.content for cue in cues] == ["Dobar dan.", "Laku noć."]
    assert cues[1].end.total_seconds() == 1.5


def test_vtt_is_read_by_the_webvtt_package(service):
    captions = webvtt.from_string(service.transcribe(response_format="vtt")).captions
    assert [(cue.start, cue.text) for cue in captions] == [
        ("00:00:00.250", "Dobar dan."), ("00:00:01.000", "Laku noć."),
    ]  # fmt: skip


def test_language_and_script_are_passed_to_the_job(service):
    service.transcribe(language="sr", extra_body={"script": "cyrillic"}, temperature=0)
    job = service.workers.jobs[-1]
    assert isinstance(job, WordsJob)
    assert (job.model, job.language, job.script, job.aligner) == (WORDS, "sr", "cyrillic", None)


def test_the_answer_names_the_version_of_its_model(service):
    raw = service.client.audio.transcriptions.with_raw_response.create(
        file=RECORDING, model="whisper-1"
    )
    assert raw.headers["x-model"] == WORDS.name
    assert raw.headers["x-model-version"] == WORDS.version


def test_the_record_has_model_cost_and_text(service):
    service.transcribe()
    record = service.records[-1]
    assert (record.model, record.usage, record.error) == (WORDS, USAGE, None)
    assert record.text == "Dobar dan. Laku noć."


def test_segments_are_streamed_as_deltas_whose_sum_is_the_text(service):
    events = list(service.transcribe(stream=True))
    deltas = [event.delta for event in events if event.type == "transcript.text.delta"]
    assert deltas == ["Dobar dan.", " Laku noć."]
    assert events[-1].type == "transcript.text.done"
    assert events[-1].text == "".join(deltas)
    assert service.records[-1].usage == USAGE


def test_the_files_of_a_stream_are_deleted(tmp_path):
    with recording_service(tmp_path, answers(FIRST, FINISHED)) as service:
        list(service.transcribe(stream=True))
        assert service.workers.jobs
    assert service.uploads.temporary() == []


def test_a_stored_recording_is_processed_by_its_id(service):
    raw = service.client.audio.transcriptions.with_raw_response.create(
        file=RECORDING, model="whisper-1", extra_body={"store": "true"}
    )
    file_id = raw.headers["x-file-id"]
    assert json.loads(raw.text)["file_id"] == file_id
    process = service.url + f"/process/whisper/{file_id}?language=sr"
    answer = httpx.post(process).json()
    assert answer["text"] == "Dobar dan. Laku noć."
    assert (answer["file_id"], answer["version"]) == (file_id, WORDS.version)
    assert service.workers.jobs[-1].language == "sr"


def test_a_phone_recogniser_answers_phones_with_their_times(tmp_path):
    phones = Segment("d a", 0.1, 0.3, (Unit("d", 0.1, 0.2), Unit("a", 0.2, 0.3)))
    with recording_service(tmp_path, answers(phones, Finished("", USAGE))) as service:
        answer = service.transcribe(
            model="whisper_ctc", response_format="verbose_json",
            timestamp_granularities=["word"],
        )  # fmt: skip
        assert isinstance(service.workers.jobs[-1], PhonesJob)
    assert answer.text == "d a"
    assert [word.word for word in answer.words] == ["d", "a"]


@pytest.mark.parametrize("response_format", ["json", "srt", "verbose_json"])
def test_a_doubtful_result_is_marked_in_the_header(tmp_path, response_format):
    finished = Finished("sr", USAGE, "0.25 to 0.75 s: no times for »ђ«")
    with recording_service(tmp_path, answers(FIRST, finished)) as service:
        raw = service.client.audio.transcriptions.with_raw_response.create(
            file=RECORDING, model="whisper-1", response_format=response_format
        )
    assert raw.headers["x-doubt"].startswith("0.25 to 0.75 s: no times for")
    if response_format == "verbose_json":
        assert raw.parse().doubt == finished.doubt


@pytest.mark.parametrize("response_format", ["srt", "vtt", "text", "verbose_json"])
def test_a_recording_without_speech_has_an_empty_answer(tmp_path, response_format):
    with recording_service(tmp_path, answers(FINISHED)) as service:
        answer = service.transcribe(response_format=response_format)
    empty = {"srt": "", "vtt": "WEBVTT\n", "text": "\n"}
    assert getattr(answer, "text", answer) == empty.get(response_format, "")


def test_a_failure_in_a_stream_is_raised_by_the_client(tmp_path):
    script = answers(FIRST, UnavailableError("the worker died; send the request again"))
    with recording_service(tmp_path, script) as service:
        stream = service.transcribe(stream=True)
        assert next(stream).delta == "Dobar dan."
        with pytest.raises(openai.APIError, match="the worker died"):
            next(stream)
    # The client reads the last event before the service closes the stream.
    assert service.records[-1].error == "unavailable"
    assert service.uploads.temporary() == []


def test_a_failure_before_the_first_segment_of_a_stream_has_a_status(tmp_path):
    script = answers(UnavailableError("the worker died; send the request again"))
    with (
        recording_service(tmp_path, script) as service,
        pytest.raises(openai.InternalServerError, match="the worker died") as caught,
    ):
        service.transcribe(stream=True)
    assert caught.value.status_code == 503
