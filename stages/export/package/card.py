"""A model card: description, usage, scores, lineage and limits of a model.

It is Markdown under the YAML front matter that model hubs read, and contains only values of
`package.json`: no date, no path of a machine, no number of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from fonoteka.core.errors import UserError
from fonoteka.reporting.markdown import plain

PROGRAM = '''\
"""Print the phones of a recording: python transcribe.py model.onnx clip.wav"""

import sys

import numpy as np
import onnxruntime
import soundfile

model = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
about = model.get_modelmeta().custom_metadata_map
labels, rate_hz = about["labels"].split("\\n"), int(about["sample_rate_hz"])

samples, found_hz = soundfile.read(sys.argv[2], dtype="float32", always_2d=True)
if (found_hz, samples.shape[1]) != (rate_hz, 1) or not len(samples):
    sys.exit(f"{sys.argv[2]}: {samples.shape} at {found_hz} Hz is not mono at {rate_hz} Hz")

(log_probs,) = model.run(["log_probs"], {"samples": samples.T})  # [1, frames, labels]
best = log_probs[0].argmax(axis=1)
changes = np.flatnonzero(np.diff(best, prepend=-1))  # one of each run of equal frames
print(*(labels[number] for number in best[changes] if number))  # number 0 is the blank
'''

KINDS: Mapping[str, str] = {
    "mlp": "names each frame by itself, without its neighbours' help",
    "tdnn": "a small time-delay network, trained with CTC",
    "lstm": "a recurrent network, trained with CTC",
    "ensemble": "several models in one file, which say together what each would say alone",
}

TITLES: Mapping[str, str] = {
    "per": "phone error rate (PER)",
    "segment_accuracy": "segment accuracy",
    "top3": "segment accuracy, top 3",
    "balanced_accuracy": "segment accuracy, each phone alike",
    "ece": "calibration error (ECE)",
}


def card(package: Mapping[str, Any]) -> str:
    """Return the card of a package, front matter first.

    Raises:
        ValueError: KINDS has no description of that kind of model.
    """
    if package["kind"] not in KINDS:
        raise UserError(f"kind {package['kind']!r} has no description; there are {sorted(KINDS)}")
    front = yaml.safe_dump(_front(package), allow_unicode=True, sort_keys=False, width=100)
    parts = (_opening, _usage, _numbers, _lineage, _limits, _licence)
    return "\n".join([f"---\n{front}---", *(line for part in parts for line in part(package))])


def percent(value: float | None) -> str:
    """Return a share with one decimal; a share that rounds to 0 has no sign.

    >>> percent(0.0904), percent(-0.0001), percent(None)
    ('9.0 %', '0.0 %', 'not measured')
    """
    return "not measured" if value is None else f"{_points(value)} %"


def _points(share: float) -> str:
    return f"{round(100 * share, 1) + 0.0:.1f}"


def row(*cells: object) -> str:
    r"""Return a line of a Markdown table.

    >>> row("a|b", 1)
    '| a\\|b | 1 |'
    """
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def _front(package: Mapping[str, Any]) -> dict[str, Any]:
    licence, metrics = package["licence"]["weights"], package["metrics"]
    named = (
        {"license": licence.lower()}
        if licence
        else {"license": "other", "license_name": "see-training-data"}
    )
    measured = [
        {"type": key, "name": title, "value": metrics[key]["value"]}
        for key, title in TITLES.items()
        if metrics[key]["value"] is not None
    ]
    task = {"type": "automatic-speech-recognition", "name": "phone recognition"}
    data = {"type": "unseen-voices", "name": f"unseen voices, {_kind_of_speech(metrics['test'])}"}
    return {
        "language": package["languages"], **named, "library_name": "onnx",
        "pipeline_tag": "automatic-speech-recognition",
        "tags": ["onnx", "phoneme-recognition", "speech", *sorted(package["encoder"])],
        "metrics": [entry["type"] for entry in measured],
        "model-index": [
            {"name": package["name"],
             "results": [{"task": task, "dataset": data, "metrics": measured}]},
        ],
    }  # fmt: skip


def _kind_of_speech(test: Mapping[str, Any]) -> str:
    return "synthetic speech" if test["synthetic"] else "real speech"


def _opening(package: Mapping[str, Any]) -> list[str]:
    encoders = " and ".join(f"`{name}`" for name in sorted(package["encoder"]))
    parameters = package["metrics"]["parameters"]
    counted = ", ".join(f"{name} {count:,}" for name, count in sorted(parameters.items())) or "-"
    lines = [
        f"\n# {package['name']}\n",
        f"A phone recogniser for {', '.join(package['languages'])}: {KINDS[package['kind']]}. It "
        f"hears through the frozen encoder {encoders} and gives {package['frames_per_second']} "
        f"times a second log posteriors over {len(package['labels'])} labels, the first being the "
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
        "model.int8.onnx": "model.onnx, matrices in 8 bits",
        "head.int8.onnx": "head.onnx, matrices in 8 bits",
    }
    return [
        "## Use\n",
        "With numpy, onnxruntime and soundfile alone:\n",
        f"```python\n{PROGRAM}```\n",
        "package.json holds the size and the SHA-256 of every file.\n",
        row("file", "what", "bytes", "SHA-256"),
        "|---|---|---:|---|",
        *(
            row(f"`{name}`", description, files[name]["bytes"], f"`{files[name]['sha256'][:12]}`")
            for name, description in descriptions.items()
            if name in files
        ),
        "\nHow fast it runs depends on the machine: the repository's reports/bench has times, with "
        "the machine beside them.\n",
    ]


def _numbers(package: Mapping[str, Any]) -> list[str]:
    metrics = package["metrics"]
    test, languages = metrics["test"], metrics["languages"]
    lines = [
        "## What it is worth\n",
        f"Test: {_kind_of_speech(test)}, {test['speakers']} voices that it has never heard, "
        f"{test['utterances']} utterances, {test['phones']} phones. In brackets the 95 % interval "
        "over voices.\n",
        row("", "all", *languages),
        "|---|" + "---:|" * (1 + len(languages)),
        *(
            row(title, _with_interval(metrics[key]), *map(_with_interval, by_language))
            for key, title in TITLES.items()
            for by_language in [[table[key] for table in languages.values()]]
        ),
    ]
    return [*lines, *_int8(metrics), ""]


def _int8(metrics: Mapping[str, Any]) -> list[str]:
    test, valid = metrics["int8"]["test"], metrics["int8"]["valid"]
    rows = []
    if test:
        both = (_with_interval(number) for number in (metrics["per"], test["per"]))
        rows.append(row("model, test voices", *both, _with_interval(test["difference"])))
    for name, table in sorted(valid.items()):
        fp32, int8 = table["valid_per_fp32"], table["valid_per_int8"]
        difference = percent(int8 - fp32)
        rows.append(row(f"{name}, validation voices", percent(fp32), percent(int8), difference))
    if not rows:
        return ["\nIn 8 bits it was not measured."]
    sizes = "; ".join(f"{n} {percent(t['size_ratio'])}" for n, t in sorted(valid.items()))
    head = [row("PER", "fp32", "int8", "difference"), "|---|---:|---:|---:|"]
    return ["", *head, *rows, *([f"\nSize in 8 bits, of fp32: {sizes}."] if sizes else [])]


def _with_interval(number: Mapping[str, Any]) -> str:
    if number["value"] is None or number["low"] is None or number["high"] is None:
        return percent(number["value"])
    return f"{percent(number['value'])} ({_points(number['low'])} to {_points(number['high'])})"


def _lineage(package: Mapping[str, Any]) -> list[str]:
    lineage = package["lineage"]
    lines = [
        "## What it was made of\n",
        row("corpus", "licence", "spoken by", "train", "valid", "test"),
        "|---|---|---|---:|---:|---:|",
        *(
            row(
                c["corpus"], c["licence"], "a machine" if c["synthetic"] else "people",
                *c["clips"].values(),
            )
            for c in lineage["corpora"]
        ),
        "\nNo voice is in two parts. SHA-256 of what it was made from (embeddings are in "
        "package.json):\n",
    ]  # fmt: skip
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
            f"- Trained on synthetic speech: a machine spoke {tts_clips} of its {total} training "
            "clips. Numbers about synthetic voices don't say how well it hears people."
        )
    lines += [
        f"- It has learned {', '.join(package['languages'])}; of other languages nothing is known.",
        f"- It names these phones and no others; any other sound becomes one of them: "
        f"{' '.join(package['labels'][1:])}.",
        f"- The intervals say what other voices of the same kind would change, drawn from "
        f"{metrics['test']['speakers']}; they say nothing of other rooms, microphones or styles.",
        "- Clips of one batch have to be equally long: padding changes what the encoder hears.",
        "- In 8 bits the scale of a batch is shared, so a clip's result depends on the others in "
        "it; for a result that repeats, give it one clip at a time.",
    ]
    if metrics["confusions"]:
        lines += ["\nIts most frequent confusions:\n"]
        lines += [row("reference", "hypothesis", "count"), "|---|---|---:|"]
        lines += [row(c["reference"], c["hypothesis"], c["count"]) for c in metrics["confusions"]]
    else:
        lines.append("- Which phones it confuses was not measured.")
    return [*lines, ""]


def _licence(package: Mapping[str, Any]) -> list[str]:
    licence = package["licence"]
    data = "; ".join(map(plain, licence["training_data"]))
    if licence["weights"]:
        weights = f"Weights: {plain(licence['weights'])}."
    else:
        weights = (
            "No licence is stated for these weights. Before you pass them on, read the terms of "
            f"what they were made from: {'; '.join(map(plain, licence['to_be_read']))}."
        )
    return [
        "## Licence\n",
        f"{weights} The data that they were learned from came under: {data}. Those terms apply.",
    ]
