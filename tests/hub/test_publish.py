"""A folder of export-hub is pushed once, whole, and with one sentence for each refusal.

The client is huggingface_hub, and the hub is a server on loopback.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest
from dvc_yaml import TOP
from hub_maker import tree
from huggingface_hub import constants
from writable_hub import CUT, READER, WRITER, writable_hub

from fonoteka.core.errors import UserError
from fonoteka.hub.hub_folder import DATASET, MODEL, RECORD, write_record
from fonoteka.hub.publish import repository_of, run

# huggingface_hub passes bytes to its client by an older name.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
TARGET, NAME = "hf:someone/toy", "someone/toy"
CONTENTS = {
    "README.md": "---\nlicense: mit\n---\n\n# toy\n", "model.onnx": "a model " * 100,
    "head.onnx": "a head " * 100, "package.json": "{}",
}  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "toy"
    path.mkdir()
    for name, text in CONTENTS.items():
        (path / name).write_text(text)
    write_record(path, MODEL, "toy")
    return path


@pytest.fixture
def hub(monkeypatch, tmp_path):
    # Without hf_xet, whose protocol is not HTTP alone; and without waiting before a repetition.
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _seconds: None)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no token"))
    monkeypatch.setenv("HF_TOKEN", WRITER)
    with writable_hub() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


def edit(folder, values):
    path = folder / RECORD
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def stored(hub, kind="model"):
    """Return the files of the repository that the test wrote."""
    files = dict(hub.repositories[kind, NAME].files)
    del files[".gitattributes"]
    return files


def test_all_files_arrive_in_one_commit(hub, folder, capsys):
    run(folder, TARGET)
    assert stored(hub) == tree(folder)
    assert hub.repositories["model", NAME].messages == ["Upload model toy"]
    assert not hub.repositories["model", NAME].private
    out = capsys.readouterr().out
    assert re.fullmatch(
        r"hf:someone/toy: uploaded 5 of 5 files, 0\.0 MB, as commit [0-9a-f]{12}\n", out
    )


def test_a_new_repository_is_private_on_request(hub, folder):
    run(folder, TARGET, private=True)
    assert hub.repositories["model", NAME].private


def test_private_is_refused_if_the_repository_is_public(hub, folder):
    run(folder, TARGET)
    (folder / "model.onnx").write_text("another")
    write_record(folder, MODEL, "toy")
    sent = len(hub.uploads())
    with pytest.raises(UserError, match="exists and is public, so --private would have no effect"):
        run(folder, TARGET, private=True)
    assert len(hub.uploads()) == sent
    hub.repositories["model", NAME].private = True
    run(folder, TARGET, private=True)
    assert stored(hub) == tree(folder)


def test_a_second_run_sends_nothing(hub, folder, capsys):
    run(folder, TARGET)
    sent = len(hub.uploads())
    run(folder, TARGET)
    assert len(hub.uploads()) == sent
    assert capsys.readouterr().out.endswith("nothing to upload, all 5 files are there\n")


def test_a_changed_export_sends_the_changed_files_alone(hub, folder, capsys):
    run(folder, TARGET)
    hub.requests.clear()
    (folder / "head.onnx").write_text("another head")
    write_record(folder, MODEL, "toy")
    run(folder, TARGET)
    assert len([r for r in hub.requests if r.startswith("PUT ")]) == 1
    assert "uploaded 2 of 5 files" in capsys.readouterr().out
    assert stored(hub) == tree(folder)


def test_a_data_set_becomes_a_repository_of_data(hub, tmp_path):
    folder = tmp_path / "data"
    (folder / "train").mkdir(parents=True)
    (folder / "train" / "a-000001.flac").write_bytes(b"sound")
    write_record(folder, DATASET, "data")
    run(folder, TARGET)
    assert stored(hub, "dataset") == tree(folder)


def test_a_dry_run_needs_no_token_and_sends_nothing(hub, folder, monkeypatch, capsys):
    monkeypatch.delenv("HF_TOKEN")
    run(folder, TARGET, dry_run=True)
    assert not hub.repositories
    assert {request.partition(" ")[0] for request in hub.requests} == {"GET"}
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "hf:someone/toy: would be created as a repository of the kind model"
    assert f"would upload model.onnx, {len(CONTENTS['model.onnx'])} bytes" in lines
    assert lines[-1] == "hf:someone/toy: 5 of 5 files would be uploaded, 0 are there"


def test_files_that_the_folder_does_not_have_stay_and_are_named(hub, folder, capsys):
    run(folder, TARGET)
    hub.repositories["model", NAME].files["notes.txt"] = b"mine"
    run(folder, TARGET, dry_run=True)
    assert "1 files of the repository are not in the folder and stay: notes.txt" in (
        capsys.readouterr().out
    )


def test_an_upload_that_was_cut_continues_with_the_missing_files(hub, folder, capsys):
    puts = []

    def cut_the_second(request):
        if request.startswith("PUT "):
            puts.append(request)
            return CUT if puts[0] != request else None
        return None

    hub.fault = cut_the_second
    with pytest.raises(UserError, match="connection was cut") as refused:
        run(folder, TARGET)
    assert "run the same command later" in str(refused.value)
    assert not stored(hub)
    assert len(hub.objects) == 1
    hub.fault = lambda _request: None
    hub.requests.clear()
    run(folder, TARGET)
    assert len([r for r in hub.requests if r.startswith("PUT ")]) == 1
    assert stored(hub) == tree(folder)


@pytest.mark.parametrize(
    ("place", "status", "sentence"),
    [
        ("/api/repos/create", 403, "the token may not write there"),
        ("/commit/", 403, "the token may not write there"),
        ("/api/repos/create", 404, "no such owner or repository"),
        ("/commit/", 409, "another commit was made at the same time"),
        ("/commit/", 412, "another commit was made at the same time"),
        ("/preupload/", 413, "does not accept files of this size"),
        ("/tree/", 429, "accepts no more requests for now"),
        ("/tree/", 500, "the hub fails"),
        ("PUT ", 503, "the hub fails"),
        ("/commit/", 502, "the hub fails"),
        ("/commit/", 400, "the hub refuses the request"),
    ],
)
def test_each_refusal_is_one_sentence(hub, folder, place, status, sentence):
    hub.fault = lambda request: status if place in request else None
    with pytest.raises(UserError, match=rf"hf:someone/toy: {status}: .*{sentence}") as refused:
        run(folder, TARGET)
    assert "\n" not in str(refused.value)
    assert not hub.repositories.get(("model", NAME)) or not stored(hub)


@pytest.mark.parametrize(("token", "status"), [(READER, 403), ("hf_unknown", 401)])
def test_a_token_that_may_not_write_is_refused(hub, folder, monkeypatch, token, status):
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(UserError, match=f"hf:someone/toy: {status}: the token"):
        run(folder, TARGET)
    assert not hub.repositories


def test_without_a_token_no_request_is_sent(hub, folder, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(UserError, match="no token of the hub: set HF_TOKEN"):
        run(folder, TARGET)
    assert not hub.requests


def test_a_token_that_is_not_ascii_is_refused(hub, folder, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_\u00e9")
    with pytest.raises(UserError, match="letters that no token has"):
        run(folder, TARGET)
    assert not hub.requests


def test_a_hub_that_does_not_answer_is_named(hub, folder, monkeypatch):
    hub.fault = lambda _request: CUT
    with pytest.raises(UserError, match="does not answer, or the connection was cut"):
        run(folder, TARGET)


@pytest.mark.parametrize(
    "target", ["someone/toy", "hf:toy", "hf:/toy", "hf:a/b/c", "hf:", "s3:a/b", "hf:a/b c"]
)
def test_a_target_without_owner_or_scheme_is_refused(target):
    with pytest.raises(UserError, match="expected hf:owner/name"):
        repository_of(target)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda folder: (folder / RECORD).unlink(), "not made by python -m fonoteka export-hub"),
        (lambda folder: (folder / "model.onnx").write_text("x" * 800), "model.onnx: changed"),
        (lambda folder: (folder / "README.md").unlink(), "README.md: missing"),
        (lambda folder: (folder / "secret.txt").write_text("x"), "secret.txt: not recorded"),
        (lambda folder: (folder / ".env").write_text("x"), ".env: not recorded"),
        (lambda folder: (folder / RECORD).write_text("[]"), "not a record of format 1"),
        (lambda folder: (folder / RECORD).write_text("{"), "not valid JSON"),
        (lambda folder: (folder / "more").symlink_to(folder.parent), "more: not recorded"),
        (lambda folder: edit(folder, {"name": None}), "not a record of format 1"),
        (lambda folder: edit(folder, {"files": {"README.md": 5}}), "not a record of format 1"),
    ],
)
def test_a_folder_that_is_not_the_exported_one_is_refused(hub, folder, change, problem):
    change(folder)
    with pytest.raises(UserError, match=re.escape(problem)):
        run(folder, TARGET)
    assert not hub.requests


def test_a_link_in_place_of_a_file_is_refused(hub, folder, tmp_path):
    (tmp_path / "outside").write_bytes((folder / "model.onnx").read_bytes())
    (folder / "model.onnx").unlink()
    (folder / "model.onnx").symlink_to(tmp_path / "outside")
    with pytest.raises(UserError, match=r"model\.onnx: not a plain file"):
        run(folder, TARGET)
    assert not hub.requests


def test_a_folder_that_does_not_exist_is_refused(hub, tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        run(tmp_path / "none", TARGET)


def test_the_command_prints_the_outcome_and_exits_with_its_code(hub, folder):
    environment = os.environ | {"HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_XET": "1"}

    def published(*arguments):
        command = [sys.executable, "-m", "fonoteka", "publish", str(folder), *arguments]
        done = subprocess.run(
            command, cwd=TOP, env=environment, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout, done.stderr

    code, out, err = published("--to", "someone/toy")
    assert (code, out) == (1, "")
    assert err.startswith("error: --to 'someone/toy': expected hf:owner/name")
    code, out, err = published("--to", TARGET, "--private")
    assert (code, err) == (0, "")
    assert out.startswith("hf:someone/toy: uploaded 5 of 5 files")
    assert stored(hub) == tree(folder)
    assert hub.repositories["model", NAME].private
    (folder / "model.onnx").write_text("another")
    assert published("--to", TARGET)[0] == 1
