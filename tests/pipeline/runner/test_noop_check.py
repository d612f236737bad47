"""A run with nothing to do does not load dvc; whatever has changed, dvc is asked again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import exit_code
from forked_child import fork_stages, forked_stages  # noqa: F401 - a fixture
from toy import copied, empty, keep_apart

from fonoteka.git import dvc_top
from fonoteka.pipeline import plan
from fonoteka.pipeline.runner import noop_check

pytestmark = [
    pytest.mark.dvc,
    pytest.mark.usefixtures("forked_stages"),
    pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning"),  # dvc's use of pygtrie
]

STAGES = """
stages:
  copy:
    cmd: mkdir -p out && cp in/* out/
    deps: [in]
    params: [size]
    outs: [out]
"""
UP_TO_DATE = "everything is up to date: 1 stages\n"


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    """A pipeline that was built, to be copied."""
    folder = copied(empty(tmp_path_factory), tmp_path_factory.mktemp("fresh") / "toy")
    (folder / "in").mkdir()
    (folder / "in" / "a.txt").write_text("hello\n")
    (folder / "params.yaml").write_text("size: 1\n")
    (folder / "dvc.yaml").write_text(STAGES)
    with pytest.MonkeyPatch.context() as patch:
        keep_apart(patch, folder.parent)
        fork_stages(patch)
        patch.chdir(folder)
        assert exit_code("repro") == 0
    return folder


@pytest.fixture
def built(origin, tmp_path, monkeypatch):
    """A copy of it that was found fresh; the calls of pipeline.read since then."""
    keep_apart(monkeypatch, tmp_path)
    monkeypatch.setattr(noop_check, "_SETTLED_NS", -(10**18))  # what is seconds old has settled
    monkeypatch.chdir(copied(origin, tmp_path / "toy"))
    assert exit_code("repro") == 0
    requests, read = [], plan.read

    def counted(targets=()):
        requests.append(targets)
        return read(targets)

    monkeypatch.setattr(plan, "read", counted)
    return requests


def test_if_nothing_has_changed_dvc_is_not_asked(built, capsys, monkeypatch):
    capsys.readouterr()
    monkeypatch.chdir("in")
    assert exit_code("repro", "--show", "in/a.txt") == 0
    assert capsys.readouterr().out == f"{UP_TO_DATE}hello\n"
    assert built == []


def test_a_run_with_nothing_to_do_does_not_load_dvc(built):
    code = (
        "import sys\n"
        "from fonoteka.__main__ import main\n"
        "try:\n"
        "    main(['repro'])\n"
        "except SystemExit as ended:\n"
        "    print('dvc' in sys.modules, ended.code)"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{UP_TO_DATE}False 0\n"


def rewrite_with_its_old_time():
    path = Path("in/a.txt")
    before = path.stat()
    path.write_text("jello\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize(
    "change",
    [
        rewrite_with_its_old_time,
        lambda: Path("in/b.txt").write_text("new\n"),
        lambda: Path("in/a.txt").rename("in/c.txt"),
        lambda: Path("out/a.txt").unlink(),
        lambda: Path("out/a.txt").chmod(0o600),
        lambda: Path("params.yaml").write_text("size: 2\n"),
        lambda: Path("dvc.yaml").write_text(STAGES.replace("cp in/*", "cp -p in/*")),
        lambda: Path("dvc.lock").unlink(),
        lambda: Path(".dvcignore").write_text("a.txt\n"),
        lambda: Path(".dvc/config.local").write_text("[core]\n    autostage = true\n"),
        lambda: Path("in/more").symlink_to("../out"),
        lambda: Path("in").rename("on"),
        lambda: (Path(".dvc/tmp/fresh.json")).write_text("[]"),
    ],
)
def test_whatever_has_changed_dvc_is_asked(change, built):
    change()
    exit_code("repro")
    assert built


def test_a_build_of_one_stage_is_never_taken_for_one_of_all(built):
    assert exit_code("repro", "copy") == 0
    assert built == [["copy"]]


def test_a_file_that_was_just_written_is_not_trusted_yet(built, monkeypatch):
    monkeypatch.setattr(noop_check, "_SETTLED_NS", 10**18)
    (dvc_top() / noop_check.NOTE).unlink()
    assert exit_code("repro") == 0
    assert not (dvc_top() / noop_check.NOTE).exists()


def test_another_version_of_dvc_looks_again(built, monkeypatch):
    monkeypatch.setattr(noop_check, "version", lambda _: "0.0")
    assert exit_code("repro") == 0
    assert built == [()]


def test_a_note_that_cannot_be_written_fails_nothing(built, capsys):
    (dvc_top() / noop_check.NOTE).unlink()
    (dvc_top() / noop_check.NOTE).mkdir()
    assert exit_code("repro") == 0
    assert capsys.readouterr().out.endswith(UP_TO_DATE)
