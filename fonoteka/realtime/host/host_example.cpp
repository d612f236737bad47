// A host without a window: reads a WAV file block by block, as an audio thread gets its blocks,
// runs a model per hop, and prints the decisions on another thread.
//
//     g++ -std=c++17 -O2 -pthread host_example.cpp -o host_example
//     ./host_example speech.wav 480
//
// With the models of this folder, in RTNeural's compile-time types (parsing throws at a bad file):
//
//     g++ -std=c++17 -O2 -pthread -DFONOTEKA_WITH_RTNEURAL -I RTNEURAL host_example.cpp
//     ./a.out speech.wav 480 FOLDER    # the folder with speech.json and the others
//
// Without RTNeural the outputs come from the level of the features: enough to try the rest.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "fonoteka_decisions.hpp"
#include "fonoteka_queue.hpp"

#ifdef FONOTEKA_WITH_RTNEURAL
#include <RTNeural/RTNeural.h>

#include <fstream>
#endif

namespace {

// ---- Models: a callback from the features of a hop to the outputs, and what it needs ------------

constexpr int kMostOutputs = 128;

struct Model {
    void (*run)(void* state, const float* features, float* outputs);
    void* state;
    fonoteka::Decider decider;
};

#ifdef FONOTEKA_WITH_RTNEURAL

using SpeechNet = $speech_model_t;
using VoicingNet = $voicing_model_t;
using OnsetNet = $onset_model_t;
using PhoneNet = $phone_model_t;
using VisemeNet = $viseme_model_t;

template <class Net, int outputs>
void runNet(void* state, const float* features, float* results) {
    static_assert(outputs <= kMostOutputs, "audioBlock() has room for the outputs");
    Net& net = *static_cast<Net*>(state);
    net.forward(features);
    std::copy_n(net.getOutputs(), outputs, results);
}

template <class Net>
bool load(Net& net, const std::string& folder, const fonoteka::DecisionSettings& settings) {
    const std::string path = folder + "/" + settings.name + ".json";
    std::ifstream stream(path, std::ifstream::binary);
    const std::string text {std::istreambuf_iterator<char>(stream), {}};
    // A wrong type or file would compute with zeros without an error.
    for (const fonoteka::File& file : fonoteka::kModelFiles)
        if (settings.name + std::string(".json") == file.name &&
            fonoteka::failed(fonoteka::checkFile(file, text.data(), text.size())))
            return std::fprintf(stderr, "%s: not the file of this header\n", path.c_str()), false;
    net.parseJson(nlohmann::json::parse(text));
    net.reset();
    return true;
}

std::vector<Model> loadModels(const char* folder) {
    static SpeechNet speech;
    static VoicingNet voicing;
    static OnsetNet onset;
    static PhoneNet phone;
    static VisemeNet viseme;
    using namespace fonoteka;
    if (!load(speech, folder, kSpeech) || !load(voicing, folder, kVoicing) ||
        !load(onset, folder, kOnset) || !load(phone, folder, kPhone) ||
        !load(viseme, folder, kViseme))
        return {};
    return {{runNet<SpeechNet, kSpeech.outputs>, &speech, Decider {kSpeech}},
            {runNet<VoicingNet, kVoicing.outputs>, &voicing, Decider {kVoicing}},
            {runNet<OnsetNet, kOnset.outputs>, &onset, Decider {kOnset}},
            {runNet<PhoneNet, kPhone.outputs>, &phone, Decider {kPhone}},
            {runNet<VisemeNet, kViseme.outputs>, &viseme, Decider {kViseme}}};
}

#else

// The logistic function of the mean feature: features have a mean of 0 in training speech.
void runLevel(void*, const float* features, float* outputs) {
    float sum = 0.0f;
    for (int band = 0; band < fonoteka::kBands; ++band)
        sum += features[band];
    outputs[0] = 1.0f / (1.0f + std::exp(-4.0f * sum / fonoteka::kBands));
}

std::vector<Model> loadModels(const char*) {
    return {{runLevel, nullptr, fonoteka::Decider {fonoteka::kSpeech}}};
}

#endif

// ---- The audio thread -----------------------------------------------------------------------------

struct Event {
    std::uint64_t hop;
    int model, value;
};

class Host {
public:
    explicit Host(std::vector<Model> models) : models_(std::move(models)) {}

    fonoteka::Status prepare(double rateHz) { return frontEnd_.prepare(rateHz); }

    fonoteka::Status audioBlock(const float* samples, std::size_t count) {
        return frontEnd_.process(samples, count, [this](const float* features) {
            for (std::size_t i = 0; i < models_.size(); ++i) {
                float outputs[kMostOutputs];
                models_[i].run(models_[i].state, features, outputs);
                fonoteka::Decision decision;
                models_[i].decider.push(outputs, decision);
                if (decision.changed && !queue_.push({frontEnd_.hops() - 1, static_cast<int>(i), decision.value}))
                    dropped_.fetch_add(1, std::memory_order_relaxed);
            }
        });
    }

    // On the message thread.
    bool poll(Event& event) { return queue_.pop(event); }
    const fonoteka::Decider& decider(int model) const { return models_[static_cast<std::size_t>(model)].decider; }
    unsigned dropped() const { return dropped_.load(std::memory_order_relaxed); }

private:
    std::vector<Model> models_;
    fonoteka::FrontEnd frontEnd_;
    fonoteka::Queue<Event, 1024> queue_;
    std::atomic<unsigned> dropped_ {0};
};

// ---- The message thread ---------------------------------------------------------------------------

void print(const Host& host, const Event& event, double delaySeconds) {
    const fonoteka::Decider& decider = host.decider(event.model);
    const fonoteka::DecisionSettings& settings = decider.settings();
    const double known = static_cast<double>(event.hop + 1) * fonoteka::kHopSeconds;
    std::printf("%8.3f s  %-8s %3d  sound at %.3f s\n", known, settings.name, event.value,
                std::max(0.0, decider.soundSeconds(event.hop) - delaySeconds));
}

void printEvents(Host& host, double delaySeconds, const std::atomic<bool>& ended) {
    Event event;
    for (bool last = false; !last;) {
        last = ended.load();  // before the last events are taken
        while (host.poll(event))
            print(host, event, delaySeconds);
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}

// ---- WAV files: 16, 24 and 32 bit integers and 32 bit floats; channels are averaged ---------------

struct Wav {
    std::FILE* file = nullptr;
    std::uint32_t rateHz = 0, left = 0;  // `left`: bytes of samples not yet read
    std::uint16_t channels = 0, bits = 0, format = 0;

    ~Wav() {
        if (file != nullptr)
            std::fclose(file);
    }
};

std::uint32_t number(const unsigned char* bytes, int count) {
    std::uint32_t value = 0;
    for (int i = count; i-- > 0;)
        value = value << 8 | bytes[i];
    return value;
}

bool openWav(Wav& wav, const char* path) {
    wav.file = std::fopen(path, "rb");
    unsigned char head[40];
    if (wav.file == nullptr || std::fread(head, 1, 12, wav.file) != 12 ||
        std::memcmp(head, "RIFF", 4) != 0 || std::memcmp(head + 8, "WAVE", 4) != 0)
        return false;
    while (std::fread(head, 1, 8, wav.file) == 8) {
        const std::uint32_t size = number(head + 4, 4);
        if (std::memcmp(head, "data", 4) == 0) {
            wav.left = size;
            const bool whole = wav.format == 1 && (wav.bits == 16 || wav.bits == 24 || wav.bits == 32);
            return wav.channels > 0 && (whole || (wav.format == 3 && wav.bits == 32));
        }
        const std::uint32_t padded = size + size % 2;
        std::uint32_t used = 0;
        if (std::memcmp(head, "fmt ", 4) == 0 && size >= 16) {
            used = std::min<std::uint32_t>(size, sizeof head);
            if (std::fread(head, 1, used, wav.file) != used)
                return false;
            wav.format = static_cast<std::uint16_t>(number(head, 2));
            wav.channels = static_cast<std::uint16_t>(number(head + 2, 2));
            wav.rateHz = number(head + 4, 4);
            wav.bits = static_cast<std::uint16_t>(number(head + 14, 2));
            if (wav.format == 0xFFFE && used >= 26)  // extensible: the format is in the sub-format
                wav.format = static_cast<std::uint16_t>(number(head + 24, 2));
        }
        if (std::fseek(wav.file, static_cast<long>(padded - used), SEEK_CUR) != 0)
            return false;
    }
    return false;
}

float sampleOf(const unsigned char* bytes, const Wav& wav) {
    const std::uint32_t raw = number(bytes, wav.bits / 8) << (32 - wav.bits);
    if (wav.format == 3) {
        float value;
        std::memcpy(&value, &raw, sizeof value);
        return value;
    }
    return static_cast<float>(static_cast<double>(static_cast<std::int32_t>(raw)) / 2147483648.0);
}

std::size_t readBlock(Wav& wav, std::vector<float>& block) {
    const std::size_t width = static_cast<std::size_t>(wav.bits / 8), frame = width * wav.channels;
    std::vector<unsigned char> bytes(frame);
    std::size_t count = 0;
    for (; count < block.size() && wav.left >= frame; ++count) {
        if (std::fread(bytes.data(), 1, frame, wav.file) != frame)
            break;
        wav.left -= static_cast<std::uint32_t>(frame);
        double sum = 0.0;
        for (std::size_t channel = 0; channel < wav.channels; ++channel)
            sum += static_cast<double>(sampleOf(bytes.data() + channel * width, wav));
        block[count] = static_cast<float>(sum / wav.channels);
    }
    return count;
}

}  // namespace

int main(int count, char** words) {
    const long size = count > 2 ? std::strtol(words[2], nullptr, 10) : 480;
    if (count < 2 || size < 1 || size > 1000000)
        return std::fprintf(stderr, "usage: host_example FILE.wav [BLOCK, 1 to 1000000] [FOLDER]\n"), 2;
    Wav wav;
    if (!openWav(wav, words[1]))
        return std::fprintf(stderr, "%s: not a WAV file of 16, 24 or 32 bits\n", words[1]), 1;
    std::vector<Model> models = loadModels(count > 3 ? words[3] : ".");
    if (models.empty())
        return 1;
    Host host(std::move(models));
    if (fonoteka::failed(host.prepare(wav.rateHz)))
        return std::fprintf(stderr, "%s: %u Hz; expected 16000, 44100 or 48000 Hz\n", words[1],
                            static_cast<unsigned>(wav.rateHz)), 1;
    std::atomic<bool> ended {false};
    const double delaySeconds = fonoteka::resamplerDelayMs(wav.rateHz) / 1000.0;
    std::thread messages([&] { printEvents(host, delaySeconds, ended); });
    std::vector<float> block(static_cast<std::size_t>(size));
    bool replaced = false;
    while (const std::size_t samples = readBlock(wav, block)) {
        replaced |= host.audioBlock(block.data(), samples) == fonoteka::Status::samplesReplaced;
        // An audio thread waits for its next block. A file is read without waiting, so a large
        // block of many changes can fill the queue, which is reported at the end.
        std::this_thread::yield();
    }
    ended.store(true);
    messages.join();
    if (replaced)
        std::fprintf(stderr, "%s: some samples are not finite and counted as zeros\n", words[1]);
    if (host.dropped() > 0)
        return std::fprintf(stderr, "%u events were dropped: the queue was full\n", host.dropped()), 1;
    return 0;
}
