"""Wherever a project lies in git, and from whichever folder, its tools give the same answers."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from command_line import exit_code
from corpus_maker import make_corpus
from forked_child import forked_stages  # noqa: F401 - a fixture
from forks import python
from gate_maker import NO_MODELS
from toy import GIT, copied, keep_apart, run_dvc

from fonoteka import git as tree
from fonoteka.erasure import git_history
from fonoteka.pipeline import lockfile, merge_conflict
from fonoteka.pipeline.review import command as review
from fonoteka.pipeline.review.command import CommandOutput
from fonoteka.pipeline.revision import revision_of
from fonoteka.pipeline.runner import repair_lock
from fonoteka.pipeline.verify import clean_clone
from fonoteka.pipeline.verify.environment import BuildEnvironment, variables

pytestmark = [
    pytest.mark.dvc,
    pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning"),  # dvc's use of pygtrie
]

# `sum` reads both reports, so branches that change one each conflict in its entry of dvc.lock.
STAGES = """
stages:
  copy: {cmd: cat data/raw/mine/metadata.csv > copy.txt, deps: [data/raw], outs: [copy.txt]}
  one:
    cmd: sh report.sh ${one} > reports/metrics/one.json
    deps: [report.sh]
    params: [one]
    metrics: [{reports/metrics/one.json: {cache: false}}]
  two:
    cmd: sh report.sh ${two} > reports/metrics/two.json
    deps: [report.sh]
    params: [two]
    metrics: [{reports/metrics/two.json: {cache: false}}]
  sum:
    cmd: cat reports/metrics/one.json reports/metrics/two.json > reports/sum.txt
    deps: [reports/metrics/one.json, reports/metrics/two.json]
    outs: [{reports/sum.txt: {cache: false}}]
"""
ASKED = {"file": "reports/metrics/one.json", "key": "per", "direction": "lower", "limit": 9}
NUMBERS = yaml.safe_dump({"gate": NO_MODELS | {"numbers": {"per": ASKED | {"tolerance": 0}}}})
FILES = {
    "dvc.yaml": STAGES, "params.yaml": f"one: 1\n\n\n\n\ntwo: 2\n\n\n\n\n{NUMBERS}",
    "report.sh": 'echo "{\\"per\\": $1}"\n', ".gitignore": "/copy.txt\n",
    "reports/metrics/.keep": "",
}  # fmt: skip
NESTED = ("mono", "with space, šuma", "hook", "other hook", "below")
PLACES = ("plain", "with space, šuma", "hook", "other hook", "worktree", "submodule", "detached")
MERGED = ("with space, šuma", "worktree")  # tests of resolve_lock have the plain one
CLONED = ("with space, šuma", "other hook", "worktree", "submodule", "detached")


def git(*arguments, folder=".", code=0):
    done = subprocess.run(
        [*GIT, "-c", "protocol.file.allow=always", *arguments],
        cwd=folder, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    """A built repository with a corpus, whose branches `mine` and `yours` changed a value each."""
    folder = tmp_path_factory.mktemp("origin") / "plain"
    make_corpus(folder / "data/raw", ["ana/1.wav,dan,ana,hr", "ivo/1.wav,noć,ivo,hr"])
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        keep_apart(patch, folder.parent)
        patch.chdir(folder)
        git("init", "--quiet", "--initial-branch", "main")
        run_dvc("init", "-q")
        run_dvc("config", "-q", "core.autostage", "false")
        run_dvc("add", "-q", "data/raw/mine")
        commit("base")
        for branch, name, value in (("mine", "one", 1), ("yours", "two", 2)):
            git("checkout", "--quiet", "-b", branch, "main")
            edit("params.yaml", f"{name}: {value}\n", f"{name}: {value}{value}\n")
            commit(branch)
        git("checkout", "--quiet", "mine")
        run_dvc("checkout", "-q")
    return folder


def commit(message):
    run_dvc("repro", "-q")
    git("add", "--all")
    git("commit", "--quiet", "--message", message)


def edit(path, old, new):
    text = Path(path).read_text()
    assert text.count(old) == 1
    Path(path).write_text(text.replace(old, new))


def grafted(origin: Path, mono: Path, below: str) -> Path:
    """Make a larger repository whose branches have the project's as a folder, and return that."""
    git("init", "--quiet", "--initial-branch", "unused", str(mono))
    git("fetch", "--quiet", str(origin), "refs/heads/*:refs/plain/*", folder=mono)
    parent: list[str] = []
    for branch in ("main", "mine", "yours"):
        git("read-tree", "--empty", folder=mono)
        git("read-tree", f"--prefix={below}/", f"refs/plain/{branch}", folder=mono)
        root = git("write-tree", folder=mono).strip()
        commit_id = git("commit-tree", root, *parent, "-m", branch, folder=mono).strip()
        git("update-ref", f"refs/heads/{branch}", commit_id, folder=mono)
        git("update-ref", "-d", f"refs/plain/{branch}", folder=mono)
        parent = parent or ["-p", commit_id]
    git("checkout", "--quiet", "--force", "mine", folder=mono)
    (mono / "README").write_text("Not the project's.\n")  # and no commit has it
    (mono / "dvc.lock").write_text("Not the project's either.\n")
    return mono / below


def bring_data(origin: Path, project: Path) -> Path:
    """Give a checkout what git does not: the cache and outputs, as they are."""
    skip = shutil.ignore_patterns(".git", "tmp")
    shutil.copytree(origin, project, symlinks=True, dirs_exist_ok=True, ignore=skip)
    return project


def placed(kind: str, origin: Path, folder: Path) -> Path:
    """Lay the project into git in one of the ways, and return its top."""
    if kind in NESTED:
        below = {"with space, šuma": "moj rad/šta je [1]"}.get(kind, "work/speech")
        return bring_data(origin, grafted(origin, folder / "mono ž", below))
    if kind == "submodule":
        outer = folder / "outer"
        git("init", "--quiet", str(outer))
        git("submodule", "--quiet", "add", str(origin), "sub", folder=outer)
        for branch in ("main", "yours"):
            git("branch", "--quiet", branch, f"origin/{branch}", folder=outer / "sub")
        return bring_data(origin, outer / "sub")
    plain = copied(origin, folder / "plain")
    if kind in ("detached", "worktree"):
        git("checkout", "--quiet", "--detach", folder=plain)
    if kind == "worktree":
        git("worktree", "add", "--quiet", str(folder / "linked"), "mine", folder=plain)
        git("checkout", "--quiet", "yours", folder=plain)
        return bring_data(origin, folder / "linked")
    return plain


class Project:
    """A project in one of the places, and how its tools are asked."""

    def __init__(self, kind: str, top: Path, folder: Path) -> None:
        self.kind, self.top = kind, top
        self.environment = dict(os.environ)
        if kind == "hook":  # as git sets them for a hook of the larger repository
            root = folder / "mono ž"
            self.environment |= {"GIT_DIR": f"{root}/.git", "GIT_INDEX_FILE": f"{root}/.git/index"}
        if kind == "other hook":
            git("init", "--quiet", str(folder / "other"))
            self.environment |= {"GIT_DIR": f"{folder}/other/.git", "GIT_PREFIX": "x/"}

    def ask(self, *words: str) -> tuple[int, str]:
        """Return a command's exit code and output, without what differs from place to place."""
        folder = self.top / "reports/metrics" if self.kind == "below" else self.top
        done = python("-m", "fonoteka", *words, folder=folder, environment=self.environment)
        output = (done.stdout + done.stderr).replace(str(self.top), "TOP")
        return done.returncode, re.sub(r"\b[0-9a-f]{7}\b", "COMMIT", output)


@pytest.fixture
def place(origin, tmp_path, monkeypatch) -> Callable[[str], Project]:
    """Lay the project into git, and step into it."""
    keep_apart(monkeypatch, tmp_path)
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "test")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "test@example.org")

    def make(kind: str) -> Project:
        top = placed(kind, origin, tmp_path)
        monkeypatch.chdir(top)
        return Project(kind, top, tmp_path)

    return make


@pytest.mark.parametrize("kind", PLACES)
def test_tools_answer_the_same_wherever_the_project_lies(kind, place):
    project = place(kind)

    code, output = project.ask("corpus", "erase", "--speaker", "mine/ana")
    # main, mine and yours have the one version of the corpus, in a commit each.
    assert code == 0
    version = next(line for line in output.splitlines() if line.startswith("version"))
    assert "of the corpus contains the recordings; in 3 commits, " in version
    tips = {
        "detached": "main, mine, yours",
        "submodule": "HEAD -> mine, main, origin/HEAD, origin/main, origin/mine, ...",
    }
    assert version.endswith(f" at the tip of {tips.get(kind, 'HEAD -> mine, main, yours')}")

    code, output = project.ask("gate", "--base", "main")
    assert code == 1
    assert "base: main (COMMIT)" in output
    assert "11 is worse by 10 than 1 at the base" in output

    code, output = project.ask("diff", "--base", "main")
    assert code == 1
    assert "## A regression against main (COMMIT)" in output
    assert "`one`" in output
    assert " 11 " in output

    assert project.ask("status") == (0, "5 stages: 5 fresh\n")


@pytest.mark.parametrize("kind", MERGED)
def test_a_merge_is_settled_wherever_the_project_lies(kind, place, forked_stages, capfd):  # noqa: F811
    project = place(kind)
    git("merge", "yours", code=1)
    assert list(merge_conflict.unfinished_merge().conflicts) == ["dvc.lock", "reports/sum.txt"]
    assert exit_code("merge-lock", "--run", "--jobs", "2") == 0
    output = capfd.readouterr().out
    assert "4 stages; 1 the same on both sides, 1 as ours, 1 as theirs" in output
    assert "all is added" in output
    assert Path("reports/sum.txt").read_text() == '{"per": 11}\n{"per": 22}\n'
    git("commit", "--quiet", "--no-edit")
    assert git("show", "HEAD:./reports/sum.txt") == '{"per": 11}\n{"per": 22}\n'
    assert project.ask("status") == (0, "5 stages: 5 fresh\n")


def test_a_conflict_beside_the_project_is_left_and_named(place, forked_stages, capfd):  # noqa: F811
    project = place("mono")
    mono = project.top.parents[1]
    for branch in ("yours", "mine"):
        git("checkout", "--quiet", branch)
        (mono / "README").write_text(f"{branch}\n")
        git("add", "README", folder=mono)
        git("commit", "--quiet", "-m", "note")
    git("merge", "yours", code=1)
    assert exit_code("merge-lock", "--run", "--jobs", "2") == 0
    assert "still in conflict, and not an output: README" in capfd.readouterr().out


@pytest.mark.parametrize("kind", CLONED)
def test_the_clone_of_a_rebuild_has_the_commit_and_the_recordings(kind, place, monkeypatch):
    project = place(kind)
    for name in ("GIT_DIR", "GIT_INDEX_FILE", "GIT_PREFIX"):
        if name in project.environment:
            monkeypatch.setenv(name, project.environment[name])
    head = tree.git("rev-parse", "HEAD").strip()
    start = clean_clone.CleanClone._start

    def forked(clone, command, folder=None, *, capture_output=False):
        if command[:3] != [*clean_clone.DVC]:
            return start(clone, command, folder, capture_output=capture_output)
        return python(*command[1:], folder=clone.folder, environment=clone.variables)

    monkeypatch.setattr(clean_clone.CleanClone, "_start", forked)
    environment = BuildEnvironment(folder="fonoteka, šuma 2")
    with clean_clone.cloned(environment, project.top / ".dvc/cache") as clone:
        assert f"{clone.folder}/".endswith(f"/fonoteka, šuma 2/{tree.prefix()}")
        assert tree.git("rev-parse", "HEAD", root=clone.folder).strip() == head
        assert not (clone.folder / "copy.txt").exists()
        clone.pull(["data/raw/mine.dvc"])
        recording = clone.folder / "data/raw/mine/ana/1.wav"
        assert recording.read_bytes() == Path("data/raw/mine/ana/1.wav").read_bytes()
        clone.reverse_file_order()
        assert lockfile.read(clone.folder / "dvc.lock") == lockfile.read(Path("dvc.lock"))


@pytest.mark.parametrize("kind", ["below", "other hook"])
def test_a_review_asks_the_project_and_no_other(kind, place, monkeypatch):
    project = place(kind)

    def run_tool(*words):
        assert Path.cwd() == project.top
        done = python("-m", "fonoteka", *words)
        return CommandOutput(done.returncode, done.stdout.strip(), done.stderr.strip())

    monkeypatch.setattr(review, "run_tool", run_tool)
    for name in ("GIT_DIR", "GIT_PREFIX"):
        if name in project.environment:
            monkeypatch.setenv(name, project.environment[name])
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    monkeypatch.chdir(project.top / "reports" if kind == "below" else project.top)
    folder = Path.cwd()
    words = ("--base", "main", "--page", "page.md", "--json", "verdict.json")
    assert exit_code("review", *words) == 1  # `one` is worse than on main
    text = (folder / "page.md").read_text(encoding="utf-8")
    assert "## A regression against main" in text
    assert "5 stages: 5 fresh" in text
    assert (folder / "verdict.json").is_file()


def test_tools_work_from_a_folder_of_the_project(place):
    project = place("below")
    code, output = project.ask("corpus", "erase", "--speaker", "mine/ana")
    assert code == 0
    assert (
        "contains the recordings; in 3 commits, at the tip of HEAD -> mine, main, yours" in output
    )
    assert "11 is worse by 10 than 1 at the base" in project.ask("gate", "--base", "main")[1]
    assert project.ask("status") == (0, "5 stages: 5 fresh\n")
    code, output = project.ask("fsck", "copy")
    assert (code, output.split(",")[0]) == (0, "1 files are intact")
    folder = project.top / "reports/metrics"
    make_corpus(folder, ["eva/1.wav,dan,eva,hr"], name="from")
    words = ("from", "--name", "new", "--licence", "CC0-1.0", "--layout", "table", "--no-dvc")
    code, output = project.ask("corpus", "add", *words, "--table", "metadata.csv")
    assert code == 0, output
    assert (project.top / "data/raw/new/eva/1.wav").is_file()


def test_what_lies_beside_the_project_does_not_make_it_unclean(place):
    place("with space, šuma")
    assert tree.unclean(Path("reports/verify.json")) == []
    for name in ("reports/verify.json", "reports/č [x].md"):
        Path(name).write_text("{}\n")
    assert tree.unclean(Path("reports/verify.json")) == ["reports/č [x].md"]


def test_a_lock_file_is_repaired_from_the_projects_own(place):
    place("mono")
    whole = Path("dvc.lock").read_text()
    Path("dvc.lock").write_text(whole[:-30])
    assert "restored from the last commit" in str(repair_lock.repair_dvc_lock(Path.cwd()))
    assert lockfile.read(Path("dvc.lock")) == lockfile.parse(whole, "dvc.lock")


def test_history_names_files_of_the_project_from_its_top(place):
    project = place("with space, šuma")
    mono = project.top.parents[1]
    for folder, name in ((project.top, "note č.md"), (mono, "other.md")):
        (folder / name).write_text("mine/Ana\n")
        git("add", name, folder=folder)
    git("commit", "--quiet", "-m", "names")
    git("config", "diff.relative", "false")
    git("config", "grep.fullName", "true")
    git("config", "color.ui", "always")
    assert git_history.tracked_files_with(["mine/ana", "x.z"]) == ["note č.md"]
    assert git_history.tracked_files_with(["mine.ana"]) == []
    assert git_history.committed_files_with(["x|y", "mine/ANA"]) == ["note č.md"]
    assert git_history.committed_files_with(["mine.ana"]) == []
    assert revision_of("HEAD").text("note č.md") == "mine/Ana\n"
    assert revision_of("HEAD").text("other.md") is None


def test_a_folder_that_git_refuses_is_not_taken_for_one_without_history(place, monkeypatch):
    place("mono")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")  # git's own switch for its tests
    with pytest.raises(ValueError, match="dubious ownership"):
        tree.has_commit()
    with pytest.raises(ValueError, match="dubious ownership"):
        revision_of("HEAD")


def test_settings_in_the_environment_reach_the_clone_and_other_repositories_do_not(
    monkeypatch, tmp_path
):
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_WORK_TREE", "elsewhere")
    result = variables(BuildEnvironment(), tmp_path)
    assert result["GIT_CONFIG_COUNT"] == "1"
    assert "GIT_WORK_TREE" not in result


def test_without_a_checkout_around_it_git_uses_the_variables_of_the_environment(
    tmp_path, monkeypatch
):
    work, store = tmp_path / "work", tmp_path / "store.git"
    work.mkdir()
    git("init", "--quiet", "--bare", str(store))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert not tree.is_checkout(work)
    monkeypatch.setenv("GIT_DIR", str(store))
    monkeypatch.setenv("GIT_WORK_TREE", str(work))
    assert tree.is_checkout(work)
    assert not tree.has_commit(work)
