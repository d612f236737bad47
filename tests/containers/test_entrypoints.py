"""The containers start what they should, or state in one sentence what is wrong with them."""

from __future__ import annotations

import http.server
import json
import os
import socket
import subprocess
import sys
import threading

import pytest
from dvc_yaml import TOP
from service_packages import models_folder

from fonoteka.core.errors import UserError
from fonoteka.images.entrypoint import check_gates, check_models, serve_arguments
from fonoteka.images.health_check import is_healthy
from fonoteka.images.train_entrypoint import problem_of


def refusal(*options, folder, **environment):
    """Return the exit code of the entry point and the last line that it writes."""
    done = subprocess.run(
        [sys.executable, "-m", "fonoteka.images.entrypoint", *map(str, options)],
        cwd=folder, env=os.environ | {"PYTHONPATH": str(TOP)} | environment,
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    return done.returncode, done.stderr.strip().splitlines()[-1]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return models_folder(tmp_path_factory.mktemp("entry") / "models")


def free_port():
    with socket.socket() as taken_socket:
        taken_socket.bind(("127.0.0.1", 0))
        return taken_socket.getsockname()[1]


def test_the_service_listens_on_all_addresses_of_the_container_and_on_its_port():
    assert serve_arguments(["--host", "::", "--keys", "k"], "9000") == [
        "serve", "--port", "9000", "--host", "::", "--keys", "k",
    ]  # fmt: skip


@pytest.mark.parametrize("options", [["--port", "9"], ["--port=9"]])
def test_a_port_that_the_health_check_cannot_see_is_refused(options):
    with pytest.raises(UserError, match="--port is fixed in a container, because its health check"):
        serve_arguments(options, "8080")


@pytest.mark.parametrize("port", ["", "0", "65536", "http", "-1"])
def test_a_port_that_is_not_one_is_refused(port):
    with pytest.raises(UserError, match=rf"FONOTEKA_PORT is '{port}'; expected a port from 1 to"):
        serve_arguments([], port)


@pytest.mark.parametrize("exists", [False, True])
def test_models_that_are_not_mounted_are_named_with_the_mount(tmp_path, exists):
    if exists:  # what an engine makes for the mount of a folder that does not exist
        (tmp_path / "data/models").mkdir(parents=True)
    code, line = refusal(folder=tmp_path)
    problem = "no package of a model is in it" if exists else "no such folder"
    place = tmp_path / "data/models"
    mount = f"mount data/models of a checkout with -v $PWD/data/models:{place}:ro"
    assert (code, line) == (1, f"error: {place}: {problem}; {mount}")


@pytest.mark.parametrize("inner", ["", "whisper_ctc"])
def test_a_folder_that_the_user_cannot_read_is_named(tmp_path, monkeypatch, inner):
    folder = models_folder(tmp_path / "models")
    # root reads everything, so the answer of the system is replaced.
    real = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: path != folder / inner and real(path, mode)
    )
    with pytest.raises(UserError, match=rf"^{folder / inner}: cannot be read by user \d+ of the"):
        check_models(folder)


def test_models_of_both_depths_are_found(models):
    check_models(models)


def test_a_container_without_a_folder_for_temporary_files_is_refused(tmp_path):
    code, line = refusal(folder=tmp_path, TMPDIR="/none", PYTHONPATH=f"{tmp_path}:{TOP}")
    assert code == 1  # /tmp can be written here, so the models are what is missing
    assert "data/models: no such folder" in line
    script = tmp_path / "sitecustomize.py"
    script.write_text("import tempfile\ntempfile._candidate_tempdir_list = lambda: ['/none']\n")
    code, line = refusal(folder=tmp_path, PYTHONPATH=f"{tmp_path}:{TOP}")
    assert (code, line) == (
        1,
        "error: no folder for temporary files can be written; with --read-only, add --tmpfs /tmp",
    )


def test_a_taken_port_is_named(tmp_path, models):
    with socket.socket() as taken_socket:
        taken_socket.bind(("127.0.0.1", 0))
        taken_socket.listen()
        port = taken_socket.getsockname()[1]
        options = ["--models", models, "--no-gates", "--workers", 1, "--host", "127.0.0.1"]
        code, line = refusal(*options, folder=tmp_path, FONOTEKA_PORT=str(port))
    assert code == 1
    assert line == f"error: 127.0.0.1:{port} cannot be listened on; choose another --port"


def test_a_missing_file_of_keys_is_named(tmp_path, models):
    options = ["--models", models, "--no-gates", "--keys", "keys.txt"]
    code, line = refusal(*options, folder=tmp_path, FONOTEKA_PORT=str(free_port()))
    assert code == 1
    assert line.startswith("error: keys.txt: cannot be read as a file of keys: ")


@pytest.mark.parametrize("mounted", [[], ["params.yaml", "dvc.lock"]])
def test_what_the_gates_read_is_named_if_it_is_not_mounted(tmp_path, mounted):
    (tmp_path / ".dvc").mkdir()
    models_folder(tmp_path / "data/models")
    for name in mounted:
        (tmp_path / name).write_text("{}")
    code, line = refusal(folder=tmp_path)
    missing = "reports" if mounted else "params.yaml, dvc.lock, reports"
    assert code == 1
    assert line.startswith(f"error: {tmp_path}: {missing} missing, so no number of a model can be")
    assert line.endswith("or add --no-gates")


def test_the_gates_of_a_mounted_project_can_be_read(tmp_path):
    for name in (".dvc", "reports", "data/models"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("params.yaml", "dvc.lock"):
        (tmp_path / name).touch()
    check_gates(tmp_path / "data/models")


class HealthAnswer(http.server.BaseHTTPRequestHandler):
    """Answers as the service does, or with the status of the server."""

    def do_GET(self):
        self.send_response(self.server.status if self.path == "/health" else 404)
        self.end_headers()
        self.wfile.write(json.dumps({"status": "ok"}).encode())

    def log_message(self, *_):
        pass


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (404, False), (500, False)])
def test_a_service_is_healthy_if_it_answers_200(status, healthy, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    server = http.server.HTTPServer(("127.0.0.1", 0), HealthAnswer)
    server.status = status
    threading.Thread(target=server.handle_request).start()
    try:
        assert is_healthy(server.server_port) == healthy
    finally:
        server.server_close()


def test_a_port_without_a_service_and_a_service_without_an_answer_are_not_healthy():
    assert not is_healthy(free_port())
    with socket.socket() as taken_socket:
        taken_socket.bind(("127.0.0.1", 0))
        taken_socket.listen()  # connections are queued, and no one answers
        assert not is_healthy(taken_socket.getsockname()[1], timeout_s=0.2)


@pytest.fixture
def checkout(tmp_path):
    for name in ("project", "image"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "requirements.lock").write_text("a==1\n")
    return tmp_path / "project", tmp_path / "image"


def test_a_checkout_with_the_packages_of_the_image_has_no_problem(checkout):
    assert problem_of(*checkout, ["make", "repro"]) is None


def test_what_the_image_of_the_build_cannot_do_is_one_sentence(checkout, monkeypatch):
    project, image = checkout
    assert problem_of(project, image, []) == "no command; name one, for example make repro"
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert "cannot be written by user" in problem_of(project, image, ["make"])
    (project / "requirements.lock").write_text("a==2\n")
    assert "differs from the packages of this image" in problem_of(project, image, ["make"])
    (project / "requirements.lock").unlink()
    assert "no checkout of the project; mount one with -v $PWD:" in problem_of(
        project, image, ["make"]
    )


@pytest.mark.parametrize(
    ("command", "code", "text"),
    [
        (["sh", "-c", "echo run; exit 3"], 3, "run\n"),
        (["no-such-program"], 1, "error: no-such-program: No such file or directory\n"),
    ],
)
def test_a_command_replaces_the_entry_point(checkout, command, code, text):
    project, image = checkout
    script = image / "train_entrypoint.py"
    script.write_bytes((TOP / "fonoteka/images/train_entrypoint.py").read_bytes())
    # A folder of PATH that this user cannot read turns a missing program into a denied one.
    environment = os.environ | {"PATH": os.defpath}
    done = subprocess.run(
        [sys.executable, script, *command], cwd=project, env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (code, text)
