"""POST /v1/align: formats, choices and refusals."""

import json

import httpx
import pytest
from praatio import textgrid
from recording_service import RECORDING, recording_service
from scripted_parts import FINISHED, PHONES, USAGE, WORDS, ScriptedModels, answers

from fonoteka.alignment.formats.alignment_json import read_alignment
from fonoteka.alignment.formats.writers import FORMATS
from fonoteka.service.interfaces import AlignJob, Finished, Segment, UnanswerableError, Unit

LINE = Segment(
    "Da, ne.", 0.5, 1.0, (Unit("Da,", 0.5, 0.7, 0.9), Unit("ne.", 0.75, 1.0, 0.8)),
    phones=(Unit("d", 0.5, 0.6, 0.9), Unit("a", 0.6, 0.7, 0.9), Unit("n", 0.75, 0.8, 0.8),
            Unit("e", 0.8, 1.0, 0.8)),
)  # fmt: skip


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with recording_service(tmp_path_factory.mktemp("align"), answers(LINE, FINISHED)) as running:
        yield running


def align(service, **fields):
    response = httpx.post(
        f"{service.url}/v1/align", data={"text": "Da, ne.", **fields}, files={"file": RECORDING}
    )
    assert not service.uploads.temporary()
    return response


def test_json_has_words_phones_and_the_version_of_the_model(service, tmp_path):
    response = align(service, language="hr")
    assert response.json()["model_version"] == PHONES.version
    path = tmp_path / "answer.json"
    path.write_bytes(response.content)
    text = read_alignment(path)
    assert [word.text for word in text.words] == ["Da,", "ne."]
    phones = [[phone.symbol for phone in word.phones] for word in text.words]
    assert phones == [["d", "a"], ["n", "e"]]
    job = service.workers.jobs[-1]
    assert isinstance(job, AlignJob)
    assert (job.text, job.language, job.script, job.model) == ("Da, ne.", "hr", None, PHONES)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_answered_with_its_type_and_model(service, name):
    response = align(service, format=name)
    assert response.status_code == 200
    assert response.headers["x-model"] == PHONES.name
    assert "json" in response.headers["content-type"] or "Da," in response.text


def test_a_textgrid_is_read_by_praatio(service, tmp_path):
    path = tmp_path / "clip.TextGrid"
    path.write_text(align(service, format="textgrid").text, encoding="utf-8")
    tier = textgrid.openTextgrid(str(path), includeEmptyIntervals=False).getTier("phones")
    assert [entry.label for entry in tier.entries] == ["d", "a", "n", "e"]


def test_ctm_has_the_name_of_the_file_without_its_folders(service):
    recording = ("../../etc/a clip.wav", RECORDING[1])
    response = httpx.post(
        f"{service.url}/v1/align", data={"text": "Da, ne.", "format": "ctm"},
        files={"file": recording},
    )  # fmt: skip
    assert response.text.startswith("a_clip 1 0.500 0.200 Da, 0.900\n")


def test_a_doubtful_result_is_marked_in_the_header_and_in_json(tmp_path):
    finished = Finished("sr", USAGE, "the text fits badly: »ђ«")
    with recording_service(tmp_path, answers(LINE, finished)) as service:
        response = align(service)
        assert align(service, format="srt").headers["x-doubt"].startswith("the text fits badly")
    assert json.loads(response.text)["doubt"] == finished.doubt


def test_one_line_is_broken_at_pauses_and_several_lines_stay(tmp_path):
    pause = Segment("da ne", 0.1, 1.9, (Unit("da", 0.1, 0.2, 1.0), Unit("ne", 1.8, 1.9, 1.0)))
    with recording_service(tmp_path, answers(pause, FINISHED)) as service:
        assert align(service, format="srt").text.count("-->") == 2
    other = Segment("i", 1.9, 2.0, (Unit("i", 1.9, 2.0, 1.0),))
    with recording_service(tmp_path, answers(pause, other, FINISHED)) as service:
        assert align(service, format="srt").text.count("-->") == 2


@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [
        ({"text": ""}, 400, "text"),
        ({"text": " \n"}, 400, "text"),
        ({"text": ["a", "b"]}, 400, "text"),
        ({"format": "docx"}, 400, "format"),
        ({"language": "de"}, 400, "language"),
        ({"language": "hr", "script": "cyrillic"}, 400, "script"),
        ({"response_format": "srt"}, 400, "response_format"),
        ({"model": ""}, 400, "model"),
        ({"model": "tuned"}, 404, "model"),
        ({"model": "../whisper_ctc"}, 404, "model"),
    ],
)
def test_a_malformed_field_is_refused(service, fields, status, param):
    response = align(service, **fields)
    assert (response.status_code, response.json()["error"]["param"]) == (status, param)


def test_a_text_that_cannot_be_aligned_is_refused(tmp_path):
    refusal = UnanswerableError("the text has more phones than the recording has frames")
    with recording_service(tmp_path, answers(refusal)) as service:
        response = align(service)
    assert response.status_code == 400
    assert response.json()["error"]["message"] == str(refusal)


def test_a_service_without_a_phone_recogniser_cannot_align(tmp_path):
    models = ScriptedModels([WORDS])
    with recording_service(tmp_path, answers(LINE, FINISHED), models=models) as service:
        response = align(service)
    assert (response.status_code, response.json()["error"]["code"]) == (404, "model_not_found")
