"""Set aside what can't be used: files with a problem and sounds that are there already.

    python -m stages.corpus.dedupe data/corpus/inventory.csv data/raw data/corpus/accepted.csv \
        data/corpus/quarantined.csv data/corpus/duplicates.csv reports/duplicates.json

Reads   inventory.csv; data/raw (the sound of every clip without a problem)
Writes  accepted.csv: the inventory's rows that stay, with their group; quarantined.csv: the others,
        with the reason; duplicates.csv: every group, a row a clip; duplicates.json: their numbers
Params  dedupe

Equal sounds are found by the hash of their decoded samples, so a FLAC copy of a WAV file is one. A
copy that was re-encoded, scaled, shifted, cut or made noisy is found by what stays alike in it, see
`soundprint`, `neighbours` and `likeness`. Which of several stays depends on the clips alone.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from stages.common.cli import stage
from stages.common.corpora import ACCEPTED_COLUMNS, INVENTORY_COLUMNS, QUARANTINE_COLUMNS
from stages.common.files import write_json
from stages.common.params import load
from stages.common.tables import Row, write_table
from stages.common.workers import worker_count
from stages.corpus.copies import Found, find_copies
from stages.corpus.groups import Copy, Entry, group_of, stand_ins
from stages.corpus.ledger import each_row

DUPLICATES_COLUMNS = ("group", "id", "stays", "reason", "like", "similarity", "lag_s")
EXACT, NEAR = "duplicate", "near duplicate"
_TOLD = ("text", "speaker", "language")  # what copies should agree about


@dataclass(frozen=True)
class DedupeParams:
    """Section `dedupe`.

    Attributes:
        near: what becomes of near duplicates: `quarantine` all but the best, `group` them, so that
            they fall into one part, or only `report` them.
        similarity: of two waveforms, at which they are one recording; above 0, at most 1.
        outside_s: how much of a clip may be missing from its copy at either end, 0 or more.
    """

    near: str
    similarity: float
    outside_s: float

    def __post_init__(self) -> None:
        """Refuse what no search could be made with."""
        if self.near not in ("quarantine", "group", "report"):
            raise ValueError(
                f"dedupe.near must be quarantine, group or report, found {self.near!r}"
            )
        if not 0 < self.similarity <= 1:
            raise ValueError(
                f"dedupe.similarity must be above 0 and at most 1, found {self.similarity}"
            )
        if self.outside_s < 0:
            raise ValueError(f"dedupe.outside_s must be 0 or more, found {self.outside_s}")


@dataclass(frozen=True)
class OutPaths:
    """The files that are written."""

    accepted: Path
    quarantined: Path
    duplicates: Path
    report: Path


@dataclass(frozen=True)
class Verdict:
    """What becomes of the clips that have no problem of their own.

    Attributes:
        same: exact duplicates, each with the clip that it equals.
        worse: near duplicates that leave, each with the clip that stays for it.
        groups: the first id of its group, for each clip that stays and is not alone.
        alike: for each clip that has near duplicates, the most similar of them.
    """

    same: dict[str, str]
    worse: dict[str, str]
    groups: dict[str, str]
    alike: dict[str, Copy]

    def stand_in(self, clip: str) -> str:
        """Return the clip that stays for one that leaves; empty for one that stays."""
        return self.same.get(clip) or self.worse.get(clip, "")


def exact(inventory: Path) -> tuple[list[Entry], dict[str, str]]:
    """Return the clips without a problem that equal none before them, and those that do.

    Raises:
        ValueError: the inventory is not sorted by id, so that "before" would mean nothing.
    """
    entries, last = [], ""
    same: dict[str, str] = {}
    first: dict[str, str] = {}
    for row in each_row(inventory, INVENTORY_COLUMNS):
        if row["id"] <= last:
            raise ValueError(
                f"{inventory}: id {row['id']!r} stands after {last!r}; run the inventory again"
            )
        last = row["id"]
        if row["problem"]:
            continue
        known = first.setdefault(row["pcm_sha256"], row["id"])
        if known != row["id"]:
            same[row["id"]] = known
            continue
        numbers = int(row["sample_rate_hz"]), float(row["duration_s"])
        codec = sys.intern(row["codec"])  # one string for all that have it
        entries.append(Entry(row["id"], row["path"], codec, *numbers, row["parent"]))
    return entries, same


def judge(
    entries: Sequence[Entry], same: dict[str, str], copies: Sequence[Copy], near: str
) -> Verdict:
    """Return what becomes of each clip under the policy `near`."""
    worse = {}
    if near == "quarantine":
        worse = stand_ins({entry.id: entry for entry in entries}, copies)
    # A copy of a copy may have left as an exact duplicate of a clip that leaves as a near one.
    same = {gone: worse.get(kept, kept) for gone, kept in same.items()}
    staying = [entry for entry in entries if entry.id not in worse]
    groups = group_of(staying, () if near == "report" else copies, same)
    alike: dict[str, Copy] = {}
    for copy in copies:
        for name in (copy.first, copy.second):
            if name not in alike or copy.similarity > alike[name].similarity:
                alike[name] = copy
    return Verdict(same, worse, groups, alike)


def accepted_rows(inventory: Path, verdict: Verdict) -> Iterator[Row]:
    """Give the rows that stay, each with its group."""
    for row in each_row(inventory, INVENTORY_COLUMNS):
        if not row["problem"] and not verdict.stand_in(row["id"]):
            yield row | {"group": verdict.groups.get(row["id"], "")}


def quarantined_rows(inventory: Path, verdict: Verdict) -> Iterator[Row]:
    """Give the rows that leave, each with the reason and what it disagrees about."""
    kept = {*verdict.same.values(), *verdict.worse.values()}
    told = {row["id"]: row for row in each_row(inventory, _TOLD) if row["id"] in kept}
    for row in each_row(inventory, INVENTORY_COLUMNS):
        of = verdict.stand_in(row["id"])
        if of:
            details = [
                f"{name} {row[name]!r}, there {told[of][name]!r}"
                for name in _TOLD
                if row[name] != told[of][name]
            ]
            row["problem"] = EXACT if row["id"] in verdict.same else NEAR
            row["detail"] = "; ".join(details)
        if row["problem"]:
            yield {name: row.get(name, "") for name in QUARANTINE_COLUMNS} | {"duplicate_of": of}


def duplicate_rows(verdict: Verdict) -> list[dict[str, object]]:
    """Return a row for each clip that is not alone, groups in the order of their first id.

    `like` is the clip that it is most like, and `lag_s` when it begins on that one's clock.
    """
    rows: list[dict[str, object]] = []
    gone = {**verdict.same, **verdict.worse}
    for name in sorted({*gone, *gone.values(), *verdict.groups, *verdict.alike}):
        kept = gone.get(name, name)
        like, similarity, lag_s = "", "", ""
        if name in verdict.same:
            like, similarity = kept, "1.000"
        elif copy := verdict.alike.get(name):
            like = copy.second if name == copy.first else copy.first
            lag = copy.lag_s if name == copy.second else -copy.lag_s
            similarity, lag_s = f"{copy.similarity:.3f}", f"{lag:.3f}"
        rows.append(
            {
                "group": verdict.groups.get(kept, kept), "id": name,
                "stays": str(name not in gone).lower(), "like": like,
                "reason": EXACT if name in verdict.same else NEAR * (name in verdict.worse),
                "similarity": similarity, "lag_s": lag_s,
            }
        )  # fmt: skip
    return sorted(rows, key=lambda row: (str(row["group"]), str(row["id"])))


def report(clips: int, verdict: Verdict, found: Found, params: DedupeParams) -> dict[str, object]:
    """Return the numbers; ids are in the table, for they may be made of names."""
    sizes = Counter(verdict.groups.values())
    return {
        "clips": clips,
        "policy": vars(params),
        "exact": {"clips": len(verdict.same), "recordings": len(set(verdict.same.values()))},
        "near": {
            "clips": len(verdict.alike),
            "leave": len(verdict.worse),
            "pairs": len(found.copies),
            "pairs_compared": found.proposed,
            "least_similarity": min((copy.similarity for copy in found.copies), default=None),
            "next_similarity": found.nearest,
        },
        "groups": {"clips": sum(sizes.values()), "groups": len(sizes)},
        "not_compared": found.unheard,
    }


def run(inventory: Path, raw: Path, out: OutPaths, params: DedupeParams, workers: int) -> None:
    """Part the inventory in two tables and say what is alike.

    Raises:
        ValueError: nothing would stay.
    """
    entries, same = exact(inventory)
    if not entries:
        reasons = Counter(row["problem"] for row in each_row(inventory, INVENTORY_COLUMNS))
        raise ValueError(
            f"{inventory}: none of {reasons.total()} files can be used: "
            f"{dict(sorted(reasons.items()))}; add recordings with make add-corpus FROM=folder"
        )
    found = find_copies(entries, raw, params.similarity, params.outside_s, workers)
    verdict = judge(entries, same, found.copies, params.near)
    write_table(out.accepted, ACCEPTED_COLUMNS, accepted_rows(inventory, verdict))
    reasons = Counter()
    leaving = _counted(quarantined_rows(inventory, verdict), reasons)
    write_table(out.quarantined, QUARANTINE_COLUMNS, leaving)
    write_table(out.duplicates, DUPLICATES_COLUMNS, duplicate_rows(verdict))
    write_json(out.report, report(len(entries) + len(same), verdict, found, params))
    stay = len(entries) - len(verdict.worse)
    print(
        f"dedupe: {stay} accepted, {reasons.total()} quarantined: "
        f"{dict(sorted(reasons.items())) or 'none'}; {len(found.copies)} near pairs of "
        f"{found.proposed} compared"
    )
    if found.unheard:
        print(f"dedupe: not compared: {found.unheard}")


def _counted(rows: Iterable[Row], reasons: Counter[str]) -> Iterator[Row]:
    for row in rows:
        reasons[row["problem"]] += 1
        yield row


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("inventory", "raw", "accepted", "quarantined", "duplicates", "report"):
        parser.add_argument(name, type=Path)
    given = parser.parse_args()
    out = OutPaths(given.accepted, given.quarantined, given.duplicates, given.report)
    run(given.inventory, given.raw, out, load("dedupe", DedupeParams), worker_count())


if __name__ == "__main__":
    stage(main)
