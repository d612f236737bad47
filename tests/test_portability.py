"""What `dvc repro` runs needs nothing that only Linux or only POSIX has."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections import Counter

import pytest
from dvc_yaml import TOP, closure, commands, loaded_at_start, module_of, pipeline, tree

STAGES = sorted({module_of(stage) for stage in pipeline()})
POSIX_MODULES = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"}
# What Windows lacks of modules that it has; macOS lacks the first line too.
POSIX_NAMES = {
    "os.pidfd_open", "os.sched_getaffinity", "os.sched_setaffinity", "signal.pidfd_send_signal",
    "os.O_CLOEXEC", "os.O_NONBLOCK", "os.fork", "os.getpgid", "os.getuid", "os.killpg",
    "os.mkfifo", "os.setsid", "os.sysconf", "os.uname", "signal.SIGALRM", "signal.SIGHUP",
    "signal.SIGKILL", "signal.SIGUSR1", "signal.alarm", "signal.setitimer",
}  # fmt: skip
# Each is used below a check that the system has it.
CHECKED = {
    ("fonoteka.audiocheck.process_limits", "os.sysconf"): "Path('/proc/self/statm')",
    ("fonoteka.core.cpu_count", "os.sched_getaffinity"): "hasattr(os, 'sched_getaffinity')",
    ("fonoteka.core.process_tree", "os.sysconf"): "(PROC / 'self/stat').exists()",
    ("fonoteka.core.run_stage", "os.pidfd_open"): "Path('/proc/self').exists()",
    ("fonoteka.core.run_stage", "signal.SIGKILL"): "sys.platform == 'linux'",
}

# Imports as on a system without these modules. Only our own imports fail: packages ask for the
# name of the system, which is Linux here, and not for the module.
IMPORTING = """
import builtins, importlib, json, sys
blocked, stages = map(json.loads, sys.argv[1:])
real = builtins.__import__

def imported(name, globals=None, *more, **named):
    importer = (globals or {}).get("__name__", "")
    if name.partition(".")[0] in blocked and importer.split(".")[0] in ("fonoteka", "stages"):
        raise ModuleNotFoundError(f"{importer} imports {name}, which only POSIX has")
    return real(name, globals, *more, **named)

builtins.__import__ = imported
for stage in stages:
    importlib.import_module(stage)
print("imported", len(stages))
"""


# It trains nothing, but it imports every stage, torch and transformers included: 15 CPU seconds.
@pytest.mark.torch
def test_every_stage_can_be_imported_where_posix_modules_are_missing():
    words = [json.dumps(sorted(POSIX_MODULES)), json.dumps(STAGES)]
    done = subprocess.run(
        [sys.executable, "-c", IMPORTING, *words],
        cwd=TOP, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == f"imported {len(STAGES)}\n", done.stderr


def test_no_stage_imports_a_posix_module_at_its_start():
    for stage in STAGES:
        ways = loaded_at_start(stage)
        assert not {name: ways[name] for name in POSIX_MODULES & {*ways}}


def test_what_only_posix_has_is_used_below_a_check():
    used = {
        (module, ast.unparse(node))
        for module in frozenset().union(*map(closure, STAGES))
        for node in ast.walk(tree(module))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in POSIX_NAMES
    }
    assert used == {*CHECKED}
    for (module, name), check in CHECKED.items():
        assert check in ast.unparse(tree(module)), (module, name)


def test_no_stage_starts_a_child_with_what_windows_refuses():
    for module in frozenset().union(*map(closure, STAGES)):
        for node in ast.walk(tree(module)):
            if isinstance(node, ast.keyword) and node.arg in ("preexec_fn", "start_new_session"):
                assert ast.unparse(node.value) == "child_preexec()", module


# What else Windows lacks, and only commands use.
POSIX_NAMES_OF_COMMANDS = POSIX_NAMES | {
    "os.fchmod", "os.geteuid", "os.getloadavg", "os.nice", "os.sched_setscheduler", "os.wait4",
}  # fmt: skip
# Only commands that Windows refuses use these: `repro`, `merge-lock`, `verify`, `bench`, `serve`.
# The commands of images run in containers, which are Linux.
REFUSED = (
    "fonoteka.bench.", "fonoteka.images.", "fonoteka.pipeline.runner.", "fonoteka.pipeline.verify.",
    "fonoteka.reporting.machine", "fonoteka.service.server", "fonoteka.service.uploads.",
    "fonoteka.service.work.",
)  # fmt: skip


def test_commands_that_windows_does_not_refuse_need_no_posix():
    used = {
        (module, ast.unparse(node))
        for module in commands()
        for node in ast.walk(tree(module))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in POSIX_NAMES_OF_COMMANDS
    }
    other = {(module, name) for module, name in used if not module.startswith(REFUSED)}
    guarded = {
        ("fonoteka.service.keys", "os.fchmod"): "hasattr(os, 'fchmod')",  # of `new-key`
        ("fonoteka.sweep.training", "os.killpg"): "os.name == 'posix'",
        ("fonoteka.sweep.training", "signal.SIGKILL"): "os.name == 'posix'",
    }
    assert other == set(guarded)
    for (module, name), guard in guarded.items():
        conditions = [node for node in ast.walk(tree(module)) if isinstance(node, ast.If)]
        under = [node for node in conditions if guard in ast.unparse(node.test)]
        assert any(name in ast.unparse(each) for node in under for each in node.body), name


def test_no_command_imports_a_posix_module_at_its_start():
    for module in commands():
        ways = loaded_at_start(module)
        assert not {name: ways[name] for name in POSIX_MODULES & {*ways}}


def without_encoding(parsed):
    """Yield each call in a tree that opens, reads or writes text in the encoding of the system."""
    for node in ast.walk(parsed):
        if not isinstance(node, ast.Call) or {"encoding", None} & {k.arg for k in node.keywords}:
            continue
        if ast.unparse(node.func) in ("tarfile.open", "self.task.open"):  # neither opens a text
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        modes = [a.value for a in node.args if isinstance(a, ast.Constant)]
        text = any(re.fullmatch(r"[rwax]\+?t?", str(mode)) for mode in modes)
        # A method of a path has its encoding after its text, or first.
        methods = {"write_text": 2, "read_text": 1}
        if (
            len(node.args) < methods.get(name, 0)
            or (name == "open" and text)
            or (name == "open" and not node.args)
            or (isinstance(node.func, ast.Name) and name == "open" and len(node.args) == 1)
        ):
            yield ast.unparse(node)


@pytest.mark.parametrize(
    ("call", "count"),
    [
        ("p.write_text(t)", 1), ("p.write_text(t, 'utf-8')", 0), ("p.read_text()", 1),
        ("p.open()", 1), ("p.open('w')", 1), ("p.open('wb')", 0), ("open(p)", 1),
        ("open(p, 'r')", 1), ("open(p, 'rb')", 0), ("p.open('a', encoding='utf-8')", 0),
        ("tarfile.open(p, 'w')", 0),
    ],
)  # fmt: skip
def test_a_text_without_an_encoding_is_noticed(call, count):
    assert len([*without_encoding(ast.parse(call))]) == count


# Digits, names of packages and hashes alone; and a function of this project that is UTF-8.
ASCII = {
    ("fonoteka.core.run_stage", "(between / 'stat').read_text()"),
    (
        "fonoteka.models.pinned_wheel",
        "requirement.write_text(f'{name}=={wheel.version} --hash=sha256:{wheel.sha256}\\n')",
    ),
}


def test_stages_name_the_encoding_of_each_text():
    # Without a name it is cp1252 on Windows, which has no letters of phones and no Cyrillic.
    every = frozenset().union(*map(closure, STAGES))
    assert {(module, call) for module in every for call in without_encoding(tree(module))} == ASCII


def test_every_name_in_git_is_one_on_windows_and_macos():
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=TOP, check=True, capture_output=True, text=True).stdout
    names = [name for name in listed.split("\0") if name]
    reserved = r'[<>:"|?*\\\x00-\x1f]|[ .](/|$)|(^|/)(con|prn|aux|nul|com\d|lpt\d)(\.|/|$)'
    assert [name for name in names if re.search(reserved, name, re.IGNORECASE)] == []
    counts = Counter(name.casefold() for name in names)
    assert [name for name, count in counts.items() if count > 1] == []
    # 260 characters on Windows, of which a folder such as D:\a\fonoteka\fonoteka takes some.
    assert max(map(len, names)) < 150


def test_make_always_uses_a_shell():
    # make 3.81 of macOS would look a simple command up in the PATH that it was started with.
    makefile = (TOP / "Makefile").read_text(encoding="utf-8")
    assert makefile.index("SHELL := /bin/bash\n") < makefile.index("export PATH := ")
