"""The C++ files of a bundle of causal models, made from its front end and its models.

The templates are in `host/`. A `$name` in one of them is a value of the bundle, so that a host
compiles the constants of the models that it loads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fonoteka.audio.dsp import SAMPLE_RATE_HZ
from fonoteka.core.errors import UserError
from fonoteka.realtime import resampler
from fonoteka.realtime.frontend import FrontEnd

TEMPLATES = Path(__file__).with_name("host")
FRONTEND_HEADER, DECISIONS_HEADER = "fonoteka_frontend.hpp", "fonoteka_decisions.hpp"
HOST_FILES = (
    FRONTEND_HEADER, DECISIONS_HEADER, "fonoteka_queue.hpp", "host_example.cpp", "onnx_example.cpp",
)  # fmt: skip
LINE = 100
"""Characters per line of a table."""


def host_files(
    end: FrontEnd, frontend: bytes, models: Mapping[str, Mapping[str, Any]],
    documents: Mapping[str, bytes],
) -> dict[str, str]:  # fmt: skip
    """Return the C++ files of a bundle by name.

    Args:
        end: the front end of frontend.json.
        frontend: the bytes of that file.
        models: the entries of package.json, each with its `decision`.
        documents: the bytes of `<name>.json` of each model.

    Raises:
        UserError: the length of the transform is not a power of two, which the header needs.
    """
    values = _front_end_values(end, frontend) | _model_values(models, documents)
    return {
        name: Template((TEMPLATES / name).read_text(encoding="utf-8")).substitute(values)
        for name in HOST_FILES
    }


def fnv1a(data: bytes) -> int:
    """Return the 64-bit FNV-1a hash of bytes, as the header computes it.

    >>> hex(fnv1a(b"a"))
    '0xaf63dc4c8601ec8c'
    """
    value = 14695981039346656037
    for byte in data:
        value = (value ^ byte) * 1099511628211 % 2**64
    return value


def _front_end_values(end: FrontEnd, frontend: bytes) -> dict[str, object]:
    p = end.params
    if p.fft < 4 or p.fft & (p.fft - 1):
        raise UserError(
            f"frontend.fft is {p.fft}, but the C++ front end transforms powers of two from 4 on; "
            "change it in params.yaml"
        )
    turns = 2 * np.pi * np.arange(p.fft // 2, dtype=np.float64) / p.fft
    spans = [_span(row) for row in end.mel]
    rows = zip(end.mel, spans, strict=True)
    weights = np.concatenate([row[first : first + count] for row, (first, count) in rows])
    return {
        "version": 1, "sample_rate_hz": SAMPLE_RATE_HZ, "hop": p.hop, "window": p.window,
        "fft": p.fft, "bands": p.bands, "floor": repr(p.floor), "hop_s": repr(end.hop_s),
        "hop_ms": f"{1000 * end.hop_s:g}", "file_bytes": len(frontend),
        "file_hash": fnv1a(frontend), "hann": _table(end.hann),
        "mel_first": _rows(str(first) for first, _ in spans),
        "mel_count": _rows(str(count) for _, count in spans),
        "mel_size": len(weights), "mel": _table(weights),
        # float32 of the shortest decimal, as from_json reads it.
        "mean": _rows(f"{float(str(x))!r}f" for x in end.mean),
        "std": _rows(f"{float(str(x))!r}f" for x in end.std),
        # Rounded as the taps are: the last bit of a cosine differs between processors.
        "cos": _table(np.round(np.cos(turns), 15)), "sin": _table(np.round(np.sin(turns), 15)),
        "order": _rows(str(n) for n in _bit_reversed(p.fft // 2)),
        "up": resampler.UP_PHASES, "up_step": resampler.UP_STEP, "up_taps": resampler.UP_TAPS,
        "up_filter": _table(resampler.up_filter().ravel()),
        "down_taps": resampler.DOWN_TAPS, "down_filter": _table(resampler.down_filter()),
        "stop_hz": f"{resampler.STOP_HZ:g}",
        "delay_44100_ms": repr(resampler.delay_ms(44_100)),
        "delay_48000_ms": repr(resampler.delay_ms(48_000)),
    }  # fmt: skip


def _span(row: NDArray[np.float64]) -> tuple[int, int]:
    """Return the first bin of a band and the number of bins up to the last that is not 0."""
    places = np.flatnonzero(row)
    return (int(places[0]), int(places[-1] - places[0]) + 1) if len(places) else (0, 0)


def _bit_reversed(count: int) -> list[int]:
    """Return the numbers below a power of two in the order of their reversed bits.

    >>> _bit_reversed(8)
    [0, 4, 2, 6, 1, 5, 3, 7]
    """
    order = [0]
    while len(order) < count:
        order = [2 * n for n in order] + [2 * n + 1 for n in order]
    return order


def _model_values(
    models: Mapping[str, Mapping[str, Any]], documents: Mapping[str, bytes]
) -> dict[str, object]:
    settings, files = [], []
    for name, model in sorted(models.items()):
        decision = model["decision"]
        settings.append(
            f"inline constexpr DecisionSettings {_constant(name)} {{\n"
            f'    "{name}", Kind::{decision["kind"]}, {len(model["labels"])}, '
            f"{decision['threshold']!r}, {decision['release']!r}, {decision['margin']!r}, "
            f"{decision['hold_hops']}, {model['delay_hops']}}};\n"
            f"inline constexpr const char* {_constant(name)}Labels[] = {{\n"
            f"{_rows(map(_literal, model['labels']))}\n}};"
        )
        data = documents[name]
        files.append(f'    {{"{name}.json", {len(data)}, {fnv1a(data)}ull}},')
    values: dict[str, object] = {
        f"{name}_model_t": model["model_t"] for name, model in models.items()
    }
    return values | {
        "models": "\n\n".join(settings), "files": "\n".join(files), "model_count": len(models),
    }  # fmt: skip


def _constant(name: str) -> str:
    """Return the name of a model as a constant: speech, kSpeech."""
    return f"k{name.capitalize()}"


def _literal(label: str) -> str:
    r"""Return a label as a C++ string in UTF-8 that any compiler reads.

    >>> _literal("ə"), _literal("a")
    ('"\\311\\231"', '"a"')
    """
    return '"' + "".join(
        chr(b) if 32 <= b < 127 and chr(b) not in '"\\' else f"\\{b:03o}"
        for b in label.encode("utf-8")
    ) + '"'  # fmt: skip


def _table(numbers: NDArray[Any]) -> str:
    """Return numbers as rows of a C++ array, each with the digits that give the same double."""
    return _rows(repr(float(x)) for x in numbers)


def _rows(words: Iterable[str]) -> str:
    """Return words as indented rows of at most LINE characters, separated by commas."""
    rows, row = [], "   "
    for word in words:
        if len(row) + len(word) + 2 > LINE:
            rows.append(row)
            row = "   "
        row += f" {word},"
    return "\n".join([*rows, row])
