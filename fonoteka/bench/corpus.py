"""Measure the corpus side on this machine: speed, near duplicates, text; refuse what misses.

    make bench-corpus
    python -m fonoteka.bench.corpus [speed] [duplicates] [text] [--full] [--corpora FOLDER ...]

Reads   params.yaml; data/raw (the voices that copies are made of)
Writes  reports/bench/corpus.json: of the parts that were measured; exits 1 where a figure misses
Params  inventory, dedupe

It is a command and no stage: a time depends on the machine and the moment. Stages run as commands,
as `make repro` runs them, so that what they load and how they share their work counts too.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from fonoteka.bench import corpus_speed
from fonoteka.bench import duplicates as bench_duplicates
from fonoteka.bench import text as bench_text
from fonoteka.bench.corpus_speed import Sizes
from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json, write_json
from fonoteka.core.params import PARAMS
from fonoteka.core.run_stage import stage
from fonoteka.reporting.machine import machine, missed

PAGES = {"speed": corpus_speed.page, "duplicates": bench_duplicates.page, "text": bench_text.page}
SHORT, FULL = (1_000, 10_000), (1_000, 10_000, 100_000)


def measured(what: str, given: argparse.Namespace) -> dict[str, Any]:
    """Return one part's report.

    Raises:
        ValueError: there is no corpus to make copies of.
    """
    if what == "speed":
        sizes = Sizes(given.clips, given.rounds, FULL if given.full else SHORT)
        return corpus_speed.run(given.params, sizes)
    if what == "text":
        return bench_text.run()
    corpora = given.corpora or sorted(
        card.parent for card in Path("data/raw").glob("*/corpus.json")
    )
    if not corpora:
        raise UserError("data/raw holds no corpus to make copies of; run make repro first")
    return bench_duplicates.run(given.params, corpora, given.per_kind, given.tuning)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="bench-corpus", description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", help=f"{', '.join(PAGES)} (default: all)")
    parser.add_argument("--full", action="store_true", help="100,000 short clips too")
    parser.add_argument("--clips", type=int, default=10_000, help="of usual length")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--per-kind", type=int, default=60, help="copies of a kind and corpus")
    parser.add_argument("--tuning", action="store_true", help="use the voices not held out")
    parser.add_argument("--corpora", type=Path, nargs="+", help="default: all of data/raw")
    parser.add_argument("--params", type=Path, default=PARAMS)
    parser.add_argument("--report", type=Path, default=Path("reports/bench/corpus.json"))
    given = parser.parse_args()
    if unknown := sorted(set(given.what) - set(PAGES)):
        parser.error(f"{unknown[0]!r} is none of {list(PAGES)}")
    known = read_json(given.report) if given.report.is_file() else {}
    problems = []
    for what in [name for name in PAGES if name in given.what or not given.what]:
        facts = machine()
        known[what] = {"machine": facts} | measured(what, given)
        write_json(given.report, known)
        print(PAGES[what](known[what]), end="\n\n", flush=True)
        problems += missed([known[what]])
    if problems:
        raise UserError(f"bench-corpus: {len(problems)} missed: {'; '.join(problems)}")


if __name__ == "__main__":
    stage(main)
