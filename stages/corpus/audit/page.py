"""The audit as a page of Markdown that reads in a terminal too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fonoteka.manifest import PARTS
from fonoteka.reporting.markdown import plain, table
from stages.corpus.audit.advice import NAMES
from stages.corpus.audit.numbers import MEASURES, UNKNOWN

UNITS = {
    "duration_s": "duration, s",
    "level_dbfs": "RMS level, dBFS",
    "peak_dbfs": "peak, dBFS",
    "snr_db": "SNR, dB (estimated)",
}


def page(report: Mapping[str, Any], picture: str) -> str:
    """Return the page; `picture` is the name of the picture in the same folder."""
    return "\n".join([
        "# Corpus", "",
        *files(report), "",
        "## What to record next", "",
        *([f"- {line}." for line in report["recommendations"]] or ["Nothing is missing."]), "",
        "## Splits", "",
        sizes(report["parts"]), "",
        languages(report["parts"]), "",
        f"![hours, speakers, levels, SNR and phones per split]({picture})", "",
        "## Leakage", "",
        *leakage(report["leakage"], report["parts"]["test"]["utterances"]), "",
        "## Voices", "",
        *voices(report["voices"]), "",
        "## Audio", "",
        measures(report["parts"]), "",
        sample_rates(report["parts"]), "",
        "## Phone counts", "",
        phones(report["phones"]),
    ])  # fmt: skip


def files(report: Mapping[str, Any]) -> list[str]:
    """Return how many files are in a split, and why the others are not."""
    rows = [
        ["quarantined", report["quarantined"]],
        ["text refused", report["refused"]],
        ["dropped in preprocessing", report["dropped_in_preprocessing"]],
        ["in no split", report["left_out_of_parts"]],
    ]
    removed = [[status, reason, n] for status, reasons in rows for reason, n in reasons.items()]
    in_splits = sum(part["utterances"] for part in report["parts"].values())
    line = f"{report['files']} files, {in_splits} of them in a split."
    if not removed:
        return [line]
    return [line, "", table(["status", "reason", "files"], removed, left=(0, 1))]


def sizes(parts: Mapping[str, Any]) -> str:
    """Return the table with the size of each split."""
    rows = [
        ["utterances", *(str(parts[p]["utterances"]) for p in PARTS)],
        ["duration", *(length_text(parts[p]["hours"]) for p in PARTS)],
        ["synthetic duration", *(length_text(parts[p]["synthetic_hours"]) for p in PARTS)],
        ["speakers", *(str(parts[p]["speakers"]) for p in PARTS)],
        ["speakers by sex", *(counts_text(parts[p]["speakers_by_sex"]) for p in PARTS)],
        ["sessions", *(sessions(parts[p]) for p in PARTS)],
        ["augmented copies", *(str(parts[p]["changed_copies"]) for p in PARTS)],
        ["near duplicates", *(duplicates(parts[p]["near_duplicates"]) for p in PARTS)],
        ["with phone times", *(str(parts[p]["with_phone_times"]) for p in PARTS)],
    ]
    return table(["property", *PARTS], rows)


def length_text(hours: float) -> str:
    """Return a duration in hours, or in minutes if it is below 6 minutes.

    >>> length_text(1.234), length_text(0.05)
    ('1.23 h', '3.0 min')
    """
    return f"{hours:.2f} h" if hours >= 0.1 else f"{60 * hours:.1f} min"


def counts_text(counts: Mapping[str, int]) -> str:
    """Return counts as a list of words.

    >>> counts_text({"f": 2, "m": 1, "unknown": 3})
    '2 f, 1 m, 3 unknown'
    """
    return ", ".join(f"{n} {key}" for key, n in counts.items())


def sessions(part: Mapping[str, Any]) -> str:
    """Return the number of sessions, or that it is unknown."""
    if part["utterances_without_session"] == part["utterances"]:
        return UNKNOWN
    return str(part["sessions"])


def duplicates(group_counts: Mapping[str, int]) -> str:
    """Return the number of clips and of groups.

    >>> duplicates({"groups": 2, "utterances": 5}), duplicates({"groups": 0, "utterances": 0})
    ('5 in 2 groups', '0')
    """
    return (
        f"{group_counts['utterances']} in {group_counts['groups']} groups"
        if group_counts["groups"]
        else "0"
    )


def languages(parts: Mapping[str, Any]) -> str:
    """Return the table of speakers, hours and scripts by language."""
    spoken = sorted({name for p in PARTS for name in parts[p]["languages"]})
    absent: dict[str, Any] = {"speakers": 0, "hours": 0.0, "scripts": {}}
    rows = []
    for code in spoken:
        by_part = [parts[p]["languages"].get(code, absent) for p in PARTS]
        scripts = dict.fromkeys(
            sorted({script for entry in by_part for script in entry["scripts"]})
        )
        texts_by_script = {
            script: sum(entry["scripts"].get(script, 0) for entry in by_part) for script in scripts
        }
        rows.append([
            NAMES.get(code, code), *(str(entry["speakers"]) for entry in by_part),
            *(length_text(entry["hours"]) for entry in by_part), counts_text(texts_by_script),
        ])  # fmt: skip
    columns = [f"{column}, {p}" for column in ("speakers", "duration") for p in PARTS]
    return table(["language", *columns, "texts per script"], rows)


def leakage(shared: Mapping[str, int], test_utterances: int) -> list[str]:
    """Return which values no two splits share, and the number of shared sentences."""
    train_sentences = shared["test_utterances_with_a_train_sentence"]
    return [
        "Checked on the manifests and on the audio in the shards: no speaker, session, "
        "near-duplicate group, recording with its augmented copies, or clip is in two splits.",
        "",
        f"Shared sentences: {shared['sentences']} are in two or more splits. {train_sentences} of "
        f"{test_utterances} test utterances have a sentence that is also in train.",
    ]


def voices(compared: Mapping[str, Any]) -> list[str]:
    """Return which names sound like one person, and which like two."""
    out = "".join(f", {n} without ({reason})" for reason, n in compared["left_out"].items())
    alike, synthetic = compared["alike"], compared["alike_synthetic"]
    divided, divided_synthetic = compared["divided"], compared["divided_synthetic"]
    return [
        f"Speakers with a voice to compare: {compared['speakers']}, from {compared['pieces']} "
        f"pieces of speech{out}.",
        "",
        f"One person under two names: {alike['pairs']} of {alike['compared']} pairs of names in "
        f"two splits reach a cosine of {compared['same_voice']:g}. The voices of one synthetic "
        f"corpus are settings of one program, and {synthetic['pairs']} of "
        f"{synthetic['compared']} pairs reach it.",
        *_alike_names(alike),
        *_alike_names(synthetic),
        "",
        f"Two people under one name: the pieces of {divided['names']} of {divided['compared']} "
        f"names can be divided into two voices with a cosine below {compared['two_voices']:g}, and "
        f"those of {divided_synthetic['names']} of {divided_synthetic['compared']} synthetic ones.",
        *_divided_names(divided),
    ]


def _alike_names(pairs: Mapping[str, Any]) -> list[str]:
    rows = [
        [*map(plain, pair["names"]), " and ".join(pair["splits"]), f"{pair['cosine']:.3f}"]
        for pair in pairs["listed"]
    ]
    header = ["name", "other name", "splits", "cosine"]
    return _listed(header, rows, (0, 1, 2), pairs["pairs"], "pairs")


def _divided_names(names: Mapping[str, Any]) -> list[str]:
    rows = [
        [plain(n["name"]), n["split"], f"{n['apart']} of {n['pieces']}", f"{n['cosine']:.3f}"]
        for n in names["listed"]
    ]
    header = ["name", "split", "pieces apart", "cosine"]
    return _listed(header, rows, (0, 1), names["names"], "names")


def _listed(
    header: list[str], rows: list[list[str]], left: tuple[int, ...], total: int, noun: str
) -> list[str]:
    """Return a table of the first of `total` flags, and how many are not in it."""
    lines = ["", table(header, rows, left=left)] if rows else []
    more = total - len(rows)
    return [*lines, "", f"{more} more {noun} are not listed."] if more else lines


def measures(parts: Mapping[str, Any]) -> str:
    """Return the table of durations, levels and SNR, with quantiles over clips."""
    rows = [
        [UNITS[name], p, *spread_cells(parts[p]["measures"][name])]
        for name in MEASURES
        for p in PARTS
    ]
    return table(["measure", "split", "p5", "median", "p95", "unknown"], rows, left=(0, 1))


def spread_cells(quantiles: Mapping[str, Any]) -> list[str]:
    """Return three quantiles and the number of unknown values.

    >>> spread_cells({"known": 0, "unknown": 7})
    ['-', '-', '-', '7']
    """
    cells = [
        f"{quantiles[name]:.1f}" if name in quantiles else "-" for name in ("p5", "median", "p95")
    ]
    return [*cells, str(quantiles[UNKNOWN])]


def sample_rates(parts: Mapping[str, Any]) -> str:
    """Return the table of clips per sample rate of the recordings."""
    names = {rate for p in PARTS for rate in parts[p]["sample_rates_hz"]}
    ordered = sorted(names, key=lambda rate: (not rate.isdecimal(), len(rate), rate))
    rows = [
        [rate, *(str(parts[p]["sample_rates_hz"].get(rate, 0)) for p in PARTS)] for rate in ordered
    ]
    return table(["sample rate, Hz", *PARTS], rows)


def phones(counts: Mapping[str, Mapping[str, int]]) -> str:
    """Return the table of phone counts, the rarest in training first."""
    rarest = sorted(counts.items(), key=lambda item: (item[1]["train"], item[0]))
    return table(["phone", *PARTS], [[phone, *(n[p] for p in PARTS)] for phone, n in rarest])
