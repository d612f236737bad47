"""Updates of streams as the JSON lines that the package simulstream computes its metrics from.

A log starts each stream with a line of its name and continues with one line per update:

    {"id": 0, "metadata": {"wav_name": "ana-000.wav"}}
    {"id": 0, "total_audio_processed": 0.04, "computation_time": 0.0,
     "generated_tokens": ["a"], "deleted_tokens": []}

simulstream reads it with the settings `detokenizer_type: simuleval` and `latency_unit: word`, so
that a phone is a token and a token is a word:

    python -m simulstream.metrics.stats --eval-config config.yaml --log-file streams.jsonl

Source: simulstream 1.0.0 (FBK), `simulstream/metrics/readers.py` and
`simulstream/server/message_processor.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fonoteka.core.files import write_json_lines
from fonoteka.streaming.interfaces import StreamUpdate
from fonoteka.streaming.stream_metrics import tail_changes

SETTINGS = {"detokenizer_type": "simuleval", "latency_unit": "word"}
"""What `--eval-config` must contain."""


def log_records(
    number: int, name: str, updates: Sequence[StreamUpdate], seconds: Sequence[float] | None = None
) -> Iterator[dict[str, Any]]:
    """Yield the records of one stream.

    Args:
        number: of the stream in the log.
        name: of the stream; simulstream takes it for the name of a WAV file.
        updates: of the stream.
        seconds: of computation for each update; 0 if None, so that a log is reproducible.
    """
    # simulstream cuts a suffix off the name of the file.
    yield {"id": number, "metadata": {"wav_name": f"{name}.wav"}}
    times = [0.0] * len(updates) if seconds is None else seconds
    for update, change, time_s in zip(updates, tail_changes(updates), times, strict=True):
        yield {
            "id": number,
            "total_audio_processed": round(update.audio_s, 6),
            "computation_time": time_s,
            "generated_tokens": list(change.generated),
            "deleted_tokens": list(change.deleted),
        }


def write_log(path: Path, streams: Mapping[str, Sequence[StreamUpdate]]) -> None:
    """Write the updates of streams by name."""
    write_json_lines(
        path,
        (
            record
            for number, (name, updates) in enumerate(streams.items())
            for record in log_records(number, name, updates)
        ),
    )
