"""Damage that dvc does not notice is removed and named; files that a user changed stay."""

import os
import re
import subprocess

import pytest
from command_line import run_fonoteka
from forks import python
from toy import copied

from fonoteka.pipeline import fsck
from fonoteka.pipeline.runner import build_lock

pytestmark = pytest.mark.dvc

PIPELINE = """
stages:
  copy:
    cmd: mkdir -p out && cp -r data/. out/ && cp data/a.bin alone.bin
    deps: [data]
    outs: [alone.bin, out]
"""
A, B = b"a" * 4096, b"b" * 4096


def dvc(*words):
    done = python("-m", "dvc", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    """A repository with two files that dvc tracks and a stage that copies them."""
    folder = tmp_path_factory.mktemp("origin") / "repo"
    (folder / "data").mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("DVC_SITE_CACHE_DIR", str(folder.parent / "site"))
        (folder / "data/a.bin").write_bytes(A)
        (folder / "data/b.bin").write_bytes(B)
        (folder / "dvc.yaml").write_text(PIPELINE)
        subprocess.run(["git", "init", "--quiet"], check=True)
        dvc("init", "--quiet")
        dvc("add", "--quiet", "data")
        dvc("repro", "--quiet")
    return folder


@pytest.fixture
def repo(origin, tmp_path, monkeypatch):
    """A copy of that repository, which is the current folder."""
    folder = copied(origin, tmp_path / "repo")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    return folder


def object_of(repo, data):
    """Return the path in the cache of an object with these bytes."""
    paths = (repo / ".dvc/cache/files").rglob("*")
    return next(path for path in paths if path.is_file() and path.read_bytes() == data)


def damage(path):
    """Write other bytes of the same length with the same time and mode, as a disk does."""
    status = path.stat()
    path.chmod(0o644)
    path.write_bytes(b"!" + path.read_bytes()[1:])
    path.chmod(status.st_mode)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_what_is_whole_is_counted(repo, capsys):
    run_fonoteka("fsck")
    # the list of the folder, its two files in data and in out, and the file that is alone
    assert capsys.readouterr().out.startswith("6 files are intact")
    assert "up to date" in dvc("status")


def test_dvc_calls_damage_up_to_date_and_this_does_not(repo):
    cached = object_of(repo, A)
    damage(cached)
    for path in ("data", "out"):
        for file in (repo / path).iterdir():
            file.unlink()
    (repo / "alone.bin").unlink()
    dvc("checkout", "--force")
    assert (repo / "data/a.bin").read_bytes() != A
    assert "up to date" in dvc("status")  # the reason why this tool exists

    with pytest.raises(ValueError, match=r"a\.bin and alone\.bin \(md5 .*\), removed; "):
        run_fonoteka("fsck")
    assert not cached.exists()
    assert {path.name for path in (*repo.glob("data/*"), *repo.glob("*.bin"))} == {"b.bin"}
    assert "not in cache" in dvc("status")
    (repo / "data/a.bin").write_bytes(A)
    dvc("repro", "--quiet")
    run_fonoteka("fsck")


def test_an_object_that_the_workspace_has_whole_is_put_back(repo, capsys):
    cached = object_of(repo, A)
    damage(cached)
    with pytest.raises(ValueError, match=r"1 of 6 files were damaged: .* restored from the works"):
        run_fonoteka("fsck")
    assert cached.read_bytes() == A
    assert cached.stat().st_mode & 0o777 == fsck.CACHE_MODE
    run_fonoteka("fsck", "copy")
    assert capsys.readouterr().out.startswith("4 files are intact")


def test_what_a_user_changed_is_not_damage(repo):
    damage(object_of(repo, A))
    for path in ("data/a.bin", "out/a.bin", "alone.bin"):
        (repo / path).write_bytes(b"mine")
    with pytest.raises(
        ValueError, match=r"\), removed; run make repro to write missing files again"
    ):
        run_fonoteka("fsck")
    assert (repo / "data/a.bin").read_bytes() == b"mine"


def test_a_damaged_list_of_a_folder_is_removed_too(repo):
    lists = list((repo / ".dvc/cache/files").rglob("*.dir"))
    assert len(lists) == 1
    damage(lists[0])
    with pytest.raises(ValueError, match=r"the list of a folder \(md5 .*\), removed"):
        fsck.require(repo, "copy")
    assert not lists[0].exists()


def test_a_stage_that_is_not_there_is_a_sentence(repo):
    with pytest.raises(ValueError, match=r"no stage is named 'cpoy'; see dvc stage list"):
        run_fonoteka("fsck", "cpoy")


def test_nothing_damaged_is_sent_and_what_is_damaged_there_is_sent_again(repo, tmp_path, capsys):
    dvc("remote", "add", "--default", "storage", str(tmp_path / "store"))
    dvc("config", "remote.storage.verify", "true")
    run_fonoteka("push")
    assert re.match(r"pushed 3 files and 1 runs to storage", capsys.readouterr().out)
    remote_object = object_there(tmp_path / "store", A)
    damage(remote_object)
    run_fonoteka("push")
    assert remote_object.read_bytes() != A  # it is there, so dvc does not check it
    run_fonoteka("push", "--again", remote_object.parent.name + remote_object.name)
    assert object_there(tmp_path / "store", A) == remote_object
    with pytest.raises(ValueError, match="0000 is not in this cache, so it cannot be sent again"):
        run_fonoteka("push", "--again", "0000")

    damage(object_of(repo, A))
    with pytest.raises(
        ValueError, match=r"nothing was pushed because data is damaged: .* restored"
    ):
        run_fonoteka("push")
    run_fonoteka("push")


def object_there(store, data):
    paths = (path for path in (store / "files").rglob("*") if path.is_file())
    return next(path for path in paths if path.read_bytes() == data)


def test_a_pull_names_what_is_not_there(repo, tmp_path):
    dvc("remote", "add", "--default", "storage", str(tmp_path / "store"))
    run_fonoteka("push")
    object_there(tmp_path / "store", B).unlink()
    object_of(repo, B).unlink()
    for path in ("data/b.bin", "out/b.bin"):
        (repo / path).unlink()
    with pytest.raises(
        ValueError, match=r"files? .*b\.bin \(md5 .*|not transferred, the first because of"
    ):
        run_fonoteka("pull")
    with pytest.raises(ValueError, match=r"pull from storage .* failed"):
        run_fonoteka("pull", "data")


def test_one_build_at_a_time_works_in_a_folder(tmp_path):
    with (
        build_lock.build_lock(tmp_path),
        pytest.raises(ValueError, match=rf"another build is running here, process {os.getpid()}; "),
        build_lock.build_lock(tmp_path),
    ):
        pass
    with build_lock.build_lock(tmp_path):
        pass


def test_pulling_where_that_takes_a_secret_can_be_left_out(repo, capsys):
    run_fonoteka("pull", "--if-public")
    assert capsys.readouterr().out.startswith("nothing was pulled: there is no remote that can be")
