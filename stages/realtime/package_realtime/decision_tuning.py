"""Choose hysteresis and hold of each model on validation speech.

A decision per hop flickers at the edges of phones. Among the settings that lose little of the score
and of the latency, the one with the number of changes nearest to the true number is chosen. Its
figures on the test part follow, beside those of decisions hop by hop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fonoteka.alignment.phone_rows import Row, StoredPhones
from fonoteka.core.errors import UserError
from fonoteka.onnx_export.session import open_model
from fonoteka.onnx_export.stateful_session import StatefulSession
from fonoteka.realtime.decisions import Array, Decider, DecisionSettings, sound_times_s
from fonoteka.realtime.events import Counts, event_counts, hop_counts, latencies
from fonoteka.realtime.frame_labels import TASKS, delayed
from fonoteka.shards import open_arrays

PARTS = ("valid", "test")
DIGITS = 4


@dataclass(frozen=True)
class DecisionGrid:
    """The settings that are compared, and how much a setting may lose.

    Attributes:
        threshold_shifts: added to the threshold of a state that training chose.
        release_below: of a state, below its threshold.
        margins: of a label.
        holds: hops of a hold, for all.
        max_score_loss: of the F1 or accuracy, compared with decisions hop by hop.
        max_latency_hops: added to the median latency.
        max_change_hops: a decision later than this after a change counts as a miss.
    """

    threshold_shifts: tuple[float, ...]
    release_below: tuple[float, ...]
    margins: tuple[float, ...]
    holds: tuple[int, ...]
    max_score_loss: float
    max_latency_hops: float
    max_change_hops: int

    def __post_init__(self) -> None:
        lists = (self.threshold_shifts, self.release_below, self.margins, self.holds)
        if not all(lists) or min(*self.release_below, *self.margins) < 0 or min(self.holds) < 1:
            raise UserError(
                "package_realtime.decisions: expected lists with at least one value, release_below "
                "and margins from 0 and holds from 1 hop on; change them in params.yaml"
            )
        if min(self.max_score_loss, self.max_latency_hops) < 0 or self.max_change_hops < 1:
            raise UserError(
                "package_realtime.decisions: max_score_loss and max_latency_hops must be at least "
                f"0 and max_change_hops at least 1, found {self.max_score_loss}, "
                f"{self.max_latency_hops}, {self.max_change_hops}; change them in params.yaml"
            )

    def settings(self, kind: str, threshold: float) -> Iterator[DecisionSettings]:
        """Yield the settings of a kind; the first is that of decisions hop by hop."""
        yield DecisionSettings(kind, threshold, threshold)
        if kind == "event":
            yield from (DecisionSettings(kind, threshold, threshold, 0.0, h) for h in self.holds)
        elif kind == "label":
            for margin, hold in product(self.margins, self.holds):
                yield DecisionSettings(kind, threshold, threshold, margin, hold)
        else:
            for shift, gap, hold in product(self.threshold_shifts, self.release_below, self.holds):
                high = round(threshold + shift, 6)
                # A threshold of 1 would never be passed, a release below 0 never be reached.
                if high - gap >= 0 and high < 1:
                    yield DecisionSettings(kind, high, round(high - gap, 6), 0.0, hold)


@dataclass(frozen=True)
class LabelledStream:
    """A stream with its phones: frames `[T, M]` and the rows of its phones."""

    frames: Array
    rows: list[Row]


def labelled_streams(streams: Path, times: Path) -> dict[str, list[LabelledStream]]:
    """Return the streams of the validation and the test part.

    Raises:
        UserError: a part has no stream.
    """
    table = pd.read_parquet(times, columns=["stream", "part", "phone", "start_s", "end_s"])
    result = {}
    for part in PARTS:
        own = table[table["part"] == part]
        if own.empty:
            raise UserError(
                f"{times}: the part {part} has no stream; run the stage realtime_features"
            )
        phones = StoredPhones(own, "stream", "phone")
        arrays = open_arrays(streams, phones)
        result[part] = [LabelledStream(arrays[key], phones[key]) for key in sorted(phones)]
    return result


@dataclass(frozen=True)
class DecisionFigures:
    """The decisions of one setting on the streams of a part.

    Attributes:
        score: F1 of a state or of events, accuracy of labels.
        changes: decisions that changed, or events.
        true_changes: changes of the labels, or phones.
        latency_ms_p50: of the decisions after a change; None for events, which have no state.
        latency_ms_p90: of nine of ten.
    """

    score: float
    changes: int
    true_changes: int
    latency_ms_p50: float | None
    latency_ms_p90: float | None


class DecisionEvaluator:
    """Scores settings of one model on streams whose outputs are computed once."""

    def __init__(
        self, metadata: Mapping[str, Any], graph: Path, streams: Mapping[str, list[LabelledStream]],
        hop_s: float, tolerance_s: float, max_change_hops: int,
    ) -> None:  # fmt: skip
        """Run the model on all streams."""
        self.spec, self.delay = TASKS[metadata["name"]], int(metadata["delay_hops"])
        self.hop_s, self.tolerance_s, self.max_hops = hop_s, tolerance_s, max_change_hops
        self.streams, self.outputs = streams, {}
        runner = StatefulSession(open_model(graph))
        for part, own in streams.items():
            outputs = []
            for stream in own:
                runner.reset()
                outputs.append(runner.run(stream.frames))
            self.outputs[part] = outputs
        # The true labels do not depend on the settings.
        self.truths = {
            part: [self.spec.labels(s.rows, len(s.frames), hop_s) for s in own]
            for part, own in streams.items()
        }

    @property
    def kind(self) -> str:
        """The kind of the model's decisions."""
        if self.spec.event:
            return "event"
        return "label" if len(self.spec.names) > 1 else "state"

    def figures(self, settings: DecisionSettings, part: str) -> DecisionFigures:
        """Return the figures of settings on a part."""
        evaluate: Callable[..., tuple[Counts, int, int, list[int]]]
        evaluate = self._events if self.spec.event else self._values
        counts, changes, true_changes, hops = Counts(), 0, 0, []
        for outputs, truth, stream in zip(
            self.outputs[part], self.truths[part], self.streams[part], strict=True
        ):
            own, changed, true, late = evaluate(settings, outputs, truth, stream.rows)
            counts, changes, true_changes = counts + own, changes + changed, true_changes + true
            hops += late
        p50, p90 = (
            (round(1000 * self.hop_s * float(np.quantile(hops, q)), DIGITS) if hops else None)
            for q in (0.5, 0.9)
        )
        return DecisionFigures(round(counts.f1, DIGITS), changes, true_changes, p50, p90)

    def _values(
        self, settings: DecisionSettings, outputs: Array, truth: Any, _rows: Sequence[Row]
    ) -> tuple[Counts, int, int, list[int]]:
        values, changed = Decider(settings).run(outputs)
        expected = delayed(truth, self.delay)
        if self.kind == "label":
            # A wrong label is both extra and missed, so that the F1 is the accuracy.
            wrong = int((values != expected).sum())
            counts = Counts(len(values) - wrong, wrong, wrong)
        else:
            counts = hop_counts(values, expected)
        late = latencies(values, truth, self.max_hops).hops
        return counts, int(changed.sum()), int(np.count_nonzero(np.diff(truth))), late

    def _events(
        self, settings: DecisionSettings, outputs: Array, _truth: Any, rows: Sequence[Row]
    ) -> tuple[Counts, int, int, list[int]]:
        hops = np.flatnonzero(Decider(settings).run(outputs)[1])
        times_s = sound_times_s(hops, settings, self.delay, self.hop_s).tolist()
        starts = sorted(start_s for _, start_s, _ in rows)
        return event_counts(times_s, starts, self.tolerance_s), len(hops), len(starts), []


def choose(
    evaluator: DecisionEvaluator, grid: DecisionGrid, threshold: float
) -> tuple[DecisionSettings, DecisionSettings]:
    """Return the settings that are best on validation speech, and those hop by hop."""
    settings = list(dict.fromkeys(grid.settings(evaluator.kind, threshold)))
    figures = [evaluator.figures(each, "valid") for each in settings]
    plain = figures[0]

    def cost(index: int) -> tuple[float, ...]:
        result, each = figures[index], settings[index]
        difference = abs(result.changes - result.true_changes)
        tie = (float(each.hold_hops), each.margin, each.threshold - each.release, float(index))
        # More events than phones may be right, so events are chosen by their F1.
        first = (-result.score,) if evaluator.kind == "event" else (difference, -result.score)
        return (*first, *tie)

    def allowed(index: int) -> bool:
        result = figures[index]
        late = _hops_later(result, plain, evaluator.hop_s)
        return result.score >= plain.score - grid.max_score_loss and late <= grid.max_latency_hops

    # Decisions hop by hop lose nothing, so one is always allowed.
    return settings[min(filter(allowed, range(len(settings))), key=cost)], settings[0]


def _hops_later(figures: DecisionFigures, plain: DecisionFigures, hop_s: float) -> float:
    """Return how much later the median decision is, in hops; 0 without latencies."""
    if figures.latency_ms_p50 is None or plain.latency_ms_p50 is None:
        return 0.0
    return (figures.latency_ms_p50 - plain.latency_ms_p50) / (1000 * hop_s)


def decision_entry(
    evaluator: DecisionEvaluator, grid: DecisionGrid, threshold: float
) -> dict[str, Any]:
    """Return the entry `decision` of a model in package.json: settings and figures."""
    chosen, plain = choose(evaluator, grid, threshold)
    names = {"valid": "validation", "test": "test"}
    return asdict(chosen) | {
        names[part]: {
            "with_hysteresis": asdict(evaluator.figures(chosen, part)),
            "hop_by_hop": asdict(evaluator.figures(plain, part)),
        }
        for part in PARTS
    }
