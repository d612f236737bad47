"""A small project whose models can be released: git, dvc, two packages, reports and gates."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import yaml
from gate_maker import NO_MODELS
from toy import GIT, copied, empty_repository, run_dvc

MAKE = '''\
"""Write a package and its report from params.yaml and the splits."""

import hashlib, json, pathlib, sys, yaml

name = sys.argv[1]
params = yaml.safe_load(pathlib.Path("params.yaml").read_text())[name]
folder = pathlib.Path("data/models", name)
folder.mkdir(parents=True, exist_ok=True)
weights = pathlib.Path("data/splits/train.jsonl").read_bytes() * 40 + str(params).encode()
(folder / "model.onnx").write_bytes(weights)
(folder / "README.md").write_text(f"# {name}")
files = {}
for file in ("README.md", "model.onnx"):
    data = (folder / file).read_bytes()
    files[file] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
licence = {"weights": params["licence"], "training_data": ["CC0"]}
(folder / "package.json").write_text(json.dumps({"files": files, "licence": licence}))
report = pathlib.Path("reports/metrics", f"{name}.json")
report.parent.mkdir(parents=True, exist_ok=True)
report.write_text(json.dumps({"per": params["per"]}))
'''
# `one` has an output per file, as the recognisers have, and `two` a folder, as the bundle has.
# data/raw is not an output, but has one in it.
STAGES = f"""
stages:
  split:
    cmd: mkdir -p data/splits && cat data/raw/mine/*.txt > data/splits/train.jsonl
    deps: [data/raw]
    outs: [data/splits/train.jsonl]
  one:
    cmd: {sys.executable} make.py one
    deps: [data/splits/train.jsonl, make.py]
    params: [one]
    outs: [data/models/one/README.md, data/models/one/model.onnx, data/models/one/package.json]
    metrics: [{{reports/metrics/one.json: {{cache: false}}}}]
  two:
    cmd: {sys.executable} make.py two
    deps: [data/splits/train.jsonl, make.py]
    params: [two]
    outs: [data/models/two]
    metrics: [{{reports/metrics/two.json: {{cache: false}}}}]
artifacts:
  one: {{path: data/models/one, type: model, labels: [phones]}}
  two: {{path: data/models/two, type: model}}
  splits: {{path: data/splits, type: dataset}}
"""


def number(name: str, limit: float) -> dict[str, object]:
    """Return the entry of section `gate` for the error rate of a model."""
    file = f"reports/metrics/{name}.json"
    return {"file": file, "key": "per", "direction": "lower", "limit": limit, "tolerance": 0.005}


PARAMS = {
    "one": {"per": 0.07, "licence": "Apache-2.0"},
    "two": {"per": 0.2, "licence": None},
    "gate": NO_MODELS
    | {"numbers": {"one.per": number("one", 0.09), "two.per": number("two", 1.0)}},
    "release": {
        "data": "data/splits", "always": [], "numbers": {},
        "stages": {"staging": {"one": {}, "two": {}}, "prod": {"one": {"one.per": 0.08}}},
    },
}  # fmt: skip


class ReleaseProject:
    """A project in a folder, whose changes are made and committed by the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            [*GIT, *arguments], cwd=self.folder, check=True, capture_output=True, text=True
        )
        return done.stdout

    def dvc(self, *arguments: str) -> str:
        return run_dvc(*arguments, folder=self.folder)

    @property
    def tags(self) -> list[str]:
        return self.git("tag").splitlines()

    def set(self, section: str, **values: object) -> None:
        """Change values of a section of params.yaml."""
        path = self.folder / "params.yaml"
        params = yaml.safe_load(path.read_text())
        params[section] |= values
        path.write_text(yaml.safe_dump(params))

    def commit(self, message: str = "change") -> str:
        """Commit all changes, and return the hash."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "-m", message)
        return self.git("rev-parse", "HEAD").strip()

    def build(self, **values: object) -> str:
        """Build `one` with other values, commit, and return the hash."""
        self.set("one", **values)
        self.dvc("repro", "--quiet")
        return self.commit(f"build {values}")

    def cached(self, file: str) -> Path:
        """Return the object of an output in the cache."""
        lock = yaml.safe_load((self.folder / "dvc.lock").read_text())
        outs = [out for stage in lock["stages"].values() for out in stage["outs"]]
        (md5,) = (out["md5"] for out in outs if out["path"] == file)
        return self.folder / ".dvc/cache/files/md5" / md5[:2] / md5[2:]


def build_project(factory, files: dict[str, str] | None = None) -> Path:
    """Build the project once; to be copied. `factory` is pytest's `tmp_path_factory`."""
    folder = empty_repository(factory)
    project = ReleaseProject(folder)
    project.git("config", "user.name", "Ana")
    project.git("config", "user.email", "ana@example.org")
    (folder / "data/raw/mine").mkdir(parents=True)
    for name in ("a", "b"):
        (folder / f"data/raw/mine/{name}.txt").write_text(f"clip {name}\n")
    written = {
        "make.py": MAKE, "dvc.yaml": STAGES, "params.yaml": yaml.safe_dump(PARAMS),
        ".gitignore": "/data/splits/*\n/data/models/*\n",
    } | (files or {})  # fmt: skip
    for name, text in written.items():
        (folder / name).write_text(text)
    project.dvc("add", "--quiet", "data/raw/mine")
    # Relative to .dvc: each copy of the project has a remote of its own, beside it.
    project.dvc("remote", "add", "--quiet", "--default", "storage", "../../remote")
    project.dvc("repro", "--quiet")
    project.commit("built")
    return folder


def project_copy(origin: Path, folder: Path) -> ReleaseProject:
    """Return a copy of a built project."""
    return ReleaseProject(copied(origin, folder))
