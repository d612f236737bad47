"""A model card: description, usage, scores, lineage and limits of a model.

It is Markdown under the YAML front matter that model hubs read, and contains only values of
`package.json`: no date, no path of a machine, no number of its own. huggingface_hub writes the
front matter, so that its keys are those of the hub's schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from fonoteka.core.errors import UserError
from fonoteka.reporting.markdown import plain, table
from fonoteka.reporting.model_card import points, weights_licence

PROGRAM = '''\
"""Print the phones of a recording: python transcribe.py model.onnx clip.wav"""

import sys

import numpy as np
import onnxruntime
import soundfile

model = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
metadata = model.get_modelmeta().custom_metadata_map
labels, rate_hz = metadata["labels"].split("\\n"), int(metadata["sample_rate_hz"])

samples, file_hz = soundfile.read(sys.argv[2], dtype="float32", always_2d=True)
if (file_hz, samples.shape[1]) != (rate_hz, 1) or not len(samples):
    sys.exit(f"{sys.argv[2]}: {samples.shape} at {file_hz} Hz is not mono at {rate_hz} Hz")

(log_probs,) = model.run(["log_probs"], {"samples": samples.T})  # [1, frames, labels]
best = log_probs[0].argmax(axis=1)
changes = np.flatnonzero(np.diff(best, prepend=-1))  # one of each run of equal frames
print(*(labels[number] for number in best[changes] if number))  # number 0 is the blank
'''

KINDS: Mapping[str, str] = {
    "mlp": "a multilayer perceptron that classifies each frame from a window around it",
    "tdnn": "a time-delay network, trained with CTC",
    "lstm": "a bidirectional LSTM, trained with CTC",
    "ensemble": "the weighted mean of the posteriors of several models, in one file",
}

TITLES: Mapping[str, str] = {
    "per": "phone error rate (PER)",
    "segment_accuracy": "segment accuracy",
    "top3": "segment accuracy, top 3",
    "balanced_accuracy": "balanced segment accuracy",
    "ece": "expected calibration error (ECE)",
}


def card(package: Mapping[str, Any]) -> str:
    """Return the card of a package, front matter first.

    Raises:
        ValueError: KINDS has no description of that kind of model.
    """
    if package["kind"] not in KINDS:
        raise UserError(f"kind {package['kind']!r} has no description; there are {sorted(KINDS)}")
    parts = (_opening, _usage, _evaluation, _lineage, _limits, _licence)
    return "\n".join(
        [
            f"---\n{_card_data(package).to_yaml()}\n---",
            *(line for part in parts for line in part(package)),
        ]
    )


def percent(value: float | None) -> str:
    """Return a share with one decimal; a share that rounds to 0 has no sign.

    >>> percent(0.0904), percent(-0.0001), percent(None)
    ('9.0 %', '0.0 %', 'not measured')
    """
    return "not measured" if value is None else f"{points(value)} %"


def _card_data(package: Mapping[str, Any]) -> ModelCardData:
    licence, metrics = package["licence"]["weights"], package["metrics"]
    results = [
        EvalResult(
            task_type="automatic-speech-recognition", task_name="phone recognition",
            dataset_type="unseen-speakers", dataset_split="test",
            dataset_name=f"unseen speakers, {_kind_of_speech(metrics['test'])}",
            metric_type=key, metric_name=title, metric_value=metrics[key]["value"],
        )
        for key, title in TITLES.items()
        if metrics[key]["value"] is not None
    ]  # fmt: skip
    return ModelCardData(
        model_name=package["name"],
        language=package["languages"],
        license=licence.lower() if licence else "other",
        license_name=None if licence else "see-training-data",
        library_name="onnx",
        pipeline_tag="automatic-speech-recognition",
        tags=["onnx", "phoneme-recognition", "speech", *sorted(package["encoder"])],
        metrics=[result.metric_type for result in results],
        eval_results=results,
    )


def _kind_of_speech(test: Mapping[str, Any]) -> str:
    return "synthetic speech" if test["synthetic"] else "real speech"


def _opening(package: Mapping[str, Any]) -> list[str]:
    encoders = " and ".join(f"`{name}`" for name in sorted(package["encoder"]))
    parameters = package["metrics"]["parameters"]
    counted = ", ".join(f"{name} {count:,}" for name, count in sorted(parameters.items())) or "-"
    lines = [
        f"\n# {package['name']}\n",
        f"A phone recogniser for {', '.join(package['languages'])}: {KINDS[package['kind']]}. "
        f"Encoder: {encoders}, frozen. The output has {package['frames_per_second']} frames per "
        f"second of log posteriors over {len(package['labels'])} labels; the first one is the "
        f"blank. Parameters: {counted}.\n",
    ]
    if members := package["lineage"]["members"]:
        weights = ", ".join(f"`{m['name']}` {m['weight']}" for m in members)
        lines.append(f"Members and their weights: {weights}.\n")
    return lines


def _usage(package: Mapping[str, Any]) -> list[str]:
    rate, files = package["sample_rate_hz"], package["files"]
    descriptions = {
        "model.json": "labels, rates and architecture",
        "model.safetensors": "the head's weights",
        "model.onnx": f"`samples [B, N]` at {rate} Hz to `log_probs [B, T, V]`",
        "head.onnx": "`embeddings [B, T, D]` to `log_probs [B, T, V]`",
        "model.int8.onnx": "model.onnx with matrix products in int8",
        "head.int8.onnx": "head.onnx with matrix products in int8",
    }
    rows = [
        [f"`{name}`", description, files[name]["bytes"], f"`{files[name]['sha256'][:12]}`"]
        for name, description in descriptions.items()
        if name in files
    ]
    return [
        "## Usage\n",
        "This program needs numpy, onnxruntime and soundfile alone:\n",
        f"```python\n{PROGRAM}```\n",
        "package.json contains the size and the SHA-256 of every file.\n",
        table(["file", "contents", "bytes", "SHA-256"], rows, left=(0, 1, 3)),
        "\nThe speed depends on the machine: reports/bench of the repository contains times, each "
        "with the machine that it was measured on.\n",
    ]


def _evaluation(package: Mapping[str, Any]) -> list[str]:
    metrics = package["metrics"]
    test, languages = metrics["test"], metrics["languages"]
    rows = [
        [title, *(_with_interval(scores[key]) for scores in (metrics, *languages.values()))]
        for key, title in TITLES.items()
    ]
    lines = [
        "## Evaluation\n",
        f"Test split: {_kind_of_speech(test)}, {test['speakers']} unseen speakers, "
        f"{test['utterances']} utterances, {test['phones']} phones. In brackets: the 95 % "
        "interval, a bootstrap over speakers.\n",
        table(["", "all", *languages], rows),
    ]
    return [*lines, *_int8(metrics), ""]


def _int8(metrics: Mapping[str, Any]) -> list[str]:
    test, valid = metrics["int8"]["test"], metrics["int8"]["valid"]
    rows = []
    if test:
        numbers = (metrics["per"], test["per"], test["difference"])
        rows.append(["model, test split", *map(_with_interval, numbers)])
    for name, part in sorted(valid.items()):
        fp32, int8 = part["valid_per_fp32"], part["valid_per_int8"]
        rows.append([f"{name}, validation split", *map(percent, (fp32, int8, int8 - fp32))])
    if not rows:
        return ["\nThe int8 files were not evaluated."]
    sizes = "; ".join(f"{n} {percent(part['size_ratio'])}" for n, part in sorted(valid.items()))
    return [
        "",
        table(["PER", "fp32", "int8", "difference"], rows),
        *([f"\nSize of the int8 files relative to fp32: {sizes}."] if sizes else []),
    ]


def _with_interval(number: Mapping[str, Any]) -> str:
    if number["value"] is None or number["low"] is None or number["high"] is None:
        return percent(number["value"])
    return f"{percent(number['value'])} ({points(number['low'])} to {points(number['high'])})"


def _lineage(package: Mapping[str, Any]) -> list[str]:
    lineage = package["lineage"]
    rows = [
        [c["corpus"], plain(c["licence"]), "synthetic" if c["synthetic"] else "real",
         *c["clips"].values()]
        for c in lineage["corpora"]
    ]  # fmt: skip
    lines = [
        "## Training data\n",
        table(["corpus", "licence", "speech", "train", "valid", "test"], rows, left=(0, 1, 2)),
        "\nNo speaker is in two splits. SHA-256 of the inputs (package.json contains those of the "
        "embeddings):\n",
    ]
    digests = lineage["manifests"] | {"segments.parquet": lineage["segments.parquet"]}
    if lineage["training_data_sha256"]:
        digests |= {"all training data": lineage["training_data_sha256"]}
    for encoder, files in lineage["encoders"].items():
        digests |= {f"{encoder}/{name}": digest for name, digest in files.items()}
    return [*lines, *(f"- {name} `{digest}`" for name, digest in digests.items()), ""]


def _limits(package: Mapping[str, Any]) -> list[str]:
    metrics = package["metrics"]
    clips = [(c["synthetic"], c["clips"]["train"]) for c in package["lineage"]["corpora"]]
    tts_clips, total = sum(n for synthetic, n in clips if synthetic), sum(n for _, n in clips)
    lines = ["## Limits\n"]
    # The first limit is that of the training data; its number is of clips, not of hours.
    if tts_clips:
        lines.append(
            f"- {tts_clips} of {total} training clips are synthetic speech. Scores on synthetic "
            "speech do not predict the scores on real speech."
        )
    lines += [
        f"- Trained on {', '.join(package['languages'])}; not evaluated on other languages.",
        f"- It predicts these phones alone; any other sound is recognised as one of them: "
        f"{' '.join(package['labels'][1:])}.",
        "- The intervals cover the choice of speakers of the same kind "
        f"({metrics['test']['speakers']} in the test split), not other rooms, microphones or "
        "speaking styles.",
        "- Clips of one batch must have equal length: padding changes the output of the encoder.",
        "- The int8 files compute input scales per batch, so the output of a clip depends on the "
        "other clips of its batch; for reproducible outputs, run batches of one clip.",
    ]
    if metrics["confusions"]:
        rows = [[c["reference"], c["hypothesis"], c["count"]] for c in metrics["confusions"]]
        header = ["reference", "hypothesis", "count"]
        lines += ["\nMost frequent confusions:\n", table(header, rows, left=(0, 1))]
    else:
        lines.append("- The confusions of phones were not evaluated.")
    return [*lines, ""]


def _licence(package: Mapping[str, Any]) -> list[str]:
    licence = package["licence"]
    data = "; ".join(map(plain, licence["training_data"]))
    encoders = "; ".join(
        f"{plain(name)} ({plain(terms or 'no licence stated')})"
        for name, terms in licence["fetched_weights"].items()
    )
    return [
        "## Licence\n",
        f"{weights_licence(licence)} Licences of the training data: {data}. Their terms apply.",
        *([f"Encoders that others trained: {encoders}."] if encoders else []),
    ]
