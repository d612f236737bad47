"""Commands that measure speed on this machine, and fail if a demand is not met."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from fonoteka.cli.posix_only import require_posix
from fonoteka.core.run_stage import FAILED, run_command
from fonoteka.git import entered, given_path

DigitsFolder = Annotated[
    Path, typer.Argument(parser=given_path, help="the Free Spoken Digit Dataset")
]
Busy = Annotated[bool, typer.Option("--busy", help="measure although the machine has other work")]

app = typer.Typer(
    help="Measure speed on this machine against named baselines; exit with 1 if a demand of "
    "params.yaml is not met.",
    no_args_is_help=True,
)


class CorpusBenchmark(StrEnum):
    """What `bench corpus` measures."""

    SPEED = "speed"
    DUPLICATES = "duplicates"
    TEXT = "text"


class RunnerBenchmark(StrEnum):
    """What `bench runner` measures."""

    IDLE = "idle"
    JOBS = "jobs"


class ScaleBenchmark(StrEnum):
    """What `bench scale` measures."""

    CURVE = "curve"
    TRAINING = "training"
    ENCODER = "encoder"
    EXECUTORS = "executors"
    HAND_OVER = "hand_over"
    FORECAST = "forecast"


@app.command()
def heads(busy: Busy = False) -> None:
    """Time the heads alone."""
    _models("head", busy=busy)


@app.command()
def paths(busy: Busy = False) -> None:
    """Time whole models, from samples to posteriors, on test clips."""
    _models("path", busy=busy)


@app.command()
def realtime(busy: Busy = False) -> None:
    """Time the causal models and their front end, one hop per call on one core."""
    _models("realtime", busy=busy)


@app.command()
def host(busy: Busy = False) -> None:
    """Time the C++ front end of a host over a million hops, and the causal models with it."""
    from fonoteka.bench.host.host_bench import bench_host

    _measure(lambda: bench_host(busy))


@app.command()
def words(busy: Busy = False) -> None:
    """Time word recognition: ONNX Runtime beside torch, short inputs beside 30 s."""
    from fonoteka.bench.words import bench_words

    _measure(lambda: bench_words(busy))


@app.command()
def alignment(
    folder: DigitsFolder,
    busy: Busy = False,
) -> None:
    """Compare times of spoken digits with pocketsphinx, and time the alignment of an hour."""
    from fonoteka.bench.alignment.compare import bench_alignment

    _measure(lambda: bench_alignment(folder, busy))


@app.command()
def augment(
    folder: DigitsFolder,
) -> None:
    """Measure what each augmentation recipe is worth on voices that training did not see."""
    from fonoteka.bench.augmentation.command import bench_augment

    _measure(lambda: bench_augment(folder))


@app.command()
def voices(
    folder: Annotated[
        Path, typer.Argument(parser=given_path, help="labels.tsv and one recording per speaker")
    ],
    busy: Busy = False,
) -> None:
    """Measure the audit's thresholds of voices: misses, false alarms, equal error rate."""
    from fonoteka.bench.voices.voice_errors import bench_voices

    _measure(lambda: bench_voices(folder, busy))


@app.command()
def streaming(
    busy: Busy = False,
    paced_s: Annotated[
        float | None,
        typer.Option(help="seconds at the speed of the clock  [default: bench_streaming.paced_s]"),
    ] = None,
) -> None:
    """Time the recognition of streams: real-time factor, deadlines, lag, beside recompute."""
    from fonoteka.bench.streaming import bench_streaming

    _measure(lambda: bench_streaming(busy, paced_s))


@app.command()
def service(busy: Busy = False) -> None:
    """Load the service with clients: clips beside an hour, live streams, swaps of models."""
    from fonoteka.bench.service.command import bench_service

    _measure(lambda: bench_service(busy))


@app.command()
def beam(busy: Busy = False) -> None:
    """Time prefix beam search with the phone n-gram, beside the best path."""
    from fonoteka.bench.beam import bench_beam

    _measure(lambda: bench_beam(busy))


@app.command()
def selection(
    fsdd: Annotated[
        Path | None,
        typer.Option(
            parser=given_path, metavar="FOLDER", help="the Free Spoken Digit Dataset",
            show_default=False,
        ),
    ] = None,
    corpora: Annotated[
        list[str] | None,
        typer.Option("--corpus", metavar="NAME", help="a corpus of the build; may be repeated"),
    ] = None,
    encoder: Annotated[
        Path, typer.Option(parser=given_path, metavar="FOLDER", help="the encoder for FSDD")
    ] = Path("data/models/encoder/whisper"),
    embeddings: Annotated[
        Path, typer.Option(parser=given_path, metavar="FOLDER", help="those of the build")
    ] = Path("data/embeddings/whisper"),
    seeds: Annotated[int, typer.Option(min=1, help="simulations of each strategy")] = 5,
    pool: Annotated[int, typer.Option(min=1, help="clips without a transcript")] = 1200,
    round_s: Annotated[float, typer.Option(min=1, help="seconds of a round")] = 10.0,
    rounds: Annotated[int, typer.Option(min=1, help="after the first training")] = 9,
    by_language: Annotated[
        bool, typer.Option("--by-language", help="give each language its share of the pool")
    ] = False,
) -> None:  # fmt: skip
    """Simulate active learning: error over transcribed seconds, for each strategy."""
    from fonoteka.bench.selection.command import SimulatedCorpora, bench_selection
    from fonoteka.bench.selection.simulate import SimulationParams

    params = SimulationParams(
        seeds, pool, start_s=round_s, round_s=round_s, rounds=rounds, by_language=by_language
    )
    chosen = SimulatedCorpora(fsdd, corpora or (), encoder, embeddings)
    _measure(lambda: bench_selection(chosen, params))


@app.command()
def mixtures(
    names: Annotated[
        list[str], typer.Argument(metavar="MIXTURE", help="corpora: fsdd+embedded/en")
    ],
    embeddings: Annotated[
        Path, typer.Option(parser=given_path, metavar="FOLDER", help="those of the build")
    ] = Path("data/embeddings/whisper"),
) -> None:  # fmt: skip
    """Train the head of a recogniser on mixtures of corpora, and score each corpus apart."""
    from fonoteka.bench.mixtures.command import bench_mixtures

    _measure(lambda: bench_mixtures(names, embeddings))


@app.command("all")
def all_(busy: Busy = False) -> None:
    """Time heads, whole models and the causal models, one after another."""
    _models(busy=busy)


@app.command()
def corpus(
    parts: Annotated[
        list[CorpusBenchmark] | None, typer.Argument(metavar="PART", help="speed, duplicates, text")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="100,000 short clips too")] = False,
    corpora: Annotated[
        list[Path] | None,
        typer.Option(
            parser=given_path,
            metavar="FOLDER",
            help="a corpus to make copies of; may be repeated  [default: all of data/raw]",
        ),
    ] = None,
    per_kind: Annotated[int, typer.Option(min=1, help="copies of a kind and corpus")] = 60,
    tuning: Annotated[bool, typer.Option("--tuning", help="use the voices not held out")] = False,
    busy: Busy = False,
) -> None:
    """Measure inventory, near duplicates and text rules."""
    from fonoteka.bench.corpus import bench_corpus

    _measure(lambda: bench_corpus(parts or (), full, corpora or (), per_kind, tuning, busy))


@app.command()
def runner(
    parts: Annotated[
        list[RunnerBenchmark] | None, typer.Argument(metavar="PART", help="idle, jobs")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="idle runs")] = 5,
    busy: Busy = False,
) -> None:
    """Time a build with nothing to do, and a build with one job and with many."""
    from fonoteka.bench.runner import bench_runner

    _measure(lambda: bench_runner(parts or (), rounds, busy))


@app.command()
def scale(
    parts: Annotated[
        list[ScaleBenchmark] | None,
        typer.Argument(
            metavar="PART", help="curve, training, encoder, executors, hand_over, forecast"
        ),
    ] = None,
    clips: Annotated[
        str, typer.Option(metavar="N,N", help="numbers of clips of curve and training")
    ] = "100,1000,10000,100000",
    stages: Annotated[
        str, typer.Option(metavar="NAME,NAME", help="of the curve  [default: all]")
    ] = "",
    more: Annotated[
        bool, typer.Option("--more/--no-more", help="add one clip to each number up to 10,000")
    ] = True,
    encoder_clips: Annotated[
        str, typer.Option(metavar="N,N", help="two numbers of clips for the part encoder")
    ] = "200,2000",
    rounds: Annotated[int, typer.Option(min=1, help="turns of one worker and of two")] = 3,
    busy: Busy = False,
) -> None:
    """Measure stages from 100 clips to 100,000, one clip more, workers and executors."""
    from fonoteka.bench.scale.command import bench_scale

    _measure(lambda: bench_scale(parts or (), clips, stages, more, encoder_clips, rounds, busy))


def _models(*names: str, busy: bool) -> None:
    """Run benchmarks of the models by name; all of them if no name is given."""
    from fonoteka.bench.command import bench_models

    _measure(lambda: bench_models(names, busy))


def _measure(benchmark: Callable[[], None]) -> None:
    """Run a benchmark at the top of the project, and exit."""

    def work() -> None:
        require_posix("bench", "measure in WSL or in a container")
        with entered():
            benchmark()

    run_command(work, undecided=FAILED)
