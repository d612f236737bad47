"""The card of an exported model: the index that a hub reads, how to load the model, its scores.

What follows is the text of the package's own card, whose numbers are those of package.json. The
numbers before it come from the reports. huggingface_hub writes the front matter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from fonoteka.hub.model_package import REALTIME, STREAM, WHISPER, VerifiedPackage
from fonoteka.hub.params import HubParams
from fonoteka.hub.scores import HubScore, HubScores, corpora_of_test_split
from fonoteka.reporting.markdown import plain, table
from fonoteka.reporting.model_card import points

_FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_DATA_ID = "fonoteka"  # of the test split, unless the data are published under another name

_LOAD_WHISPER = """\
```python
import soundfile
import torch
from transformers import AutoModelForSpeechSeq2Seq, AutoProcessor

processor = AutoProcessor.from_pretrained(FOLDER_OR_NAME)
model = AutoModelForSpeechSeq2Seq.from_pretrained(FOLDER_OR_NAME, dtype=torch.float32)
samples, rate_hz = soundfile.read("clip.wav", dtype="float32")  # one channel at 16 kHz
inputs = processor(samples, sampling_rate=rate_hz, return_tensors="pt")
tokens = model.generate(inputs.input_features, language="LANGUAGE", task="transcribe")
print(processor.batch_decode(tokens, skip_special_tokens=True)[0])
```

transformers pads a clip to 30 s. The scores below were measured with the ONNX files and the program
further down, which extend a clip by 1 to 1.5 s of silence, as in training.
"""
_LOAD_CLIPS = """\
```sh
pip install numpy onnxruntime
python load.py clip.wav           # one channel at 16 kHz, 16 bits
python load.py clip.wav --int8    # the smaller file
```

```python
from load import open_folder, read_wav

model = open_folder(".")
print(model.phones(read_wav("clip.wav", model.rate_hz)))
```

The head on the encoder is not an architecture of transformers, so the model does not load with
`AutoModel`.
"""
_LOAD_STREAM = """\
```sh
pip install numpy onnxruntime
python load.py clip.wav           # one channel at 16 kHz, 16 bits
```

```python
from load import open_folder

model = open_folder(".")
for block in blocks:              # float32 samples as they arrive, of any length
    print(model.push(block))      # phones that never change
print(model.finish())
```
"""
_LOAD_CAUSAL = """\
```sh
pip install numpy onnxruntime
python load.py clip.wav           # one channel at 16 kHz, 16 bits
```

```python
from load import open_folder

models = open_folder(".")
for block in blocks:              # float32 samples as they arrive, of any length
    outputs = models.push(block)  # {"speech": [hops, 1], "viseme": [hops, 15], ...}
```

`<name>.json` is for RTNeural in C++; a host is shown below.
"""


def model_card(model: VerifiedPackage, scores: HubScores, params: HubParams, data_id: str) -> str:
    """Return the card, front matter first.

    Args:
        model: whose README.md is the card of the package.
        scores: from the reports.
        params: with the names of base models.
        data_id: of the data set on a hub, `owner/name`, or empty.
    """
    text = (model.folder / "README.md").read_text(encoding="utf-8")
    opening, heading, rest = _FRONT_MATTER.sub("", text).strip().partition("\n## ")
    return "\n".join(
        [
            f"---\n{_card_data(model, scores, params, data_id).to_yaml()}\n---\n",
            opening.strip(),
            "",
            *_loading(model),
            *_results(model, scores),
            f"## {rest}" if heading else "",
        ]
    )


def base_models(package: Mapping[str, Any], params: HubParams) -> list[str]:
    """Return the models of a hub that the weights were trained from, sorted.

    A fetched model is `owner/name@commit`, or the name of a package that `params` knows.
    """
    lineage = package["lineage"]
    encoders = package["encoder"].values() if "encoder" in package else ()
    origins = [*encoders, lineage.get("base"), lineage.get("encoder")]
    names = set()
    for fetched in (origin["fetched"] for origin in origins if origin and origin.get("fetched")):
        if match := re.fullmatch(r"([\w.-]+/[\w.-]+)@[0-9a-f]{40}", fetched):
            names.add(match[1])
        names |= {hub for start, hub in params.base_models.items() if fetched.startswith(start)}
    return sorted(names)


def languages_of(package: Mapping[str, Any], scores: HubScores) -> list[str]:
    """Return the languages of a package; the causal models state theirs in the report."""
    return list(package.get("languages") or scores.languages)


def _card_data(
    model: VerifiedPackage, scores: HubScores, params: HubParams, data_id: str
) -> ModelCardData:
    package = model.package
    licence, corpora = package["licence"]["weights"], package["lineage"]["corpora"]
    library = "transformers" if model.kind == WHISPER else "onnx"
    return ModelCardData(
        model_name=model.name,
        language=languages_of(package, scores) or None,
        license=licence.lower() if licence else "other",
        license_name=None if licence else "see-training-data",
        base_model=base_models(package, params) or None,
        datasets=[data_id] if data_id else sorted({corpus["corpus"] for corpus in corpora}),
        library_name=library,
        pipeline_tag=scores.task[0],
        tags=sorted({"onnx", "speech", *_tags(model)}),
        metrics=sorted({score.metric for score in scores.scores}),
        eval_results=[_index_entry(model, score, scores, data_id) for score in scores.scores],
    )


def _tags(model: VerifiedPackage) -> tuple[str, ...]:
    tags = {
        WHISPER: ("whisper",), STREAM: ("phoneme-recognition", "streaming"),
        REALTIME: ("rtneural", "voice-activity-detection"),
    }  # fmt: skip
    return tags.get(model.kind, ("phoneme-recognition",))


def _index_entry(
    model: VerifiedPackage, score: HubScore, scores: HubScores, data_id: str
) -> EvalResult:
    corpora = corpora_of_test_split(model.package)
    kinds = ", ".join(f"{name} ({kind} speech)" for name, kind in corpora.items())
    return EvalResult(
        task_type=scores.task[0], task_name=scores.task[1],
        dataset_type=data_id or _DATA_ID, dataset_name=f"unseen speakers of {kinds}",
        dataset_config=score.language or "all", dataset_split="test",
        metric_type=score.metric, metric_name=score.title, metric_value=score.value,
    )  # fmt: skip


def _loading(model: VerifiedPackage) -> list[str]:
    texts = {WHISPER: _LOAD_WHISPER, STREAM: _LOAD_STREAM, REALTIME: _LOAD_CAUSAL}
    text = texts.get(model.kind, _LOAD_CLIPS)
    languages = model.package.get("languages") or ["en"]
    return ["## Load\n", text.replace('"LANGUAGE"', f'"{languages[0]}"')]


def _results(model: VerifiedPackage, scores: HubScores) -> list[str]:
    corpora = corpora_of_test_split(model.package)
    kinds = "; ".join(f"{plain(name)}: {kind} speech" for name, kind in corpora.items())
    rows = [
        [score.title, score.language or "all", f"{points(score.value)} %", _interval(score)]
        for score in scores.scores
    ]
    return [
        "## Scores in the index\n",
        f"Test split of unseen speakers ({kinds}): {scores.tested_on}. Source: "
        f"`{scores.report}`. The interval of 95 % is a bootstrap over speakers.\n",
        table(["metric", "language", "value", "interval"], rows, left=(0, 1)),
        "",
    ]


def _interval(score: HubScore) -> str:
    if score.low is None or score.high is None:
        return "-"
    return f"{points(score.low)} to {points(score.high)} %"
