"""A lock file that a killed dvc left half written is made whole, whatever byte it ends at."""

import subprocess

import pytest
import yaml
from dvc_yaml import TOP
from toy import GIT

from fonoteka.pipeline import lockfile
from fonoteka.pipeline.runner import repair_lock
from fonoteka.pipeline.runner.repair_lock import (
    RWLOCK,
    complete_entries,
    repair_dvc_lock,
    repair_rwlock,
)

REAL = (TOP / "dvc.lock").read_text(encoding="utf-8")


def starts(text):
    """Return where in the text of a lock file the entry of each stage starts."""
    names = yaml.load(text, Loader=yaml.CSafeLoader)["stages"]
    return {name: text.index(f"\n  {name}:\n") + 1 for name in names}


def shortened(text, names):
    """Return a lock file with some of the stages of a longer one, as in that file."""
    begins = starts(text)
    ends = dict(zip(begins, [*list(begins.values())[1:], len(text)], strict=True))
    head = text[: min(begins.values())]
    return head + "".join(text[begins[name] : ends[name]] for name in names)


# dvc takes 2 s to read all 48 stages.
WHOLE = shortened(REAL, ["split", "embed@wav2vec2", "embed@wavlm", "posteriors@mlp", "licences"])
STAGES = lockfile.parse(WHOLE, "dvc.lock")


@pytest.fixture
def repo(tmp_path):
    """A repository whose last commit has the lock file."""
    (tmp_path / "dvc.lock").write_text(WHOLE, encoding="utf-8")
    for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "all"]):
        subprocess.run([*GIT, *words], cwd=tmp_path, check=True)
    return tmp_path


def test_a_whole_file_and_none_are_left_alone(repo, tmp_path_factory):
    assert repair_dvc_lock(repo) is None
    assert (repo / "dvc.lock").read_text(encoding="utf-8") == WHOLE
    assert repair_dvc_lock(tmp_path_factory.mktemp("empty")) is None


def test_a_merge_conflict_is_not_for_this(repo):
    text = f"<<<<<<< HEAD\n{WHOLE}=======\n{WHOLE}>>>>>>> other\n"
    (repo / "dvc.lock").write_text(text, encoding="utf-8")
    assert repair_dvc_lock(repo) is None
    assert (repo / "dvc.lock").read_text(encoding="utf-8") == text


@pytest.mark.parametrize("text", ["", "sch", "schema: '2.0'\n", "schema: '2.0'\nstages:\n"])
def test_if_nothing_is_left_the_last_commit_counts(repo, text):
    (repo / "dvc.lock").write_text(text, encoding="utf-8")
    assert repair_dvc_lock(repo) == (
        "dvc.lock was left half written by a killed dvc: 0 entries were complete and stay, "
        f"{len(STAGES)} were restored from the last commit"
    )
    assert (repo / "dvc.lock").read_text(encoding="utf-8") == WHOLE


def test_what_was_newer_than_the_last_commit_stays_where_it_is_whole(repo):
    newer = WHOLE.replace("cmd: python", "cmd: nice python")
    stages = lockfile.parse(newer, "dvc.lock")
    half = newer[: newer.index("\n  embed@wavlm:\n") + 60]
    (repo / "dvc.lock").write_text(half[: half.rindex(":")], encoding="utf-8")
    assert repair_dvc_lock(repo)
    result = lockfile.read(repo / "dvc.lock")
    assert list(result) == list(STAGES)  # dvc's own order
    names = half.split("\n")
    for name in STAGES:
        complete = f"  {name}:" in names and name != "embed@wavlm"
        assert result[name] == (stages if complete else STAGES)[name], name


def test_without_a_commit_the_file_goes_where_nothing_of_it_is_whole(tmp_path):
    (tmp_path / "dvc.lock").write_text("schema")
    assert "0 entries were complete and stay, 0 were" in repair_dvc_lock(tmp_path)
    assert not (tmp_path / "dvc.lock").exists()


def test_whatever_byte_it_ends_at_only_whole_stages_survive():
    for size in range(0, len(WHOLE), len(WHOLE) // 40 + 1):
        for name, entry in complete_entries(WHOLE[:size]).items():
            assert entry == STAGES[name]


def test_wherever_this_pipelines_lock_file_ends_it_is_cut_before_a_stage(monkeypatch):
    monkeypatch.setattr(repair_lock, "_entries", lambda text: text)
    begins = [0, *starts(REAL).values()]
    inside = REAL.index("\n    cmd:", begins[5]) + len("\n  ")  # two spaces of a line of a stage
    for size in (inside, *range(1, len(REAL), len(REAL) // 400)):
        cut = len(complete_entries(REAL[:size]))
        assert cut in [begin for begin in begins if begin < size][-2:]


@pytest.mark.parametrize("text", ["", '{"write": {', "\0\0"])
def test_a_half_written_rwlock_is_removed(tmp_path, text):
    path = tmp_path / RWLOCK
    path.parent.mkdir(parents=True)
    path.write_text(text)
    message = ".dvc/tmp/rwlock was left half written by a killed dvc; it was removed"
    assert repair_rwlock(tmp_path) == message
    assert not path.exists()


def test_a_readable_rwlock_and_one_that_is_being_written_stay(tmp_path, monkeypatch):
    assert repair_rwlock(tmp_path) is None
    path = tmp_path / RWLOCK
    path.parent.mkdir(parents=True)
    path.write_text('{"write": {}}')
    assert repair_rwlock(tmp_path) is None
    path.write_text("")
    monkeypatch.setattr(repair_lock.time, "sleep", lambda _: path.write_text("{}"))  # dvc continues
    assert repair_rwlock(tmp_path) is None
    assert path.read_text() == "{}"
