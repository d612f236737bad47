"""The result of a rebuild: a table by class, sentences, and an exit code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fonoteka.compute.processor import Processor
from fonoteka.pipeline.declared import EVERYWHERE, HERE
from fonoteka.pipeline.outputs import OutputComparison
from fonoteka.pipeline.verify.tolerance import NumberComparison
from fonoteka.reporting.text_table import table

SAME, DIFFERENT, UNDECIDED = 0, 1, 2
MAX_SENTENCES = 20  # about outputs; the first one is the most useful
COLUMNS = ("class", "stages", "compared", "same", "different", "verdict")


@dataclass(frozen=True)
class VerifyParams:
    """Section `verify`.

    Attributes:
        measured: reports in git, files and folders, that contain measured times.
        retained: reports in git that no stage makes from these params.
    """

    measured: tuple[str, ...]
    retained: tuple[str, ...]


@dataclass(frozen=True)
class RebuildResult:
    """The comparison of a rebuild with `dvc.lock`.

    Attributes:
        outputs: every rebuilt output.
        numbers: of reports, with their tolerances.
        strays: outputs in git that are not those of `dvc.lock`.
        processor: of the rebuild.
        proven: the processor on which `dvc.lock` was rebuilt before; empty if none is recorded.
        report_counts: how many reports in git are measured, and how many are retained.
    """

    outputs: Sequence[OutputComparison]
    numbers: Sequence[NumberComparison]
    strays: Sequence[str]
    processor: Processor
    proven: Mapping[str, str]
    report_counts: tuple[int, int]

    @property
    def other_kind(self) -> bool:
        """Whether `dvc.lock` is recorded for another kind of processor."""
        return bool(self.proven) and self.proven.get("kind") != self.processor.kind

    @property
    def different(self) -> list[OutputComparison]:
        """The outputs that differ."""
        return [output for output in self.outputs if not output.same]

    @property
    def broken(self) -> list[OutputComparison]:
        """The outputs that differ although their stage promises the same bytes here."""
        return [out for out in self.different if not (out.exact == HERE and self.other_kind)]

    @property
    def identical(self) -> bool:
        """Whether every output has the bytes of `dvc.lock`, whatever its stage promises."""
        return not self.different and not self.strays

    @property
    def code(self) -> int:
        """0 same, 1 different, 2 undecided: outputs may differ here and no number was rebuilt."""
        if self.broken or self.strays or not all(number.same for number in self.numbers):
            return DIFFERENT
        return UNDECIDED if self.different and not self.numbers else SAME

    def page(self) -> str:
        """Return the table with one row per class."""
        cells = [self._row("exact everywhere", EVERYWHERE), self._row("exact here", HERE)]
        same = sum(number.same for number in self.numbers)
        outside = len(self.numbers) - same
        verdict = "different" if outside else "same" if self.numbers else "none to compare"
        cells.append(["within tolerance", None, len(self.numbers), same, outside, verdict])
        measured, unbuilt = self.report_counts
        cells.append(["measured", None, measured, None, None, "not compared"])
        cells.append(["retained", None, unbuilt, None, None, "not rebuilt"])
        return f"{self._processors()}\n\n{table(COLUMNS, cells, left=(0, len(COLUMNS) - 1))}"

    def _row(self, name: str, exact: str) -> list[object]:
        of_class = [output for output in self.outputs if output.exact == exact]
        different = sum(not output.same for output in of_class)
        verdict = "same" if of_class else "none rebuilt"
        if different:
            tolerated = exact == HERE and self.other_kind
            verdict = "another processor: the numbers count" if tolerated else "different"
        stages = len({output.stage for output in of_class})
        same = len(of_class) - different
        return [name, stages, len(of_class), same, different, verdict]

    def _processors(self) -> str:
        """Return two lines: the processor of this rebuild, and the recorded one."""
        if not self.proven:
            before = "on no recorded processor, so every byte must be the same"
        elif self.other_kind:
            before = f"on another kind of processor: {self.proven['name']} ({self.proven['kind']})"
        else:
            before = "on this kind of processor"
        return (
            f"rebuilt on: {self.processor.name} ({self.processor.kind})\n"
            f"this dvc.lock was rebuilt before: {before}"
        )

    def sentences(self) -> list[str]:
        """Return one sentence per difference, and the result in the last one."""
        lines = [f"different: {output}" for output in self.broken[:MAX_SENTENCES]]
        if (more := len(self.broken) - MAX_SENTENCES) > 0:
            lines.append(f"different: {more} more outputs")
        lines += [f"different: {path} in git is not the one of dvc.lock" for path in self.strays]
        lines += [f"different: {number}" for number in self.numbers if not number.same]
        if self.code == UNDECIDED:
            first = self.different[0].path
            lines.append(
                f"cannot decide: {first} may differ on this kind of processor, and no number of "
                "section gate was rebuilt; rebuild more stages"
            )
        elif self.code == DIFFERENT:
            lines.append(self._counts())
        else:
            tail = (
                f"; {len(self.different)} outputs may differ on this kind of processor, and all "
                f"{len(self.numbers)} numbers are within their tolerances"
            )
            lines.append("the same: 0 differences" + tail * bool(self.different))
        return lines

    def _counts(self) -> str:
        outside = sum(not number.same for number in self.numbers)
        text = f"different: {len(self.broken) + len(self.strays)} of {len(self.outputs)} outputs"
        return text + (f" and {outside} of {len(self.numbers)} numbers" if outside else "")

    def report(self) -> dict[str, Any]:
        """Return the part of `reports/verify.json` on a rebuild without a difference."""
        classes = {
            name: sum(output.exact == exact for output in self.outputs)
            for name, exact in (("exact everywhere", EVERYWHERE), ("exact here", HERE))
        }
        return {"different": len(self.different), "outputs": classes}
