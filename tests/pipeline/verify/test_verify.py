"""A rebuild in a clone finds differences from dvc.lock, or states why it cannot compare."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from clones import GIT
from command_line import exit_code
from dvc_yaml import TOP
from forks import python
from gate_maker import NO_MODELS
from toy import copied

from fonoteka.compute import processor as cpu
from fonoteka.pipeline import lockfile
from fonoteka.pipeline.verify import clean_clone, record

pytestmark = [
    pytest.mark.dvc,
    # dvc's own use of pygtrie; its warnings are not about this project.
    pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning"),
]

PER = {"file": "reports/one.json", "key": "per", "direction": "lower", "limit": 1}
PARAMS = {
    "value": 1,
    "gate": NO_MODELS | {"numbers": {"one.per": PER | {"tolerance": 0.01}}},
    "verify": {"measured": ["reports/bench"], "retained": []},
}
# `model` has an output that depends on text.txt and nothing else.
STAGES = """
stages:
  text:
    meta: {exact: everywhere}
    cmd: sort in.txt data/raw/mine/a.txt > text.txt
    deps: [data/raw, in.txt]
    outs: [text.txt]
  model:
    meta: {exact: here}
    cmd: cp text.txt model.txt
    deps: [text.txt]
    params: [value]
    outs: [model.txt]
  score:
    meta: {exact: here}
    cmd: "mkdir -p reports && echo '{\\"per\\": 0.25}' > reports/one.json"
    deps: [model.txt]
    metrics: [{reports/one.json: {cache: false}}]
"""
OTHER = cpu.Processor("another", "x86_64, another")


def run(*command):
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def dvc(*arguments):
    done = python("-m", "dvc", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr


def commit():
    run(*GIT, "add", "--all")
    run(*GIT, "commit", "--quiet", "--message", "change")


def edit(path, old, new):
    text = Path(path).read_text()
    assert text.count(old) >= 1, text
    Path(path).write_text(text.replace(old, new))


def few_pins():
    """Return some lines of requirements.lock: checking all 214 packages takes 0.6 CPU s."""
    lines = (TOP / "requirements.lock").read_text(encoding="utf-8").splitlines(keepends=True)
    few = ("#", "cuda-bindings==", "numpy==", "torch==")  # a comment, a marker, a build
    return "".join(line for line in lines if line.startswith(few))


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    """A built repository with a copy of fonoteka in it, because its clones run their own."""
    folder = tmp_path_factory.mktemp("origin") / "fonoteka"
    shutil.copytree(
        TOP / "fonoteka", folder / "fonoteka", ignore=shutil.ignore_patterns("__pycache__")
    )
    (folder / "stages").mkdir()
    for name in ("stages/__init__.py", ".dvcignore"):
        shutil.copy(TOP / name, folder / name)
    (folder / "requirements.lock").write_text(few_pins())
    # text.txt is sorted from a file in git and one that dvc tracks, so both kinds of input count.
    (folder / "in.txt").write_text("b\n")
    (folder / "dvc.yaml").write_text(STAGES)
    (folder / "params.yaml").write_text(yaml.safe_dump(PARAMS))
    ignored = (TOP / ".gitignore").read_text(encoding="utf-8")
    (folder / ".gitignore").write_text(f"{ignored}*.txt\n!in.txt\nhidden\n")
    (folder / "data/raw/mine").mkdir(parents=True)
    (folder / "data/raw/mine/a.txt").write_text("a\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_SITE_CACHE_DIR", str(folder.parent / "site"))
        patch.setenv("DVC_NO_ANALYTICS", "1")
        patch.chdir(folder)
        run(*GIT, "init", "--quiet")
        dvc("init", "-q")
        dvc("config", "-q", "core.autostage", "false")
        dvc("add", "-q", "data/raw/mine")
        dvc("repro", "-q")
        commit()
    return folder


@pytest.fixture
def toy(origin, tmp_path, monkeypatch):
    """A copy of that repository, which is the current folder."""
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.chdir(copied(origin, tmp_path / "fonoteka"))
    return tmp_path / "fonoteka"


@pytest.fixture
def forking(toy, monkeypatch):
    """The same, where a rebuild forks instead of starting Python five times."""
    fork_rebuilds(monkeypatch)
    return toy


def fork_rebuilds(monkeypatch):
    """Let a rebuild fork: 2 CPU s in place of 8.

    In place of the runner, which starts each stage in a process of its own, is one `dvc repro`.
    """
    start_process = clean_clone.CleanClone._start

    def start(clone, command, folder=None, *, capture_output=False):
        if command[0] != sys.executable:
            return start_process(clone, command, folder, capture_output=capture_output)
        runs = command[1:] if "fonoteka" not in command else ("-m", "dvc", "repro")
        done = python(*runs, folder=folder or clone.folder, environment=clone.variables)
        if not capture_output:
            print(done.stdout, end="")
            print(done.stderr, end="", file=sys.stderr)
        return done

    monkeypatch.setattr(clean_clone.CleanClone, "_start", start)


def tamper(path, exact_md5="a" * 32):
    """Change the hash of an output in dvc.lock, and commit it; entries of its readers stay."""
    stages = yaml.safe_load(Path("dvc.lock").read_text())["stages"]
    entry = next(out for e in stages.values() for out in e["outs"] if out["path"] == path)
    before, text = entry["md5"], Path("dvc.lock").read_text()
    head, _, tail = text.partition("    outs:\n    - path: " + path)
    assert tail
    Path("dvc.lock").write_text(
        head + "    outs:\n    - path: " + path + tail.replace(before, exact_md5, 1)
    )
    commit()
    return before


def proven_elsewhere():
    record.remember(lockfile.read(Path("dvc.lock")), OTHER, "nothing", {})


def test_a_rebuild_with_the_same_bytes_is_recorded(toy, monkeypatch, capfd):
    assert exit_code("verify") == 0
    output = capfd.readouterr()
    assert "3 stages: 3 ran" in output.out
    rows = [line.split() for line in output.out.splitlines() if line.startswith("exact")]
    assert rows == [
        ["exact", "everywhere", "1", "1", "1", "0", "same"],
        ["exact", "here", "2", "2", "2", "0", "same"],
    ]
    assert "on no recorded processor" in output.out
    assert "the same: 0 differences\n" in output.err
    kind = cpu.processor().kind
    assert f"({kind})" in output.out
    assert json.loads(Path("reports/verify.json").read_text())["processor"]["kind"] == kind
    assert sorted(path.name for path in toy.parent.iterdir()) == ["fonoteka", "site"]

    # The report of the first run does not stop the second.
    fork_rebuilds(monkeypatch)
    assert exit_code("verify", "--sample", "model") == 0
    assert "rebuilt before: on this kind of processor" in capfd.readouterr().out


@pytest.mark.parametrize(("path", "stage"), [("model.txt", "model"), ("text.txt", "text")])
def test_an_output_that_is_not_the_one_of_the_lock_file_is_named(forking, path, stage, capfd):
    was = tamper(path)
    assert exit_code("verify") == 1
    output = capfd.readouterr().err
    assert f"different: {path} ({stage}): dvc.lock has aaaaaaaa, rebuilt it is {was[:8]}" in output
    assert "its inputs were the same" in output
    assert "different: 1 of 3 outputs" in output
    assert not Path("reports/verify.json").exists()


def test_a_report_in_git_that_is_not_the_one_of_the_lock_file_is_named(forking, capfd):
    edit("reports/one.json", "0.25", "0.2500")
    commit()
    assert exit_code("verify", "--sample", "score") == 1
    assert "different: reports/one.json in git is not the one of dvc.lock" in capfd.readouterr().err


def test_a_stage_that_fails_decides_nothing(toy, capfd):
    Path("hidden").touch()
    edit("dvc.yaml", "cp text.txt model.txt", "test -e hidden && cp text.txt model.txt")
    dvc("repro", "-q")
    commit()
    assert exit_code("verify") == 2
    output = capfd.readouterr().err
    assert "stage 'model' failed" in output
    assert "error: the rebuild exited with 1" in output


def reported(text):
    """Change the text of the report and its hash in dvc.lock, and commit both."""
    before = hashlib.md5(Path("reports/one.json").read_bytes()).hexdigest()
    Path("reports/one.json").write_text(text)
    edit("dvc.lock", before, hashlib.md5(text.encode()).hexdigest())
    commit()


def test_on_another_kind_of_processor_numbers_must_be_within_their_tolerances(forking, capfd):
    reported('{"per": 0.259}\n')
    proven_elsewhere()
    assert exit_code("verify") == 0
    output = capfd.readouterr()
    assert "on another kind of processor: another (x86_64, another)" in output.out
    assert "0 differences; 1 outputs may differ on this kind of processor, and all 1" in output.err
    assert "another processor: the numbers count" in output.out
    # the report keeps the other processor
    assert json.loads(Path("reports/verify.json").read_text())["processor"]["name"] == "another"

    reported('{"per": 0.27}\n')
    proven_elsewhere()
    assert exit_code("verify", "--sample", "score") == 1
    output = capfd.readouterr().err
    assert "different: one.per: 0.27 in git, 0.25 rebuilt, and the tolerance is 0.01" in output
    assert "different: 0 of 1 outputs and 1 of 1 numbers" in output


def test_on_another_kind_of_processor_some_outputs_are_the_same_nonetheless(forking, capfd):
    tamper("text.txt")
    tamper("model.txt", "b" * 32)
    proven_elsewhere()
    assert exit_code("verify") == 1
    output = capfd.readouterr().err
    assert "different: text.txt (text)" in output
    assert "model.txt" not in output


def test_bytes_alone_decide_nothing_on_another_kind_of_processor(forking, capfd):
    tamper("model.txt")
    proven_elsewhere()
    assert exit_code("verify", "--sample", "model") == 2
    assert "cannot decide: model.txt may differ on this kind" in capfd.readouterr().err


def test_an_output_that_depends_on_its_environment_is_found(forking, capfd):
    seen = 'basename "$PWD"; umask; nproc; date +%z; echo "$LC_ALL $PYTHONHASHSEED"'
    edit("dvc.yaml", "cmd: cp text.txt model.txt", f"cmd: '{{ {seen}; }} > model.txt'")
    for name in ("LC_ALL", "PYTHONHASHSEED"):
        os.environ.pop(name, None)
    dvc("repro", "-q")
    commit()
    assert exit_code("verify") == 0
    capfd.readouterr()
    mask, cores = os.umask(0o022), os.sched_getaffinity(0)
    assert exit_code("verify", "--vary", "surroundings") == 1
    assert (os.umask(mask), os.sched_getaffinity(0)) == (0o022, cores)
    output = capfd.readouterr()
    assert "different: model.txt (model)" in output.err
    assert "different: 1 of 3 outputs" in output.err
    for word in ("path: ", "locale: ", "time zone: ", "umask: ", "reverse", "HASHSEED: ", "cores"):
        assert word in output.out


def test_a_sample_runs_the_named_stage_alone(forking, capfd):
    shutil.rmtree("data")
    run(*GIT, "checkout", "--", "data")
    assert exit_code("verify", "--sample", "text") == 0
    output = capfd.readouterr().out
    assert "Running stage 'text'" in output
    assert "Running stage 'model'" not in output
    assert not Path("reports/verify.json").exists()
    assert exit_code("verify", "--sample", "txt") == 2
    assert "no stage is named 'txt'; did you mean 'text'?" in capfd.readouterr().err


def test_recordings_that_the_cache_lacks_are_named(forking, capfd):
    shutil.rmtree(".dvc/cache")
    assert exit_code("verify") == 2
    output = capfd.readouterr().err
    assert "error: data/raw/mine: incomplete in the cache; fetch it with dvc pull" in output


def test_other_recordings_than_those_of_the_lock_file_decide_nothing(forking, capfd):
    Path("data/raw/mine/a.txt").write_text("c\n")
    dvc("add", "-q", "data/raw/mine")
    commit()
    assert exit_code("verify", "--sample", "text") == 2
    output = capfd.readouterr().err
    assert "dvc.lock is out of date: it was written with another version of data/raw" in output


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda: edit("in.txt", "b", "c"), r"in\.txt: not as in the last commit"),
        (lambda: Path("stages/new.py").touch(), r"stages/new\.py: not as in the last commit"),
        (lambda: (edit("in.txt", "b", "c"), commit()), r"another version of in\.txt; run make"),
        (
            lambda: (edit("params.yaml", "value: 1", "value: 2"), commit()),
            r"another version of section value of params\.yaml; run make repro",
        ),
        (
            lambda: (edit("dvc.yaml", "cp text", "cp -f text"), commit()),
            r"another version of the command of model;",
        ),
        (lambda: (Path("dvc.lock").unlink(), commit()), r"dvc\.lock: no such file"),
        (lambda: (Path("dvc.lock").write_text("{"), commit()), r"dvc\.lock"),
        (
            lambda: (edit("dvc.yaml", "    meta: {exact: everywhere}\n", ""), commit()),
            r"stage 'text' has meta\.exact: None; expected 'everywhere' or 'here'",
        ),
        (
            lambda: (edit("requirements.lock", "numpy==", "numpy==1.0.0+not"), commit()),
            r"requirements\.lock: numpy is .*, pinned is ==1\.0\.0",
        ),
    ],
)  # fmt: skip
def test_an_error_names_the_reason_that_nothing_can_be_compared(forking, capfd, change, sentence):
    change()
    assert exit_code("verify") == 2
    output = capfd.readouterr()
    assert output.err.startswith("error: ")
    assert output.err.count("\n") == 1
    assert re.search(sentence, output.err)


def test_a_stopped_run_leaves_nothing(forking, monkeypatch, capfd):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(clean_clone.CleanClone, "build", stop)
    assert exit_code("verify") == 130
    assert "stopped: the clone is removed" in capfd.readouterr().err
    assert sorted(path.name for path in forking.parent.iterdir()) == ["fonoteka", "site"]


@pytest.mark.parametrize("vary", ["nothing", "surroundings"])
def test_a_folder_of_a_larger_repository_is_rebuilt_as_a_whole_one_is(
    vary, origin, tmp_path, monkeypatch, capfd
):
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    mono = tmp_path / "mono"
    project = mono / "moj rad" / "šta je"
    shutil.copytree(origin, project, symlinks=True, ignore=shutil.ignore_patterns(".git"))
    run(*GIT, "init", "--quiet", str(mono))
    monkeypatch.chdir(project)
    commit()
    (mono / "beside").write_text("not committed, and not needed by the rebuild\n")
    monkeypatch.chdir(project / "data")  # any folder of the project
    monkeypatch.setenv("GIT_DIR", str(mono / ".git"))  # as in a hook
    fork_rebuilds(monkeypatch)
    assert exit_code("verify", "--vary", vary) == 0
    assert "the same: 0 differences\n" in capfd.readouterr().err
    assert (project / "reports/verify.json").is_file()
