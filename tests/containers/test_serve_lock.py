"""requirements-serve.lock has what the service imports, and nothing that only training needs."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from importlib import metadata

import httpx
import pytest
from dvc_yaml import TOP, TOPS, closure, tree
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from service_packages import models_folder
from service_smoke import PHONES, spoken_wav

from fonoteka.bench.service.service_process import running_service
from fonoteka.core.errors import UserError
from fonoteka.images.serve_lock import DIRECT, LOCK, NOT_NEEDED, SERVE_LOCK, needed, serve_lock

# The programs that the service consists of; the command line imports typer alone at its start.
PROGRAMS = (
    "fonoteka.service.server", "fonoteka.service.settings", "fonoteka.service.keys",
    "fonoteka.service.work.worker_process", "fonoteka.service.uploads.decode_program",
    "fonoteka.images.entrypoint", "fonoteka.images.health_check",
)  # fmt: skip
# Imported inside functions that training and export call, and the service does not.
TRAINING = {"safetensors", "sklearn", "torch", "transformers"}
# Not imported by this project: the command line's frame, a folder that is read, what uvicorn loads.
UNIMPORTED = {"typer", "silero-vad", "websockets"}
BLOCKED_IMPORTS = TOP / "tests/containers/support/blocked_imports"


@cache
def distributions():
    """Return the distributions that have a module, by module: 2 CPU seconds for 250 packages."""
    return metadata.packages_distributions()


def distributions_of(module):
    return {canonicalize_name(name) for name in distributions().get(module, ())}


def imports_of_the_service():
    """Return the packages that modules of the service import anywhere."""
    names = set()
    for module in frozenset().union(*map(closure, PROGRAMS)):
        for node in ast.walk(tree(module)):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names.add(node.module.partition(".")[0])
    return names - {*TOPS} - sys.stdlib_module_names


def test_the_file_is_made_from_the_lock():
    text = (TOP / LOCK).read_text(encoding="utf-8")
    assert (TOP / SERVE_LOCK).read_text(encoding="utf-8") == serve_lock(text, needed())


def test_the_list_is_what_the_service_imports():
    names = {name for module in imports_of_the_service() - TRAINING
             for name in distributions_of(module)}  # fmt: skip
    assert imports_of_the_service() >= TRAINING
    assert {canonicalize_name(name) for name in DIRECT} == names | UNIMPORTED


def test_training_is_left_out():
    names = needed()
    assert not names & {"torch", "torchaudio", "transformers", "scikit-learn", "dvc", "triton"}
    assert not [name for name in names if name.startswith("nvidia-")]
    for package, left_out in NOT_NEEDED.items():
        wanted = {canonicalize_name(Requirement(line).name) for line in metadata.requires(package)}
        assert left_out <= wanted, "take it off the list"


def test_a_lock_without_a_needed_package_is_refused():
    with pytest.raises(UserError, match=r"requirements\.lock: lacks b, c; run make requirements"):
        serve_lock("# made\na==1\nd==4\n", {"a", "b", "c"})


def test_a_file_of_another_lock_is_refused(tmp_path):
    for name in (LOCK, SERVE_LOCK):
        (tmp_path / name).write_bytes((TOP / name).read_bytes())
    command = [sys.executable, "-m", "fonoteka.images.serve_lock"]
    environment = {"PYTHONPATH": str(TOP), "PATH": ""}

    def run(*options):
        return subprocess.run(
            [*command, *options], cwd=tmp_path, env=environment, capture_output=True, text=True
        )

    assert run("--check").returncode == 0
    path = tmp_path / SERVE_LOCK
    path.write_text(path.read_text().replace("uvicorn==", "uvicorn==9"), encoding="utf-8")
    done = run("--check")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "error: requirements-serve.lock: not made from requirements.lock; "
        "run make requirements-serve\n"
    )
    assert run().returncode == 0
    assert path.read_bytes() == (TOP / SERVE_LOCK).read_bytes()


@pytest.fixture
def only_served_packages(monkeypatch):
    """Block the packages that the image lacks in each process that the test starts."""
    served = needed()
    blocked = {
        module
        for module, names in distributions().items()
        if not {canonicalize_name(name) for name in names} & served
    }
    assert {"torch", "transformers", "dvc", "pandas", "sklearn", "httpx"} <= blocked
    monkeypatch.setenv("BLOCKED_IMPORTS", " ".join(sorted(blocked)))
    monkeypatch.setenv("PYTHONPATH", f"{BLOCKED_IMPORTS}:{TOP}")


def test_the_service_works_with_the_packages_of_the_image_alone(only_served_packages, tmp_path):
    models, log = models_folder(tmp_path / "models"), tmp_path / "service.log"
    with running_service(models, log, ["--no-gates", "--workers", "1"]) as service:
        for path in ("/health", "/v1/models", "/docs", "/openapi.json", "/metrics", "/"):
            assert httpx.get(service.url + path).status_code == 200, path
        file = {"file": ("clip.wav", spoken_wav(PHONES))}
        fields = {"model": "whisper_ctc", "response_format": "verbose_json"}
        answer = httpx.post(
            f"{service.url}/v1/audio/transcriptions", files=file, data=fields, timeout=60
        )
        assert answer.json()["text"] == PHONES
        words = httpx.post(
            f"{service.url}/v1/audio/transcriptions", files=file, data={"model": "whisper-1"},
            timeout=60,
        )  # fmt: skip
        assert words.status_code == 200
        aligned = httpx.post(
            f"{service.url}/v1/align", files=file, data={"text": "dobar", "language": "hr"},
            timeout=60,
        )  # fmt: skip
        assert aligned.status_code == 200, aligned.text
    assert "not in the image" not in log.read_text(encoding="utf-8")


def test_a_blocked_package_is_missing(only_served_packages):
    done = subprocess.run(
        [sys.executable, "-c", "import numpy, torch"], capture_output=True, text=True
    )
    assert "No module named 'torch': not in the image" in done.stderr
