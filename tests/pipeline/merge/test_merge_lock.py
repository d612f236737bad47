"""A merge that conflicts in dvc.lock is settled: what either side built is not built again."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml
from command_line import exit_code
from forked_child import forked_stages  # noqa: F401 - a fixture
from toy import GIT, copied, keep_apart, run_dvc

from fonoteka.pipeline import lockfile, merge_conflict

pytestmark = [
    pytest.mark.dvc,
    pytest.mark.usefixtures("forked_stages"),
    pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning"),  # dvc's use of pygtrie
]

# `top` is read by two stages, which write a report each; `sum` reads both reports. The log, which
# no stage declares, counts what ran.
STAGES = """
stages:
  top: {cmd: sh work.sh top in.txt > top.txt, deps: [in.txt, work.sh], outs: [top.txt]}
  one:
    cmd: sh work.sh one top.txt > one.txt && sh report.sh ${one} > reports/one.json
    deps: [report.sh, top.txt, work.sh]
    params: [one]
    outs: [one.txt]
    metrics: [{reports/one.json: {cache: false}}]
  two:
    cmd: sh work.sh two top.txt > two.txt && sh report.sh ${two} > reports/two.json
    deps: [report.sh, top.txt, work.sh]
    params: [two]
    outs: [two.txt]
    metrics: [{reports/two.json: {cache: false}}]
  sum:
    cmd: sh work.sh sum reports/one.json reports/two.json > reports/sum.json
    deps: [reports/one.json, reports/two.json, work.sh]
    metrics: [{reports/sum.json: {cache: false}}]
"""
FILES = {
    "dvc.yaml": STAGES, "params.yaml": "one: 1\n\n\n\n\ntwo: 2\n", "in.txt": "hello\n",
    "work.sh": 'echo "$1" >> ran.log; shift; cat "$@"\n',
    "report.sh": 'mkdir -p reports; echo "{\\"value\\": $1}"\n',
    ".gitignore": "*.log\n*.txt\n!in.txt\n", "reports/note.md": "a note\n",
}  # fmt: skip


def git(*arguments, code=0):
    done = subprocess.run([*GIT, *arguments], check=False, capture_output=True, text=True)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def write(**files):
    for name, text in files.items():
        Path(name).write_text(text)


def build():
    run_dvc("repro", "-q")


def commit(message):
    build()
    git("add", "--all")
    git("commit", "--quiet", "--message", message)


def edit(path, old, new):
    text = Path(path).read_text()
    assert old in text
    Path(path).write_text(text.replace(old, new))


def ran():
    """Return the stages that ran since the last call."""
    log = Path("ran.log")
    names = log.read_text().split() if log.exists() else []
    log.unlink(missing_ok=True)
    return names


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    """A repository whose branches `mine` and `yours` changed one stage each and built it."""
    folder = tmp_path_factory.mktemp("origin") / "toy"
    patch = pytest.MonkeyPatch()
    keep_apart(patch, folder.parent)
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    patch.chdir(folder)
    git("init", "--quiet", "--initial-branch", "main")
    run_dvc("init", "-q")
    run_dvc("config", "-q", "core.autostage", "false")
    commit("base")
    for branch, name, value in (("mine", "one", 1), ("yours", "two", 2)):
        git("checkout", "--quiet", "-b", branch, "main")
        edit("params.yaml", f"{name}: {value}", f"{name}: {value}{value}")
        commit(branch)
    git("checkout", "--quiet", "mine")
    build()
    patch.undo()
    return folder


@pytest.fixture
def toy(origin, tmp_path, monkeypatch):
    """A copy of that repository, on `mine`, and the current folder in it."""
    keep_apart(monkeypatch, tmp_path)
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "test")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "test@example.org")
    monkeypatch.chdir(copied(origin, tmp_path / "toy"))
    ran()
    return tmp_path / "toy"


@pytest.fixture
def merged(toy):
    """The same in the middle of a merge of `yours` that stopped."""
    git("merge", "yours", code=1)
    assert {"dvc.lock", "reports/sum.json"} <= set(merge_conflict.unfinished_merge().conflicts)
    return toy


def values():
    return [Path(f"reports/{name}.json").read_text() for name in ("one", "two", "sum")]


ONE, TWO = '{"value": 11}\n', '{"value": 22}\n'


def test_what_a_side_built_is_taken_and_only_what_reads_both_runs(merged, capsys):
    assert exit_code("merge-lock") == 0
    assert ran() == ["sum"]
    assert values() == [ONE, TWO, ONE + TWO]
    output = capsys.readouterr().out
    assert "4 stages; 1 the same on both sides, 1 as ours, 1 as theirs" in output
    assert "ran: sum\n" in output
    assert "restored from the run-cache: nothing\n" in output
    assert output.endswith("commit the merge\n")
    assert not merge_conflict.unfinished_merge().conflicts
    git("commit", "--quiet", "--message", "merged")
    assert git("status", "--porcelain") == ""
    build()
    assert ran() == []
    assert git("status", "--porcelain") == ""


def test_the_lock_file_is_the_one_that_a_build_of_the_merged_files_writes(merged):
    assert exit_code("merge-lock") == 0
    settled = Path("dvc.lock").read_bytes()
    Path("dvc.lock").unlink()
    build()
    assert Path("dvc.lock").read_bytes() == settled


def test_what_someone_built_before_comes_back_from_the_run_cache(toy, capsys):
    edit("params.yaml", "two: 2\n", "two: 22\n")
    build()
    git("checkout", "--quiet", "--", ".")
    build()
    git("merge", "yours", code=1)
    ran()
    assert exit_code("merge-lock") == 0
    assert ran() == []
    assert "restored from the run-cache: sum\nran: nothing\n" in capsys.readouterr().out
    assert values() == [ONE, TWO, ONE + TWO]


def test_a_file_without_marks_is_settled_as_well(merged):
    git("checkout", "--ours", "--", "dvc.lock", "reports")
    assert exit_code("merge-lock") == 0
    assert ran() == ["sum"]
    assert values() == [ONE, TWO, ONE + TWO]


def test_marks_that_were_added_are_settled_as_well(merged):
    git("add", "dvc.lock")
    assert exit_code("merge-lock") == 0
    assert ran() == ["sum"]


def test_marks_that_were_committed_cost_the_run_cache_a_question(merged, capsys):
    git("add", "--all")
    git("commit", "--quiet", "--message", "marks and all")
    assert exit_code("merge-lock") == 0
    assert ran() == ["sum"]
    assert "restored from the run-cache: top, one, two\nran: sum\n" in capsys.readouterr().out
    assert values() == [ONE, TWO, ONE + TWO]


def test_what_git_left_as_it_was_is_settled_as_well(toy):
    write(**{".gitattributes": "/dvc.lock -merge\n"})
    git("merge", "yours", code=1)
    assert not merge_conflict.has_conflict_marks(Path("dvc.lock").read_text())
    assert exit_code("merge-lock") == 0
    assert ran() == ["sum"]
    assert values() == [ONE, TWO, ONE + TWO]


def test_a_rebase_is_settled_as_a_merge_is(toy):
    git("rebase", "yours", code=1)
    assert exit_code("merge-lock") == 0
    assert ran() == ["sum"]
    assert values() == [ONE, TWO, ONE + TWO]
    git("-c", "core.editor=true", "rebase", "--continue")
    assert git("status", "--porcelain") == ""


def test_a_stash_is_settled_as_a_merge_is(toy):
    git("checkout", "--quiet", "main")
    edit("params.yaml", "two: 2\n", "two: 22\n")
    build()
    git("stash", "--quiet")
    git("checkout", "--quiet", "mine")
    git("stash", "pop", code=1)
    ran()
    assert exit_code("merge-lock") == 0
    assert ran() == ["sum"]
    assert values() == [ONE, TWO, ONE + TWO]


@pytest.mark.parametrize("add", [False, True])
def test_params_that_are_in_conflict_are_named_and_nothing_is_written(toy, capsys, add):
    git("checkout", "--quiet", "yours")
    edit("params.yaml", "one: 1\n", "one: 12\n")
    commit("both")
    git("checkout", "--quiet", "mine")
    git("merge", "yours", code=1)
    if add:
        git("add", "params.yaml")
    before = Path("dvc.lock").read_bytes()
    ran()
    assert exit_code("merge-lock") == 2
    assert (
        "still in conflict: params.yaml; the entries of dvc.lock depend" in capsys.readouterr().err
    )
    assert Path("dvc.lock").read_bytes() == before
    assert ran() == []

    # Decided for theirs: one and all that reads it are as theirs, and nothing runs.
    git("checkout", "--theirs", "params.yaml") if not add else git(
        "checkout", "yours", "--", "params.yaml"
    )
    git("add", "params.yaml")
    assert exit_code("merge-lock") == 0
    assert ran() == []
    assert lockfile.read(Path("dvc.lock")) == lockfile.parse(git("show", "yours:dvc.lock"), "")


def test_code_in_conflict_is_named(toy, capsys):
    for branch in ("yours", "mine"):
        git("checkout", "--quiet", branch)
        edit("report.sh", "mkdir", f": {branch}; mkdir")
        commit("code")
    git("merge", "yours", code=1)
    assert exit_code("merge-lock") == 2
    assert "still in conflict: report.sh; the entries of dvc.lock depend" in capsys.readouterr().err


def test_a_conflict_outside_all_stages_may_wait(toy, capsys):
    for branch in ("yours", "mine"):
        git("checkout", "--quiet", branch)
        write(**{"reports/note.md": branch})
        commit("note")
    git("merge", "yours", code=1)
    assert exit_code("merge-lock") == 0
    assert "still in conflict, and not an output: reports/note.md\n" in capsys.readouterr().out
    assert set(merge_conflict.unfinished_merge().conflicts) == {"reports/note.md"}


def test_an_output_that_the_cache_lacks_is_named_with_the_way_to_get_it(merged, capsys):
    lost = yaml.safe_load(git("show", "yours:dvc.lock"))["stages"]["top"]["outs"][0]["md5"]
    (merged / ".dvc/cache/files/md5" / lost[:2] / lost[2:]).unlink()
    assert exit_code("merge-lock") == 2
    output = capsys.readouterr().err
    assert "the cache lacks top.txt" in output
    assert "fetch with dvc pull --run-cache" in output
    assert "dvc.lock" in merge_conflict.unfinished_merge().conflicts
    lockfile.read(Path("dvc.lock"))  # so that dvc pull can
    assert ran() == []
    assert exit_code("merge-lock", "--run") == 0
    assert values() == [ONE, TWO, ONE + TWO]


def test_a_stage_that_fails_leaves_the_merge_open(merged, capsys):
    (merged / "reports/two.json").unlink()
    edit("work.sh", 'cat "$@"', 'case "$*" in *two.json) exit 3;; esac; cat "$@"')
    assert exit_code("merge-lock") == 1
    assert "error: stage 'sum' failed" in capsys.readouterr().err
    assert "dvc.lock" in merge_conflict.unfinished_merge().conflicts


def test_without_a_merge_there_is_nothing_to_settle(toy, capsys):
    assert exit_code("merge-lock") == 2
    assert "there is no unfinished merge and no conflict in dvc.lock" in capsys.readouterr().err


def test_a_merge_without_a_conflict_in_results_is_left_alone(toy, capsys):
    git("checkout", "--quiet", "-b", "side", "main")
    write(README="a")
    git("add", "README")
    git("commit", "--quiet", "--message", "a")
    git("checkout", "--quiet", "mine")
    write(README="b")
    git("add", "README")
    git("commit", "--quiet", "--message", "b")
    git("merge", "side", code=1)
    before = Path("dvc.lock").read_bytes()
    assert exit_code("merge-lock") == 0
    assert "nothing to settle" in capsys.readouterr().out
    assert Path("dvc.lock").read_bytes() == before


def test_outside_of_a_checkout_is_one_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert exit_code("merge-lock") == 2
    assert "not a git repository" in capsys.readouterr().err


def test_a_report_that_git_mixed_from_two_is_put_right(toy):
    long = "".join(f'"{n}": 0,\n' for n in range(20))
    for branch, key in (("main", ""), ("mine", "a"), ("yours", "b")):
        git("checkout", "--quiet", branch)
        text = {"a": f"{{\n{long}}}".replace('"0": 0', '"0": 1'), "b": f"{{\n{long}}}".replace(
            '"19": 0', '"19": 1')}.get(key, f"{{\n{long}}}")  # fmt: skip
        write(**{"reports/sum.json": text})
        git("commit", "--quiet", "--all", "--message", "mixed", "--allow-empty")
    git("checkout", "--quiet", "mine")
    git("merge", "yours", code=1)
    assert exit_code("merge-lock") == 0
    assert values() == [ONE, TWO, ONE + TWO]
