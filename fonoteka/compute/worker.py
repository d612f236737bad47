"""Run units of a spool: each element of an array of Slurm starts this program.

    python -m fonoteka.compute.worker SPOOL NUMBER ...

Reads   SPOOL/task, SPOOL/NUMBER.unit
Writes  SPOOL/NUMBER.outcome
"""

from __future__ import annotations

import argparse
import pickle
from pathlib import Path

from fonoteka.compute.packed_task import run_packed
from fonoteka.core.files import atomic_file
from fonoteka.core.run_stage import run_command


def run(spool: Path, numbers: list[int]) -> None:
    """Run units and write an outcome of each; failures of clips are outcomes too."""
    packed = pickle.loads((spool / "task").read_bytes())  # noqa: S301  the driver's
    for number in numbers:
        outcome = run_packed(packed, (spool / f"{number}.unit").read_bytes())
        with atomic_file(spool / f"{number}.outcome") as part:
            part.write_bytes(pickle.dumps(outcome))


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("spool", type=Path)
    parser.add_argument("numbers", type=int, nargs="+", metavar="number")
    args = parser.parse_args()
    run(args.spool, args.numbers)


if __name__ == "__main__":
    run_command(main)
