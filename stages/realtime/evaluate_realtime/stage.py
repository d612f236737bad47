"""Score the small models as they run on a host: the shipped files, hop by hop, on unseen speakers.

Reads   data/realtime/export/<name>, data/realtime/models/<name>/model.json of each,
        data/realtime/streams, data/realtime/times.parquet, data/realtime/frontend.json
Writes  reports/realtime.json
Params  evaluate_realtime

An output is right if it equals the label of `delay` hops before. Its latency is measured too: from
the start of a phone to the end of the hop whose output has changed. Each score is compared with a
baseline from the training part: always the majority class or, for onsets, a fixed rate.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from fonoteka.alignment.phone_rows import Row, StoredPhones
from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json, write_json
from fonoteka.core.params import load
from fonoteka.onnx_export.session import open_model
from fonoteka.onnx_export.stateful_session import StatefulSession
from fonoteka.realtime.frontend import FrontEnd
from fonoteka.reporting.rounding import rounded
from fonoteka.shards import open_arrays
from stages.realtime.evaluate_realtime.hop_scores import (
    Array,
    EvaluateRealtimeParams,
    EvaluationStream,
    StreamEvaluator,
    report_of,
)


def by_end(table: pd.DataFrame) -> pd.DataFrame:
    """Return the phones of all streams by their ends."""
    return table.sort_values("end_s", kind="stable")


def phones_and_hops(streams: Path, table: pd.DataFrame) -> list[tuple[list[Row], int]]:
    """Return the phones and the number of hops of each stream; no frames are read."""
    phones = StoredPhones(by_end(table), "stream", "phone")
    arrays = open_arrays(streams, phones)
    return [(phones[key], arrays.shape(key)[0]) for key in sorted(phones)]


def evaluation_streams(streams: Path, table: pd.DataFrame, hop_s: float) -> list[EvaluationStream]:
    """Return the streams of a table, in the order of their names."""
    table = by_end(table)
    phones = StoredPhones(table, "stream", "phone")
    arrays = open_arrays(streams, phones)
    result = []
    for key, group in table.groupby("stream", sort=True):
        frames = arrays[str(key)]
        middle = (np.arange(len(frames)) + 0.5) * hop_s
        nearest = np.minimum(np.searchsorted(group["end_s"], middle), len(group) - 1)
        result.append(
            EvaluationStream(
                frames, phones[str(key)],
                str(group["speaker"].iloc[0]), group["source"].to_numpy(object)[nearest],
                group["language"].to_numpy(object)[nearest],
            )
        )  # fmt: skip
    return result


def model_outputs(graph: Path, streams: Sequence[EvaluationStream]) -> Iterator[Array]:
    """Yield the outputs of each stream, from a reset."""
    runner = StatefulSession(open_model(graph))
    for stream in streams:
        runner.reset()
        yield runner.run(stream.frames)


def run(
    exports: Sequence[Path], models: Sequence[Path], streams: Path, times: Path, frontend: Path,
    out: Path, params: EvaluateRealtimeParams,
) -> None:  # fmt: skip
    """Score all models."""
    hop_s = FrontEnd.from_json(read_json(frontend)).hop_s
    table = pd.read_parquet(times)
    test, train = (table[table["part"] == part] for part in ("test", "train"))
    if test.empty or train.empty:
        raise UserError(
            f"{times}: {len(train)} phones of the training and {len(test)} of the test part; both "
            "are needed, so run the stage realtime_features"
        )
    # The baseline is the majority class of the training part, as a model could have learned it.
    labelled = phones_and_hops(streams, train)
    test_streams = evaluation_streams(streams, test, hop_s)
    metadata = {folder.name: read_json(folder / "model.json") for folder in models}
    names = {name: values.get("name") for name, values in metadata.items()}
    if sorted(metadata) != sorted(folder.name for folder in exports) or any(
        name != folder for folder, name in names.items()
    ):
        raise UserError(
            f"models {sorted(metadata)} with the names {sorted(map(str, names.values()))}, but "
            f"exports of {sorted(folder.name for folder in exports)}; run dvc repro"
        )
    reports = {}
    for folder in sorted(exports):
        name = folder.name
        evaluator = StreamEvaluator(metadata[name], hop_s, params)
        outputs = model_outputs(folder / f"{name}.onnx", test_streams)
        reports[name] = report_of(
            evaluator, outputs, test_streams, evaluator.majority_baseline(labelled)
        )
    report = {
        "models": reports, "synthetic": bool(test["synthetic"].any()),
        "speakers": int(test["speaker"].nunique()), "streams": len(test_streams),
        "hops": sum(len(stream.frames) for stream in test_streams), "hop_ms": 1000 * hop_s,
        "tolerance_ms": 1000 * params.tolerance_s,
    }  # fmt: skip
    write_json(out, rounded(report, params.digits))


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--exports", type=Path, nargs="+", required=True)
    parser.add_argument("--models", type=Path, nargs="+", required=True)
    for name in ("streams", "times", "frontend", "out"):
        parser.add_argument(name, type=Path)
    run(**vars(parser.parse_args()), params=load("evaluate_realtime", EvaluateRealtimeParams))
