"""What came of a rebuild: a table by class, sentences, and a code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fonoteka.pipeline.declared import EVERYWHERE, HERE
from fonoteka.pipeline.outputs import Found
from fonoteka.pipeline.verify.cpu_kind import Processor
from fonoteka.pipeline.verify.tolerance import Kept
from fonoteka.reporting.text_table import table

SAME, DIFFERENT, UNDECIDED = 0, 1, 2
MOST = 20  # sentences about outputs; the first of them is the one to look into
COLUMNS = ("class", "stages", "compared", "same", "different", "verdict")


@dataclass(frozen=True)
class VerifyParams:
    """Section `verify`.

    Attributes:
        measured: reports in git, files and folders, that say what a clock said.
        kept: reports in git that no stage makes from these params.
    """

    measured: tuple[str, ...]
    kept: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """What was found.

    Attributes:
        found: every output.
        numbers: of reports, with their tolerances.
        strays: outputs in git that are not those of `dvc.lock`.
        processor: that it was rebuilt on.
        proven: the processor that `dvc.lock` was rebuilt on before; empty where no one knows.
        counted: how many reports in git are measured, and how many kept.
    """

    found: Sequence[Found]
    numbers: Sequence[Kept]
    strays: Sequence[str]
    processor: Processor
    proven: Mapping[str, str]
    counted: tuple[int, int]

    @property
    def elsewhere(self) -> bool:
        """Whether this is known to be another kind of processor."""
        return bool(self.proven) and self.proven.get("kind") != self.processor.kind

    @property
    def different(self) -> list[Found]:
        """The outputs that differ."""
        return [one for one in self.found if not one.same]

    @property
    def broken(self) -> list[Found]:
        """The outputs that differ and were promised not to."""
        return [one for one in self.different if not (one.exact == HERE and self.elsewhere)]

    @property
    def to_the_byte(self) -> bool:
        """Whether every output has the bytes that were promised, on whatever processor."""
        return not self.different and not self.strays

    @property
    def code(self) -> int:
        """0 same, 1 different, 2 undecided: on another processor there may be no number to hold."""
        if self.broken or self.strays or not all(number.same for number in self.numbers):
            return DIFFERENT
        return UNDECIDED if self.different and not self.numbers else SAME

    def page(self) -> str:
        """Return the table, by class."""
        cells = [self._row("exact everywhere", EVERYWHERE), self._row("exact here", HERE)]
        same = sum(number.same for number in self.numbers)
        other = len(self.numbers) - same
        verdict = "different" if other else "same" if self.numbers else "none to compare"
        cells.append(["within tolerance", None, len(self.numbers), same, other, verdict])
        measured, kept = self.counted
        cells.append(["measured", None, measured, None, None, "not compared"])
        cells.append(["kept", None, kept, None, None, "not rebuilt"])
        return f"{self._known()}\n\n{table(COLUMNS, cells, left=(0, len(COLUMNS) - 1))}"

    def _row(self, name: str, exact: str) -> list[object]:
        of_class = [one for one in self.found if one.exact == exact]
        other = sum(not one.same for one in of_class)
        verdict = "same" if of_class else "none rebuilt"
        if other:
            tolerated = exact == HERE and self.elsewhere
            verdict = "another processor: the numbers count" if tolerated else "different"
        stages = len({one.stage for one in of_class})
        return [name, stages, len(of_class), len(of_class) - other, other, verdict]

    def _known(self) -> str:
        """Return where it was rebuilt, and what is known of where it was before."""
        if not self.proven:
            before = "on no processor that is on record, so every byte has to be the same"
        elif self.elsewhere:
            before = f"on another kind of processor: {self.proven['name']} ({self.proven['kind']})"
        else:
            before = "on this kind of processor"
        return (
            f"rebuilt on: {self.processor.name} ({self.processor.kind})\n"
            f"this dvc.lock was rebuilt before: {before}"
        )

    def sentences(self) -> list[str]:
        """Return what differs, a sentence each, and the answer."""
        said = [f"different: {one}" for one in self.broken[:MOST]]
        if (more := len(self.broken) - MOST) > 0:
            said.append(f"different: {more} more outputs")
        said += [f"different: {path} in git is not the one of dvc.lock" for path in self.strays]
        said += [f"different: {number}" for number in self.numbers if not number.same]
        if self.code == UNDECIDED:
            first = self.different[0].path
            said.append(
                f"cannot decide: {first} may differ on this kind of processor, and no number of "
                "section gate is in what was rebuilt; rebuild more"
            )
        elif self.code == DIFFERENT:
            said.append(self._counted())
        else:
            tail = (
                f"; {len(self.different)} outputs may differ on this kind of processor, and all "
                f"{len(self.numbers)} numbers are within their tolerances"
            )
            said.append("the same: 0 differences" + tail * bool(self.different))
        return said

    def _counted(self) -> str:
        outside = sum(not number.same for number in self.numbers)
        said = f"different: {len(self.broken) + len(self.strays)} of {len(self.found)} outputs"
        return said + (f" and {outside} of {len(self.numbers)} numbers" if outside else "")

    def report(self) -> dict[str, Any]:
        """Return what is worth remembering of a rebuild that was the same to the byte."""
        classes = {
            name: sum(one.exact == exact for one in self.found)
            for name, exact in (("exact everywhere", EVERYWHERE), ("exact here", HERE))
        }
        return {"different": len(self.different), "outputs": classes}
