"""Metrics of one recognised stream: delay, stability and errors, from its updates alone.

Times are times of the audio. The time that a computer needs for an update is not in them, so they
are the same on every machine; `python -m fonoteka bench streaming` measures it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from fonoteka.core.errors import UserError
from fonoteka.scoring.error_rate import Errors, Pair, aligned, count_errors
from fonoteka.streaming.interfaces import StreamedPhone, StreamUpdate

ReferencePhone = tuple[str, float, float]
"""A true phone with its start and end, in seconds of the stream."""

TOLERANCE_S = 1e-6
"""Times are sums of floats: two that differ by less are equal."""

PAUSE_S = 0.2
"""Silence after which a phone begins an utterance: longer than the closure of a stop."""


class TailChange(NamedTuple):
    """The change of the shown phones by one update: delete some at the end, then append some."""

    deleted: tuple[str, ...]
    generated: tuple[str, ...]


class CommitLag(NamedTuple):
    """How long after a true phone its phone was committed, in seconds of audio.

    Attributes:
        after_end_s: after the end of the true phone; below 0 if it was committed before.
        after_start_s: after its start.
    """

    after_end_s: float
    after_start_s: float


class FirstEmission(NamedTuple):
    """How long after the start of an utterance its first phone came, in seconds of audio.

    Attributes:
        phone: the first true phone.
        committed_s: to the update that committed the first phone after that start; None if none
            came before the next utterance.
        shown_s: likewise to the first update with a committed or provisional phone.
    """

    phone: str
    committed_s: float | None
    shown_s: float | None


@dataclass(frozen=True)
class StreamScore:
    """Measurements of one stream; those of several streams are pooled by `stream_summary`.

    Attributes:
        speaker: of the stream.
        errors: of the committed phones against the true ones.
        lags: of each committed phone that is aligned with an equal true phone.
        first: the first emission of each utterance: after each pause of at least `PAUSE_S`.
        updates: their number.
        unstable_updates: updates that changed or removed a shown phone.
        deleted: phones that updates removed from the end of the shown ones.
        final: phones shown after the last update, all of them committed.
        committed_changed: committed phones that a later phone displaced.
    """

    speaker: str
    errors: Errors
    lags: tuple[CommitLag, ...]
    first: tuple[FirstEmission, ...]
    updates: int
    unstable_updates: int
    deleted: int
    final: int
    committed_changed: int

    @property
    def erasure(self) -> float | None:
        """Deleted phones per final phone; None if there is no final phone.

        Source: Arivazhagan et al. 2020, "Re-translation versus Streaming for Simultaneous
        Translation"; the package simulstream computes the same.
        """
        return self.deleted / self.final if self.final else None


def score_stream(
    updates: Sequence[StreamUpdate], reference: Sequence[ReferencePhone], speaker: str = ""
) -> StreamScore:
    """Return the measurements of a stream.

    Args:
        updates: all updates of the stream, in order; the last has no provisional phone.
        reference: the true phones, in order, at least one.
        speaker: of the stream.

    Raises:
        UserError: there is no reference or no update, the audio of the updates runs backwards, or
            the stream was not finished.

    >>> from fonoteka.streaming.interfaces import StreamedPhone, StreamUpdate
    >>> a, b = StreamedPhone("a", 0.1, 0.2, 0.9), StreamedPhone("b", 0.2, 0.3, 0.9)
    >>> updates = [StreamUpdate(0.2, (), (a,)), StreamUpdate(0.3, (a,), ()),
    ...            StreamUpdate(0.4, (b,), ())]
    >>> score = score_stream(updates, [("a", 0.1, 0.2), ("b", 0.2, 0.3)])
    >>> [round(lag.after_end_s, 3) for lag in score.lags], round(score.first[0].shown_s, 3)
    ([0.1, 0.1], 0.1)
    """
    _check(updates, reference)
    changes = list(tail_changes(updates))
    committed = [(phone, update.audio_s) for update in updates for phone in update.committed]
    pairs = aligned([symbol for symbol, *_ in reference], [p.symbol for p, _ in committed])
    return StreamScore(
        speaker=speaker,
        errors=count_errors(pairs),
        lags=tuple(_lags(pairs, committed, reference)),
        first=tuple(_first_emissions(updates, reference)),
        updates=len(updates),
        unstable_updates=sum(bool(change.deleted) for change in changes),
        deleted=sum(len(change.deleted) for change in changes),
        final=len(committed),
        committed_changed=committed_changed(updates),
    )


def _check(updates: Sequence[StreamUpdate], reference: Sequence[ReferencePhone]) -> None:
    if not reference or not updates:
        raise UserError(
            f"stream: {len(reference)} true phones and {len(updates)} updates; both are needed"
        )
    for number, (before, after) in enumerate(pairwise(updates), start=1):
        if after.audio_s < before.audio_s:
            raise UserError(
                f"stream: update {number} is at {after.audio_s:g} s, before the "
                f"{before.audio_s:g} s of the update before it"
            )
    if provisional := updates[-1].provisional:
        raise UserError(
            f"stream: {len(provisional)} phones are provisional after the last update; finish the "
            "stream before it is scored"
        )


def tail_changes(updates: Sequence[StreamUpdate]) -> Iterator[TailChange]:
    """Yield the change of the shown phones by each update.

    The shown phones are the committed ones and the provisional ones after them. From the first one
    that differs, all of them are deleted and generated again, as on a screen and as in the cited
    definition of erasure. Only symbols count: a phone whose times moved is the same phone.
    """
    shown: tuple[str, ...] = ()  # the provisional phones of the update before
    for update in updates:
        provisional = tuple(phone.symbol for phone in update.provisional)
        tail = tuple(phone.symbol for phone in update.committed) + provisional
        common = 0
        while common < min(len(shown), len(tail)) and shown[common] == tail[common]:
            common += 1
        yield TailChange(shown[common:], tail[common:])
        shown = provisional


def committed_changed(updates: Sequence[StreamUpdate]) -> int:
    """Return how many committed phones were displaced: a phone after them starts before them.

    An update has no way to take back a committed phone, so an engine that revises one can only
    deliver another phone for a place that is already taken.

    >>> from fonoteka.streaming.interfaces import StreamedPhone, StreamUpdate
    >>> a, b = StreamedPhone("a", 0.1, 0.2, 0.9), StreamedPhone("b", 0.05, 0.2, 0.9)
    >>> committed_changed([StreamUpdate(0.2, (a,), ()), StreamUpdate(0.3, (b,), ())])
    1
    """
    changed, earliest_s = 0, float("inf")
    for update in reversed(updates):
        earliest_s = min([earliest_s, *(phone.start_s for phone in update.provisional)])
        for phone in reversed(update.committed):
            changed += bool(earliest_s < phone.start_s - TOLERANCE_S)
            earliest_s = min(earliest_s, phone.start_s)
    return changed


def _lags(
    pairs: Sequence[Pair], committed: Sequence[tuple[StreamedPhone, float]],
    reference: Sequence[ReferencePhone],
) -> Iterator[CommitLag]:  # fmt: skip
    """Yield the lag of each committed phone that is aligned with an equal true phone.

    The alignment is that of the error rate, by symbols alone. Wrong phones have no lag, because it
    is unknown which true phone they stand for.
    """
    true_index = phone_index = 0
    for true, symbol in pairs:
        if true is not None and true == symbol:
            _, start_s, end_s = reference[true_index]
            audio_s = committed[phone_index][1]
            yield CommitLag(audio_s - end_s, audio_s - start_s)
        true_index += true is not None
        phone_index += symbol is not None


def _first_emissions(
    updates: Sequence[StreamUpdate], reference: Sequence[ReferencePhone]
) -> Iterator[FirstEmission]:
    """Yield the first emission of each utterance."""
    before_s = [-math.inf, *(end_s for _, _, end_s in reference[:-1])]
    starts = [
        (phone, start_s)
        for (phone, start_s, _), end_s in zip(reference, before_s, strict=True)
        if start_s - end_s >= PAUSE_S
    ]
    nexts = [start_s for _, start_s in starts[1:]] + [math.inf]
    for (phone, start_s), next_s in zip(starts, nexts, strict=True):
        yield FirstEmission(
            phone,
            _first_emission(updates, start_s, next_s, provisional=False),
            _first_emission(updates, start_s, next_s, provisional=True),
        )


def _first_emission(
    updates: Sequence[StreamUpdate], start_s: float, next_s: float, provisional: bool
) -> float | None:
    """Return the seconds from a start to the first update with a phone that ends after it.

    None if that phone begins with the next utterance or later.
    """
    for update in updates:
        phones = update.committed + (update.provisional if provisional else ())
        later = [phone for phone in phones if phone.end_s > start_s + TOLERANCE_S]
        if later:
            return update.audio_s - start_s if later[0].start_s < next_s else None
    return None
