"""The comparison as a page of Markdown that reads in a terminal too."""

from __future__ import annotations

from typing import Any

from fonoteka.reporting.alignment_table import alignment_table
from fonoteka.reporting.markdown import table
from fonoteka.reporting.shares import percent
from fonoteka.reporting.streaming_table import policy_table
from fonoteka.reporting.word_table import difference_sentence, word_table

Entries = dict[str, dict[str, Any]]


def page(
    comparison: dict[str, Any], corpus: dict[str, Any], alignment: dict[str, Any], title: str,
    words: dict[str, Any] | None = None, streams: dict[str, Any] | None = None,
) -> str:  # fmt: skip
    """Return the page: the splits, the tables and their explanation.

    Args:
        comparison: as `compare` returns it.
        corpus: reports/corpus.json.
        alignment: reports/alignment.json.
        title: of the page.
        words: the report of a fine-tuned Whisper; None leaves its table out.
        streams: reports/streaming.json; None leaves its table out.
    """
    models: Entries = comparison["models"]
    first = next(iter(models.values()))
    train = corpus["parts"]["train"]
    return "\n".join([
        f"# {title}", "",
        f"Test split: {speech_of(models)}, {first['test_speakers']} unseen speakers, "
        f"{first['test_utterances']} utterances. Training split: {train['speakers']} speakers, "
        f"{train['hours']:.2f} h.", "",
        scores(models), "",
        languages_and_sizes(models), "",
        "PER is the phone error rate with greedy decoding. A 95 % CI is a bootstrap interval over "
        "the test speakers. Segment accuracy is the share of segments whose phone is right, with "
        "the boundaries given; top-3 accuracy is the share whose phone is among the three most "
        "likely ones. ECE is the expected calibration error on the same segments. Parameters are "
        f"those of the head; {encoder_sizes(models)}. ONNX fp32 is encoder and head in one file, "
        "ONNX int8 the same file with 8-bit weights.",
        *(["", *map(sentence, comparison["paired"])] if comparison["paired"] else []),
        *reference_lines(comparison.get("reference")),
        *stream_lines(streams),
        "", times(alignment),
        *word_lines(words),
    ])  # fmt: skip


def stream_lines(streams: dict[str, Any] | None) -> list[str]:
    """Return the section on streams: a row per model and policy, and its explanation."""
    if streams is None:
        return []
    offline = ", ".join(f"{name} {percent(per)}" for name, per in streams["offline"].items())
    return [
        "", "## Streams", "", policy_table(streams["models"]), "",
        f"Clips of the test split joined with pauses and noise, {streams['seconds'] / 60:.1f} "
        f"minutes, in chunks of {streams['chunk_ms']:g} ms; delays are without computation. PER of "
        f"the whole streams offline: {offline}.",
    ]  # fmt: skip


def word_lines(words: dict[str, Any] | None) -> list[str]:
    """Return the section on words: the table of base and fine-tuned model, and its explanation."""
    if words is None:
        return []
    return [
        "", "## Words", "", word_table(words), "",
        difference_sentence(words), "",
        "WER is the word error rate of canonical text: Latin script, lower case, no punctuation, "
        "numbers in words. The base decodes each clip padded to 30 s, as it was trained; the "
        "fine-tuned model decodes the clip and 1 s of silence.",
    ]  # fmt: skip


def encoder_sizes(models: Entries) -> str:
    """Return the parameters of the frozen encoders, each with the models that use it.

    >>> encoder_sizes({"a": {"encoder_parameters": 2_000_000}})
    'the frozen encoder has 2.00 M'
    """
    by_size: dict[str, list[str]] = {}
    for name, metrics in models.items():
        by_size.setdefault(millions(metrics["encoder_parameters"]), []).append(name)
    if len(by_size) == 1:
        return f"the frozen encoder has {next(iter(by_size))}"
    counts = ", ".join(f"{size} ({', '.join(names)})" for size, names in by_size.items())
    return f"the frozen encoders have {counts}"


def speech_of(models: Entries) -> str:
    """Return the kind of speech of the test split: one synthetic clip makes it synthetic."""
    return "synthetic speech" if any(m["synthetic"] for m in models.values()) else "real speech"


def scores(models: Entries) -> str:
    """Return the table of scores on the whole test split."""
    header = ["model", "PER", "95 % CI", "segment accuracy", "95 % CI", "top-3 accuracy", "ECE",
              "int8 PER"]  # fmt: skip
    rows = [
        [
            name, percent(m["per"]), interval(m["per_low"], m["per_high"]),
            percent(m["segment_accuracy"]),
            interval(m["segment_accuracy_low"], m["segment_accuracy_high"]),
            percent(m["top3"]), percent(m["ece"]), percent(m["int8_per"]),
        ]
        for name, m in models.items()
    ]  # fmt: skip
    return table(header, rows)


def languages_and_sizes(models: Entries) -> str:
    """Return the table of PER per language, and per corpus if there are several, and of sizes."""
    first = next(iter(models.values()))
    languages = list(first["languages"])
    sources = list(first["sources"]) if len(first["sources"]) > 1 else []
    header = ["model", *(f"PER {x}" for x in (*languages, *sources)), "parameters", "ONNX fp32",
              "ONNX int8"]  # fmt: skip
    rows = [
        [
            name, *(percent(m["languages"][x]) for x in languages),
            *(percent(m["sources"][x]) for x in sources), millions(m["parameters"]),
            mebibytes(m["onnx_bytes"]), mebibytes(m["onnx_int8_bytes"]),
        ]
        for name, m in models.items()
    ]  # fmt: skip
    return table(header, rows)


def sentence(pair: dict[str, Any]) -> str:
    """Return a paired comparison as a list item; below 0 the first model is better.

    >>> sentence({"ours": "a", "theirs": "b", "difference": -0.01, "difference_low": -0.02,
    ...           "difference_high": 0.001, "better_draws": 0.961}).partition("(")[2]
    '95 % CI: -2.0 to +0.1); below 0 in 96 % of the bootstrap resamples.'
    """
    low, high = pair["difference_low"], pair["difference_high"]
    names = f"PER of {pair['ours']} minus PER of {pair['theirs']}"
    text = f"- {names}: {points(pair['difference'])} percentage points"
    if low is None or high is None:
        return f"{text} (one speaker: no interval)."
    share = f"{100 * pair['better_draws']:.0f} %"
    bounds = f"(95 % CI: {points(low)} to {points(high)})"
    return f"{text} {bounds}; below 0 in {share} of the bootstrap resamples."


def reference_lines(reference: dict[str, Any] | None) -> list[str]:
    """Return the comparison of the baseline head with the model on the same encoder."""
    if reference is None:
        return []
    shape, against = reference["shape"], reference["against"]
    bounds = interval(reference["per_low"], reference["per_high"])
    return [
        "",
        f"Baseline head, which is not shipped: a bidirectional LSTM of {shape['layers']} layers "
        f"with {shape['hidden']} units per direction ({millions(reference['parameters'])} "
        f"parameters), trained for about as long as {against['ours']}, on the same encoder. "
        f"PER: {percent(reference['per'])} (95 % CI: {bounds}).",
        "",
        sentence(against),
    ]


def times(alignment: dict[str, Any]) -> str:
    """Return the origins of the phones' times, and the error of forced alignment."""
    origins = {k: v for k, v in alignment["clips"].items() if v}
    counts = ", ".join(f"{k} {v}" for k, v in sorted(origins.items()))
    line = f"Clips by origin of their phone times: {counts}."
    error = alignment["start_error"]
    if not error["clips"]:
        return line
    return (
        f"{line}\n\n## Phone and word times\n\n{alignment_table(error)}\n\n"
        f"Distance of placed starts from those of the corpus, on the {error['clips']} clips of "
        "validation and test that have their own times."
    )


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
