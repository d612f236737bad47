"""A training whose error is a formula of its params.yaml, in milliseconds.

    toy_training.py TARGETS OUT

The error is lowest at x = 0.01, depth = 3, kind = b. Each start adds a line to `starts.txt` beside
TARGETS, so that tests can count trainings, and `pause_s` gives them the time to kill one.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from pathlib import Path


def main() -> None:
    targets, out = map(Path, sys.argv[1:])
    text = Path("params.yaml").read_text(encoding="utf-8")
    params = dict(line.strip().split(": ") for line in text.splitlines() if ": " in line)
    with (targets.parent / "starts.txt").open("a") as file:
        file.write(f"{Path.cwd().parent.name}/{Path.cwd().name}\n")
    time.sleep(float(os.environ.get("TOY_PAUSE_S", "0")))
    x, depth, kind = float(params["x"]), int(params["depth"]), params["kind"]
    if depth >= 9 or os.environ.get("TOY_FAILS"):
        print(f"loading {targets}\ndepth {depth} does not fit into {Path.cwd()}", file=sys.stderr)
        sys.exit(3)
    error = 0.1 + 0.05 * abs(math.log10(x / 0.01)) + 0.02 * abs(depth - 3) + 0.03 * (kind != "b")
    if "TOY_NAN" in os.environ:
        error = math.nan
    (out / "model.json").write_text(json.dumps({"valid_per": round(error, 6)}))


if __name__ == "__main__":
    main()
