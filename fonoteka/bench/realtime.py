"""Time the five small models as a host calls them, and say what compiled code would need for them.

Reads   data/models/realtime, data/realtime/models/<name>
Params  bench.realtime

ONNX Runtime is called from Python here, and each call costs more than its products do. So their
number is told too, beside the time in which this core does as many in one plain matrix product:
compiled code that multiplies as fast needs no more for the products, and besides them a value of
tanh or exp now and then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fonoteka.audio.dsp import SAMPLE_RATE_HZ
from fonoteka.bench.hop_timer import Timed, timed
from fonoteka.bench.timer import Pace
from fonoteka.core.files import read_json
from fonoteka.packaging import PACKAGE, verified
from fonoteka.realtime.block_check import synthetic_sound
from fonoteka.realtime.frame_labels import TASKS
from fonoteka.realtime.model_check import declared_model
from fonoteka.reporting.machine import (
    Demand,
    demanded,
    quantiles,
    require,
    significant,
    times_as_fast,
)
from fonoteka.reporting.text_table import table

BASELINE = "torch_by_step"


@dataclass(frozen=True)
class SlaParams:
    """What is asked of all five together.

    Attributes:
        max_ms_per_hop: of the ONNX files, at the median.
        max_plain_ms_per_hop: of as many products in one plain matrix product.
    """

    max_ms_per_hop: float
    max_plain_ms_per_hop: float


@dataclass(frozen=True)
class TrainRealtimeParams:
    """Section `bench.realtime`.

    Attributes:
        seed: of the sound that is heard.
        pace: how often is measured; a repetition is a hop.
        sla: what is asked.
    """

    seed: int
    pace: Pace
    sla: SlaParams


def run(bundle: Path, models: Path, params: TrainRealtimeParams) -> dict[str, Any]:
    """Return the report.

    Raises:
        ValueError: something of the project is missing, or is not what was packaged.
    """
    names = sorted(TASKS)
    require([bundle / PACKAGE, *(models / name / "model.json" for name in names)])
    package = read_json(bundle / PACKAGE)
    said = {name: declared_model(package, name) for name in names}
    graphs = {name: verified(bundle, f"{name}.onnx") for name in names}
    front_end = verified(bundle, "frontend.json")
    hop = int(read_json(front_end)["hop"])
    seconds = (params.pace.warmup + params.pace.repetitions) * hop / SAMPLE_RATE_HZ
    products = sum(model.multiplies for model in said.values())
    found = timed(
        graphs, {name: models / name for name in names}, front_end,
        synthetic_sound(seconds, params.seed), products, params.pace,
    )  # fmt: skip
    report = {
        "cores": found.cores, "threads": 1, "rounds": params.pace.rounds,
        "hops": params.pace.repetitions, "warmup": params.pace.warmup,
        "process_holds": found.modules, "hop_ms": 1000 * hop / SAMPLE_RATE_HZ,
        "models": {
            name: beside(found, at) | {"products": said[name].multiplies}
            for at, name in enumerate(names)
        },
        "all_five": beside(found, slice(None)) | {
            "products": products, "curves": sum(model.curves for model in said.values()),
        },
        "front_end": quantiles(found.times_ms["front_end"]),
        "plain_product": plain(found.times_ms["product"], products),
    }  # fmt: skip
    return report | {"sla": demanded(demands(report, params.sla))}


def beside(found: Timed, which: int | slice) -> dict[str, Any]:
    """Return the times of one model or of all, and how they compare with the baseline."""
    ours, theirs = (of(found.times_ms[way], which) for way in ("onnx", "torch"))
    baselines = {BASELINE: theirs["median_ms"]}
    return {
        "onnx": ours, BASELINE: theirs,
        "times_as_fast_as": times_as_fast(ours["median_ms"], baselines),
    }  # fmt: skip


def of(times_ms: NDArray[np.float64], which: int | slice) -> dict[str, Any]:
    """Return what the times `[rounds, hops, models]` of one model come to, or of all in a hop."""
    times = np.atleast_3d(times_ms[:, :, which]).sum(axis=2)
    said: dict[str, Any] = dict(quantiles(times))
    return said | {"round_medians_ms": [quantiles(turn)["median_ms"] for turn in times]}


def plain(times_ms: NDArray[np.float64], products: int) -> dict[str, float]:
    """Return how fast this core multiplies float32 numbers and adds the products up."""
    median = float(np.median(times_ms))
    return {
        "ms_per_hop": significant(median), "products": products,
        "products_per_second": significant(1000 * products / median),
    }  # fmt: skip


def demands(report: Mapping[str, Any], sla: SlaParams) -> list[Demand]:
    """Return what is asked of all five and what they reached."""
    return [
        Demand(
            "realtime.ms_per_hop", report["all_five"]["onnx"]["median_ms"], sla.max_ms_per_hop,
            at_most=True,
        ),
        Demand(
            "realtime.plain_ms_per_hop", report["plain_product"]["ms_per_hop"],
            sla.max_plain_ms_per_hop, at_most=True,
        ),
    ]  # fmt: skip


def page(report: Mapping[str, Any]) -> str:
    """Return the report as a person reads it."""
    rows = [
        [name, row["products"], row["onnx"]["median_ms"], row["onnx"]["p99_ms"],
         row[BASELINE]["median_ms"], row["times_as_fast_as"][BASELINE]]
        for name, row in [*report["models"].items(), ("all five", report["all_five"])]
    ]  # fmt: skip
    front, product = report["front_end"], report["plain_product"]
    rows.append(["front end, numpy", None, front["median_ms"], front["p99_ms"], None, None])
    header = ["a hop", "products", "median ms", "p99 ms", "torch by step ms", "x torch"]
    limit, curves = (
        report["sla"]["realtime.plain_ms_per_hop"]["limit"],
        report["all_five"]["curves"],
    )
    return "\n".join(
        [
            f"realtime: a hop of {report['hop_ms']:g} ms a call on one core, ONNX Runtime, state "
            f"carried over {report['rounds']} x {report['hops']} hops", "", table(header, rows), "",
            f"{product['products']} products a hop take {product['ms_per_hop']:.3g} ms in a plain "
            f"matrix-vector product, {product['products_per_second'] / 1e9:.3g} thousand million a "
            "second;",
            f"code that is {limit / product['ms_per_hop']:.1f} times as slow needs {limit:g} ms. "
            f"Besides, there are {curves} values of tanh or exp a hop.",
        ]
    )  # fmt: skip
