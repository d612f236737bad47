"""Quarantine files with a problem and copies of recordings.

    python -m stages.corpus.dedupe data/corpus/inventory.csv data/corpus/prints.npy data/raw \
        data/corpus/accepted.csv data/corpus/quarantined.csv data/corpus/duplicates.csv \
        reports/duplicates.json

Reads   inventory.csv and prints.npy; data/raw (the audio of clips that may be copies)
Writes  accepted.csv: the inventory's rows that stay, with their group; quarantined.csv: the others,
        with the reason; duplicates.csv: all groups, with one row per clip; duplicates.json: counts
Params  dedupe

Equal clips are found by the hash of their decoded samples, so a FLAC copy of a WAV file counts. A
copy that was re-encoded, scaled, shifted, cut or made noisy is found by its fingerprint and its
waveform, see `fonoteka.fingerprint`. The choice of the copy that stays depends on the clips and on
`dedupe.preferred` alone: a transcript by a person should win over the same clip's text by a model.
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
from fonoteka.fingerprint import store
from fonoteka.tables import table_line, write_table
from stages.corpus.dedupe.groups import CopyPair, DedupeClip, group_ids, replacements
from stages.corpus.dedupe.near_duplicates import CopySearch, find_copies

DUPLICATES_COLUMNS = ("group", "id", "stays", "reason", "like", "similarity", "lag_s")
EXACT, NEAR = "duplicate", "near duplicate"
_COMPARED = ("text", "speaker", "language")  # columns that copies should agree in
_CLIP_COLUMNS = (
    "id", "corpus", "path", "codec", "sample_rate_hz", "duration_s", "parent", "pcm_sha256",
    "problem",
)  # fmt: skip
_OUTPUT_COLUMNS = ("id", "path", "duration_s", "problem", "detail", *_COMPARED)


@dataclass(frozen=True)
class DedupeParams:
    """Section `dedupe`.

    Attributes:
        near: the policy for near duplicates: `quarantine` all but the best, `group` them, so that
            they are in one split, or only `report` them.
        similarity: above 0, at most 1; two waveforms that reach it are one recording.
        outside_s: how much of a clip may be missing from its copy at either end, in seconds.
        preferred: corpora whose copy of a recording stays whatever its quality, the first one
            before the second; all other corpora follow.
    """

    near: str
    similarity: float
    outside_s: float
    preferred: tuple[str, ...]

    def __post_init__(self) -> None:
        """Raise for values that no search can use."""
        if self.near not in ("quarantine", "group", "report"):
            raise UserError(f"dedupe.near must be quarantine, group or report, found {self.near!r}")
        if len({*self.preferred}) < len(self.preferred):
            raise UserError(f"dedupe.preferred has a corpus twice: {', '.join(self.preferred)}")
        if not 0 < self.similarity <= 1:
            raise UserError(
                f"dedupe.similarity must be above 0 and at most 1, found {self.similarity}"
            )
        if self.outside_s < 0:
            raise UserError(f"dedupe.outside_s must be 0 or more, found {self.outside_s}")


@dataclass(frozen=True)
class DedupeInputs:
    """The files that are read: the inventory, its fingerprints, and the folder of the clips."""

    inventory: Path
    prints: Path
    raw: Path


@dataclass(frozen=True)
class DedupeOutputs:
    """The files that are written."""

    accepted: Path
    quarantined: Path
    duplicates: Path
    report: Path


@dataclass(frozen=True)
class UniqueClips:
    """The clips without a problem; only one of each set of equal ones is in `clips`.

    Attributes:
        clips: sorted by id.
        rows: the row of each clip in the inventory.
        hashes: the hash of each clip's samples, see `store.mark_of`.
        exact: the other clips, each with the clip that it equals.
    """

    clips: list[DedupeClip]
    rows: array[int]
    hashes: array[int]
    exact: dict[str, str]


@dataclass(frozen=True)
class DedupeResult:
    """Which clips without a problem stay, and in which group they are.

    Attributes:
        exact: exact duplicates, each with the clip that it equals.
        near: near duplicates that leave, each with the clip that stays for it.
        groups: the first id of its group, for each clip that stays and is in a group.
        closest: for each clip that has near duplicates, the pair with the most similar one.
    """

    exact: dict[str, str]
    near: dict[str, str]
    groups: dict[str, str]
    closest: dict[str, CopyPair]

    def replacement(self, clip: str) -> str:
        """Return the clip that stays for a clip that leaves; empty for a clip that stays."""
        return self.exact.get(clip) or self.near.get(clip, "")


def preferred_clips(inventory: Path, preferred: Sequence[str]) -> dict[str, str]:
    """Return the clip that stays of equal ones, by their hash, where a preferred corpus has one.

    Raises:
        UserError: the inventory has no clip of a preferred corpus.
    """
    if not preferred:
        return {}
    best: dict[str, tuple[int, str]] = {}
    corpora = set()
    columns = ("id", "corpus", "pcm_sha256", "problem")
    for (name, corpus, pcm, problem), _ in each_row(inventory, INVENTORY_COLUMNS, columns):
        corpora.add(corpus)
        if corpus in preferred and not problem:
            entry = preferred.index(corpus), name
            best[pcm] = min(best.get(pcm, entry), entry)
    if missing := [corpus for corpus in preferred if corpus not in corpora]:
        raise UserError(
            f"dedupe.preferred: corpus {missing[0]!r} has no clip; expected some of "
            f"{', '.join(sorted(corpora)) or 'none'}"
        )
    return {pcm: name for pcm, (_, name) in best.items()}


def find_exact_copies(inventory: Path, preferred: Sequence[str] = ()) -> UniqueClips:
    """Return the clips without a problem, one of each set of equal ones, and the other ones.

    The first of equal clips stays, or that of the first of the `preferred` corpora.

    Raises:
        UserError: the inventory is not sorted by id, so "first" is not defined, or it has no clip
            of a preferred corpus.
    """
    unique, last = UniqueClips([], array("q"), array("Q"), {}), ""
    staying = preferred_clips(inventory, preferred)
    ranks = {corpus: rank for rank, corpus in enumerate(preferred)}
    for row, (values, _) in enumerate(each_row(inventory, INVENTORY_COLUMNS, _CLIP_COLUMNS)):
        name, corpus, path, codec, rate, duration, parent, pcm, problem = values
        if name <= last:
            raise UserError(f"{inventory}: id {name!r} is after {last!r}; run the inventory again")
        last = name
        if problem:
            continue
        original = staying.setdefault(pcm, name)
        if original != name:
            unique.exact[name] = original
            continue
        rank = ranks.get(corpus, len(ranks))
        # There are few codecs: all clips with one codec share one string.
        clip = DedupeClip(name, path, sys.intern(codec), int(rate), float(duration), parent, rank)
        unique.clips.append(clip)
        unique.rows.append(row)
        unique.hashes.append(store.mark_of(pcm))
    return unique


def resolve_copies(
    clips: Sequence[DedupeClip], exact: dict[str, str], copies: Sequence[CopyPair], policy: str
) -> DedupeResult:
    """Return which clips stay under a policy of `DedupeParams.near`."""
    near = {}
    if policy == "quarantine":
        near = replacements({clip.id: clip for clip in clips}, copies)
    # A clip may equal a clip that leaves as a near duplicate: then it has the same replacement.
    exact = {removed: near.get(replacement, replacement) for removed, replacement in exact.items()}
    staying = [clip for clip in clips if clip.id not in near]
    groups = group_ids(staying, () if policy == "report" else copies, exact)
    closest: dict[str, CopyPair] = {}
    for pair in copies:
        for name in (pair.first, pair.second):
            if name not in closest or pair.similarity > closest[name].similarity:
                closest[name] = pair
    return DedupeResult(exact, near, groups, closest)


def output_lines(inventory: Path, result: DedupeResult) -> Iterator[tuple[str, str]]:
    """Yield the problem of each row of the inventory, and the row as a line of its output table.

    A row without a problem stays as it was written, with its group. Any other row leaves with its
    reason, and with the columns in which it differs from the clip that stays for it.
    """
    originals = {*result.exact.values(), *result.near.values()}
    rows = each_row(inventory, INVENTORY_COLUMNS, ("id", *_COMPARED)) if originals else ()
    original_texts = {name: texts for (name, *texts), _ in rows if name in originals}
    for values, line in each_row(inventory, INVENTORY_COLUMNS, _OUTPUT_COLUMNS):
        name, path, duration, problem, detail, *texts = values
        original = result.replacement(name)
        if original:
            pairs = zip(_COMPARED, texts, original_texts[original], strict=True)
            detail = "; ".join(
                f"{column} {value!r}, there {original_value!r}"
                for column, value, original_value in pairs
                if value != original_value
            )
            problem = EXACT if name in result.exact else NEAR
        if problem:
            yield problem, table_line([name, path, duration, problem, detail, original])
        else:
            group = result.groups.get(name, "")
            yield "", line[:-1] + "," + (table_line([group]) if group else "\n")


def duplicate_rows(result: DedupeResult) -> list[dict[str, object]]:
    """Return one row per clip that has a copy or a group, in the order of the groups' first ids.

    `like` is the most similar clip, and `lag_s` the time in that clip at which this one begins.
    """
    # A pair stores one lag, that of its second clip; the first clip has the negative.
    rows: list[dict[str, object]] = []
    removed = {**result.exact, **result.near}
    for id_ in sorted({*removed, *removed.values(), *result.groups, *result.closest}):
        original = removed.get(id_, id_)
        like, similarity, lag_s = "", "", ""
        if id_ in result.exact:
            like, similarity = original, "1.000"
        elif pair := result.closest.get(id_):
            like = pair.second if id_ == pair.first else pair.first
            lag = pair.lag_s if id_ == pair.second else -pair.lag_s
            similarity, lag_s = f"{pair.similarity:.3f}", f"{lag:.3f}"
        rows.append(
            {
                "group": result.groups.get(original, original), "id": id_,
                "stays": str(id_ not in removed).lower(), "like": like,
                "reason": EXACT if id_ in result.exact else NEAR * (id_ in result.near),
                "similarity": similarity, "lag_s": lag_s,
            }
        )  # fmt: skip
    return sorted(rows, key=lambda row: (str(row["group"]), str(row["id"])))


def report(
    clips: int, result: DedupeResult, search: CopySearch, params: DedupeParams
) -> dict[str, object]:
    """Return the counts without ids, because ids can contain names of people."""
    sizes = Counter(result.groups.values())
    return {
        "clips": clips,
        "policy": vars(params),
        "exact": {"clips": len(result.exact), "recordings": len(set(result.exact.values()))},
        "near": {
            "clips": len(result.closest),
            "leave": len(result.near),
            "pairs": len(search.copies),
            "pairs_compared": search.proposed,
            "least_similarity": min((copy.similarity for copy in search.copies), default=None),
            "next_similarity": search.nearest,
        },
        "groups": {"clips": sum(sizes.values()), "groups": len(sizes)},
        "not_compared": search.not_compared,
    }


def run(inputs: DedupeInputs, outputs: DedupeOutputs, params: DedupeParams, workers: int) -> None:
    """Divide the inventory into two tables, and write the copies and their counts.

    Raises:
        UserError: no clip would stay, or the table and the fingerprints are of two runs.
    """
    unique = find_exact_copies(inputs.inventory, params.preferred)
    clips, exact = unique.clips, unique.exact
    if not clips:
        rows = each_row(inputs.inventory, INVENTORY_COLUMNS, ("id", "problem"))
        reasons = Counter(problem for (_, problem), _ in rows)
        raise UserError(
            f"{inputs.inventory}: none of {reasons.total()} files can be used: "
            f"{dict(sorted(reasons.items()))}; add some with python -m fonoteka corpus add"
        )
    codes = store.read(inputs.prints, unique.rows, unique.hashes)
    search = find_copies(clips, codes, inputs.raw, params.similarity, params.outside_s, workers)
    result = resolve_copies(clips, exact, search.copies, params.near)
    reasons = write_tables(inputs.inventory, result, outputs)
    write_table(outputs.duplicates, DUPLICATES_COLUMNS, duplicate_rows(result))
    write_json(outputs.report, report(len(clips) + len(exact), result, search, params))
    accepted = len(clips) - len(result.near)
    print(
        f"dedupe: {accepted} accepted, {reasons.total()} quarantined: "
        f"{dict(sorted(reasons.items())) or 'none'}; {len(search.copies)} near pairs of "
        f"{search.proposed} compared"
    )
    if search.not_compared:
        print(f"dedupe: not compared: {search.not_compared}")


def write_tables(inventory: Path, result: DedupeResult, outputs: DedupeOutputs) -> Counter[str]:
    """Write the two tables and return the number of clips that leave, by reason."""
    reasons: Counter[str] = Counter()
    with (
        atomic_file(outputs.accepted) as accepted_path,
        atomic_file(outputs.quarantined) as quarantined_path,
        accepted_path.open("w", encoding="utf-8", newline="") as accepted,
        quarantined_path.open("w", encoding="utf-8", newline="") as quarantined,
    ):
        accepted.write(table_line(ACCEPTED_COLUMNS))
        quarantined.write(table_line(QUARANTINE_COLUMNS))
        for problem, line in output_lines(inventory, result):
            (quarantined if problem else accepted).write(line)
            reasons[problem] += 1
    del reasons[""]
    return reasons


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("inventory", "prints", "raw", "accepted", "quarantined", "duplicates", "report"):
        parser.add_argument(name, type=Path)
    args = parser.parse_args()
    outputs = DedupeOutputs(args.accepted, args.quarantined, args.duplicates, args.report)
    inputs = DedupeInputs(args.inventory, args.prints, args.raw)
    run(inputs, outputs, load("dedupe", DedupeParams), worker_count())
