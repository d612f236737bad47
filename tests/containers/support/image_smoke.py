"""Run both images as compose.yaml confines them, and without a network; exit with 1 at a failure.

    python tests/containers/support/image_smoke.py [--only serve|train] [--engine WORDS]

Reads   the images `fonoteka-serve:local` and `fonoteka-train:local`, the commit that is checked out
Writes  one JSON object per part to stdout

The service is answers for the phones of a recording with models that the image of the build makes;
`make test-fast` runs in a clone of this checkout. Python's own library is enough to run this.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

TOP = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(TOP))

from fonoteka.images.build import find_engine  # noqa: E402

CONFINED = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--network=none")
SERVE, TRAIN = "fonoteka-serve:local", "fonoteka-train:local"
TMPFS = {SERVE: "/tmp:mode=1777,size=1g", TRAIN: "/tmp:exec,mode=1777,size=8g"}
MAKE_MODELS = (
    "from pathlib import Path; from service_packages import models_folder; "
    "models_folder(Path('models'))"
)
STOP_S = 30


class Engine:
    """The engine and the options of each run."""

    def __init__(self, words: Sequence[str], options: Sequence[str]) -> None:
        self.words = [*words]
        self.options = [*options]
        # Without root, podman gives the container's users other ids than the host's.
        if os.getuid() and words[0] == "podman":
            self.options.append("--userns=keep-id")

    def command(self, image: str, options: Sequence[str], words: Sequence[str]) -> list[str]:
        """Return the command line of a confined container."""
        confined = [*CONFINED, f"--tmpfs={TMPFS[image]}", *self.options, *options]
        return [*self.words, "run", *confined, image, *words]

    def call(self, *words: str, stdin: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command of the engine and return what it wrote."""
        with (stdin or Path(os.devnull)).open("rb") as file:
            return subprocess.run(
                [*self.words, *words], stdin=file, capture_output=True, text=True, check=False
            )


@contextlib.contextmanager
def clone() -> Iterator[Path]:
    """Yield a clone of this checkout that the user of the containers owns."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "project"
        subprocess.run(["git", "clone", "--quiet", str(TOP), str(target)], check=True)
        if os.getuid() == 0:
            Path(folder).chmod(0o711)
            for path in (target, *target.rglob("*")):
                shutil.chown(path, 1000, 1000)
        yield target


def owner(project: Path) -> str:
    """Return the option that runs a container as the owner of a folder."""
    status = project.stat()
    return f"--user={status.st_uid}:{status.st_gid}"


def check_train(engine: Engine, project: Path, target: str, jobs: int) -> dict:
    """Run a target of the Makefile in the image of the build; return seconds and the last line."""
    start = time.monotonic()
    options = ["--rm", f"--volume={project}:/project", owner(project), "--shm-size=1g"]
    command = engine.command(TRAIN, options, ["make", target, f"JOBS={jobs}"])
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    lines = done.stdout.splitlines()
    print(*lines[-60:], sep="\n", file=sys.stderr)
    assert done.returncode == 0, f"make {target} failed with exit code {done.returncode}"
    return {"target": target, "seconds": round(time.monotonic() - start), "result": lines[-1]}


def make_models(engine: Engine, project: Path) -> Path:
    """Write the packages of the tests' models into the clone, in the image of the build."""
    options = [
        "--rm", f"--volume={project}:/project", owner(project),
        "--env=PYTHONPATH=/project:/project/tests/service/support",
    ]  # fmt: skip
    command = engine.command(TRAIN, options, ["python", "-c", MAKE_MODELS])
    subprocess.run(command, check=True)
    return project / "models"


def check_serve(engine: Engine, models: Path) -> dict:
    """Start the service, ask it, stop it; return the answers and the seconds of the end."""
    name = f"fonoteka-{uuid.uuid4().hex[:8]}"
    options = ["--detach", f"--name={name}", f"--volume={models}:/project/data/models:ro"]
    command = engine.command(SERVE, options, ["--no-gates", "--workers", "1"])
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    try:
        smoke = Path(__file__).with_name("service_smoke.py")
        answers = engine.call("exec", "-i", name, "python", "-", "8080", stdin=smoke)
        assert answers.returncode == 0, answers.stderr + engine.call("logs", name).stderr[-2000:]
        check = engine.call("exec", name, "python", "-m", "fonoteka.images.health_check")
        assert check.returncode == 0, check.stderr
        written = engine.call("exec", name, "touch", "/opt/fonoteka/fonoteka/new.py")
        assert written.returncode != 0, "the service can write into its own code"
        start = time.monotonic()
        engine.call("stop", f"--time={STOP_S}", name)
        stopped_s = round(time.monotonic() - start, 1)
        state = engine.call("inspect", "--format={{.State.ExitCode}}", name).stdout.strip()
        assert state == "0", f"the service ended with exit code {state} after SIGTERM"
    finally:
        engine.call("rm", "--force", name)
    return json.loads(answers.stdout) | {"stopped_s": stopped_s}


def check_refusal(engine: Engine) -> dict:
    """Start the service without models; return its sentence."""
    done = subprocess.run(
        engine.command(SERVE, ["--rm"], []), capture_output=True, text=True, check=False
    )
    last = done.stderr.strip().splitlines()[-1]
    assert (done.returncode, last.startswith("error: /project/data/models: ")) == (1, True), last
    return {"without models": last}


def compilers(engine: Engine, image: str) -> list[str]:
    """Return the compilers and pip's that a shell in an image finds."""
    script = "for word in gcc cc g++ clang; do command -v $word; done; ls -A /root/.cache/pip"
    options = ["--rm", "--entrypoint=sh"]
    done = subprocess.run(
        engine.command(image, options, ["-c", script]), capture_output=True, text=True, check=False
    )
    return done.stdout.split()


def main() -> None:
    """Run the parts that are wanted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=["serve", "train"])
    parser.add_argument("--engine", type=shlex.split, help="for example 'podman --runtime runc'")
    parser.add_argument("--options", type=shlex.split, default=[], help="of each run")
    parser.add_argument("--target", default="test-fast", help="of the Makefile")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    args = parser.parse_args()
    engine = Engine(args.engine or [find_engine()], args.options)
    with clone() as project:
        if args.only != "train":
            print(json.dumps(check_serve(engine, make_models(engine, project))))
            print(json.dumps(check_refusal(engine)))
        if args.only != "serve":
            print(json.dumps(check_train(engine, project, args.target, args.jobs)))
        for image in (SERVE, TRAIN):
            size = engine.call("image", "inspect", "--format={{.Size}}", image).stdout
            assert not (words := compilers(engine, image)), f"{image} contains {words}"
            print(json.dumps({"image": image, "mb": round(int(size) / 1e6)}))


if __name__ == "__main__":
    main()
