"""Write PLANNING.md from planning.json and the prices in params.yaml.

Both decide every byte of the page, so a test compares the page in git with what is written here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fonoteka.planning.closure import EVERYTHING
from fonoteka.planning.forecast import COLUMNS, ModelForecast, forecast_model, gpu_hours
from fonoteka.planning.measured_tables import (
    check_part,
    growth_part,
    inference_part,
    memory_part,
    missing_part,
    steps_part,
    storage_part,
)
from fonoteka.planning.numerals import hours_text, number
from fonoteka.planning.prices import PlanningParams
from fonoteka.reporting.markdown import table

MODELS = (
    "mlp", "wav2vec2_ctc", "wavlm_ctc", "whisper_ctc", "ensemble", "stream_ctc", "onset", "phone",
    "speech", "viseme", "voicing", "all realtime models", "Whisper tuned",
)  # fmt: skip
"""Order of the rows; further models follow, then `everything`."""

COMMAND = "python -m fonoteka planning"

INTRODUCTION = """# Planning

Hours of processors and storage for {first} to {last} hours of speech, per model. This page is
generated: `{command} measure` reads the logs of a finished build into
[planning.json](reports/bench/planning.json), and `{command} page` writes this file from it and
from section `planning` of `params.yaml`. Change those and not this page.

Measured on {measured}: {processor}, {cores} cores, {memory} GiB, {stages} stages, {cpu} of
processor time, on a corpus of {hours} hours ({train} train, {valid} valid, {test} test). The
stages had {share} processor seconds per second of the clock, and the load of the machine was
{load} when the logs were read. Energy was not measured.
"""

FORMULA = """## Formula

A line of the tables is the sum over the stages that a model needs, upstream ones included:

    cost of a stage = constant + work x CPU seconds per unit of work
    training        = constant + passes x steps per pass x CPU seconds per step, validation included
    model           = corpus + encoders + embeddings + training + evaluation and export
    price           = core hours x price per core hour, and GB x price per GB and month

`Seconds per step` has the CPU seconds of a step, `How each line grows` the constant and the
seconds per hour of speech.
"""

ASSUMPTIONS = """## Assumptions

- Hours are of speech in all splits, and the splits keep the shares of the build. A test split of
  1,000 hours need not have 17 %: evaluation is then cheaper than stated.
- Grows with the hours: corpus stages, embeddings, alignment, training at a constant number of
  passes, posteriors, evaluation, and the storage of audio, embeddings, posteriors and streams.
  Speakers grow with the hours.
- Constant: imports, exports to ONNX, packages, stages whose clips `params.yaml` counts, and the
  storage of models.
- {constants}
- The models keep their size. A larger encoder or Whisper costs more per step: measure a build
  with it.
- A training keeps its passes, which `planning.passes` in `params.yaml` changes. {passes}
- Hours are of one core. With N cores the stages of a line take at least a N-th of it, because
  single stages use one or two.
- Stages only: dvc takes about 0.5 s more per stage. The embedded corpus is not synthesised.
- Storage counts each output once. Without links, DVC's cache has a second copy.
"""


def page(report: Mapping[str, Any], params: PlanningParams) -> str:
    """Return PLANNING.md.

    Args:
        report: planning.json.
        params: section `planning`.
    """
    parts = [
        _introduction(report, params.hours),
        *(_plan_part(report, hours, params) for hours in params.hours),
        _gpu_part(report, params),
        FORMULA,
        _assumptions(report),
        steps_part(report),
        inference_part(report),
        growth_part(report),
        memory_part(report),
        storage_part(report),
        _prices_part(params),
        check_part(report),
        missing_part(report),
    ]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts if part)


def _introduction(report: Mapping[str, Any], planned: Sequence[float]) -> str:
    machine, build, hours = report["machine"], report["build"], report["hours"]
    return INTRODUCTION.format(
        command=COMMAND,
        first=number(min(planned)),
        last=number(max(planned)),
        measured=report["measured"],
        processor=machine["processor"] or "an unknown processor",
        cores=build["cores"],
        memory=machine["memory_gib"],
        stages=build["stages"],
        cpu=hours_text(build["cpu_s"] / 3600),
        hours=number(hours["all"]),
        train=number(hours["train"]),
        valid=number(hours["valid"]),
        test=number(hours["test"]),
        share=build["cpu_share"],
        load=machine["load_at_start"],
    )


def _plan_part(report: Mapping[str, Any], hours: float, params: PlanningParams) -> str:
    rows, gaps = [], set()
    for model in _ordered(report["models"]):
        forecast = forecast_model(report, model, hours, params)
        rows.append([model + (" *" if forecast.missing else ""), *_cells(forecast)])
        gaps |= {*forecast.missing}
    header = ["model", *COLUMNS, "core hours", "EUR", "GB", "EUR per month"]
    note = "\n\\* without the stages that were not measured, listed at the end.\n" if gaps else ""
    return f"## {number(hours)} hours of speech\n\n{table(header, rows)}\n{note}"


def _ordered(models: Iterable[str]) -> list[str]:
    """Return models in the order of the tables; JSON sorts them by name."""
    places = {name: place for place, name in enumerate(MODELS)}
    return sorted(
        models, key=lambda name: (name == EVERYTHING, places.get(name, len(places)), name)
    )


def _cells(forecast: ModelForecast) -> list[str]:
    return [
        *(number(forecast.core_hours[group]) for group in COLUMNS),
        number(forecast.total_hours),
        number(forecast.compute_eur),
        number(forecast.storage_gb),
        number(forecast.storage_eur),
    ]


def _gpu_part(report: Mapping[str, Any], params: PlanningParams) -> str:
    rows = []
    for each in params.published:
        price = params.prices.gpu_hour_eur[each.gpu]
        for hours in params.hours:
            needed = gpu_hours(each, report, hours)
            rows.append([
                each.model, each.gpu, number(hours), number(needed), number(needed * price),
                f"{each.source}, {each.date}",
            ])  # fmt: skip
    remarks = "\n".join(
        f"- {each.source} ({each.date}): {number(each.gpu_h)} hours of {each.gpu} for "
        f"{number(each.audio_h)} hours of speech. {each.remark}"
        for each in params.published
    )
    header = ["model", "GPU", "hours of speech", "GPU hours", "EUR", "published"]
    text = (
        "## GPU\n\nNo GPU was measured here. Published trainings, scaled by the hours of the "
        "training split; they are not of these models' code:\n\n"
    )
    listed = table(header, rows, left=(0, 1, 5)) if rows else "No published training is listed."
    return f"{text}{listed}\n\n{remarks}\n"


def _assumptions(report: Mapping[str, Any]) -> str:
    constants = (
        "One build was measured, so the constant of a stage is its imports, and all other seconds "
        "grow with the hours. Large corpora cost rather less than stated."
        if report["builds"] == 1
        else f"{report['builds']} builds of several sizes were measured, so the constant of a "
        "stage is fitted."
    )
    trainings = {
        stage: entry["passes"]
        for stage, entry in report["stages"].items()
        if entry["passes"] is not None
    }
    passes = "In the build: " + ", ".join(f"{s} {number(p)}" for s, p in trainings.items()) + "."
    return ASSUMPTIONS.format(constants=constants, passes=passes if trainings else "")


def _prices_part(params: PlanningParams) -> str:
    prices = params.prices
    rows = [
        ["core hour", f"{prices.cpu_core_hour_eur:g}", prices.sources["cpu_core_hour_eur"]],
        *(
            [f"{kind} hour", f"{price:g}", prices.sources["gpu_hour_eur"]]
            for kind, price in prices.gpu_hour_eur.items()
        ),
        [
            "GB and month", f"{prices.storage_gb_month_eur:g}",
            prices.sources["storage_gb_month_eur"],
        ],
    ]  # fmt: skip
    listed = table(["unit", "EUR", "source"], rows, left=(0, 2))
    return (
        f"## Prices\n\nCollected on {prices.date}, without tax; replace them in `params.yaml` by "
        f"those of your provider.\n\n{listed}\n"
    )
