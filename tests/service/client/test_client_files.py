"""`client` sends recordings and folders, writes a result for each, and reports what failed."""

from __future__ import annotations

import json
import socket

import pytest
from command_line import exit_code
from recording_server import recording_server

from fonoteka.core.errors import UserError
from fonoteka.service.client import rest_client
from fonoteka.service.client.recordings import find_recordings
from fonoteka.service.client.rest_client import TRIES


@pytest.fixture(scope="module")
def running():
    with recording_server() as service:
        yield service


@pytest.fixture
def service(running):
    running.answers.clear()
    running.uploads.clear()
    return running


@pytest.fixture
def folder(tmp_path):
    talks = tmp_path / "talks"
    (talks / "deep").mkdir(parents=True)
    for name in ("b.wav", "a.flac", "deep/b.wav"):
        (talks / name).write_bytes(name.encode())
    (talks / "a.txt").write_text("of the corpus")
    return talks


@pytest.fixture
def waits(monkeypatch):
    """Wait without waiting, and record the seconds."""
    seconds = []
    monkeypatch.setattr(rest_client, "sleep", seconds.append)
    return seconds


def refused(status, message, code="busy", **headers):
    body = json.dumps({"error": {"message": message, "type": "x", "param": None, "code": code}})
    return status, body, headers


def client(service, *words):
    return exit_code("client", "--url", service.url, *words)


def test_a_recording_is_sent_and_its_result_is_written_beside_it(service, folder, capsys):
    assert client(service, folder / "b.wav", "--format", "srt") == 0
    (upload,) = service.uploads
    assert (upload.route, upload.name, upload.data) == (
        "/v1/audio/transcriptions", "b.wav", b"b.wav",
    )  # fmt: skip
    assert upload.fields == {"model": "whisper-1", "response_format": "srt"}
    assert upload.key is None
    assert (folder / "b.wav.srt").read_bytes() == b"text of b.wav"
    output = capsys.readouterr()
    assert output.out == f"{folder / 'b.wav.srt'}\n"
    assert output.err == ""


def test_options_become_fields_of_the_form(service, folder, tmp_path):
    key = tmp_path / "key"
    key.write_text("sk-1\nanother line\n")
    client(
        service, folder / "b.wav", "--model", "whisper_ctc", "--language", "sr", "--script",
        "latin", "--key-file", key,
    )  # fmt: skip
    assert service.uploads[0].fields == {
        "model": "whisper_ctc", "response_format": "json", "language": "sr", "script": "latin"
    }  # fmt: skip
    assert service.uploads[0].key == "Bearer sk-1"


def test_a_folder_keeps_its_structure_and_other_files_are_counted(
    service, folder, tmp_path, capsys
):
    assert client(service, folder, "--out", tmp_path / "out", "--format", "text") == 0
    written = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.*.txt"))
    assert [*map(str, written)] == ["out/a.flac.txt", "out/b.wav.txt", "out/deep/b.wav.txt"]
    assert (folder / "a.txt").read_text() == "of the corpus"
    assert capsys.readouterr().err == (
        "3 of 3 recordings have a result; 0 failed; 1 other files were not sent\n"
    )


def test_results_are_not_sent_the_next_time(service, folder):
    for _ in range(2):
        service.uploads.clear()
        client(service, folder)
    assert len(service.uploads) == 3


def test_an_error_is_reported_and_the_next_recording_is_sent(service, folder, capsys):
    service.answers = [refused(400, "not a recording", "bad_audio")]
    assert client(service, folder) == 1
    assert not (folder / "a.flac.json").exists()
    assert (folder / "deep" / "b.wav.json").exists()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == f"error: {folder / 'a.flac'}: not a recording"
    assert lines[-1].startswith("2 of 3 recordings have a result; 1 failed")


def test_a_busy_service_is_tried_again_after_the_time_it_asks_for(service, folder, waits):
    service.answers = [
        refused(429, "64 jobs wait", **{"Retry-After": "3"}), refused(503, "a worker ended"),
    ]  # fmt: skip
    assert client(service, folder / "b.wav") == 0
    assert waits == [3.0, 1.0]
    assert [upload.data for upload in service.uploads] == [b"b.wav"] * 3


def test_the_tries_are_bounded(service, folder, waits, capsys):
    service.answers = [refused(429, "64 jobs wait", **{"Retry-After": "9999"})] * TRIES
    assert client(service, folder / "b.wav") == 1
    assert waits == [60.0] * (TRIES - 1)
    assert f"64 jobs wait; {TRIES} tries failed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (refused(401, "an API key is needed", "missing_api_key"),
         "an API key is needed; name a file with a key by --key-file"),
        (refused(404, "no model 'x'; see /v1/models", "model_not_found"),
         "no model 'x'; see /v1/models"),
    ],
)  # fmt: skip
def test_a_mistake_that_concerns_all_recordings_ends_the_command(
    service, folder, answer, sentence, capsys
):
    service.answers = [answer]
    assert client(service, folder) == 1
    assert len(service.uploads) == 1
    assert capsys.readouterr().err == f"error: {service.url}: {sentence}\n"


def test_a_refused_key_asks_for_another_one(service, folder, tmp_path, capsys):
    key = tmp_path / "key"
    key.write_text("sk-1")
    service.answers = [refused(401, "the API key is not valid", "invalid_api_key")]
    assert client(service, folder, "--key-file", key) == 1
    assert "is not valid; name another key by --key-file" in capsys.readouterr().err


def test_a_connection_that_is_refused_is_one_sentence(folder, capsys):
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    assert exit_code("client", folder, "--url", url) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: {url}: no service answers")
    assert len(error.splitlines()) == 1


def test_an_answer_of_another_program_is_reported_with_its_status(service, folder, capsys):
    service.answers = [(502, "<html>bad gateway</html>", {})]
    assert client(service, folder / "b.wav") == 1
    assert "status 502 without a message of the service" in capsys.readouterr().err


def test_a_text_is_aligned(service, folder):
    (folder / "a.txt").write_text("dobar dan\n")
    assert client(service, folder / "b.wav", "--align", folder / "a.txt", "--format", "vtt") == 0
    (upload,) = service.uploads
    assert upload.route == "/v1/align"
    assert upload.fields == {"text": "dobar dan\n", "format": "vtt"}
    assert (folder / "b.wav.vtt").is_file()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "name recordings or folders, or one of --live FILE and --mic"),
        (["a.wav", "--mic"], "name recordings or folders, or one of"),
        (["missing.wav"], "missing.wav: no such file or folder"),
        (["a.wav", "b.wav", "--align", "a.txt"], "--align needs one recording"),
        (["a.wav", "--align", "a.txt", "--format", "text"], "--format text: expected json, srt"),
        (["--mic", "--format", "srt"], "--format srt: expected json, text"),
        (["--mic", "--out", "x"], "a stream of phones has no --align, --out"),
        (["tests", "--url", "localhost:8080"], "--url localhost:8080: expected an address"),
        (["tests", "--key-file", "missing"], "missing: no such file; write a key into it"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_sentence(
    words, sentence, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "a.wav").write_bytes(b"RIFF")
    assert exit_code("client", *words) == 1
    error = capsys.readouterr().err
    assert sentence in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize("content", ["", "\n", "two words", "ključ"])
def test_a_file_without_a_key_is_refused(folder, tmp_path, content, capsys):
    key = tmp_path / "key"
    key.write_text(content)
    assert exit_code("client", folder, "--key-file", key) == 1
    assert "its first line is not a key" in capsys.readouterr().err


def test_two_results_with_one_name_are_refused_before_anything_is_sent(folder, tmp_path):
    paths = [folder / "b.wav", folder / "deep" / "b.wav"]
    with pytest.raises(UserError, match=r"both results would be .*b\.wav\.json"):
        find_recordings(paths, ".json", tmp_path)


def test_a_folder_without_recordings_is_refused(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(UserError, match="no recording among 1 files"):
        find_recordings([tmp_path], ".json", None)
