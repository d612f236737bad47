"""A checkpoint travels through the remote, and an interrupted or damaged one is never taken."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from command_line import exit_code, run_fonoteka
from safetensors.numpy import save_file
from toy import empty_repository, entered_copy

from fonoteka.pipeline.remote import checkpoints

pytestmark = pytest.mark.dvc
FOLDER = "checkpoints/whisper/tuned"


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    """A repository whose remote is the folder `store` beside it."""
    return empty_repository(tmp_path_factory)


@pytest.fixture
def repo(origin, tmp_path, monkeypatch):
    """A copy of it with two checkpoints, which is the current folder."""
    folder = entered_copy(origin, tmp_path, monkeypatch)
    run_fonoteka("remote", "--url", str(tmp_path / "store"))
    for step in (20, 40):
        save(folder, step)
    (folder / FOLDER / "log.jsonl").write_text('{"step": 1}\n')
    return folder


@pytest.fixture
def colleague(repo, tmp_path, monkeypatch):
    """Return a function that changes into a repository of another machine, without checkpoints."""
    folder = shutil.copytree(repo, tmp_path / "colleague")
    shutil.rmtree(folder / "checkpoints")

    def enter():
        monkeypatch.chdir(folder)
        return folder

    return enter


def save(folder, step, value=1.0):
    path = folder / FOLDER / f"step-{step:06d}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({"weight.a": np.full(1000, value * step, np.float32)}, path, {"mark": "m"})
    return path


def contents(folder):
    return {path.name: path.read_bytes() for path in (folder / FOLDER).iterdir()}


def push(run="tuned"):
    run_fonoteka("checkpoints", "push", run)


def pull():
    run_fonoteka("checkpoints", "pull")


def test_the_last_checkpoint_and_the_log_are_restored_on_another_machine(repo, colleague, capsys):
    push()
    assert f"pushed step-000040.safetensors of run 'tuned', 0 MiB, to storage ({repo.parent}" in (
        capsys.readouterr().out
    )
    expected = contents(repo)
    del expected["step-000020.safetensors"]
    assert contents_after_pull(colleague()) == expected
    assert "continues there" in capsys.readouterr().out
    assert contents_after_pull(colleague()) == expected  # the same one again is not refused


def contents_after_pull(folder):
    pull()
    return contents(folder)


def test_each_push_replaces_the_older_one_and_two_stay(repo, colleague):
    slots = repo.parent / "store/checkpoints/whisper-tuned"
    for step in (40, 60, 80):
        save(repo, step)
        push()
        assert len([*slots.iterdir()]) == (3 if step == 40 else 6)
    numbers = {name: json.loads((slots / f"{name}.json").read_text()) for name in ("1", "2")}
    assert {name: record["number"] for name, record in numbers.items()} == {"1": 3, "2": 2}
    colleague()
    pull()
    assert (
        checkpoints.last_checkpoint(checkpoints.FOLDER / "tuned").name == "step-000080.safetensors"
    )


@pytest.mark.parametrize("name", ["step-000060.safetensors", "log.jsonl", ""])
def test_an_interrupted_upload_leaves_the_old_one(name, repo, colleague, monkeypatch, capsys):
    push()
    expected = contents(repo)
    del expected["step-000020.safetensors"]
    save(repo, 60)
    send = checkpoints.RemoteSlots.send

    def cut(slots, slot, own, path):
        # The file is whole after `send`, so it is cut to what an interrupted upload leaves.
        send(slots, slot, own, path)
        if own == name:
            whole = repo.parent / "store/checkpoints/whisper-tuned" / slots.path_of(slot, own)
            whole.write_bytes(whole.read_bytes()[:-20])
            raise ConnectionError("the server went away")

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints.RemoteSlots, "send", cut)
        assert exit_code("checkpoints", "push") == 1
    printed = capsys.readouterr().err
    assert "ConnectionError: the server went away; the checkpoint that was pushed before it" in (
        printed
    )
    assert printed.count("\n") == 1
    folder = colleague()
    assert contents_after_pull(folder) == expected
    shutil.rmtree(folder / "checkpoints")
    monkeypatch.chdir(repo)
    push()
    colleague()
    pull()
    assert "step-000060.safetensors" in contents(folder)


@pytest.mark.parametrize("suffix", [".safetensors", ".jsonl"])
def test_a_damaged_checkpoint_is_ignored_with_a_line(suffix, repo, colleague, capsys):
    push()
    save(repo, 60)
    push()
    slots = repo.parent / "store/checkpoints/whisper-tuned"
    (slots / f"2{suffix}").write_bytes(b"x" * (slots / f"2{suffix}").stat().st_size)
    folder = colleague()
    pull()
    assert "push 2: ignored, because " in capsys.readouterr().out
    assert sorted(contents(folder)) == ["log.jsonl", "step-000040.safetensors"]
    shutil.rmtree(folder / "checkpoints")
    (slots / f"1{suffix}").unlink()
    with pytest.raises(ValueError, match=r"no checkpoint of run 'tuned' to restore, because every"):
        pull()
    assert not [*folder.glob("checkpoints/whisper/tuned/*")]


def test_a_checkpoint_of_this_machine_is_not_overwritten(repo, colleague):
    push()
    folder = colleague()
    for step, value in ((40, 2.0), (60, 1.0)):
        path = save(folder, step, value)
        before = path.read_bytes()
        with pytest.raises(ValueError, match=r"differs from step-000040\.safetensors in the remo"):
            pull()
        assert contents(folder) == {path.name: before}
        path.unlink()


def test_without_a_log_the_checkpoint_alone_travels(repo, colleague):
    (repo / FOLDER / "log.jsonl").unlink()
    push()
    folder = colleague()
    pull()
    assert [*contents(folder)] == ["step-000040.safetensors"]


def test_without_a_checkpoint_nothing_is_pushed_or_pulled(repo):
    with pytest.raises(ValueError, match=r"has no checkpoint of run 'tuned' .* none was pushed"):
        pull()
    shutil.rmtree(repo / "checkpoints")
    with pytest.raises(ValueError, match=r"tuned: no checkpoint; a training writes one every"):
        push()
    assert not (repo.parent / "store/checkpoints").exists()


@pytest.mark.parametrize("size", [0, 9, -1])
def test_a_damaged_checkpoint_is_not_pushed(size, repo):
    path = repo / FOLDER / "step-000040.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ValueError, match=r"step-000040\.safetensors: damaged .* remove it, and"):
        push()


def test_without_a_remote_the_command_to_add_one_is_printed(repo):
    (repo / ".dvc/config").write_text("")
    for word, preposition in (("push", "to"), ("pull", "from")):
        message = f"there is no remote to {word} {preposition}; add one with python -m fonoteka"
        with pytest.raises(ValueError, match=message):
            run_fonoteka("checkpoints", word)


def test_a_remote_that_cannot_be_reached_is_one_sentence(repo, capsys):
    (repo.parent / "store").write_text("a file in place of the folder")
    assert exit_code("checkpoints", "push") == 1
    printed = capsys.readouterr().err
    assert printed.startswith("error: push to storage (")
    assert printed.count("\n") == 1


@pytest.mark.parametrize("run", ["../tuned", "", ".hidden", "a/b"])
def test_a_run_is_the_name_of_a_folder(run, repo):
    with pytest.raises(ValueError, match="expected the name of a folder in checkpoints/whisper"):
        push(run)


@pytest.mark.parametrize(
    "record",
    [
        "", "[]", "{}", '{"number": 1, "files": []}',
        '{"number": 1, "files": [{"name": "../../x", "bytes": 1, "sha256": "0"}]}',
        '{"number": 1, "files": [{"name": "log.jsonl", "bytes": 1, "sha256": "0"}]}',
    ],
)  # fmt: skip
def test_a_record_of_another_form_is_not_one(record, repo):
    push()
    (repo.parent / "store/checkpoints/whisper-tuned/1.json").write_text(record)
    with pytest.raises(ValueError, match="none was pushed"):
        pull()
