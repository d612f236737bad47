"""One pass over the posteriors of the test part: the decoded phones of each utterance.

Every number of a report is a sum over these observations. So none is computed twice, and all are
of the same utterances.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fonoteka.core.errors import UserError
from fonoteka.manifest import Utterance
from fonoteka.phones import INVENTORY, NUMBER
from fonoteka.scoring.decoding import greedy
from fonoteka.scoring.error_rate import Errors, Pair, aligned, count_errors
from fonoteka.shards import StoredArrays, open_arrays

Array = NDArray[np.float32]
Numbers = NDArray[np.intp]

TOP = 3  # a segment counts in top 3 if its phone is among so many most likely ones


@dataclass(frozen=True)
class Observation:
    """The results of one utterance. Phones of segments are indices of INVENTORY.

    Attributes:
        utterance: with the reference.
        pairs: phones of the reference, each with the hypothesis's.
        labels: the phone of each segment, shape `[S]`.
        predicted: the most likely phone of each segment, shape `[S]`.
        confidence: its probability, shape `[S]`.
        near: whether the label is among the TOP most likely phones, shape `[S]`.
        decoded: number of phones in the hypothesis.
        int8_pairs: as `pairs`, by the int8 file; None if there is no such file.
        int8_changed: edit distance from the float file's hypothesis to the int8 file's.
    """

    utterance: Utterance
    pairs: tuple[Pair, ...]
    labels: Numbers
    predicted: Numbers
    confidence: NDArray[np.float64]
    near: NDArray[np.bool_]
    decoded: int
    int8_pairs: tuple[Pair, ...] | None = None
    int8_changed: int = 0

    @property
    def errors(self) -> Errors:
        """The errors of the hypothesis."""
        return count_errors(self.pairs)

    @property
    def int8_errors(self) -> Errors:
        """The errors of the int8 file's hypothesis."""
        assert self.int8_pairs is not None
        return count_errors(self.int8_pairs)

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether each segment's phone was predicted, shape `[S]`."""
        correct: NDArray[np.bool_] = self.labels == self.predicted
        return correct


@dataclass(frozen=True)
class Segments:
    """The test part's segments of phones.

    Attributes:
        phones: of each utterance, indices of INVENTORY, in the table's order.
        origins: the methods that set their times.
    """

    phones: Mapping[str, list[int]]
    origins: list[str]


def read_segments(path: Path, utterances: Sequence[Utterance]) -> Segments:
    """Return the segments of phones of the test utterances.

    Raises:
        ValueError: a segment belongs to no test utterance or its phone is not in the inventory.
    """
    rows = pd.read_parquet(path, columns=["utterance", "part", "kind", "symbol", "origin"])
    rows = rows[(rows["part"] == "test") & (rows["kind"] == "phone")]
    foreign = sorted(set(rows["utterance"]) - {u.id for u in utterances})
    if foreign:
        raise UserError(
            f"{path}: segments of {len(foreign)} utterances that are not in the test part, "
            f"first {foreign[0]!r}; run dvc repro"
        )
    unknown = sorted(set(rows["symbol"]) - set(INVENTORY))
    if unknown:
        raise UserError(f"{path}: phones that are not in the inventory: {unknown}; run dvc repro")
    groups: dict[str, list[int]] = defaultdict(list)
    for key, symbol in zip(rows["utterance"], rows["symbol"], strict=True):
        groups[key].append(NUMBER[symbol] - 1)  # column 0 of the labels is the blank
    return Segments(groups, sorted(rows["origin"].unique()))


def open_posteriors(folder: Path) -> StoredArrays:
    """Return everything in a folder of posteriors, none of which is in memory.

    Raises:
        ValueError: the folder contains no posteriors.
    """
    if not any(folder.glob("shard-*.safetensors")):
        raise UserError(f"{folder}: no posteriors; run the stage posteriors")
    return open_arrays(folder)


def observe(
    utterances: Iterable[Utterance], posteriors: Mapping[str, Array],
    segments: Mapping[str, list[int]], place: str,
) -> Iterator[Observation]:  # fmt: skip
    """Yield the observation of each utterance.

    Args:
        utterances: the test part.
        posteriors: under an utterance's id its log posteriors `[T, V]`; under `<id>#segments` log
            probabilities of its segments `[S, V-1]`; under `<id>#int8`, for all utterances or for
            none, those of the int8 file.
        segments: the phone of each segment, as an index of INVENTORY.
        place: names the posteriors in errors.

    Raises:
        ValueError: posteriors are missing, NaN, or of a shape that does not match the
            labels and segments.
    """
    rows = list(utterances)
    has_int8 = any(f"{u.id}#int8" in posteriors for u in rows)
    for kind in ("", "#int8") if has_int8 else ("",):
        missing = [u.id + kind for u in rows if u.id + kind not in posteriors]
        if missing:
            raise UserError(
                f"{place}: posteriors of {len(missing)} of {len(rows)} test utterances are "
                f"missing, first {missing[0]!r}; run the stage posteriors"
            )
    for u in rows:
        labels = np.array(segments.get(u.id, []), dtype=np.intp)
        scores = _scores(posteriors, f"{u.id}#segments", len(labels), place)
        # Stable: on equal scores the phone that is earlier in INVENTORY counts as the prediction.
        order = np.argsort(-scores, axis=1, kind="stable")[:, :TOP]
        hypothesis = _decode(posteriors, u.id, place)
        quantized = _decode(posteriors, f"{u.id}#int8", place) if has_int8 else None
        yield Observation(
            u, tuple(aligned(u.phones, hypothesis)), labels, order[:, 0],
            np.minimum(np.exp(scores.max(axis=1, initial=-np.inf)), 1.0),
            (order == labels[:, None]).any(axis=1), len(hypothesis),
            None if quantized is None else tuple(aligned(u.phones, quantized)),
            0 if quantized is None else count_errors(aligned(hypothesis, quantized)).wrong,
        )  # fmt: skip


def _decode(posteriors: Mapping[str, Array], key: str, place: str) -> list[str]:
    try:
        return [phone.symbol for phone in greedy(posteriors[key])]
    except ValueError as error:
        raise UserError(f"{place}: {key!r}: {error}") from error


def _scores(
    posteriors: Mapping[str, Array], key: str, rows: int, place: str
) -> NDArray[np.float64]:
    """Return the log probabilities of an utterance's segments, shape `[S, V-1]`."""
    scores = posteriors.get(key, np.zeros((0, len(INVENTORY)), dtype=np.float32))
    if scores.shape != (rows, len(INVENTORY)):
        raise UserError(
            f"{place}: {key!r}: expected scores [{rows}, {len(INVENTORY)}] of {rows} segments, "
            f"found {list(scores.shape)}; run the stage posteriors"
        )
    wide = scores.astype(np.float64)
    # NaN fails the comparison too; float32 leaves the sum of a row within 1e-4 of 1
    if not (np.abs(np.exp(wide).sum(axis=1) - 1) < 1e-3).all():
        raise UserError(f"{place}: {key!r}: NaN or no log probabilities; the model is broken")
    return wide
