"""Tell from `dvc.lock` whether reports were computed from the package that is served.

A report of another build says nothing about a package, and files alone do not show it. `dvc.lock`
has the hash of each input and output of each stage, so three comparisons are enough:

- the package is the output that its stage recorded;
- each report is the file that the lock file records;
- no stage before them read another version of a file than the one that is recorded as output of
  its own stage, so package and reports have the same origin.

Only the package and its reports are hashed; the rest compares entries of the lock file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from fonoteka.core.errors import UserError
from fonoteka.packaging import PACKAGE
from fonoteka.service.registry.package import ModelPackage, md5_file

LOCK = "dvc.lock"
REPEAT = "run dvc repro, or dvc checkout"

# libyaml reads the 8,000 lines in 0.1 s, the loader in Python in 2 s.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class BuildRecord:
    """The hashes of a lock file."""

    def __init__(self, root: Path) -> None:
        """Read the lock file of a project.

        Raises:
            UserError: it is missing, or is not a lock file of dvc.
        """
        self._root = root
        self._inputs: dict[str, dict[str, str]] = {}  # of each stage
        self._outputs: dict[str, str] = {}
        self._stage_of: dict[str, str] = {}
        for stage, entry in _stages(root / LOCK).items():
            self._inputs[stage] = _hashes(entry, "deps")
            outputs = _hashes(entry, "outs")
            self._outputs |= outputs
            self._stage_of |= dict.fromkeys(outputs, stage)

    def problem(self, package: ModelPackage, path: str, reports: Iterable[str]) -> str:
        """Return why reports need not be of a package, in one sentence; empty if they are.

        Args:
            package: whose files were compared with its package.json.
            path: of its folder in the project.
            reports: paths in the project.
        """
        manifest = f"{path}/{PACKAGE}"
        if path in self._outputs:
            stages, checks = [path], [(path, package.folder_md5)]
        elif manifest in self._outputs:
            stages, checks = [manifest], [(manifest, md5_file(package.version.folder / PACKAGE))]
        else:
            return f"{LOCK} has no stage that wrote {path}; {REPEAT}"
        for report in sorted(reports):
            if report not in self._outputs:
                return f"{LOCK} has no stage that wrote {report}; {REPEAT}"
            stages.append(report)
            checks.append((report, md5_file(self._root / report)))
        for output, digest in checks:
            if digest != (recorded := self._outputs[output]):
                return (
                    f"{output} has MD5 {digest[:12]}, but {LOCK} records {recorded[:12]}, so "
                    f"reports and model may be of different builds; {REPEAT}"
                )
        return self._mixed({self._stage_of[output] for output in stages})

    def _mixed(self, stages: set[str]) -> str:
        """Return which of some stages, or of those before them, read a file of another build."""
        visited: set[str] = set()
        while stages:
            stage = min(stages)
            stages = stages - {stage}
            visited.add(stage)
            for path, digest in self._inputs[stage].items():
                if self._outputs.get(path, digest) != digest:
                    return (
                        f"stage {stage} read another {path} than {LOCK} records now, so reports "
                        f"and model may be of different builds; {REPEAT}"
                    )
                if (before := self._stage_of.get(path)) and before not in visited:
                    stages.add(before)
        return ""


def _stages(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        raise UserError(f"{path.name}: no such file, so reports may be of another build; {REPEAT}")
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), _LOADER)  # noqa: S506 - a safe one
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path.name}: not valid YAML: {' '.join(str(error).split())}") from error
    stages = document.get("stages") if isinstance(document, dict) else None
    if not isinstance(stages, dict) or not all(isinstance(e, dict) for e in stages.values()):
        raise UserError(f"{path.name}: expected the stages of dvc; {REPEAT}")
    return stages


def _hashes(entry: Mapping[str, Any], kind: str) -> dict[str, str]:
    """Return the hashes of the `deps` or `outs` of a stage, by path."""
    items = entry.get(kind) or ()
    return {
        item["path"]: str(item.get("md5", ""))
        for item in items
        if isinstance(item, dict) and isinstance(item.get("path"), str)
    }
