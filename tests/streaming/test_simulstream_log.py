"""A log is what simulstream reads, and its normalised erasure is ours."""

from __future__ import annotations

import json
from collections import OrderedDict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streaming_maker import phone, random_updates, update

from fonoteka.streaming.simulstream_log import log_records, write_log
from fonoteka.streaming.stream_metrics import score_stream

REFERENCE = [("a", 0.0, 0.1)]


def lines_by_audio(records):
    """Group the lines of a log by audio file, as simulstream's `LogReader._get_outputs` does.

    Source: simulstream 1.0.0, simulstream/metrics/readers.py (FBK, Apache-2.0). The package itself
    depends on librosa and torch, so its few formulas are written again here.
    """
    names, outputs = {}, OrderedDict()
    for line in records:
        if "metadata" in line:
            names[line["id"]] = Path(line["metadata"]["wav_name"]).stem
        else:
            outputs.setdefault(names[line["id"]], []).append(line)
    return outputs


def final_tokens(lines):
    """Return the tokens that remain of a stream, as `final_outputs_and_latencies` does."""
    tokens = []
    for line in lines:
        deleted = line["deleted_tokens"]
        if deleted:
            assert deleted == tokens[-len(deleted) :]  # simulstream requires it too
            tokens = tokens[: -len(deleted)]
        tokens.extend(line["generated_tokens"])
    return tokens


def simulstream_erasure(records):
    """Return what `simulstream.metrics.stats.NormalizedErasure` computes from a log."""
    outputs = lines_by_audio(records)
    deleted = sum(
        len(" ".join(line["deleted_tokens"]).split())
        for lines in outputs.values()
        for line in lines
    )
    length = sum(len(" ".join(final_tokens(lines)).split()) for lines in outputs.values())
    return deleted / length


@given(st.lists(random_updates(), min_size=1, max_size=4))
def test_the_erasure_that_simulstream_computes_is_ours(streams):
    scores = [score_stream(updates, REFERENCE) for updates in streams]
    records = [
        record
        for number, updates in enumerate(streams)
        for record in log_records(number, f"stream-{number}", updates)
    ]
    if final := sum(score.final for score in scores):
        ours = sum(score.deleted for score in scores) / final
        assert simulstream_erasure(records) == pytest.approx(ours)


@given(random_updates())
def test_the_committed_phones_are_what_simulstream_takes_for_the_final_text(updates):
    (lines,) = lines_by_audio(log_records(0, "one", updates)).values()
    assert final_tokens(lines) == [p.symbol for u in updates for p in u.committed]


def test_a_log_has_a_line_per_stream_and_one_per_update(tmp_path):
    a, b = phone("a", 0.1), phone("b", 0.2)
    streams = {"ana-000": [update(0.04, [], [b]), update(0.08, [a])], "ivo-000": [update(0.04)]}
    write_log(tmp_path / "log.jsonl", streams)
    records = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert records == [
        {"id": 0, "metadata": {"wav_name": "ana-000.wav"}},
        {"id": 0, "total_audio_processed": 0.04, "computation_time": 0.0,
         "generated_tokens": ["b"], "deleted_tokens": []},
        {"id": 0, "total_audio_processed": 0.08, "computation_time": 0.0,
         "generated_tokens": ["a"], "deleted_tokens": ["b"]},
        {"id": 1, "metadata": {"wav_name": "ivo-000.wav"}},
        {"id": 1, "total_audio_processed": 0.04, "computation_time": 0.0,
         "generated_tokens": [], "deleted_tokens": []},
    ]  # fmt: skip


def test_times_of_computation_are_written_if_they_are_given():
    records = [*log_records(3, "one", [update(0.04), update(0.08)], [0.5, 0.25])]
    assert [record.get("computation_time") for record in records] == [None, 0.5, 0.25]
    with pytest.raises(ValueError, match=r"zip\(\) argument"):
        list(log_records(0, "one", [update(0.04)], []))
