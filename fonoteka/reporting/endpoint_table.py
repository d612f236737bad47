"""The scores of endpoint detection as a Markdown page and its table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fonoteka.reporting.markdown import plain, table
from fonoteka.reporting.shares import percent

HEADER = (
    "detector", "streams", "utterances", "false cuts", "missed", "rule 2", "delay p50", "delay p90",
    "speech precision", "speech recall",
)  # fmt: skip


def endpoint_table(report: Mapping[str, Any]) -> str:
    """Return one row per detector for all streams, per level of noise, and per corpus if several.

    The default of the package has rows of its own if other parameters were chosen for its detector.

    Args:
        report: reports/endpoints.json.
    """
    entries = sorted(report["vads"].items())
    if not _default_is_tuned(report):
        entries.append(("default", report["default"]))
    rows = []
    for name, entry in entries:
        rule2 = _ms(1000 * entry["params"]["rule2_silence_s"])
        rows += [_row(name, streams, rule2, group) for streams, group in _groups(entry["test"])]
    return table(HEADER, rows, left=(0, 1))


def endpoint_page(report: Mapping[str, Any]) -> str:
    """Return the page: the table and its explanation."""
    test, vad = report["test"], report["default"]["params"]["vad"]
    speech = "synthetic speech" if test["synthetic"] else "real speech"
    return "\n".join([
        "# Endpoint detection", "",
        f"Test split: {speech}, {test['speakers']} unseen speakers, {test['utterances']} joined "
        f"utterances ({test['clips']} different clips, {test['hours']:.2f} h). Pauses between "
        f"utterances: {test['pause_between_min_s']:.2f} to {test['pause_between_max_s']:.2f} s; "
        f"the longest pause within one: {test['pause_within_max_s']:.2f} s. No recogniser takes "
        f"part: a phone counts as committed {_ms(1000 * report['commit_lag_s'])} after its end.",
        "", endpoint_table(report), "",
        "A false cut is an utterance with an endpoint inside; a missed endpoint is a pause without "
        "one; both are shares of the utterances. The delay is from the end of the last phone to "
        "the endpoint and includes the silence of rule 2. Precision and recall are those of the "
        "detector's decisions per 10 ms. Thresholds and hangovers were chosen on "
        f"{report['valid']['utterances']} joined utterances of the validation split. The default "
        f"of the package, {vad['name']} with threshold {vad['threshold']:g}, release "
        f"{vad['release']:g} and hangover {_ms(1000 * vad['hangover_s'])}, "
        + ("is as tuned here." if _default_is_tuned(report) else "has rows of its own."),
    ])  # fmt: skip


def _default_is_tuned(report: Mapping[str, Any]) -> bool:
    default = report["default"]["params"]
    return bool(default == report["vads"][default["vad"]["name"]]["params"])


def _groups(scores: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield "all", scores["all"]
    noises = sorted(scores["noise_below_db"].items(), key=lambda item: -float(item[0]))
    yield from ((f"noise at -{db} dB", group) for db, group in noises)
    if len(scores["sources"]) > 1:
        yield from ((plain(name), group) for name, group in sorted(scores["sources"].items()))


def _row(name: str, streams: str, rule2: str, group: Mapping[str, Any]) -> list[object]:
    return [
        name, streams, group["utterances"], percent(group["false_cut_share"]),
        percent(group["missed_share"]), rule2, _ms(group["delay_ms_p50"]),
        _ms(group["delay_ms_p90"]), percent(group["frames"]["precision"]),
        percent(group["frames"]["recall"]),
    ]  # fmt: skip


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} ms"
