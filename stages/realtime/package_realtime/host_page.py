"""The part of the page about a host: settings of decisions, and a host in C++."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fonoteka.realtime.resampler import HOST_RATES_HZ, delay_ms
from fonoteka.reporting.markdown import table

HOST = """\
#include <RTNeural/RTNeural.h>
#include <fstream>
#include "fonoteka_decisions.hpp"
#include "fonoteka_queue.hpp"
struct Change { double seconds; int value; };
class SpeechHost {
public:
    bool load (const char* path, double sampleRate) {  // on any thread but the audio thread
        std::ifstream file (path, std::ifstream::binary);
        auto loaded = file ? RTNeural::json_parser::parseJson<float> (file) : nullptr;
        if (loaded == nullptr || fonoteka::failed (frontEnd.prepare (sampleRate))) return false;
        (model = std::move (loaded))->reset();  // no allocation after this line
        return decider.reset(), true;
    }
    void audioBlock (const float* samples, std::size_t count) {  // on the audio thread
        frontEnd.process (samples, count, [this] (const float* features) {
            model->forward (features);
            fonoteka::Decision decision;
            decider.push (model->getOutputs(), decision);
            const double seconds = decider.soundSeconds (frontEnd.hops() - 1);
            if (decision.changed) changes.push ({ seconds, decision.value });
        });
    }
    bool poll (Change& change) { return changes.pop (change); }  // on the message thread
private:
    std::unique_ptr<RTNeural::Model<float>> model;
    fonoteka::FrontEnd frontEnd;
    fonoteka::Decider decider { fonoteka::kSpeech };
    fonoteka::Queue<Change, 256> changes;
};
"""
"""A whole host, which the tests compile as it stands on the page."""


def decisions_section(models: Mapping[str, Any]) -> list[str]:
    """Return the settings of the decisions and their figures, from `package.json`."""
    rows = []
    for name, model in models.items():
        decision = model["decision"]
        limits = {
            "state": f"on > {decision['threshold']:g}, off <= {decision['release']:g}",
            "label": f"margin {decision['margin']:g}",
            "event": f"peak > {decision['threshold']:g}",
        }[decision["kind"]]
        rows += [
            (
                name if part == "validation" else "", part, limits, decision["hold_hops"],
                *(_figures(decision[part][side]) for side in ("hop_by_hop", "with_hysteresis")),
            )
            for part in ("validation", "test")
        ]  # fmt: skip
    header = ("model", "part", "setting", "hold, hops", "hop by hop", "with hysteresis")
    return [
        "## Decisions\n",
        "`fonoteka_decisions.hpp` contains these settings, chosen on validation streams: among "
        "those that lose little of the score and of the latency, the one whose number of changes "
        "is nearest to the true number, and for events the one with the best F1. Figures are the "
        "score, changes per true change, and the median latency.\n",
        table(header, rows, left=(0, 1, 2, 4, 5)),
        "",
    ]


def _figures(figures: Mapping[str, Any]) -> str:
    ratio = figures["changes"] / max(1, figures["true_changes"])
    latency = figures["latency_ms_p50"]
    return f"{figures['score']:.3f}, {ratio:.2f}" + (f", {latency:.0f} ms" if latency else "")


def host_section(package: Mapping[str, Any], models: Mapping[str, Any]) -> list[str]:
    """Return the host in C++ with its explanation."""
    rates = ", ".join(f"{rate / 1000:g}" for rate in HOST_RATES_HZ)
    return [
        "## A host in C++\n",
        f"Sound of {rates} kHz in blocks of any length; {package['frontend']['bands']} features "
        f"per hop. Compile with `-std=c++17`, this folder and RTNeural on the include path:\n",
        f"```cpp\n{HOST}```\n",
        "`prepare`, `process` and `Decider::push` return a `fonoteka::Status`: below 0 nothing was "
        "done, above 0 there is a remark, such as samples that are not finite and counted as "
        "zeros. `checkFile` compares "
        "`frontend.json` and the files of the models with the versions that the headers belong "
        f"to. The resampler delays the sound by {delay_ms(44_100):.2f} ms from 44.1 kHz and by "
        f"{delay_ms(48_000):.3f} ms from 48 kHz.\n",
        "An onset is a peak of the probability, known one hop later: above the threshold "
        f"{models['onset']['decision']['threshold']:g}, at least that of the hop before and above "
        "that of the hop after.\n",
        "In ONNX Runtime, start with zeros for every input `state_N` and pass each `next_state_N` "
        "with the next block. A block has one or more hops.\n",
    ]
