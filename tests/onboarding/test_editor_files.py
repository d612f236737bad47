"""The files of VS Code and of the development container name what exists."""

from __future__ import annotations

import json
import re
import shlex
from importlib.util import find_spec

import pytest
from command_line import problem_of
from dvc_yaml import TOP, words

FILES = sorted([*(TOP / ".vscode").glob("*.json"), *(TOP / ".devcontainer").glob("*.json")])
WORDS = set(re.findall(r"^([.a-z-]+):.*## ", (TOP / "Makefile").read_text("utf-8"), re.MULTILINE))
PYTHONS = (".venv/bin/python", r".venv\Scripts\python")
DVC_EXTENSION = "lakeFS.lakefs-dvc"


def read(path):
    return json.loads((TOP / path).read_text(encoding="utf-8"))


def test_the_folders_contain_what_editors_look_for():
    assert {path.relative_to(TOP).as_posix() for path in FILES} == {
        ".devcontainer/devcontainer.json", ".vscode/extensions.json", ".vscode/launch.json",
        ".vscode/settings.json", ".vscode/tasks.json",
    }  # fmt: skip


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_is_json_without_comments_and_repeats_no_key(path):
    # VS Code accepts comments and takes the last of two equal keys; other programs accept neither.
    def unique(pairs):
        keys = [key for key, _ in pairs]
        assert len(keys) == len(set(keys)), keys
        return dict(pairs)

    assert json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=unique)


def commands_of_tasks():
    """Yield the command of each task: on POSIX, and on Windows."""
    for task in read(".vscode/tasks.json")["tasks"]:
        assert task["type"] == "shell", task["label"]
        yield task["label"], task["command"]
        yield f"{task['label']} on Windows", task["windows"]["command"]


TASKS = dict(commands_of_tasks())


def problem_of_line(line):
    """Return why a command line cannot run, or None.

    A program is `make` with a word of the Makefile, the environment's Python with a module, or
    PowerShell with a script of this repository.
    """
    program, *rest = shlex.split(line, posix="\\" not in line)
    if program == "make":
        return None if rest and {*rest} <= WORDS else f"not words of make: {rest}"
    if program == "powershell":
        return None if (TOP / rest[-1]).is_file() else f"no file: {rest[-1]}"
    if program not in PYTHONS or rest[0] != "-m":
        return f"unknown program: {program}"
    if rest[1] == "fonoteka":
        return problem_of(rest[2:])
    missing = [word for word in rest[2:] if "/" in word and not (TOP / word).exists()]
    return None if find_spec(rest[1]) and not missing else f"no module or path: {rest[1:]}"


@pytest.mark.parametrize("label", TASKS)
def test_the_command_of_a_task_exists(label):
    assert problem_of_line(TASKS[label]) is None


@pytest.mark.parametrize(
    "line",
    ["make reproduce", "make", ".venv/bin/python -m fonoteka stats", "python -m fonoteka status",
     ".venv/bin/python -m no_such_module", "powershell -File scripts/none.ps1",
     ".venv/bin/python -m pytest tests/none.py"],
)  # fmt: skip
def test_a_command_that_does_not_exist_is_noticed(line):
    assert problem_of_line(line)


def test_a_posix_task_has_the_word_of_make_as_its_label():
    labels = {task["label"] for task in read(".vscode/tasks.json")["tasks"]}
    assert {"repro", "status", "diff", "test-fast", "check", "serve"} < labels
    for label in labels & WORDS:
        assert TASKS[label] == f"make {label}"


def test_the_stage_that_is_debugged_has_the_arguments_of_the_pipeline():
    stage, service, _ = read(".vscode/launch.json")["configurations"]
    assert ["python", "-m", stage["module"], *stage["args"]] == words("split")
    assert service["module"] == "fonoteka"
    assert problem_of(service["args"]) is None


def test_the_extension_of_dvc_is_recommended_by_its_present_name():
    extensions = read(".vscode/extensions.json")
    container = read(".devcontainer/devcontainer.json")["customizations"]["vscode"]["extensions"]
    assert DVC_EXTENSION in extensions["recommendations"]
    assert extensions["unwantedRecommendations"] == ["iterative.dvc"]  # its name until 2025
    assert {DVC_EXTENSION} < {*container} < {*extensions["recommendations"]}
    names = [*extensions["recommendations"], *container]
    assert [name for name in names if not re.fullmatch(r"[\w-]+\.[\w-]+", name)] == []


def test_each_setting_of_an_extension_belongs_to_one_that_is_recommended():
    owners = {
        "charliermarsh.ruff": "ruff", "ms-python.python": "python",
        "ms-python.mypy-type-checker": "mypy-type-checker", "ms-vscode.makefile-tools": "makefile",
    }  # fmt: skip
    recommended = read(".vscode/extensions.json")["recommendations"]
    sections = {name.partition(".")[0] for name in read(".vscode/settings.json")}
    ours = {owners[name] for name in recommended if name in owners}
    assert sections - {"files", "search", "terminal", "[python]"} == ours


def test_the_folders_with_many_files_are_not_watched():
    # data/ and the cache contain thousands of files, and each watched one costs a handle of Linux.
    settings = read(".vscode/settings.json")
    watched = {*settings["files.watcherExclude"]}
    assert {"**/data/**", "**/.dvc/cache/**", "**/.venv/**"} < watched
    assert {f"{name}/**" for name in settings["search.exclude"] if "lock" not in name} <= watched


def test_the_editor_uses_the_environment_and_the_line_width_of_the_project():
    settings = read(".vscode/settings.json")
    assert settings["python.defaultInterpreterPath"] == "${workspaceFolder}/.venv"
    assert settings["files.eol"] == "\n"  # as .gitattributes: DVC hashes the bytes of the code
    assert "eol=lf" in (TOP / ".gitattributes").read_text(encoding="utf-8")
    project = (TOP / "pyproject.toml").read_text(encoding="utf-8")
    assert f"line-length = {settings['[python]']['editor.rulers'][0]}\n" in project


def test_the_container_has_the_python_of_the_project_and_makes_the_environment():
    container = read(".devcontainer/devcontainer.json")
    project = (TOP / "pyproject.toml").read_text(encoding="utf-8")
    (version,) = re.findall(r'requires-python = ">=([\d.]+),', project)
    assert container["image"].startswith(f"python:{version}-")
    assert problem_of_line(container["postCreateCommand"]) is None
    # The environment of the container is not that of the machine that the folder is shared with.
    (mount,) = container["mounts"]
    assert "target=${containerWorkspaceFolder}/.venv,type=volume" in mount
