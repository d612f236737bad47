"""Error rates of groups of clips: the reports' where they have them, with intervals over speakers.

A report has no interval of a length and no rate of some groups; these are computed from the errors
of the clips, by the bootstrap that the reports are made with, and each row names what was computed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.reporting.dashboard.clips import DashboardClips
from fonoteka.scoring.error_rate import Errors, bootstrap

Entry = Mapping[str, Any]
"""Numbers of a report: any of `rate`, `low`, `high`, `units` and `clips`."""
KEYS = ("rate", "low", "high", "units", "clips")


@dataclass(frozen=True)
class Draws:
    """How intervals that no report has are drawn.

    Attributes:
        resamples: of the speakers.
        seed: of the draws.
        digits: decimals.
    """

    resamples: int
    seed: int
    digits: int


def scored(errors: Sequence[Errors | None]) -> list[int]:
    """Return the clips that count: decoded, and with a reference."""
    return [index for index, each in enumerate(errors) if each is not None and each.reference]


def computed_rates(
    clips: DashboardClips, errors: Sequence[Errors | None], members: Iterable[int], draws: Draws
) -> dict[str, Any]:
    """Return rate, interval and counts of some clips; a group without clips has no rate."""
    speakers: dict[str, Errors] = defaultdict(Errors)
    count = 0
    for index in members:
        own = errors[index]
        assert own is not None
        speakers[clips.speakers[index]] += own
        count += 1
    if not count:
        return {"rate": None, "low": None, "high": None, "units": 0, "clips": 0}
    pairs = [(own.wrong, own.reference) for _, own in sorted(speakers.items())]
    interval = bootstrap(pairs, draws.resamples, draws.seed)
    total = sum(speakers.values(), Errors())
    bounds = [
        None if bound is None else round(bound, draws.digits)
        for bound in (interval.low, interval.high)
    ]
    return {
        "rate": round(total.rate, draws.digits), "low": bounds[0], "high": bounds[1],
        "units": total.reference, "clips": count,
    }  # fmt: skip


def group_rows(
    clips: DashboardClips, errors: Sequence[Errors | None], groups: Mapping[str, Sequence[int]],
    report: Mapping[str, Entry], draws: Draws,
) -> list[dict[str, Any]]:  # fmt: skip
    """Return one row per group, with the report's numbers where it has them.

    Args:
        clips: of the test split.
        errors: of each clip; None if it was not decoded.
        groups: the clips of each group, by its value, in the order of the rows.
        report: numbers of the report, by value.
        draws: for intervals that the report does not have.
    """
    rows = []
    for value, members in groups.items():
        own = computed_rates(clips, errors, members, draws)
        entry = report.get(value, {})
        filled = {key: entry.get(key, own[key]) for key in KEYS}
        # A bound that is null because there is one speaker was not computed.
        computed = [key for key in KEYS if key not in entry and own[key] is not None]
        rows.append({"value": value, **filled, "computed": computed})
    return rows


def groups_by(
    clips: DashboardClips, errors: Sequence[Errors | None], name: str
) -> dict[str, list[int]]:
    """Return the scored clips of each value of a column, sorted by value."""
    values = clips.column(name)
    groups: dict[str, list[int]] = defaultdict(list)
    for index in scored(errors):
        groups[values[index]].append(index)
    return dict(sorted(groups.items()))


def length_names(edges: Sequence[int]) -> list[str]:
    """Return the names of bins of lengths, of one width, as the reports have them.

    >>> length_names([3, 10])
    ['01-03', '04-10', '11-']
    """
    width = len(str(edges[-1] + 1))
    lows = [f"{edge + 1:0{width}}" for edge in (0, *edges)]
    names = [f"{low}-{high:0{width}}" for low, high in zip(lows, edges, strict=False)]
    return [*names, f"{lows[-1]}-"]


def length_edges(names: Iterable[str]) -> list[int]:
    """Return the longest length of each bin but the last, from the names of a report.

    Raises:
        UserError: they are not the names of such bins.

    >>> length_edges(["01-03", "04-10", "11-"])
    [3, 10]
    """
    listed = sorted(names)
    try:
        edges = [int(name.split("-")[1]) for name in listed[:-1]]
        if edges and length_names(edges) == listed:
            return edges
    except (ValueError, IndexError):
        pass
    raise UserError(f"lengths {listed} are not bins such as 01-10 and 11-; run dvc repro")


def groups_by_length(errors: Sequence[Errors | None], edges: Sequence[int]) -> dict[str, list[int]]:
    """Return the scored clips of each bin of lengths, in units of the reference."""
    names = length_names(edges)
    groups: dict[str, list[int]] = {name: [] for name in names}
    for index in scored(errors):
        own = errors[index]
        assert own is not None
        groups[names[bisect_left(edges, own.reference)]].append(index)
    return groups


def rows_by(
    clips: DashboardClips, errors: Sequence[Errors | None], edges: Sequence[int], draws: Draws,
    report: Mapping[str, Mapping[str, Entry]],
) -> dict[str, list[dict[str, Any]]]:  # fmt: skip
    """Return the rows by language, speaker, source and length.

    Args:
        clips: of the test split.
        errors: of each clip; None if it was not decoded.
        edges: the longest length of each bin but the last.
        draws: for intervals that the report does not have.
        report: its numbers by value, under those of the four names for which it has some.
    """
    groups = {name: groups_by(clips, errors, name) for name in ("language", "speaker", "source")}
    groups["length"] = groups_by_length(errors, edges)
    return {
        name: group_rows(clips, errors, own, report.get(name, {}), draws)
        for name, own in groups.items()
    }
