"""The page of the small models' package: models, scores, costs, a host in C++, and limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from string import Template
from typing import Any

from fonoteka.rtneural.bounds import SAFE_LOGIT

WHAT = {
    "onset": "a phone begins",
    "phone": "which phone sounds, or none",
    "speech": "somebody speaks",
    "viseme": "the shape of the mouth, one of 15",
    "voicing": "the voice sounds",
}
HOST = """\
#include <RTNeural/RTNeural.h>

#include <fstream>
#include <memory>
#include <stdexcept>

// One model. Made and loaded on any thread but the audio thread: both take memory.
class Listener
{
public:
    explicit Listener (const char* path)
    {
        std::ifstream file (path, std::ifstream::binary);
        if (! file)
            throw std::runtime_error ("no model at the given path");
        model = RTNeural::json_parser::parseJson<float> (file);
        if (model == nullptr)
            throw std::runtime_error ("not a model that RTNeural knows");
        model->reset(); // from here on nothing takes memory
    }

    void reset() { model->reset(); } // when the stream begins anew

    // On the audio thread, once a hop: $bands features in, one number an answer out.
    const float* hear (const float* frame)
    {
        model->forward (frame);
        return model->getOutputs();
    }

private:
    std::unique_ptr<RTNeural::Model<float>> model;
};
"""
LOOP = """\
// $hop new samples at 16 kHz make a hop. FrontEnd is yours, by the formula in frontend.json.
void process (const float* hop, FrontEnd& frontEnd, Listener& speech, Listener& viseme)
{
    float frame[$bands];
    frontEnd.push (hop, frame);
    const bool speaking = speech.hear (frame)[0] > ${threshold}f;
    const float* shapes = viseme.hear (frame); // $shapes probabilities, as package.json has them
    // ...
}
"""


def page(package: Mapping[str, Any]) -> str:
    """Return the page; it contains only values of `package.json`."""
    models: Mapping[str, Any] = package["models"]
    return "\n".join(
        [
            *_opening(package, models), *_numbers(package, models), *_sources(package, models),
            *_costs(package, models), *_host(package, models), *_limits(package),
            *_licence(package),
        ]
    )  # fmt: skip


def _row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _opening(package: Mapping[str, Any], models: Mapping[str, Any]) -> list[str]:
    hop_ms = package["hop_ms"]
    return [
        "# Five small models for an audio thread\n",
        f"Each takes the features of one hop of {hop_ms:g} ms and answers at once, with what it "
        "has heard so far and nothing of what comes. Each is there twice, and both say the same: "
        "`<name>.json` for [RTNeural](https://github.com/jatinchowdhury18/RTNeural) in C++, "
        "`<name>.onnx` for ONNX Runtime, its state going in and out.\n",
        _row("model", "says whether or which", "answers"),
        "|---|---|---|",
        *(
            _row(name, WHAT[name], _answers(model["answers"])) for name, model in models.items()
        ),
        "\n`frontend.json` has every constant of the features: window, mel matrix, normalisation. "
        "`package.json` has the order of all answers and the SHA-256 of every file.\n",
    ]  # fmt: skip


def _answers(names: Sequence[str]) -> str:
    if len(names) == 1:
        return "the probability of a yes"
    return f"{len(names)} probabilities: {', '.join(names)}"


def _numbers(package: Mapping[str, Any], models: Mapping[str, Any]) -> list[str]:
    test = package["test"]
    kind = " and ".join(sorted(set(_kinds(package).values()), reverse=True))
    rows = []
    for name, model in models.items():
        metrics, delay_ms = model["metrics"], model["delay_ms"]
        low, high = metrics["low"], metrics["high"]
        interval = "-" if low is None else f"{low:.3f}-{high:.3f}"
        rows.append(
            _row(
                name, metrics["metric"], f"{metrics['score']:.3f}", interval,
                f"{metrics['baseline']:.3f}", _ms(delay_ms["median"]), _ms(delay_ms["p90"]),
            )
        )  # fmt: skip
    return [
        f"## What they are worth\n\nOn {kind} speech, {test['speakers']} voices that none of "
        f"them has heard, {test['hops']} hops with pauses, noise and any level:\n",
        _row("model", "metric", "score", "95 %", "by habit", "late, median", "late, 90 %"),
        "|---|---|---:|---:|---:|---:|---:|",
        *rows,
        "\nBy habit is the score of always giving the commonest answer, or of beating time for "
        f"onsets, which count within {test['tolerance_ms']:g} ms. Late is the time from the moment "
        "at which the sound changes to the end of the hop whose answer has changed.\n",
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
        _row("model", *(f"on {source}: {kind} speech" for source, kind in sorted(kinds.items()))),
        f"|---|{'---:|' * len(kinds)}",
        *(
            _row(name, *(f"{own[s]:.3f}" if s in own else "-" for s in sorted(kinds)))
            for name, own in scores.items()
        ),
        "",
    ]


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} ms"


def _costs(package: Mapping[str, Any], models: Mapping[str, Any]) -> list[str]:
    return [
        "## What they cost\n",
        _row("model", "parameters", "bytes", "products a hop", "tanh, exp a hop", "start is felt"),
        "|---|---:|---:|---:|---:|---:|",
        *(
            _row(
                name, model["parameters"], model["weight_bytes"], model["multiplies"],
                model["curves"],
                "-" if model["warm_up_hops"] is None else f"{model['warm_up_hops']} hops",
            )
            for name, model in models.items()
        ),
        f"\nAll weights together are {package['weight_bytes']} bytes as float32, all products "
        f"{package['multiplies_a_hop']} a hop. A GRU has heard everything since its reset; its "
        "start is felt until no answer differs by more than "
        f"{package['settling_tolerance']:g} from one that has heard more.\n",
        "For RTNeural's compile-time API the types are:\n",
        "```cpp",
        *(f"// {name}.json\n{model['model_t']}" for name, model in models.items()),
        "```\n",
    ]  # fmt: skip


def _host(package: Mapping[str, Any], models: Mapping[str, Any]) -> list[str]:
    numbers = {
        "bands": package["frontend"]["bands"], "hop": package["frontend"]["hop"],
        "threshold": models["speech"]["threshold"], "shapes": len(models["viseme"]["answers"]),
    }  # fmt: skip
    host, loop = (Template(text).substitute(numbers) for text in (HOST, LOOP))
    return [
        "## A host\n",
        "Load off the audio thread, reset, then a frame a hop:\n",
        f"```cpp\n{host}```\n",
        f"```cpp\n{loop}```\n",
        "An onset is a peak: the hop before the last one, if its probability is above the "
        f"threshold {models['onset']['threshold']:g}, not below the one before it and above the "
        "one after.\n",
        "In ONNX Runtime begin with zeros for every input `state_N`, hand each `next_state_N` back "
        "with the next block; a block may have one hop or many.\n",
    ]


def _limits(package: Mapping[str, Any]) -> list[str]:
    corpora = package["lineage"]["corpora"]
    real_corpora = sorted(
        {
            corpus["corpus"]
            for corpus in corpora
            if not corpus["synthetic"]
            and any(corpus["clips"][part] for part in package["lineage"]["learned_from"])
        }
    )
    speakers = (
        f"people in {', '.join(real_corpora)}"
        if real_corpora
        else "no person: they have learned from a machine's voice"
    )
    logit = max(model["loudest_logit"] or 0 for model in package["models"].values())
    # exp overflows float32 past 88, so RTNeural's softmax returns NaN for larger logits.
    softmax = (
        f"none of these has more than {logit} there, whatever the samples"
        if logit <= SAFE_LOGIT
        else f"one of these could have up to {logit} there, so look for outputs that are no numbers"
    )
    return [
        "## Limits\n",
        f"- They have heard {speakers}. Measure them on your own recordings before you trust them.",
        "- One speaker at a time, 16 kHz, no music. Noise in training was stationary.",
        f"- RTNeural's softmax overflows where a number before it is past 88; {softmax}.",
        "- Labels are a phone's boundaries; whether it is voiced is taken from which phone it is.",
        "",
    ]


def _licence(package: Mapping[str, Any]) -> list[str]:
    licence = package["licence"]
    weights = (
        f"Weights: {licence['weights']}."
        if licence["weights"]
        else "No licence is stated for these weights; read the terms of the data first."
    )
    data = "; ".join(licence["training_data"])
    return [
        "## Licence\n",
        f"{weights} The data that they were learned from came under: {data}.",
        "",
    ]
