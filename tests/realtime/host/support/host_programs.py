"""Compile and run C++ programs with the headers of a bundle of causal models."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from dvc_yaml import TOP

from fonoteka.core.params import build
from fonoteka.realtime.decisions import DecisionSettings
from fonoteka.realtime.frame_labels import TASKS
from fonoteka.realtime.frontend import FrontEnd, FrontEndParams
from fonoteka.realtime.host_files import host_files

PROGRAMS = TOP / "tests/realtime/host/programs"
COMPILERS = [name for name in ("g++", "clang++") if shutil.which(name)]
NO_COMPILER = "neither g++ nor clang++ is installed"
# Wasm and many plugins have neither exceptions nor RTTI; ModelT of RTNeural needs both.
STRICT = ("-std=c++17", "-Wall", "-Wextra", "-Werror", "-fno-exceptions", "-fno-rtti")
SANITIZED = (*STRICT, "-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
SECONDS = 300

DECISIONS = {
    "onset": DecisionSettings("event", 0.4, 0.4, 0.0, 4),
    "phone": DecisionSettings("label", 0.0, 0.0, 0.1, 2),
    "speech": DecisionSettings("state", 0.6, 0.4, 0.0, 3),
    "viseme": DecisionSettings("label", 0.0, 0.0, 0.0, 1),
    "voicing": DecisionSettings("state", 0.5, 0.5, 0.0, 1),
}


def front_end() -> FrontEnd:
    """Return the front end of params.yaml with constants as speech has them."""
    section = yaml.safe_load((TOP / "params.yaml").read_text(encoding="utf-8"))["frontend"]
    params = build(section, FrontEndParams, "frontend")
    rng = np.random.default_rng(1)
    mean = rng.uniform(-6, -2, params.bands).astype(np.float32)
    return FrontEnd(params, mean, rng.uniform(2, 4, params.bands).astype(np.float32))


def write_host(folder: Path, end: FrontEnd) -> Path:
    """Write the C++ files for a front end and DECISIONS, with frontend.json."""
    frontend = json.dumps(end.to_json()).encode()
    models: dict[str, dict[str, Any]] = {
        name: {
            "labels": list(spec.names), "delay_hops": 3, "model_t": "int",
            "decision": vars(DECISIONS[name]),
        }
        for name, spec in TASKS.items()
    }  # fmt: skip
    documents = {name: name.encode() for name in TASKS}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "frontend.json").write_bytes(frontend)
    for name, code in host_files(end, frontend, models, documents).items():
        (folder / name).write_text(code, encoding="utf-8")
    return folder


def compile_program(compiler: str, source: Path, program: Path, *flags: str | Path) -> Path:
    """Compile a source to a program; the test fails with the messages of the compiler."""
    command = [compiler, *map(str, flags), str(source), "-o", str(program), "-pthread"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return program


def run_program(program: Path, *words: object, data: bytes = b"") -> bytes:
    """Return what a program writes; the test fails if it ends with an error."""
    command = [str(program), *map(str, words)]
    done = subprocess.run(command, input=data, capture_output=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, (done.returncode, done.stderr.decode()[-4000:])
    return done.stdout
