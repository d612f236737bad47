"""Set aside what can't be used: files with a problem and sounds that are there already.

    python -m stages.corpus.dedupe data/corpus/inventory.csv data/corpus/prints.npy data/raw \
        data/corpus/accepted.csv data/corpus/quarantined.csv data/corpus/duplicates.csv \
        reports/duplicates.json

Reads   inventory.csv and prints.npy; data/raw (the sound of clips that may be copies)
Writes  accepted.csv: the inventory's rows that stay, with their group; quarantined.csv: the others,
        with the reason; duplicates.csv: every group, a row a clip; duplicates.json: their numbers
Params  dedupe

Equal sounds are found by the hash of their decoded samples, so a FLAC copy of a WAV file is one. A
copy that was re-encoded, scaled, shifted, cut or made noisy is found by what stays alike in it, see
`fingerprint`, `candidates` and `similarity`. Which of several stays depends on the clips alone.
"""

from __future__ import annotations

import argparse
import sys
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fonoteka.core.cpu_count import worker_count
from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_file, write_json
from fonoteka.core.params import load
from fonoteka.corpus.corpus import ACCEPTED_COLUMNS, INVENTORY_COLUMNS, QUARANTINE_COLUMNS
from fonoteka.csv_stream import each_row
from fonoteka.fingerprint import store as prints
from fonoteka.tables import table_line, write_table
from stages.corpus.dedupe.groups import Copy, Entry, group_of, stand_ins
from stages.corpus.dedupe.near_duplicates import Found, find_copies

DUPLICATES_COLUMNS = ("group", "id", "stays", "reason", "like", "similarity", "lag_s")
EXACT, NEAR = "duplicate", "near duplicate"
_TOLD = ("text", "speaker", "language")  # what copies should agree about
_HEARD = ("id", "path", "codec", "sample_rate_hz", "duration_s", "parent", "pcm_sha256", "problem")
_PARTING = ("id", "path", "duration_s", "problem", "detail", *_TOLD)


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
            raise UserError(f"dedupe.near must be quarantine, group or report, found {self.near!r}")
        if not 0 < self.similarity <= 1:
            raise UserError(
                f"dedupe.similarity must be above 0 and at most 1, found {self.similarity}"
            )
        if self.outside_s < 0:
            raise UserError(f"dedupe.outside_s must be 0 or more, found {self.outside_s}")


@dataclass(frozen=True)
class InPaths:
    """What is read: the inventory's table, its prints, and the folder of the clips."""

    inventory: Path
    prints: Path
    raw: Path


@dataclass(frozen=True)
class OutPaths:
    """The files that are written."""

    accepted: Path
    quarantined: Path
    duplicates: Path
    report: Path


@dataclass(frozen=True)
class Sounds:
    """The clips without a problem, of equal sounds the first.

    Attributes:
        entries: sorted by id.
        places: of each, the row in the inventory's table.
        hashes: of each, see `store.mark_of`.
        same: the other clips, each with the one that it equals.
    """

    entries: list[Entry]
    places: array[int]
    hashes: array[int]
    same: dict[str, str]


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


def exact(inventory: Path) -> Sounds:
    """Return the clips without a problem that equal none before them, and those that do.

    Raises:
        ValueError: the inventory is not sorted by id, so that "before" would mean nothing.
    """
    found, last = Sounds([], array("q"), array("Q"), {}), ""
    first: dict[str, str] = {}
    for place, (values, _) in enumerate(each_row(inventory, INVENTORY_COLUMNS, _HEARD)):
        name, path, codec, rate, duration, parent, pcm, problem = values
        if name <= last:
            raise UserError(
                f"{inventory}: id {name!r} stands after {last!r}; run the inventory again"
            )
        last = name
        if problem:
            continue
        known = first.setdefault(pcm, name)
        if known != name:
            found.same[name] = known
            continue
        # Of codecs there are few: one string for all clips that have it.
        entry = Entry(name, path, sys.intern(codec), int(rate), float(duration), parent)
        found.entries.append(entry)
        found.places.append(place)
        found.hashes.append(prints.mark_of(pcm))
    return found


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


def parted(inventory: Path, verdict: Verdict) -> Iterator[tuple[str, str]]:
    """Give each row of the inventory as a line of the table that it goes to, and its problem.

    A row without a problem stays: as it was written, with its group. Any other leaves with the
    reason, and with what it disagrees about with the clip that stays for it.
    """
    kept = {*verdict.same.values(), *verdict.worse.values()}
    rows = each_row(inventory, INVENTORY_COLUMNS, ("id", *_TOLD)) if kept else ()
    told = {name: texts for (name, *texts), _ in rows if name in kept}
    for values, line in each_row(inventory, INVENTORY_COLUMNS, _PARTING):
        name, path, duration, problem, detail, *texts = values
        of = verdict.stand_in(name)
        if of:
            pairs = zip(_TOLD, texts, told[of], strict=True)
            detail = "; ".join(f"{what} {ours!r}, there {theirs!r}"
                               for what, ours, theirs in pairs if ours != theirs)  # fmt: skip
            problem = EXACT if name in verdict.same else NEAR
        if problem:
            yield problem, table_line([name, path, duration, problem, detail, of])
        else:
            group = verdict.groups.get(name, "")
            yield "", line[:-1] + "," + (table_line([group]) if group else "\n")


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


def run(given: InPaths, out: OutPaths, params: DedupeParams, workers: int) -> None:
    """Part the inventory in two tables and say what is alike.

    Raises:
        ValueError: nothing would stay, or table and prints are of two runs.
    """
    sounds = exact(given.inventory)
    entries, same = sounds.entries, sounds.same
    if not entries:
        rows = each_row(given.inventory, INVENTORY_COLUMNS, ("id", "problem"))
        reasons = Counter(problem for (_, problem), _ in rows)
        raise UserError(
            f"{given.inventory}: none of {reasons.total()} files can be used: "
            f"{dict(sorted(reasons.items()))}; add some with python -m fonoteka corpus add"
        )
    codes = prints.read(given.prints, sounds.places, sounds.hashes)
    found = find_copies(entries, codes, given.raw, params.similarity, params.outside_s, workers)
    verdict = judge(entries, same, found.copies, params.near)
    reasons = write_parts(given.inventory, verdict, out)
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


def write_parts(inventory: Path, verdict: Verdict, out: OutPaths) -> Counter[str]:
    """Write the two tables and return why clips leave, with their number."""
    reasons: Counter[str] = Counter()
    with (
        atomic_file(out.accepted) as one,
        atomic_file(out.quarantined) as other,
        one.open("w", encoding="utf-8", newline="") as stay,
        other.open("w", encoding="utf-8", newline="") as leave,
    ):
        stay.write(table_line(ACCEPTED_COLUMNS))
        leave.write(table_line(QUARANTINE_COLUMNS))
        for problem, line in parted(inventory, verdict):
            (leave if problem else stay).write(line)
            reasons[problem] += 1
    del reasons[""]
    return reasons


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("inventory", "prints", "raw", "accepted", "quarantined", "duplicates", "report"):
        parser.add_argument(name, type=Path)
    given = parser.parse_args()
    out = OutPaths(given.accepted, given.quarantined, given.duplicates, given.report)
    read = InPaths(given.inventory, given.prints, given.raw)
    run(read, out, load("dedupe", DedupeParams), worker_count())
