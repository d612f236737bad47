"""The report of the stage evaluate_streaming as Markdown: delay and stability, and confidence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fonoteka.phones import MANNERS
from fonoteka.reporting.markdown import plain, table
from fonoteka.reporting.shares import percent


def page(report: Mapping[str, Any]) -> str:
    """Return both tables with their notes.

    Args:
        report: reports/streaming.json.
    """
    return "\n\n".join([
        "# Recognition of streams",
        f"{_count(report)}, fed in chunks of {report['chunk_ms']:g} ms and decoded with "
        f"{report['decoder']}. Delays are of the audio, without computation. A commit lag counts "
        "from the end of a true phone to the update that committed it, for phones that are right. "
        "Erasure is the number of shown phones that were taken back, per final phone. Brackets "
        "contain 95 % intervals over speakers.",
        policy_table(report["models"]),
        f"Phone error rate of the whole streams offline: {_offline(report['offline'])}.",
        "Time from the start of an utterance, after a pause, to its first committed phone, by the "
        "manner of the true phone: p50 and p90, and their number. A phone is committed after its "
        "last frame, so the time contains the phone, and long phones have longer times.",
        manner_table(report["models"]),
        "![Commit lag and erasure](streaming.png)",
        "## Confidence of phones",
        "Each measure was calibrated on validation speakers. ECE is the expected calibration "
        "error, NCE the normalised cross entropy (0: no better than the share of right phones), "
        "AUC the area under the curve of finding wrong phones.",
        confidence_table(report["confidence"]),
    ]) + "\n"  # fmt: skip


def _offline(rates: Mapping[str, float]) -> str:
    """Return the rates of all models.

    >>> _offline({"a": 0.05, "b": 0.1})
    'a 5.0 %, b 10.0 %'
    """
    return ", ".join(f"{plain(model)} {percent(rate)}" for model, rate in rates.items())


def _count(report: Mapping[str, Any]) -> str:
    first = next(entry for model in report["models"].values() for entry in model.values())
    return (
        f"{first['streams']} streams of {first['speakers']} unseen speakers, "
        f"{report['seconds'] / 60:.1f} minutes"
    )


def policy_table(models: Mapping[str, Any]) -> str:
    """Return one row per model, policy and, if there are several, corpus.

    Args:
        models: `models` of the report.
    """
    header = [
        "model", "policy", "streams", "PER", "PER offline", "equal to offline", "commit lag p50",
        "p90", "first phone p50", "p90", "erasure", "unstable updates", "changed after commit",
    ]  # fmt: skip
    rows = []
    for model, policies in models.items():
        for policy, whole in policies.items():
            rows.append([plain(model), plain(policy), *_cells(whole)])
            if len(whole["sources"]) > 1:
                rows += [
                    [plain(model), f"{plain(policy)}, {plain(source)}", *_cells(part)]
                    for source, part in whole["sources"].items()
                ]
    return table(header, rows, left=(0, 1))


def _cells(entry: Mapping[str, Any]) -> list[object]:
    lag, first = entry["commit_lag_ms"], entry["first_emission_ms"]
    return [
        entry["streams"], _share(entry, "per"), percent(entry["offline_per"]),
        percent(entry["equal_to_offline"]), _ms(lag, "p50"), _ms(lag, "p90"), _ms(first, "p50"),
        _ms(first, "p90"), _number(entry["erasure"]), percent(entry["unstable_partials"]),
        entry["committed_changed"],
    ]  # fmt: skip


def manner_table(models: Mapping[str, Any]) -> str:
    """Return the first emission of each model and policy by the manner of the first phone.

    Args:
        models: `models` of the report.
    """
    header = ["model", "policy", "utterances", *(f"first a {manner}" for manner in MANNERS)]
    rows = [
        [
            plain(model), plain(policy), whole["utterances"],
            *(_both(whole["first_emission_ms_by_manner"][manner]) for manner in MANNERS),
        ]
        for model, policies in models.items()
        for policy, whole in policies.items()
    ]  # fmt: skip
    return table(header, rows, left=(0, 1))


def _both(quantiles: Mapping[str, Any]) -> str:
    """Return p50 and p90 with their number.

    >>> _both({"p50": 141.26, "p90": 180.0, "n": 12})
    '141, 180 ms (12)'
    """
    if not quantiles["n"]:
        return "-"
    return f"{quantiles['p50']:.0f}, {quantiles['p90']:.0f} ms ({quantiles['n']})"


def confidence_table(models: Mapping[str, Any]) -> str:
    """Return one row per model and measure; the chosen measure is marked.

    Args:
        models: `confidence` of the report.
    """
    header = ["model", "measure", "phones", "right", "ECE", "NCE", "AUC ROC", "AUC PR"]
    rows = [
        [
            plain(model), f"{plain(measure)}{' (chosen)' if entry['chosen'] else ''}",
            entry["phones"], percent(entry["accuracy"]), _percent_entry(entry["ece"]),
            *(_entry(entry[name]) for name in ("nce", "auc_roc", "auc_pr")),
        ]
        for model, measures in models.items()
        for measure, entry in measures.items()
    ]  # fmt: skip
    return table(header, rows, left=(0, 1))


def _ms(quantiles: Mapping[str, Any], name: str) -> str:
    """Return a quantile with its interval.

    >>> _ms({"p90": 141.26, "p90_low": 139.0, "p90_high": 150.0}, "p90")
    '141 ms (139-150)'
    """
    value, low, high = (quantiles[f"{name}{end}"] for end in ("", "_low", "_high"))
    if value is None:
        return "-"
    return f"{value:.0f} ms" + ("" if low is None else f" ({low:.0f}-{high:.0f})")


def _share(entry: Mapping[str, Any], name: str) -> str:
    value, low, high = (entry[f"{name}{end}"] for end in ("", "_low", "_high"))
    return percent(value) + ("" if low is None else f" ({100 * low:.1f}-{100 * high:.1f})")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _entry(score: Mapping[str, float | None]) -> str:
    """Return a score with its interval.

    >>> _entry({"value": 0.41, "low": None, "high": None})
    '0.410'
    """
    low, high = score["low"], score["high"]
    bounds = "" if low is None or high is None else f" ({low:.3f}-{high:.3f})"
    return f"{_number(score['value'])}{bounds}"


def _percent_entry(score: Mapping[str, float | None]) -> str:
    low, high = score["low"], score["high"]
    bounds = "" if low is None or high is None else f" ({100 * low:.1f}-{100 * high:.1f})"
    return f"{percent(score['value'])}{bounds}"
