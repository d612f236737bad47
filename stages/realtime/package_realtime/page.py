"""The page of the small models' package: models, scores, costs, a host in C++, and limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fonoteka.reporting.markdown import table
from fonoteka.rtneural.bounds import SAFE_LOGIT
from stages.realtime.package_realtime.host_page import decisions_section, host_section

PREDICTIONS = {
    "onset": "the start of a phone",
    "phone": "the phone, or silence",
    "speech": "speech or pause",
    "viseme": "the mouth shape, one of 15",
    "voicing": "voiced or not",
}


def page(package: Mapping[str, Any]) -> str:
    """Return the page; it contains only values of `package.json`."""
    models: Mapping[str, Any] = package["models"]
    return "\n".join(
        [
            *_opening(package, models), *_evaluation(package, models), *_sources(package, models),
            *_costs(package, models), *decisions_section(models), *host_section(package, models),
            *_limits(package),
            *_licence(package),
        ]
    )  # fmt: skip


def _opening(package: Mapping[str, Any], models: Mapping[str, Any]) -> list[str]:
    return [
        "# Five causal models for an audio thread\n",
        f"Each model reads the features of one hop of {package['hop_ms']:g} ms and returns its "
        "outputs in the same hop; they depend on past samples alone. Each model has two files, "
        "whose outputs are equal up to rounding: `<name>.json` for "
        "[RTNeural](https://github.com/jatinchowdhury18/RTNeural) in C++, and `<name>.onnx` for "
        "ONNX Runtime, with the state as inputs and outputs.\n",
        table(
            ("model", "predicts", "outputs"),
            [
                (name, PREDICTIONS[name], _outputs(model["labels"]))
                for name, model in models.items()
            ],
            left=(0, 1, 2),
        ),
        "\n`frontend.json` contains every constant of the features: window, mel matrix, "
        "normalisation. `package.json` contains the labels in the order of the outputs and the "
        "SHA-256 of every file. `fonoteka_frontend.hpp` computes the features in C++17, "
        "`fonoteka_decisions.hpp` makes decisions of the outputs, `fonoteka_queue.hpp` passes them "
        "to another thread; `host_example.cpp` and `onnx_example.cpp` are whole programs.\n",
    ]


def _outputs(labels: Sequence[str]) -> str:
    if len(labels) == 1:
        return f"the probability of `{labels[0]}`"
    return f"{len(labels)} probabilities: {', '.join(labels)}"


def _evaluation(package: Mapping[str, Any], models: Mapping[str, Any]) -> list[str]:
    test = package["test"]
    kind = " and ".join(sorted(set(_kinds(package).values()), reverse=True))
    rows = []
    for name, model in models.items():
        metrics = model["metrics"]
        low, high = metrics["low"], metrics["high"]
        interval = "-" if low is None else f"{low:.3f}-{high:.3f}"
        rows.append(
            (
                name, metrics["metric"], f"{metrics['score']:.3f}", interval,
                f"{metrics['baseline']:.3f}", _ms(metrics["latency_ms_p50"]),
                _ms(metrics["latency_ms_p90"]),
            )
        )  # fmt: skip
    return [
        f"## Evaluation\n\nTest split: {kind} speech, {test['speakers']} unseen speakers, "
        f"{test['hops']} hops, with pauses, noise and varied levels.\n",
        table(
            ("model", "metric", "score", "95 %", "baseline", "latency p50", "latency p90"),
            rows,
            left=(0, 1),
        ),
        "\nThe interval is a bootstrap over speakers. The baseline is the majority baseline, which "
        "predicts the majority class of the training split at each hop (the positive class, if "
        "there are two). For onsets it is the fixed-rate baseline, which predicts the mean rate of "
        f"the training split; an onset is correct within {test['tolerance_ms']:g} ms. Latency is "
        "the time from a change in the sound to the end of the hop whose output changed.\n",
    ]


def _kinds(package: Mapping[str, Any]) -> dict[str, str]:
    """Return the kind of each corpus of the test part: real or synthetic."""
    return {
        corpus["corpus"]: "synthetic" if corpus["synthetic"] else "real"
        for corpus in package["lineage"]["corpora"]
        if corpus["clips"]["test"]
    }


def _sources(package: Mapping[str, Any], models: Mapping[str, Any]) -> list[str]:
    """Return the scores on each corpus, if there is more than one."""
    kinds = _kinds(package)
    if len(kinds) < 2:
        return []
    scores = {name: model["metrics"]["sources"] for name, model in models.items()}
    return [
        table(
            ("model", *(f"{source} ({kind} speech)" for source, kind in sorted(kinds.items()))),
            [
                (name, *(f"{own[s]:.3f}" if s in own else "-" for s in sorted(kinds)))
                for name, own in scores.items()
            ],
        ),
        "",
    ]


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} ms"


def _costs(package: Mapping[str, Any], models: Mapping[str, Any]) -> list[str]:
    return [
        "## Cost\n",
        table(
            ("model", "parameters", "bytes", "MACs per hop", "tanh, exp per hop", "settling hops"),
            [
                (
                    name, model["parameters"], model["weight_bytes"], model["macs"],
                    model["exponentials"],
                    "-" if model["settling_hops"] is None else model["settling_hops"],
                )
                for name, model in models.items()
            ],
        ),
        f"\nAll weights together have {package['weight_bytes']} bytes as float32; all models "
        f"together take {package['macs_per_hop']} MACs per hop. Settling hops are those "
        "after a reset until no output differs by more than "
        f"{package['settling_tolerance']:g} from the outputs without a reset, at the worst of "
        "several starts; `-`: not settled at the end of the frames.\n",
        "The types for RTNeural's compile-time API:\n",
        "```cpp",
        *(f"// {name}.json\n{model['model_t']}" for name, model in models.items()),
        "```\n",
    ]  # fmt: skip


def _limits(package: Mapping[str, Any]) -> list[str]:
    corpora = package["lineage"]["corpora"]
    real_corpora = sorted(
        {
            corpus["corpus"]
            for corpus in corpora
            if not corpus["synthetic"]
            and any(corpus["clips"][part] for part in package["lineage"]["training_parts"])
        }
    )
    training = (
        f"The training data contain real speech from {', '.join(real_corpora)}."
        if real_corpora
        else "The training data are synthetic speech alone."
    )
    logit = max(model["max_abs_logit"] or 0 for model in package["models"].values())
    # exp overflows float32 past 88, so RTNeural's softmax returns NaN for larger logits.
    softmax = (
        f"the logits of these models are at most {logit}, for any samples"
        if logit <= SAFE_LOGIT
        else f"those of these models may reach {logit}, so check the outputs for NaN"
    )
    return [
        "## Limits\n",
        f"- {training} Evaluate the models on your own recordings before you use them.",
        "- One speaker at a time, 16 kHz, no music. Noise in training was stationary.",
        f"- RTNeural's softmax overflows at logits above 88; {softmax}.",
        "- The labels follow the boundaries of phones; voicing is derived from the phone.",
        "",
    ]


def _licence(package: Mapping[str, Any]) -> list[str]:
    licence = package["licence"]
    weights = (
        f"Weights: {licence['weights']}."
        if licence["weights"]
        else "No licence is stated for these weights; read the terms of the training data first."
    )
    data = "; ".join(licence["training_data"])
    return [
        "## Licence\n",
        f"{weights} Licences of the training data: {data}.",
        "",
    ]
