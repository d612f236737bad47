"""Check a model at a commit: its entry in dvc.lock, its package and its gated numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json, sha256_file, sha256_json
from fonoteka.core.params import load
from fonoteka.packaging import PACKAGE
from fonoteka.pipeline import lockfile
from fonoteka.pipeline.diff.compare_metric import UNDECIDED, MetricSpec
from fonoteka.pipeline.diff.gate import FAIL, PASS, GateParams, GateRow, check_files, check_number
from fonoteka.pipeline.outputs import output_hashes
from fonoteka.pipeline.revision import Revision, current_report
from fonoteka.release.commit_clone import link
from fonoteka.release.objection import Objections
from fonoteka.release.package_files import LockedPackage, locked_package
from fonoteka.release.record import ReleaseRecord, licence_text
from fonoteka.release.release_params import ReleaseParams

LOCK = Path("dvc.lock")
DIGITS = 12  # of the data revision; 48 bits tell some hundred revisions apart

Choice = Callable[[Mapping[str, MetricSpec]], Mapping[str, MetricSpec]]
"""Returns the numbers of a model with the limits that count."""


@dataclass
class Examination:
    """What was checked at a commit.

    Attributes:
        objections: against the model there.
        rows: of its numbers and its package.
        package: if dvc.lock has it.
        record: if every part of it can be read.
    """

    objections: Objections = field(default_factory=Objections)
    rows: list[GateRow] = field(default_factory=list)
    package: LockedPackage | None = None
    record: ReleaseRecord | None = None

    @property
    def numbers(self) -> list[GateRow]:
        """The rows of numbers, without that of the package."""
        return [row for row in self.rows if row.direction]


def examine(
    name: str, params: ReleaseParams, base: Revision | None = None, choice: Choice = lambda s: s
) -> Examination:
    """Check a model in the clone of a commit that is the current folder.

    Args:
        name: of the model.
        params: section `release`.
        base: whose numbers must not be better by more than their tolerance; None compares none.
        choice: returns the limits that count, from those of section `gate` at the commit.
    """
    result = Examination()
    objections = result.objections
    result.package = package = objections.attempt(lambda: locked_package(name))
    if package is not None:
        result.rows.append(_checked_files(package, objections))
    with objections.collected(UNDECIDED):
        specs = choice(params.specs(name, load("gate", GateParams).numbers))
        report = base.report if base else None
        rows = [check_number(n, spec, current_report, report) for n, spec in specs.items()]
        result.rows = [*rows, *result.rows]
        _check_reports(specs, objections)
    for row in result.numbers:
        if row.verdict != PASS:
            objections.add(f"{row.number}: {row.reason}", row.verdict)
    if package is not None:
        with objections.collected(UNDECIDED):
            result.record = _record(package, params, result.numbers)
    return result


def _checked_files(package: LockedPackage, objections: Objections) -> GateRow:
    """Return the row of a package after hashing its objects and comparing its package.json."""
    damaged = package.objections()
    objections.listed += damaged
    if damaged:
        # Its package.json would state the same again, or is one of the damaged files.
        failed = any(each.verdict == FAIL for each in damaged)
        value, verdict = ("damaged", FAIL) if failed else ("missing", UNDECIDED)
        return GateRow(package.path, value, verdict=verdict, reason=damaged[0].text)
    link(package.files)
    row = check_files(Path(package.path))
    if row.verdict != PASS:
        objections.add(row.reason, row.verdict)
    return row


def _check_reports(specs: Mapping[str, MetricSpec], objections: Objections) -> None:
    """Object to numbers of reports that no stage wrote, because dvc.lock cannot vouch for them."""
    written = output_hashes(lockfile.read(LOCK))
    for report in sorted({file for spec in specs.values() for file, _ in spec.terms}):
        if report not in written:
            objections.add(f"{report}: dvc.lock has no stage that wrote it; run make repro")


def _record(
    package: LockedPackage, params: ReleaseParams, numbers: list[GateRow]
) -> ReleaseRecord | None:
    """Return the record, or None if a number cannot be read, which is an objection already.

    Raises:
        UserError: dvc.lock has no data, or package.json no licence.
    """
    path = Path(package.path) / PACKAGE
    if not path.is_file() or not all(row.value for row in numbers):
        return None
    manifest = read_json(path)
    values = {row.number: row.value for row in numbers}
    licence = licence_text(manifest if isinstance(manifest, dict) else {})
    return ReleaseRecord(values, _data_revision(params.data), licence, sha256_file(path))


def _data_revision(folder: str) -> str:
    outputs = output_hashes(lockfile.read(LOCK))
    data = {path: digest for path, digest in outputs.items() if f"{path}/".startswith(f"{folder}/")}
    if not data:
        raise UserError(
            f"dvc.lock has no output in {folder}, so the release would name no data; correct "
            "release.data in params.yaml"
        )
    return sha256_json(data)[:DIGITS]
