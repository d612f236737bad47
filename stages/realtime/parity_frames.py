"""The frames of test streams, one stream after another, for parity checks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fonoteka.core.errors import UserError
from fonoteka.shards import open_arrays


def parity_frames(streams: Path, times: Path, steps: int) -> NDArray[np.float32]:
    """Return the first frames of the test part, `[steps, M]`.

    Raises:
        ValueError: the test part contains fewer.
    """
    table = pd.read_parquet(times, columns=["stream", "part"])
    keys = sorted(table.loc[table["part"] == "test", "stream"].unique())
    if not keys:
        raise UserError(f"{times}: no test stream; run the stage realtime_features")
    arrays = open_arrays(streams, keys)
    frames = np.concatenate([arrays[key] for key in keys])
    if len(frames) < steps:
        raise UserError(
            f"{times}: the test part has {len(frames)} frames, but {steps} are required; lower "
            "steps in params.yaml"
        )
    return frames[:steps]
