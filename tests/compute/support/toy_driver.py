"""A driver in a process of its own, which a test kills: `python toy_driver.py SLEEP_S RESULT`."""

import sys
from pathlib import Path

from toy_task import ToyTask, toy_plan

from fonoteka.compute.map_shards import map_shards
from fonoteka.core.run_stage import run_command


def main() -> None:
    results = [r for _, part in map_shards(ToyTask(float(sys.argv[1])), toy_plan()) for r in part]
    Path(sys.argv[2]).write_bytes(b"".join(results))


if __name__ == "__main__":
    run_command(main)
