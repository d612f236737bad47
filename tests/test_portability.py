"""What `dvc repro` runs needs nothing that only Linux or only POSIX has."""

from __future__ import annotations

import ast
import json
import subprocess
import sys

import pytest
from dvc_yaml import TOP, closure, loaded_at_start, module_of, pipeline, tree

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
