"""Decode all FLAC files below a folder with soundfile and discard the samples: the baseline.

python -m fonoteka.bench.decode_baseline data/raw
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import soundfile

from fonoteka.core.cpu_count import worker_count
from fonoteka.core.run_stage import die_with_parent, stage


def sample_count(path: Path) -> int:
    """Return the number of samples of a file, after decoding all of them."""
    return int(soundfile.read(path, dtype="float32")[0].size)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    paths = sorted(parser.parse_args().folder.rglob("*.flac"))
    with ProcessPoolExecutor(worker_count(), initializer=die_with_parent) as pool:
        total = sum(pool.map(sample_count, paths, chunksize=32))
    print(f"decode: {len(paths)} files, {total} samples")


if __name__ == "__main__":
    stage(main)
