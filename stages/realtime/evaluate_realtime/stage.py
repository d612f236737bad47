"""Score the small models as they will run: the shipped files, hop after hop, on voices never heard.

Reads   data/realtime/export/<name>, data/realtime/models/<name>/model.json of each,
        data/realtime/streams, data/realtime/times.parquet, data/realtime/frontend.json
Writes  reports/realtime.json
Params  streaming

An answer is right if it is what sounded `delay` hops before. How late it is in truth is measured
besides: from the moment at which a phone begins until the hop is over whose answer says so. Each
score stands beside what somebody reaches who has only counted the training part: by always giving
the commonest answer, or, for onsets, by beating time.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json, write_json
from fonoteka.core.params import load
from fonoteka.onnx_export.session import open_model
from fonoteka.onnx_export.stateful_session import StatefulSession
from fonoteka.realtime.frontend import FrontEnd
from fonoteka.reporting.rounding import rounded
from fonoteka.shards import read_arrays
from stages.realtime.evaluate_realtime.hop_scores import (
    Array,
    EvaluateRealtimeParams,
    Examiner,
    Heard,
    report_of,
)


def read_heard(streams: Path, table: pd.DataFrame, hop_s: float) -> list[Heard]:
    """Return the streams of a table, in the order of their names."""
    arrays = read_arrays(streams, table["stream"].unique())
    found = []
    for key, rows in table.groupby("stream", sort=True):
        frames, group = arrays[str(key)], rows.sort_values("end_s", kind="stable")
        middle = (np.arange(len(frames)) + 0.5) * hop_s
        nearest = np.minimum(np.searchsorted(group["end_s"], middle), len(group) - 1)
        found.append(
            Heard(
                frames, list(zip(group["phone"], group["start_s"], group["end_s"], strict=True)),
                str(group["speaker"].iloc[0]), group["source"].to_numpy(object)[nearest],
                group["language"].to_numpy(object)[nearest],
            )
        )  # fmt: skip
    return found


def heard_by(graph: Path, streams: Sequence[Heard]) -> Iterator[Array]:
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
            "are needed, so run the stage streams"
        )
    heard, known = read_heard(streams, test, hop_s), read_heard(streams, train, hop_s)
    counted = [(stream.rows, len(stream.frames)) for stream in known]
    about = {folder.name: read_json(folder / "model.json") for folder in models}
    names = {name: facts.get("name") for name, facts in about.items()}
    if sorted(about) != sorted(folder.name for folder in exports) or any(
        name != folder for folder, name in names.items()
    ):
        raise UserError(
            f"models {sorted(about)} that call themselves {sorted(map(str, names.values()))}, but "
            f"exports of {sorted(folder.name for folder in exports)}; run dvc repro"
        )
    found = {}
    for folder in sorted(exports):
        name = folder.name
        examiner = Examiner(about[name], hop_s, params)
        said = heard_by(folder / f"{name}.onnx", heard)
        found[name] = report_of(examiner, said, heard, examiner.habit_of(counted))
    report = {
        "models": found, "synthetic": bool(test["synthetic"].any()),
        "speakers": int(test["speaker"].nunique()), "streams": len(heard),
        "hops": sum(len(stream.frames) for stream in heard), "hop_ms": 1000 * hop_s,
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
