"""The model card of the streaming recogniser, which contains only values of `package.json`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from huggingface_hub import ModelCardData

from fonoteka.manifest import PARTS
from fonoteka.reporting.markdown import plain, table
from fonoteka.reporting.model_card import points, weights_licence

CONTENTS: Mapping[str, str] = {
    "confidence.json": "calibration of the confidence of a phone",
    "phones.arpa": "phone n-gram of the training texts, for the beam",
    "step.onnx": "one chunk: samples and state to log posteriors and the next state",
}


def card(package: Mapping[str, Any]) -> str:
    """Return the card of a package, front matter first."""
    parts = (_opening, _usage, _evaluation, _lineage, _licence)
    lines = [line for part in parts for line in part(package)]
    return "\n".join([f"---\n{_card_data(package).to_yaml()}\n---", *lines]) + "\n"


def _card_data(package: Mapping[str, Any]) -> ModelCardData:
    licence = package["licence"]["weights"]
    return ModelCardData(
        model_name=package["name"],
        language=package["languages"],
        license=licence.lower() if licence else "other",
        license_name=None if licence else "see-training-data",
        library_name="onnx",
        tags=["onnx", "phoneme-recognition", "speech", "streaming"],
    )


def _opening(package: Mapping[str, Any]) -> list[str]:
    stream, frames = package["stream"], package["frames_per_second"]
    ahead_ms = 1000 * (stream["chunk"] + stream["look_ahead"]) / frames
    return [
        f"\n# {package['name']}\n",
        f"Recognises phones in {', '.join(package['languages'])} while they are spoken. "
        f"{stream['layers']} layers of Whisper's encoder, fine-tuned to see {stream['history']} "
        f"frames of the past and at most {ahead_ms:.0f} ms from the start of a frame. A step takes "
        f"{stream['chunk']} frames. A final frame never changes. "
        f"Parameters: {package['parameters']:,}.\n",
        table(
            ["file", "bytes", "content"],
            [
                [plain(name), f"{entry['bytes']:,}", CONTENTS[name]]
                for name, entry in package["files"].items()
            ],
            left=(0, 2),
        ),
    ]


def _usage(package: Mapping[str, Any]) -> list[str]:
    return [
        "\n## Use\n",
        "```sh\npython -m fonoteka listen --wav clip.wav --model streaming\n```\n",
        "`step.onnx` takes `samples` (from the samples before a chunk to the end of its "
        "look-ahead), `frame` (number of the chunk's first frame), `cached` and `past` (zeros at "
        "the start, then `next_cached` and `next_past`). The sizes are in its metadata: `before`, "
        "`chunk`, `step_samples`. Input is one channel at "
        f"{package['sample_rate_hz']} Hz.",
    ]


def _evaluation(package: Mapping[str, Any]) -> list[str]:
    metrics = package["metrics"]
    lag, first, confidence = (
        metrics["commit_lag_ms"], metrics["first_emission_ms"], metrics["confidence"],
    )  # fmt: skip
    rows = [
        ["phone error rate", _share(metrics["per"])],
        ["phone error rate of whole recordings", _share(metrics["offline_per"])],
        ["streams equal to whole recordings", _share(metrics["equal_to_offline"])],
        ["committed phones that changed", f"{metrics['committed_changed']}"],
        ["shown phones taken back, per final phone", _ratio(metrics["erasure"])],
        ["commit lag p50, p90", _quantiles(lag)],
        ["first phone p50, p90", _quantiles(first)],
        ["calibration error of the confidence", _share(confidence["ece"])],
    ]
    return [
        "\n## Evaluation\n",
        f"{metrics['streams']} streams of {metrics['speakers']} speakers that no weight was "
        f"learned from, fed in chunks of {metrics['chunk_ms']:g} ms. Lags are of the audio, "
        "without computation, from the end of a phone to its commit.\n",
        table(["metric", "value"], rows, left=(0,)),
    ]


def _share(value: float | None) -> str:
    return "-" if value is None else f"{points(value)} %"


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _quantiles(values: Mapping[str, float | None]) -> str:
    """Return p50 and p90 in ms.

    >>> _quantiles({"p50": 40.4, "p90": None})
    '40 ms, -'
    """
    return ", ".join(
        "-" if value is None else f"{value:.0f} ms" for value in (values["p50"], values["p90"])
    )


def _lineage(package: Mapping[str, Any]) -> list[str]:
    rows = [
        [
            plain(corpus["corpus"]), plain(corpus["licence"]),
            "yes" if corpus["synthetic"] else "no",
            *(corpus["clips"][part] for part in PARTS),
        ]
        for corpus in package["lineage"]["corpora"]
    ]  # fmt: skip
    return [
        "\n## Data\n",
        table(["corpus", "licence", "synthetic", "train", "valid", "test"], rows, left=(0, 1)),
    ]


def _licence(package: Mapping[str, Any]) -> list[str]:
    return ["\n## Licence\n", weights_licence(package["licence"])]
