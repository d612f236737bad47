"""Time word recognition on one core: ONNX Runtime beside torch, short inputs beside 30 s.

Reads   data/models/whisper/<run>, data/models/whisper_onnx/<run>, test.jsonl, data/audio
Writes  reports/bench/words.json, with the word error rates of short inputs and of 30 s too
Params  bench_words

Times are CPU seconds of a process with one thread: a round takes minutes, in which the wall clock
would count other processes too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fonoteka import manifest
from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal
from fonoteka.bench import report
from fonoteka.bench.report import Benchmark, run_benchmarks
from fonoteka.bench.timer import Measurement, Times, measure_alone
from fonoteka.core.errors import UserError
from fonoteka.core.params import load
from fonoteka.manifest import Utterance
from fonoteka.reporting.machine import Demand, demanded, require, significant, times_as_fast
from fonoteka.reporting.rounding import rounded
from fonoteka.shards import open_clips
from fonoteka.whisper.decode import recognise
from fonoteka.whisper.rules import MARGIN_S
from fonoteka.whisper.word_pairs import word_pairs
from fonoteka.whisper.word_scores import WordPair, difference, errors_by_speaker, rate

BASELINE = "torch"
INPUT_S, BATCHES = 3.5, (1, 8)
"""The input of the encoder's figure, and the clips side by side of the decoder's figures."""

SHORT_CLIP_S = 8.0
"""The longest clip for which a short input is compared with 30 s."""

SCORE, DRAWS = ("canonical", "wer"), (2000, 1)
"""The error rate of the comparison; draws of the speakers for its interval, and their seed."""

Clip = tuple[Signal, str]
"""Samples at 16 kHz and the language."""


@dataclass(frozen=True)
class WordsLimits:
    """Limits of the fp32 files in ONNX Runtime.

    Attributes:
        max_rtf: CPU seconds per second of sound, at most.
        min_times_as_fast: short inputs in comparison with 30 s, at least.
    """

    max_rtf: float
    min_times_as_fast: float


@dataclass(frozen=True)
class WordsBenchParams:
    """Section `bench_words`.

    Attributes:
        run: whose models are timed.
        clips: of the test part, in the order of their ids.
        piece_s: seconds of the sounds whose text is decoded end to end.
        tokens: of a decoder's figure.
        rounds: in each round every candidate has one turn.
        sla: the limits.
    """

    run: str
    clips: int
    piece_s: float
    tokens: int
    rounds: int
    sla: WordsLimits

    def __post_init__(self) -> None:
        if min(self.clips, self.tokens, self.rounds, self.piece_s) < 1:
            raise UserError(
                f"bench_words: clips, piece_s, tokens and rounds must be at least 1: {self}"
            )


def pieces(clips: Sequence[Clip], seconds: float) -> list[Clip]:
    """Return sounds of `seconds`: clips of one language one after another, cut.

    >>> clips = [(np.zeros(16_000, np.float32), "sr")] * 4 + [(np.zeros(40_000, np.float32), "hr")]
    >>> [(len(signal), language) for signal, language in pieces(clips, 2.0)]
    [(32000, 'sr'), (32000, 'sr'), (32000, 'hr')]
    """
    size, result = round(seconds * SAMPLE_RATE_HZ), []
    signals: list[Signal] = []
    current = ""
    for signal, language in clips:
        signals = [*signals, signal] if language == current else [signal]
        current = language
        if sum(map(len, signals)) >= size:
            result.append((np.concatenate(signals)[:size], language))
            signals = []
    return result


def cpu_ms(function: Callable[[], Any]) -> float:
    """Return the CPU time of a call in ms."""
    start_ns = time.process_time_ns()
    function()
    return (time.process_time_ns() - start_ns) / 1e6


def time_words(
    model: Path, exported: Path, sounds: Sequence[Clip], short_clips: Sequence[Clip],
    params: WordsBenchParams,
) -> dict[str, Times]:  # fmt: skip
    """Return CPU times in ms by figure and candidate, `[rounds, calls]`.

    Args:
        model: the folder of the torch model.
        exported: the folder of its ONNX files.
        sounds: for the figures from sound to text.
        short_clips: for the comparison of short inputs with 30 s.
        params: how often.

    Raises:
        UserError: a file is missing or damaged.
    """
    import torch

    from fonoteka.whisper.model import load_whisper
    from fonoteka.whisper.onnx_session import open_whisper

    torch.set_num_threads(1)
    models: dict[str, Any] = {BASELINE: load_whisper(model), "onnx": open_whisper(exported)}
    if any(exported.glob("*.int8.onnx")):
        models["int8"] = open_whisper(exported, int8=True)
    figures: dict[str, Callable[[], list[float]]] = {}
    for name, whisper in models.items():
        figures[f"encoder/{name}"] = partial(encoder_ms, whisper, sounds[0])
        for batch in BATCHES:
            token = partial(token_ms, whisper, sounds[0], batch, params.tokens)
            figures[f"token_{batch}/{name}"] = token
        figures[f"text/{name}"] = partial(text_ms, whisper, sounds)
    for name, short in (("short", True), ("padded", False)):
        figures[f"{name}/onnx"] = partial(text_ms, models["onnx"], short_clips, short)
    times: dict[str, list[list[float]]] = {name: [] for name in figures}
    for _ in range(params.rounds):
        for name, figure in figures.items():
            times[name].append(figure())
    return {name: np.array(turns) for name, turns in times.items()}


def _input(clip: Clip) -> Signal:
    return clip[0][: round((INPUT_S - MARGIN_S) * SAMPLE_RATE_HZ)]


def encoder_ms(whisper: Any, clip: Clip) -> list[float]:
    """Return the ms of three calls of the encoder with an input of 3.5 s, after a warm-up."""
    signals = [_input(clip)]
    return [cpu_ms(lambda: whisper.start(signals, INPUT_S)) for _ in range(4)][1:]


def token_ms(whisper: Any, clip: Clip, batch: int, count: int) -> list[float]:
    """Return the ms of each of `count` steps of the decoder, after the prompt."""
    step = whisper.start([_input(clip)] * batch, INPUT_S)
    step(np.array([whisper.rules.prompt(clip[1])] * batch, dtype=np.int64))
    tokens = np.full((batch, 1), 300 % whisper.rules.end, dtype=np.int64)
    return [cpu_ms(lambda: step(tokens)) for _ in range(count)]


def text_ms(whisper: Any, clips: Sequence[Clip], short: bool = True) -> list[float]:
    """Return the ms of each clip from sound to text, one at a time."""
    return [
        cpu_ms(partial(recognise, whisper, [signal], [language], short=short))
        for signal, language in clips
    ]


def run(models: Path, audio: Path, test: Path, params: WordsBenchParams) -> dict[str, Any]:
    """Return the report.

    Raises:
        UserError: an input is missing, or the clips are too few.
    """
    model, exported = models / "whisper" / params.run, models / "whisper_onnx" / params.run
    require([model / "model.safetensors", exported / "decoder.onnx", audio, test])
    rows = sorted(manifest.read(test), key=lambda u: (u.language, u.id))
    chosen = [rows[round(i)] for i in np.linspace(0, len(rows) - 1, params.clips)] if rows else []
    signals = open_clips(audio, {u.id: u.audio for u in chosen})
    clips = [(signals[u.id], u.language) for u in sorted({*chosen}, key=chosen.index)]
    sounds = pieces(clips, params.piece_s)
    short_clips = [clip for clip in clips if len(clip[0]) <= SHORT_CLIP_S * SAMPLE_RATE_HZ]
    if not sounds or not short_clips:
        raise UserError(
            f"{test}: {len(clips)} clips give no sound of {params.piece_s:g} s or are all above "
            f"{SHORT_CLIP_S:g} s; raise bench_words.clips in params.yaml"
        )
    arguments = time_words, model, exported, sounds, short_clips, params
    figures = figures_of(measure_alone(*arguments), len(sounds), len(short_clips), params)
    written = [u for u in rows if u in chosen and u.text.strip()]
    return figures | {"short_minus_30_s": input_difference(exported, written, signals)}


def input_difference(
    exported: Path, utterances: Sequence[Utterance], signals: Mapping[str, Signal]
) -> dict[str, Any]:
    """Return the canonical word error rates of short input and of 30 s, and their difference.

    Args:
        exported: the folder of the ONNX files.
        utterances: the clips; those of up to `SHORT_CLIP_S` count.
        signals: samples by id.
    """
    from fonoteka.whisper.onnx_session import open_whisper

    some = [u for u in utterances if len(signals[u.id]) <= SHORT_CLIP_S * SAMPLE_RATE_HZ]
    model, sides = open_whisper(exported), []
    for short in (True, False):
        clips, languages = [signals[u.id] for u in some], [u.language for u in some]
        results = recognise(model, clips, languages, short=short)
        sides.append(word_pairs(some, results))
    rates = [rate(errors_by_speaker(side, *SCORE), *DRAWS) for side in sides]
    result = {
        "clips": len(some), "short": rates[0], "padded": rates[1],
        "wer": difference(sides[0], sides[1], *SCORE, *DRAWS),
        "loops": {"short": _loops(sides[0]), "padded": _loops(sides[1])},
    }  # fmt: skip
    return dict(rounded(result, 4))


def _loops(pairs: Sequence[WordPair]) -> int:
    return sum(pair.loops for pair in pairs)


def figures_of(
    measurement: Measurement, sounds: int, short_clips: int, params: WordsBenchParams
) -> dict[str, Any]:
    """Return the report of times."""
    times = measurement.times_ms
    rows: dict[str, dict[str, Any]] = {}
    for name, values in times.items():
        figure, candidate = name.split("/")
        rows.setdefault(figure, {})[candidate] = {"median_ms": round(float(np.median(values)), 3)}
    for figure in ("encoder", "text", *(f"token_{batch}" for batch in BATCHES)):
        baseline = {BASELINE: rows[figure][BASELINE]["median_ms"]}
        for row in rows[figure].values():
            row["times_as_fast_as"] = times_as_fast(row["median_ms"], baseline)
    for candidate, row in rows["text"].items():
        total_s = float(times[f"text/{candidate}"].mean(axis=0).sum()) / 1000
        row["real_time_factor"] = significant(total_s / (sounds * params.piece_s))
    ratio = round(float(times["padded/onnx"].sum() / times["short/onnx"].sum()), 3)
    demands = (
        Demand("words.rtf", rows["text"]["onnx"]["real_time_factor"], params.sla.max_rtf, True),
        Demand("words.short_times_as_fast", ratio, params.sla.min_times_as_fast, False),
    )
    return {
        "run": params.run, "cores": measurement.cores, "threads": 1, "clock": "CPU time",
        "rounds": params.rounds, "tokens": params.tokens, "sounds": sounds,
        "sound_s": params.piece_s, "short_clips": short_clips, "figures": rows,
        "short_times_as_fast_as_30_s": ratio, "sla": demanded(demands),
    }  # fmt: skip


TITLES = {
    "encoder": f"encoder, input of {INPUT_S:g} s", "token_1": "decoder, one token of 1 clip",
    "token_8": "decoder, one token of 8 clips", "text": "sound to text",
    "short": "short clips, short input", "padded": "short clips, 30 s of input",
}  # fmt: skip


def page(result: Mapping[str, Any]) -> str:
    """Return the report as text."""
    rows: list[Sequence[object]] = [
        [
            TITLES[figure], candidate, row["median_ms"],
            row.get("times_as_fast_as", {}).get(BASELINE), row.get("real_time_factor"),
        ]
        for figure, candidates in result["figures"].items()
        for candidate, row in candidates.items()
    ]  # fmt: skip
    title = (
        f"words: {result['sounds']} sounds of {result['sound_s']:g} s and {result['short_clips']} "
        f"clips of up to {SHORT_CLIP_S:g} s, one thread, CPU time"
    )
    wer = result["short_minus_30_s"]["wer"]
    note = (
        f"short input: {result['short_times_as_fast_as_30_s']} times as fast as 30 s; WER "
        f"{100 * wer['difference']:+.1f} points (95 %: {100 * wer['low']:+.1f} to "
        f"{100 * wer['high']:+.1f})"
    )
    return report.page(title, ["", "with", "median ms", f"x {BASELINE}", "RTF"], rows, note)


def bench_words(busy: bool = False) -> None:
    """Run the benchmark of the words; see `run_benchmarks`."""
    params = load("bench_words", WordsBenchParams)
    test = Path("data/splits/test.jsonl")
    measure = partial(run, Path("data/models"), Path("data/audio"), test, params)
    run_benchmarks({"words": Benchmark(measure, page, Path("reports/bench/words.json"))}, busy=busy)
