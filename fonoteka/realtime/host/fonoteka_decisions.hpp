// Decisions from the outputs of the causal models of this folder, with hysteresis and hold.
//
// The stage package_realtime writes this file with values that it chose on validation speech.
// fonoteka/realtime/decisions.py has the same rules in Python.
//
//     fonoteka::Decider speech {fonoteka::kSpeech};
//     fonoteka::Decision decision;
//     speech.push(outputs, decision);  // once per hop
//     if (decision.changed) ...        // decision.value: 1 speech, 0 pause
#pragma once

#include "fonoteka_frontend.hpp"

namespace fonoteka {

// How the outputs of a hop become a decision.
//
// state  1 output. It turns on above `threshold` and off at `release` or below.
// label  N outputs. The most probable one replaces the current one if it exceeds it by `margin`.
// event  1 output. A peak above `threshold` is an event, known one hop after the peak.
//
// A state or label lasts at least `holdHops` hops, and events are at least that far apart.
enum class Kind { state, label, event };

struct DecisionSettings {
    const char* name;
    Kind kind;
    int outputs;
    double threshold, release, margin;
    int holdHops;
    int delayHops;  // from the sound to the output of its hop
};

$models

// The files of the models, for checkFile().
inline constexpr File kModelFiles[] = {
$files
};

struct Decision {
    int value = 0;         // state: 0 or 1; label: its index; event: 1 at an event
    bool changed = false;  // the value changed, or there is an event
};

class Decider {
public:
    constexpr explicit Decider(const DecisionSettings& settings) noexcept : settings_(settings) {}

    void reset() noexcept {
        value_ = waitHops_ = 0;
        last_ = beforeLast_ = -1.0;
    }

    // Decides about the outputs of one hop. If one is not finite, the hop is left out.
    Status push(const float* outputs, Decision& decision) noexcept {
        decision.value = settings_.kind == Kind::event ? 0 : value_;
        decision.changed = false;
        if (outputs == nullptr)
            return Status::nullPointer;
        for (int i = 0; i < settings_.outputs; ++i)
            if (!isFinite(outputs[i]))
                return Status::outputsNotFinite;
        const int next = candidate(outputs);
        if (waitHops_ > 0) {
            --waitHops_;
        } else if (next != value_) {
            waitHops_ = settings_.holdHops - 1;
            decision = {next, true};
            if (settings_.kind != Kind::event)
                value_ = next;
        }
        return Status::ok;
    }

    const DecisionSettings& settings() const noexcept { return settings_; }

    // The time in the sound that the decision of a hop is about, in seconds from the start of the
    // stream. The delay of the resampler comes before it.
    double soundSeconds(std::uint64_t hop) const noexcept {
        const int late = settings_.delayHops + (settings_.kind == Kind::event ? 1 : 0);
        return (static_cast<double>(hop) - late + 0.5) * kHopSeconds;
    }

private:
    static bool isFinite(float value) noexcept {
        std::uint32_t bits;
        std::memcpy(&bits, &value, sizeof bits);
        return (bits & 0x7f800000u) != 0x7f800000u;
    }

    // The value that the outputs ask for; in double, so that Python computes the same.
    int candidate(const float* outputs) noexcept {
        const double first = static_cast<double>(outputs[0]);
        if (settings_.kind == Kind::state)
            return first > (value_ == 1 ? settings_.release : settings_.threshold) ? 1 : 0;
        if (settings_.kind == Kind::event) {
            const bool peak = last_ > settings_.threshold && last_ >= beforeLast_ && last_ > first;
            beforeLast_ = last_;
            last_ = first;
            return peak ? 1 : 0;
        }
        int best = 0;
        for (int i = 0; i < settings_.outputs; ++i)
            if (outputs[i] > outputs[best])
                best = i;
        const double current = static_cast<double>(outputs[value_]) + settings_.margin;
        return static_cast<double>(outputs[best]) > current ? best : value_;
    }

    DecisionSettings settings_;
    double last_ = -1.0, beforeLast_ = -1.0;  // below any probability
    int value_ = 0, waitHops_ = 0;
};

static_assert(sizeof(FrontEnd) + $model_count * sizeof(Decider) <= 32 * 1024,
              "front end and decisions fit the first cache of a core");

}  // namespace fonoteka
