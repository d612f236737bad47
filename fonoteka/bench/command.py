"""Measure how fast the models are on this machine, and refuse what is too slow.

    make bench
    python -m fonoteka.bench.command [head] [path] [encoder] [realtime]

Reads   data/ and reports/reference.json, as the last `make repro` left them
Writes  reports/bench/<what>.json; exits 1 where a demand is missed
Params  bench

It is a command and no stage: a time depends on the machine and the moment, so no result may depend
on it. What is compared is measured in the same run, in turns; see timer.py. Beside the speed of
a head stands how often it errs, because each is easily had without the other.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import Wav2Vec2Config

from fonoteka.bench import encoder as bench_encoder
from fonoteka.bench import encoder_report
from fonoteka.bench import head as bench_head
from fonoteka.bench import path as bench_path
from fonoteka.bench import realtime as bench_realtime
from fonoteka.bench.encoder import EncoderParams
from fonoteka.bench.head import HeadParams
from fonoteka.bench.path import PathParams
from fonoteka.bench.realtime import TrainRealtimeParams
from fonoteka.core.errors import UserError
from fonoteka.core.files import write_json
from fonoteka.core.params import load
from fonoteka.core.run_stage import stage
from fonoteka.reporting.machine import machine, missed

PAGES = {
    "head": bench_head.page, "path": bench_path.page, "encoder": encoder_report.page,
    "realtime": bench_realtime.page,
}  # fmt: skip


@dataclass(frozen=True)
class BenchParams:
    """Section `bench`.

    Attributes:
        shipped: the model whose head is asked for speed.
        reference: the model whose head it is compared with.
        head: the heads alone.
        path: all files on test clips.
        encoder: embedding with a base-size encoder.
        realtime: the small models, a hop a call.
    """

    shipped: str
    reference: str
    head: HeadParams
    path: PathParams
    encoder: EncoderParams
    realtime: TrainRealtimeParams


def measured(what: str, data: Path, reports: Path, params: BenchParams) -> dict[str, Any]:
    """Return one report: head, path, encoder or realtime.

    Raises:
        ValueError: something of the project is missing.
    """
    models = data / "models"
    if what == "head":
        shipped, reference = models / params.shipped, models / params.reference
        return bench_head.run(shipped, reference, reports / "reference.json", params.head)
    if what == "path":
        test = data / "splits" / "test.jsonl"
        return bench_path.run(models, data / "embeddings", data / "audio", test, params.path)
    if what == "realtime":
        return bench_realtime.run(models / "realtime", data / "realtime/models", params.realtime)
    return bench_encoder.run(Wav2Vec2Config(), params.encoder)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", help=f"{', '.join(PAGES)} (default: all)")
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--reports", type=Path, default=Path("reports"))
    options = parser.parse_args()
    if unknown := sorted(set(options.what) - set(PAGES)):
        parser.error(f"{unknown[0]!r} is none of {list(PAGES)}")
    params, facts = load("bench", BenchParams), machine()  # the load before any of ours
    found = []
    for what in [name for name in PAGES if name in options.what or not options.what]:
        found.append({"machine": facts} | measured(what, options.data, options.reports, params))
        write_json(options.reports / "bench" / f"{what}.json", found[-1])
        print(PAGES[what](found[-1]), end="\n\n", flush=True)
    if problems := missed(found):
        raise UserError(f"bench: {len(problems)} missed: {'; '.join(problems)}")


if __name__ == "__main__":
    stage(main)
