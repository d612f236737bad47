"""Carry out the steps of a Dockerfile in an empty folder, as an unprivileged user, and run it.

    python tests/containers/support/clean_prefix.py serve|train FOLDER [COMMAND ...]

Reads   Dockerfile or Dockerfile.train, and the commit that is checked out
Writes  FOLDER/opt and FOLDER/project; one JSON object with sizes and seconds to stdout

For machines without a container engine. RUN, COPY, ENV, ARG and WORKDIR are those of the file; only
the paths below /opt and /project get FOLDER before them. Steps that need root, which install
system packages and add the user, are skipped and counted. The program then runs without a network:
the service is asked as in `image_smoke`; `train` runs COMMAND, by default `make test-fast`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

from dockerfile_steps import BuildStage, Instruction, global_arguments, stages

TOP = Path(__file__).resolve().parents[3]
FILES = {"serve": "Dockerfile", "train": "Dockerfile.train"}
UID = 1000
PATHS = re.compile(r"(?<![\w.])/(?=(?:opt|project)\b)")
NEEDS_ROOT = re.compile(r"\b(?:apt-get|groupadd|useradd)\b")
SERVE_SCRIPT = """
"$@" --no-gates --workers 1 > "$PREFIX/service.out" 2> "$PREFIX/service.log" &
service=$!
python "$SMOKE" "$FONOTEKA_PORT"; asked=$?
kill -TERM $service; wait $service; ended=$?
echo "the service ended with exit code $ended" >&2
[ $asked = 0 ] && [ $ended = 0 ]
"""


@dataclass
class Prefix:
    """A folder in place of the root of a container.

    Attributes:
        folder: absolute.
        context: the folder whose files COPY reads.
        environment: of the next step.
        cwd: of the next step.
        skipped: values of the RUN steps that need root.
    """

    folder: Path
    context: Path
    environment: dict[str, str] = field(default_factory=dict)
    cwd: Path = Path("/")
    skipped: list[str] = field(default_factory=list)

    def placed(self, text: str) -> str:
        """Return a text with the prefix before each path of the image."""
        return PATHS.sub(f"{self.folder}/", text)

    def start(self, arguments: Mapping[str, str]) -> None:
        """Begin a stage: nothing of the host's environment but the search path and addresses."""
        names = ("PATH", "LANG", "TMPDIR", *(n for n in os.environ if n.startswith("PIP_")))
        self.environment = {n: os.environ[n] for n in names if n in os.environ} | dict(arguments)
        self.cwd = self.folder

    def carry_out(self, stage: BuildStage) -> None:
        """Carry out a stage's steps in their order."""
        for step in stage.steps:
            if method := getattr(self, f"_{step.name.lower()}", None):
                method(step)

    def _workdir(self, step: Instruction) -> None:
        self.cwd = Path(self.placed(step.value))
        run_as_user(["mkdir", "-p", str(self.cwd)], self.folder, self.environment)

    def _arg(self, step: Instruction) -> None:
        name, equals, default = step.value.partition("=")
        if equals:
            self.environment.setdefault(name, default)

    def _env(self, step: Instruction) -> None:
        for word in shlex.split(step.value):
            name, _, value = word.partition("=")
            expanded = Template(value).substitute(defaultdict(str, self.environment))
            self.environment[name] = self.placed(expanded)

    def _copy(self, step: Instruction) -> None:
        *sources, target = step.words
        if "from" in step.flags:  # both stages share the prefix, so the files are in place
            assert sources == [target], f"line {step.line}: expected the same path in both stages"
            return
        base = Path(self.placed(target)) if target.startswith("/") else self.cwd / target
        for source in sources:
            origin = self.context / source
            place = base if origin.is_dir() else base / origin.name if target[-1] == "/" else base
            options = ["--recursive", "--no-target-directory"]
            run_as_user(["cp", *options, str(origin), str(place)], self.folder, self.environment)

    def _run(self, step: Instruction) -> None:
        if NEEDS_ROOT.search(step.value):
            self.skipped.append(step.value)
        else:
            run_as_user(["sh", "-ec", self.placed(step.value)], self.cwd, self.environment)


def user_words() -> list[str]:
    """Return the words before a command that runs as an unprivileged user."""
    options = [f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "--no-new-privs"]
    return ["setpriv", *options] if os.getuid() == 0 else []


def offline_words() -> list[str]:
    """Return the words before a command that has no network but its own loopback."""
    script = f'ip link set lo up && exec {shlex.join(user_words())} "$@"'
    return ["unshare", *([] if os.getuid() == 0 else ["-r"]), "--net", "sh", "-ec", script, "sh"]


def run_as_user(command: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> None:
    """Run a step; raise CalledProcessError if it fails."""
    subprocess.run([*user_words(), *command], cwd=cwd, env=dict(environment), check=True)


def install(image: str, prefix: Prefix) -> BuildStage:
    """Carry out a Dockerfile, and return its last stage."""
    text = (prefix.context / FILES[image]).read_text(encoding="utf-8")
    for stage in (all_stages := stages(text)):
        prefix.start(global_arguments(text))
        prefix.carry_out(stage)
    return all_stages[-1]


def size_mb(folder: Path) -> int:
    """Return the sum of the sizes of the files in a folder, each once, in MB."""
    sizes = {}
    for path in folder.rglob("*"):
        status = path.lstat()
        sizes[status.st_ino] = status.st_blocks * 512
    return round(sum(sizes.values()) / 1e6)


def give(path: Path) -> None:
    """Let the unprivileged user own a folder with all in it."""
    if os.getuid() == 0:
        for each in (path, *path.rglob("*")):
            shutil.chown(each, UID, UID)


def prepare(image: str, prefix: Prefix) -> None:
    """Put the mounts in their place: the models of the tests, or a clone of the checkout."""
    project = prefix.folder / "project"
    if image == "train":
        shutil.rmtree(project, ignore_errors=True)
        subprocess.run(["git", "clone", "--quiet", str(TOP), str(project)], check=True)
    else:
        sys.path[:0] = [str(TOP), str(TOP / "tests/service/support")]
        from service_packages import models_folder

        shutil.rmtree(project / "data", ignore_errors=True)
        models_folder(project / "data/models")
    give(project)


def run(image: str, final: BuildStage, prefix: Prefix, command: Sequence[str]) -> int:
    """Run the entry point of an image without a network; return the exit code."""
    entry = [prefix.placed(word) for word in final.named("ENTRYPOINT")[-1].words]
    home = prefix.folder / "tmp"
    home.mkdir(exist_ok=True)
    give(home)
    environment = prefix.environment | {"HOME": str(home), "TMPDIR": str(home)}
    environment |= {"PREFIX": str(home), "SMOKE": str(prefix.folder / "service_smoke.py")}
    if image == "serve":
        shutil.copy(Path(__file__).with_name("service_smoke.py"), prefix.folder)
        words = ["sh", "-c", SERVE_SCRIPT, "sh", *entry]
    else:
        words = [*entry, *(command or ["make", "test-fast"])]
    done = subprocess.run([*offline_words(), *words], cwd=prefix.cwd, env=environment, check=False)
    return done.returncode


def main() -> int:
    """Install and run an image in a folder; return the exit code of what ran."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image", choices=sorted(FILES))
    parser.add_argument("folder", type=Path)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    args = parser.parse_args()
    prefix = Prefix(args.folder.resolve(), TOP)
    prefix.folder.mkdir(parents=True)  # an existing one is not clean
    give(prefix.folder)
    start = time.monotonic()
    final = install(args.image, prefix)
    installed_s = time.monotonic() - start
    prepare(args.image, prefix)
    start = time.monotonic()
    code = run(args.image, final, prefix, args.command)
    report = {
        "image": args.image, "mb": size_mb(prefix.folder / "opt"), "code": code,
        "installed_s": round(installed_s), "ran_s": round(time.monotonic() - start),
        "skipped": len(prefix.skipped),
    }  # fmt: skip
    print(json.dumps(report))
    return code


if __name__ == "__main__":
    sys.exit(main())
