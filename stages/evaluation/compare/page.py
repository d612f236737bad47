"""The comparison as a page of Markdown that reads in a terminal too."""

from __future__ import annotations

from typing import Any

Entries = dict[str, dict[str, Any]]


def page(
    comparison: dict[str, Any], corpus: dict[str, Any], alignment: dict[str, Any], title: str
) -> str:
    """Return the page: the test part, two tables and their explanation."""
    models: Entries = comparison["models"]
    first = next(iter(models.values()))
    train = corpus["parts"]["train"]
    return "\n".join([
        f"# {title}", "",
        f"Test: {speech_of(models)}, {first['test_speakers']} voices none of the models has heard, "
        f"{first['test_utterances']} utterances. Train: {train['speakers']} voices, "
        f"{train['hours']:.2f} h.", "",
        *scores(models), "",
        *parts(models), "",
        "PER is the phone error rate of the greedy path; the interval is over speakers. Segment "
        "accuracy names each phone given where it is, on the same segments for every model; top 3 "
        "is the share of them whose phone is among the three likeliest, ECE how far confidence "
        "lies from accuracy. Parameters are the head's; the frozen encoder below it has "
        f"{millions(first['encoder_parameters'])}. ONNX is encoder and head in one file; int8 is "
        "the same file with weights of 8 bits.",
        *(["", *map(sentence, comparison["paired"])] if comparison["paired"] else []),
        *reference_lines(comparison.get("reference")),
        "", times(alignment),
    ])  # fmt: skip


def speech_of(models: Entries) -> str:
    """Return the kind of speech of the test part: one synthetic clip makes it synthetic."""
    return "synthetic speech" if any(m["synthetic"] for m in models.values()) else "real speech"


def scores(models: Entries) -> list[str]:
    """Return the table of scores on the whole test part."""
    head = ["model", "PER", "95 %", "segment accuracy", "95 %", "top 3", "ECE", "int8 PER"]
    rows = [
        [
            name, percent(m["per"]), interval(m["per_low"], m["per_high"]),
            percent(m["segment_accuracy"]),
            interval(m["segment_accuracy_low"], m["segment_accuracy_high"]),
            percent(m["top3"]), percent(m["ece"]), percent(m["int8_per"]),
        ]
        for name, m in models.items()
    ]  # fmt: skip
    return table(head, rows)


def parts(models: Entries) -> list[str]:
    """Return the table of rates by language, and by corpus if there are several, and sizes."""
    first = next(iter(models.values()))
    languages = list(first["languages"])
    sources = list(first["sources"]) if len(first["sources"]) > 1 else []
    head = ["model", *(f"PER {x}" for x in (*languages, *sources)), "parameters", "ONNX", "int8"]
    rows = [
        [
            name, *(percent(m["languages"][x]) for x in languages),
            *(percent(m["sources"][x]) for x in sources), millions(m["parameters"]),
            mebibytes(m["onnx_bytes"]), mebibytes(m["onnx_int8_bytes"]),
        ]
        for name, m in models.items()
    ]  # fmt: skip
    return table(head, rows)


def sentence(pair: dict[str, Any]) -> str:
    """Return a paired comparison in words.

    >>> sentence({"ours": "a", "theirs": "b", "difference": -0.01, "difference_low": -0.02,
    ...           "difference_high": 0.001, "better_draws": 0.961})
    '- a minus b: -1.0 points of PER (95 %: -2.0 to +0.1), better in 96 % of draws of the voices.'
    """
    low, high = pair["difference_low"], pair["difference_high"]
    text = f"- {pair['ours']} minus {pair['theirs']}: {points(pair['difference'])} points of PER"
    if low is None or high is None:
        return f"{text} (one voice: no interval)."
    share = f"{100 * pair['better_draws']:.0f} %"
    doubt = f"(95 %: {points(low)} to {points(high)})"
    return f"{text} {doubt}, better in {share} of draws of the voices."


def reference_lines(reference: dict[str, Any] | None) -> list[str]:
    """Return the comparison of the reference head with the model on the same encoder."""
    if reference is None:
        return []
    shape, against = reference["shape"], reference["against"]
    per = f"{percent(reference['per'])} ({interval(reference['per_low'], reference['per_high'])})"
    return [
        "",
        f"A yardstick that is not shipped: an LSTM head of {shape['layers']} layers, "
        f"{shape['hidden']} wide each way ({millions(reference['parameters'])} parameters), "
        f"trained at like cost to {against['ours']} on the same encoder, has a PER of {per}.",
        "",
        sentence(against),
    ]


def times(alignment: dict[str, Any]) -> str:
    """Return the origins of the phones' times, and the error of forced alignment."""
    origins = {k: v for k, v in alignment["clips"].items() if v}
    counts = ", ".join(f"{v} {k}" for k, v in sorted(origins.items()))
    error = alignment["forced_start_error"]
    line = f"Phone times (clips): {counts}."
    if error["clips"]:
        line += (
            f" Forced alignment, where it can be checked ({error['clips']} clips): median start "
            f"error {error['median_ms']} ms, 90 % within {error['p90_ms']} ms."
        )
    return line


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    """Return the lines of a Markdown table, first column left, the others right.

    >>> table(["a", "b"], [["x", "10"]])
    ['| a |  b |', '|---|---:|', '| x | 10 |']
    """
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]

    def line(row: list[str]) -> str:
        cells = [row[0].ljust(widths[0])]
        cells += [c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True)]
        return f"| {' | '.join(cells)} |"

    rule = "|" + "|".join(["-" * (widths[0] + 2), *("-" * (w + 1) + ":" for w in widths[1:])]) + "|"
    return [line(head), rule, *(line(row) for row in rows)]


def percent(value: float | None) -> str:
    """Return a share with one decimal.

    >>> percent(0.1234), percent(None)
    ('12.3 %', '-')
    """
    return "-" if value is None else f"{100 * value:.1f} %"


def points(value: float) -> str:
    """Return a difference of shares in points, with a sign unless it rounds to 0.

    >>> points(0.012), points(-0.012), points(-0.0001)
    ('+1.2', '-1.2', '0.0')
    """
    rounded = round(100 * value, 1)
    return f"{rounded:+.1f}" if rounded else "0.0"


def interval(low: float | None, high: float | None) -> str:
    """Return an interval of shares, or a dash if there is only one speaker."""
    return "-" if low is None or high is None else f"{100 * low:.1f}-{100 * high:.1f}"


def millions(count: int | None) -> str:
    """Return a count in millions, or a dash.

    >>> millions(343_219), millions(None)
    ('0.34 M', '-')
    """
    return "-" if count is None else f"{count / 1e6:.2f} M"


def mebibytes(count: int | None) -> str:
    """Return bytes in MiB, or a dash.

    >>> mebibytes(2**21), mebibytes(None)
    ('2.0 MiB', '-')
    """
    return "-" if count is None else f"{count / 2**20:.1f} MiB"
