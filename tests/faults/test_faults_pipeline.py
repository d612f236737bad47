"""A full disk, a flipped bit, a folder that cannot be written, a second build: one sentence each.

After each the next build gives the bytes that an undisturbed one gives.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from clones import GIT, PYTHON, Clone, committed, flip, until
from dvc_yaml import pipeline

from fonoteka.pipeline.runner.build_lock import HOLDER

pytestmark = [pytest.mark.faults, pytest.mark.pipeline]

UP_TO_DATE = f"everything is up to date: {len(pipeline())} stages\n"
DISK_BYTES = 160 << 20


@contextmanager
def mounted(folder, *options):
    """Mount something inside the block, which root may on Linux."""
    folder.mkdir(exist_ok=True)
    done = subprocess.run(["mount", *options, str(folder)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"mounting is needed and refused: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A clone with all that was built; each test leaves it as it found it.

    Each builds the stage that it damaged and what is above it alone: dvc takes 5 s for each below.
    """
    clone = committed(tmp_path_factory, tmp_path_factory.mktemp("whole") / "fonoteka")
    yield clone
    assert build(clone).stdout == UP_TO_DATE


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    """The same on a small disk of its own, dvc's notes about files on another."""
    folder = tmp_path_factory.mktemp("disk")
    with mounted(folder, "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs"):
        clone = committed(tmp_path_factory, folder / "fonoteka")
        notes = str(tmp_path_factory.mktemp("notes"))
        clone.environment |= {"DVC_SITE_CACHE_DIR": notes, "TMPDIR": notes}
        yield clone
        assert build(clone).stdout == UP_TO_DATE


def forget(clone, stage):
    """Take what a stage wrote out of the workspace, the cache and the run-cache."""
    lock = yaml.safe_load((clone / "dvc.lock").read_text(encoding="utf-8"))
    for out in lock["stages"][stage]["outs"]:
        path = clone / out["path"]
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        for oid in objects(clone, out["md5"]):
            cached(clone, oid).unlink(missing_ok=True)
    shutil.rmtree(clone / ".dvc/cache/runs", ignore_errors=True)


def objects(clone, oid):
    yield oid
    if oid.endswith(".dir") and cached(clone, oid).exists():
        yield from (entry["md5"] for entry in json.loads(cached(clone, oid).read_text()))


def cached(clone, oid):
    return clone / f".dvc/cache/files/md5/{oid[:2]}/{oid[2:]}"


def results(clone):
    """Return all files that stages write, with their bytes, and the lock file's."""
    paths = [p for top in ("data", "reports") for p in (clone / top).rglob("*") if p.is_file()]
    return {p.relative_to(clone.folder): p.read_bytes() for p in [*paths, clone / "dvc.lock"]}


def sentence(done):
    """Return the lines of a build that failed; the last one names the stage."""
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done.stderr.splitlines()


def build(clone, *words):
    return clone.call(*PYTHON, "fonoteka", "repro", "--jobs", "2", *words)


@pytest.mark.parametrize(
    ("stage", "room_bytes"),
    [("preprocess", 1 << 20), ("embed@wav2vec2", 1 << 19), ("train@wav2vec2_ctc", 96 << 10)],
)
def test_a_full_disk_is_one_sentence_and_room_is_all_that_is_needed(disk, stage, room_bytes):
    expected = results(disk)
    forget(disk, stage)
    ballast = disk.folder.parent / "ballast"
    with ballast.open("wb") as file:
        free = shutil.disk_usage(disk.folder).free
        os.posix_fallocate(file.fileno(), 0, free - room_bytes)
    print(shutil.disk_usage(disk.folder).free)
    lines = sentence(build(disk, stage))
    print(lines)
    assert any(re.search(r"^error: .*No space left on device", line) for line in lines)
    assert re.fullmatch(
        rf"error: stage .{stage}. failed after .*; the disk is full: make room and run it again",
        lines[-1],
    )
    ballast.unlink()
    assert build(disk, stage).returncode == 0
    assert results(disk) == expected
    assert not list(disk.folder.rglob("*.part"))


def largest(clone, stage):
    """Return the largest object of a stage's outputs, and the output in which it is."""
    lock = yaml.safe_load((clone / "dvc.lock").read_text(encoding="utf-8"))
    candidates = (
        (oid, out["path"])
        for out in lock["stages"][stage]["outs"]
        for oid in objects(clone, out["md5"])
    )
    return max(candidates, key=lambda pair: cached(clone, pair[0]).stat().st_size)


def test_a_bit_that_flipped_in_the_cache_is_noticed_before_anything_is_computed_from_it(whole):
    expected = results(whole)
    oid, out = largest(whole, "embed@wavlm")
    flip(cached(whole, oid))
    shutil.rmtree(whole / out)
    lines = sentence(build(whole, "embed@wavlm"))
    assert lines == [
        "error: the cache of stage 'embed@wavlm' was damaged: "
        f"{cause(whole, oid, out)}, removed; "
        "run make repro to write missing files again, or python -m fonoteka pull to fetch them",
    ]
    assert build(whole, "embed@wavlm").returncode == 0
    assert results(whole) == expected
    assert whole.run(*PYTHON, "fonoteka", "fsck").endswith(
        "files are intact, in the cache and in the workspace, if they are there\n"
    )


def cause(clone, oid, out):
    folder = yaml.safe_load((clone / "dvc.lock").read_text())["stages"]["embed@wavlm"]["outs"][0]
    listed = json.loads(cached(clone, folder["md5"]).read_text())
    name = next(entry["relpath"] for entry in listed if entry["md5"] == oid)
    assert folder["path"] == out
    return f"{name} (md5 {oid})"


def test_a_bit_that_flipped_in_the_cache_alone_is_put_back_from_the_workspace(whole):
    expected = results(whole)
    oid, _ = largest(whole, "preprocess")
    flip(cached(whole, oid))
    done = whole.call(*PYTHON, "fonoteka", "fsck", "preprocess")
    assert re.match(rf"error: 1 of \d+ files .* \(md5 {oid}\) in the cache, restored", done.stderr)
    assert done.returncode == 1
    assert build(whole).stdout == UP_TO_DATE
    shutil.rmtree(whole / "data/audio")
    assert build(whole, "preprocess").returncode == 0
    assert results(whole) == expected


def test_a_bit_that_flipped_in_a_model_is_refused_where_it_is_used_and_put_right(whole):
    expected = results(whole)
    weights = whole / "data/models/wavlm_ctc/model.onnx"
    flip(weights)
    os.utime(weights)  # a program wrote it: dvc looks at the time
    words = ("fonoteka", "transcribe", "data/none.wav", "--model", "wavlm_ctc")
    used = whole.call(*PYTHON, *words)
    assert used.returncode == 1
    assert re.match(r"error: .*model\.onnx: its SHA-256 is", used.stderr), used.stderr
    gate = whole.call(*PYTHON, "fonoteka", "gate")
    assert re.search(r"data/models/wavlm_ctc: .*model\.onnx", gate.stderr)
    assert build(whole, "onnx@wavlm_ctc").returncode == 0
    assert results(whole) == expected


def test_two_builds_at_once_are_one_build_and_a_sentence(whole):
    expected = results(whole)
    forget(whole, "embed@wavlm")
    log = whole.folder.with_suffix(".log")
    with log.open("w+") as out:
        command = (*PYTHON, "fonoteka", "repro", "--jobs", "2", "embed@wavlm")
        with whole.start(*command, stdout=out, stderr=subprocess.STDOUT) as first:
            holder = whole / HOLDER
            until(lambda: holder.is_file() and holder.read_text() == str(first.pid))
            lines = sentence(build(whole))
            assert lines == [
                f"error: {whole.folder}: another build is running here, process {first.pid}; wait "
                "until it has ended, or stop it, and run this again"
            ]
            assert first.wait() == 0, log.read_text()
    assert results(whole) == expected

    # dvc's own, which knows nothing of the runner's lock, refuses in a sentence of its own.
    forget(whole, "embed@wavlm")
    with log.open("w+") as out:
        command = (*PYTHON, "dvc", "repro", "embed@wavlm")
        with whole.start(*command, stdout=out, stderr=subprocess.STDOUT) as first:
            until(lambda: "Running stage 'embed@wavlm'" in log.read_text())
            for other in (build(whole), whole.call(*PYTHON, "dvc", "repro")):
                assert other.returncode != 0
                assert "Traceback" not in other.stderr
                assert "is busy, it is being blocked by" in other.stderr
            assert first.wait() == 0, log.read_text()
    assert build(whole, "embed@wavlm").returncode == 0
    assert results(whole) == expected


@pytest.mark.parametrize("settings", [("autocrlf=true",), ("autocrlf=true", "eol=crlf")])
def test_a_clone_with_line_endings_of_windows_has_the_bytes_of_any_other(whole, tmp_path, settings):
    options = [word for setting in settings for word in ("-c", f"core.{setting}")]
    folder = tmp_path / "clone"
    subprocess.run([*GIT, *options, "clone", "--quiet", whole.folder, folder], check=True)
    for name in settings:
        subprocess.run([*GIT, "config", *f"core.{name}".split("=")], cwd=folder, check=True)
    clone = Clone(folder)
    clone.dvc("remote", "add", "--default", "--local", "there", str(whole / ".dvc/cache"))
    shutil.copytree(whole / ".dvc/cache", clone / ".dvc/cache")
    clone.dvc("checkout", "--quiet")
    assert results(clone) == results(whole)
    assert build(clone).stdout == UP_TO_DATE
    clone.git("rm", "--quiet", "-r", "--cached", ".")
    clone.git("reset", "--quiet", "--hard")  # every file is written again under these settings
    assert results(clone) == results(whole)
    assert build(clone).stdout == UP_TO_DATE


def test_a_data_folder_that_can_not_be_written_is_one_sentence(whole):
    expected = results(whole)
    forget(whole, "embed@wavlm")
    data = str(whole / "data")
    with mounted(Path(data), "--bind", data):
        subprocess.run(["mount", "-o", "remount,ro,bind", data], check=True)
        lines = sentence(build(whole, "embed@wavlm"))
    assert any(re.search(r"^error: .*Read-only file system", line) for line in lines), lines
    assert lines[-1].endswith("; make the folder writable and run it again"), lines
    assert build(whole, "embed@wavlm").returncode == 0
    assert results(whole) == expected
