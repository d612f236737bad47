"""The examples of docs/service-examples.md run as they are, with real curl, Python and node."""

from __future__ import annotations

import json

import pytest
from doc_examples import examples, missing_program, run_example
from dvc_yaml import TOP
from example_server import FILE_ID, create_example_app
from page_server import FakeService, running_service
from tone_reader import write_tones

PAGE = TOP / "docs" / "service-examples.md"
EXAMPLES = {example.heading: example for example in examples(PAGE)}
TEXT = "Dobar dan. Kako ste?"
WORDS = [(0.2, 0.6, "Dobar"), (0.7, 1.2, "dan."), (2.0, 2.4, "Kako"), (2.45, 3.0, "ste?")]
KEY = "fk_Kl-juc_7"


@pytest.fixture(scope="module")
def server():
    with running_service(create_example_app) as started:
        yield started


@pytest.fixture
def run(server, tmp_path):
    """Return a function that runs an example and returns what it prints, and the service."""
    vars(server).update(vars(FakeService()), url=server.url)
    write_tones(tmp_path / "speech.wav", ((440, 1.0), (0, 0.5), (880, 0.5)))

    def output(heading, key=None):
        example = EXAMPLES[heading]
        if missing := missing_program(example.language):
            pytest.skip(f"{missing} is not installed")
        done = run_example(example, tmp_path, server.url, key)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    output.service = server
    return output


def test_each_block_has_a_heading_of_its_own():
    assert len(EXAMPLES) == len(examples(PAGE)) == 12
    assert PAGE.read_text(encoding="utf-8").count("```") == 2 * len(EXAMPLES)


def test_curl_lists_the_models(run):
    names = [model["id"] for model in json.loads(run("curl: list the models"))["data"]]
    assert names == ["streaming", "whisper-1", "whisper_ctc"]


def test_curl_recognises_words_as_subtitles(run):
    assert run("curl: recognise words") == f"1\n00:00:00,200 --> 00:00:03,000\n{TEXT}\n"
    assert run.service.forms[0]["language"] == ["sr"]


def test_curl_recognises_words_with_their_times(run):
    answer = json.loads(run("curl: recognise words with their times"))
    assert [(w["start"], w["end"], w["word"]) for w in answer["words"]] == WORDS
    assert len(answer["segments"]) == 2
    assert run.service.forms[0]["timestamp_granularities[]"] == ["word", "segment"]


def test_curl_recognises_phones(run):
    run("curl: recognise phones")
    assert run.service.forms[0]["model"] == ["whisper_ctc"]


def test_curl_aligns_a_text(run):
    answer = json.loads(run("curl: place the words of a text in time"))
    assert [word["text"] for word in answer["lines"][0]["words"]] == TEXT.split()
    assert answer["language"] == "sr"


def test_curl_stores_processes_and_deletes_a_recording(run):
    output = run("curl: store a recording and process it later")
    processed, deleted = map(json.loads, output.replace("}{", "}\n{").splitlines())
    assert processed["file_id"] == deleted["id"] == FILE_ID
    assert processed["language"] == {"language": "sr"}
    assert deleted["deleted"] is True


def test_the_client_of_openai_prints_words_with_their_times(run):
    lines = run("Python: the client of OpenAI").splitlines()
    assert lines == [f"{start:.2f} {end:.2f} {word}" for start, end, word in WORDS]
    assert run.service.forms[0]["script"] == ["latin"]


def test_the_client_of_openai_prints_segments_as_they_arrive(run):
    assert run("Python: segments as soon as they are recognised") == TEXT + "\n"
    assert run.service.forms[0]["stream"] == ["true"]


def test_the_client_of_openai_prints_errors(run):
    output = run("Python: errors")
    assert output == "404 model_not_found model model '../other' is not offered\n"


@pytest.mark.parametrize("language", ["Python", "JavaScript"])
def test_phones_are_printed_while_they_are_spoken(run, language):
    lines = run(f"{language}: phones while they are spoken").splitlines()
    assert " ".join(lines[:-1]).split() == ["a", "a", "i"]
    assert "final" in lines[-1]
    ((parameters, reader),) = run.service.streams
    assert parameters["sample_rate"] == "16000"
    assert reader.audio_s == pytest.approx(2.0)


def test_javascript_prints_words_with_their_times(run):
    lines = run("JavaScript: recognise words").splitlines()
    shown = [(f"{start:g}", f"{end:g}", word) for start, end, word in WORDS]
    assert [tuple(line.split()) for line in lines] == shown


@pytest.mark.parametrize(
    "heading",
    [
        "curl: list the models",
        "JavaScript: phones while they are spoken",
        "JavaScript: recognise words",
        "Python: phones while they are spoken",
        "Python: the client of OpenAI",
    ],
)
def test_the_key_of_the_environment_is_sent(run, heading):
    run.service.key = KEY
    assert run(heading, KEY)
