"""The model card of an exported Whisper: description, usage, scores, lineage and limits.

It is Markdown under the YAML front matter that model hubs read, and contains only values of
`package.json`. huggingface_hub writes the front matter, so that its keys are those of the hub.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from fonoteka.reporting.markdown import plain, table
from fonoteka.reporting.model_card import points, weights_licence
from stages.words.package_whisper.program import PROGRAM

CONTENTS: Mapping[str, str] = {
    "encoder.onnx": "`samples [B, N]` with silence to `states [B, S, D]`, keys and values",
    "decoder.onnx": "`tokens [B, N]`, keys and values to `logits [B, V]` of the last token",
    "encoder.int8.onnx": "encoder.onnx with matrix products in int8",
    "decoder.int8.onnx": "decoder.onnx with matrix products in int8",
    "tokenizer.json": "the bytes of each token",
}
RATES = (
    ("wer", "canonical", "WER, canonical"), ("wer", "as_written", "WER, as written"),
    ("cer", "canonical", "CER, canonical"),
)  # fmt: skip


def card(package: Mapping[str, Any]) -> str:
    """Return the card of a package, front matter first."""
    parts = (_opening, _usage, _evaluation, _int8, _lineage, _limits, _licence)
    lines = [line for part in parts for line in part(package)]
    return "\n".join([f"---\n{_card_data(package).to_yaml()}\n---", *lines])


def percent(number: Mapping[str, Any]) -> str:
    """Return a rate with its interval in brackets, if it has one.

    >>> percent({"rate": 0.0904, "low": 0.08, "high": 0.1}), percent({"rate": 0.5, "low": None})
    ('9.0 % (8.0 to 10.0)', '50.0 %')
    """
    if number["low"] is None:
        return f"{points(number['rate'])} %"
    return f"{points(number['rate'])} % ({points(number['low'])} to {points(number['high'])})"


def _card_data(package: Mapping[str, Any]) -> ModelCardData:
    licence, metrics = package["licence"]["weights"], package["metrics"]
    names = {"wer": "word error rate (WER)", "cer": "character error rate (CER)"}
    results = [
        EvalResult(
            task_type="automatic-speech-recognition", task_name="speech recognition",
            dataset_type="unseen-speakers", dataset_split="test", dataset_name="unseen speakers",
            metric_type=unit, metric_name=f"{name}, canonical",
            metric_value=metrics["tuned"][unit]["canonical"]["rate"],
        )
        for unit, name in names.items()
    ]  # fmt: skip
    return ModelCardData(
        model_name=package["name"],
        language=package["languages"],
        license=licence.lower() if licence else "other",
        license_name=None if licence else "see-training-data",
        library_name="onnx",
        pipeline_tag="automatic-speech-recognition",
        tags=["onnx", "speech", "whisper"],
        metrics=sorted(names),
        eval_results=results,
    )


def _opening(package: Mapping[str, Any]) -> list[str]:
    contract = package["contract"]
    limits = ", ".join(f"{name} {points(limit)} %" for name, limit in contract["limits"].items())
    return [
        f"\n# {package['name']}\n",
        f"A Whisper model for words in {', '.join(package['languages'])}, in two files for ONNX "
        f"Runtime. Parameters: {package['parameters']:,}.\n",
        f"Stage: **{contract['stage']}**. The highest canonical WER of a language is "
        f"{points(contract['wer'])} % ({contract['language']}); limits: {limits}.\n",
    ]


def _usage(package: Mapping[str, Any]) -> list[str]:
    files = package["files"]
    rows = [
        [f"`{name}`", text, files[name]["bytes"], f"`{files[name]['sha256'][:12]}`"]
        for name, text in CONTENTS.items()
        if name in files
    ]
    return [
        "## Usage\n",
        "This program needs numpy, onnxruntime and soundfile alone:\n",
        f"```python\n{PROGRAM}```\n",
        "The metadata of both files contain the rules of the input and of the tokens. package.json "
        "contains the size and the SHA-256 of every file.\n",
        table(["file", "contents", "bytes", "SHA-256"], rows, left=(0, 1, 3)),
        "",
    ]


def _evaluation(package: Mapping[str, Any]) -> list[str]:
    metrics = package["metrics"]
    tuned = metrics["tuned"]
    languages = [*tuned["languages"]]
    rows = [
        [f"{title}, {model}", *(_rate(metrics[key], c, unit, spelling) for c in ("", *languages))]
        for unit, spelling, title in RATES
        for key, model in (("tuned", "this model"), ("base", "before training"))
    ]
    numbers = metrics["tuned_minus_base"]
    difference = [percent(numbers[c]) if c in numbers else "-" for c in ("all", *languages)]
    return [
        "## Evaluation\n",
        f"Test split: {tuned['speakers']} unseen speakers, {tuned['clips']} clips, "
        f"{tuned['words']} words. In brackets: the 95 % interval, a bootstrap over speakers. "
        f"Canonical texts are in Latin script, with numbers as words. The model before training "
        f"decoded {metrics['base']['clips']} of the clips, padded to 30 s; the difference is on "
        "those alone.\n",
        table(["", "all", *languages], [*rows, ["WER, canonical, difference", *difference]]),
        "",
    ]


def _rate(scores: Mapping[str, Any], language: str, unit: str, spelling: str) -> str:
    """Return the rate of a language, or of all of them if `language` is empty."""
    part = scores["languages"].get(language) if language else scores
    return percent(part[unit][spelling]) if part else "-"


def _int8(package: Mapping[str, Any]) -> list[str]:
    exported = package["export"]
    int8 = exported["int8"]
    lines = [
        "## Files\n",
        f"On {exported['clips']} test clips in batches of "
        f"{', '.join(map(str, exported['batch_sizes']))}, each log probability of each decoding "
        f"step is within {exported['max_error_below']:g} of torch's, and no token differs.\n",
        f"WER on {int8['valid_clips']} clips of the validation split: fp32 "
        f"{points(int8['valid_wer_fp32'])} %.\n",
    ]
    for part in ("decoder", "encoder"):
        if (entry := int8.get(part)) is None:
            lines.append(f"- {part} in int8: not tried (export_whisper.int8.parts)")
            continue
        for recipe, tried in entry["tried"].items():
            state = "in the package" if entry["shipped"] == recipe else "not in the package"
            lines.append(
                f"- {part} in int8, {recipe} products: {points(tried['valid_wer'])} %, "
                f"{points(tried['size_ratio'])} % of the bytes, {state}"
            )
    return [*lines, ""]


def _lineage(package: Mapping[str, Any]) -> list[str]:
    lineage = package["lineage"]
    base = lineage["base"]
    rows = [
        [c["corpus"], plain(c["licence"]), "synthetic" if c["synthetic"] else "real",
         *c["clips"].values()]
        for c in lineage["corpora"]
    ]  # fmt: skip
    digests = [f"- {name} `{digest}`" for name, digest in lineage["sha256"].items()]
    return [
        "## Training data\n",
        f"Trained from {plain(base['fetched'] or base['source'])} (licence: "
        f"{plain(base['licence'] or 'not stated')}), a Whisper model of OpenAI.\n",
        table(
            ["corpus", "licence", "speech", "train", "valid", "test"], rows, left=(0, 1, 2)
        ),
        "\nNo speaker is in two splits. SHA-256 of the inputs:\n",
        *digests,
        "",
    ]  # fmt: skip


def _limits(package: Mapping[str, Any]) -> list[str]:
    metrics, corpora = package["metrics"], package["lineage"]["corpora"]
    total = sum(c["clips"]["train"] for c in corpora)
    synthetic = sum(c["clips"]["train"] for c in corpora if c["synthetic"])
    lines = ["## Limits\n"]
    if synthetic:
        lines.append(
            f"- {synthetic} of {total} training clips are synthetic speech. Scores on synthetic "
            "speech do not predict the scores on real speech."
        )
    return [
        *lines,
        f"- Trained on {', '.join(package['languages'])}; other languages of the base model were "
        "not evaluated and may be worse than before.",
        "- On sound without speech the model may return words; remove such sound first.",
        f"- {metrics['tuned']['loops']} of {metrics['tuned']['clips']} test clips have a text that "
        "repeats itself.",
        "- The int8 files compute input scales per batch, so the text of a clip may depend on the "
        "other clips of its batch; for reproducible texts, run batches of one clip.",
        "",
    ]


def _licence(package: Mapping[str, Any]) -> list[str]:
    licence = package["licence"]
    data = "; ".join(map(plain, licence["training_data"]))
    base = plain(package["lineage"]["base"]["licence"] or "not stated")
    return [
        "## Licence\n",
        f"{weights_licence(licence)} Licence of the model before training: {base}. Licences of the "
        f"training data: {data}. Their terms apply.",
    ]
