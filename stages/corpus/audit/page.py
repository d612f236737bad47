"""The audit as a page of Markdown that reads in a terminal too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stages.corpus.audit.advice import NAMES
from stages.corpus.audit.numbers import MEASURES, UNKNOWN

PARTS = ("train", "valid", "test")
UNITS = {
    "duration_s": "duration, s",
    "level_dbfs": "level (RMS), dBFS",
    "peak_dbfs": "peak, dBFS",
    "snr_db": "speech over noise, dB (estimated)",
}


def page(report: Mapping[str, Any], picture: str) -> str:
    """Return the page; `picture` is the name of the picture in the same folder."""
    return "\n".join([
        "# The corpus", "",
        *files(report), "",
        "## What to record next", "",
        *([f"- {line}." for line in report["recommendations"]] or ["Nothing is missing."]), "",
        "## Parts", "",
        *sizes(report["parts"]), "",
        *languages(report["parts"]), "",
        f"![hours, speakers, levels and phones by part]({picture})", "",
        "## What no part knows of another", "",
        *leakage(report["leakage"], report["parts"]["test"]["utterances"]), "",
        "## Sound", "",
        *measures(report["parts"]), "",
        *rates(report["parts"]), "",
        "## Phones", "",
        *phones(report["phones"]),
    ])  # fmt: skip


def files(report: Mapping[str, Any]) -> list[str]:
    """Return how many files are in a split, and why the others are not."""
    rows = [
        ["quarantined", report["quarantined"]],
        ["text refused", report["refused"]],
        ["dropped in preprocessing", report["dropped_in_preprocessing"]],
        ["in no part", report["left_out_of_parts"]],
    ]
    left = [[step, reason, str(n)] for step, reasons in rows for reason, n in reasons.items()]
    in_parts = sum(part["utterances"] for part in report["parts"].values())
    head = f"{report['files']} files, of which {in_parts} are in a part."
    return [head, "", *table(["left out", "why", "files"], left)] if left else [head]


def sizes(parts: Mapping[str, Any]) -> list[str]:
    """Return the table with the size of each split."""
    rows = [
        ["utterances", *(str(parts[p]["utterances"]) for p in PARTS)],
        ["length", *(length_text(parts[p]["hours"]) for p in PARTS)],
        ["of it synthetic", *(length_text(parts[p]["synthetic_hours"]) for p in PARTS)],
        ["speakers", *(str(parts[p]["speakers"]) for p in PARTS)],
        ["speakers by sex", *(counts_text(parts[p]["speakers_by_sex"]) for p in PARTS)],
        ["sessions", *(sessions(parts[p]) for p in PARTS)],
        ["changed copies", *(str(parts[p]["changed_copies"]) for p in PARTS)],
        ["near duplicates", *(duplicates(parts[p]["near_duplicates"]) for p in PARTS)],
        ["with phone times", *(str(parts[p]["with_phone_times"]) for p in PARTS)],
    ]
    return table(["", *PARTS], rows)


def length_text(hours: float) -> str:
    """Return a duration in hours, or in minutes if it is below 6 minutes.

    >>> length_text(1.234), length_text(0.05)
    ('1.23 h', '3.0 min')
    """
    return f"{hours:.2f} h" if hours >= 0.1 else f"{60 * hours:.1f} min"


def counts_text(counts: Mapping[str, int]) -> str:
    """Return counts as a list of words.

    >>> counts_text({"f": 2, "m": 1, "not known": 3})
    '2 f, 1 m, 3 not known'
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


def languages(parts: Mapping[str, Any]) -> list[str]:
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
    head = ["language", *(f"speakers in {p}" for p in PARTS), *(f"length in {p}" for p in PARTS)]
    return table([*head, "texts in"], rows)


def leakage(shared: Mapping[str, int], test_utterances: int) -> list[str]:
    """Return which leaks the audit excludes, and how many sentences are shared."""
    train_sentences = shared["test_utterances_with_a_train_sentence"]
    return [
        "Proven on the parts themselves and on the sound in the shards: no speaker, session, "
        "near-duplicate group, family of changed copies, clip or recording is in two parts.",
        "",
        f"Sentences in two or more parts: {shared['sentences']}. Of {test_utterances} test "
        f"utterances {train_sentences} say what train says too.",
    ]


def measures(parts: Mapping[str, Any]) -> list[str]:
    """Return the table of durations, levels and noise."""
    rows = [
        [UNITS[name], p, *spread_cells(parts[p]["measures"][name])]
        for name in MEASURES
        for p in PARTS
    ]
    return table(["", "part", "5 %", "median", "95 %", "not known"], rows)


def spread_cells(quantiles: Mapping[str, Any]) -> list[str]:
    """Return three quantiles and the number of unknown values.

    >>> spread_cells({"known": 0, "not known": 7})
    ['-', '-', '-', '7']
    """
    cells = [
        f"{quantiles[name]:.1f}" if name in quantiles else "-" for name in ("p5", "median", "p95")
    ]
    return [*cells, str(quantiles[UNKNOWN])]


def rates(parts: Mapping[str, Any]) -> list[str]:
    """Return the table of sample rates as recorded."""
    names = {rate for p in PARTS for rate in parts[p]["sample_rates_hz"]}
    ordered = sorted(names, key=lambda rate: (not rate.isdecimal(), len(rate), rate))
    rows = [
        [rate, *(str(parts[p]["sample_rates_hz"].get(rate, 0)) for p in PARTS)] for rate in ordered
    ]
    return table(["sample rate, Hz", *PARTS], rows)


def phones(counts: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Return how often each phone occurs, the rarest in training first."""
    rarest = sorted(counts.items(), key=lambda item: (item[1]["train"], item[0]))
    return table(["phone", *PARTS], [[phone, *(str(n[p]) for p in PARTS)] for phone, n in rarest])


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    r"""Return the lines of a Markdown table, first column left, the others right.

    >>> table(["a", "b"], [["x|y", "10"]])
    ['| a | b |', '|---|---:|', '| x\\|y | 10 |']
    """
    lines = [[cell.replace("|", "\\|") for cell in row] for row in [head, *rows]]
    rule = "|---|" + "---:|" * (len(head) - 1)
    first, *others = [f"| {' | '.join(line)} |" for line in lines]
    return [first, rule, *others]
