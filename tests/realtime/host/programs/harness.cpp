// Runs the headers of a bundle on numbers from stdin and writes numbers to stdout, for tests.
//
//     harness features RATE SIZES   samples in, features out; SIZES is a file of block sizes
//     harness decisions NAME        outputs of a model in; value and change of each hop out
//     harness errors FRONTEND.json  prints a line per misuse
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <vector>

#include "fonoteka_decisions.hpp"
#include "fonoteka_queue.hpp"

using namespace fonoteka;

namespace {

template <class T>
std::vector<T> readAll(std::FILE* file) {
    std::vector<T> values;
    T part[4096];
    while (const std::size_t count = std::fread(part, sizeof(T), 4096, file))
        values.insert(values.end(), part, part + count);
    return values;
}

int features(double rate, const char* sizesPath) {
    std::FILE* file = std::fopen(sizesPath, "rb");
    if (file == nullptr)
        return 2;
    const std::vector<std::uint32_t> sizes = readAll<std::uint32_t>(file);
    std::fclose(file);
    const std::vector<float> samples = readAll<float>(stdin);
    FrontEnd frontEnd;
    if (failed(frontEnd.prepare(rate)))
        return 3;
    std::size_t start = 0;
    for (std::size_t i = 0; start < samples.size(); ++i) {
        const std::size_t left = samples.size() - start;
        const std::size_t wanted = sizes[i % sizes.size()], count = wanted < left ? wanted : left;
        // A copy of its own length, so that a sanitizer sees any read past the block.
        const std::vector<float> block(samples.begin() + static_cast<std::ptrdiff_t>(start),
                                       samples.begin() + static_cast<std::ptrdiff_t>(start + count));
        frontEnd.process(block.data(), count, [](const float* values) {
            std::fwrite(values, sizeof(float), kBands, stdout);
        });
        start += count;
    }
    return 0;
}

int decisions(const char* name) {
    const DecisionSettings all[] = {kOnset, kPhone, kSpeech, kViseme, kVoicing};
    for (const DecisionSettings& settings : all) {
        if (std::strcmp(settings.name, name) != 0)
            continue;
        const std::vector<float> outputs = readAll<float>(stdin);
        Decider decider(settings);
        const std::size_t width = static_cast<std::size_t>(settings.outputs);
        for (std::size_t i = 0; i + width <= outputs.size(); i += width) {
            Decision decision;
            const Status status = decider.push(outputs.data() + i, decision);
            std::printf("%d %d %d\n", static_cast<int>(status), decision.value, decision.changed);
        }
        return 0;
    }
    return 2;
}

void report(const char* name, Status status) {
    std::printf("%s %d\n", name, static_cast<int>(status));
}

int errors(const char* path) {
    FrontEnd frontEnd;
    int hops = 0;
    const auto count = [&hops](const float*) { ++hops; };
    std::vector<float> block(1000000, 0.1f);
    report("before_prepare", frontEnd.process(block.data(), 10, count));
    for (const double rate : {0.0, -1.0, 8000.0, 44100.5, std::numeric_limits<double>::quiet_NaN(),
                              std::numeric_limits<double>::infinity()}) {
        report("rate", frontEnd.prepare(rate));
        report("after_rate", frontEnd.process(block.data(), 10, count));
    }
    report("rate_16000", frontEnd.prepare(16000));
    report("empty", frontEnd.process(nullptr, 0, count));
    report("null", frontEnd.process(nullptr, 1, count));
    report("million", frontEnd.process(block.data(), block.size(), count));
    std::printf("hops %d\n", hops);
    block[0] = std::numeric_limits<float>::quiet_NaN();
    block[1] = -std::numeric_limits<float>::infinity();
    report("not_finite", frontEnd.process(block.data(), 160, count));
    std::printf("replaced %d\n", static_cast<int>(frontEnd.replacedSamples()));
    float bad[128] = {std::numeric_limits<float>::quiet_NaN()};
    Decider decider(kPhone);
    Decision decision;
    report("outputs", decider.push(bad, decision));
    report("outputs_null", decider.push(nullptr, decision));
    std::FILE* file = std::fopen(path, "rb");
    if (file == nullptr)
        return 2;
    std::vector<unsigned char> json = readAll<unsigned char>(file);
    std::fclose(file);
    report("file", checkFile(kFrontEndFile, json.data(), json.size()));
    report("file_null", checkFile(kFrontEndFile, nullptr, 5));
    json[json.size() / 2] ^= 1;
    report("other_file", checkFile(kFrontEndFile, json.data(), json.size()));
    report("shorter_file", checkFile(kFrontEndFile, json.data(), json.size() - 1));
    return 0;
}

}  // namespace

int main(int count, char** words) {
    if (count == 4 && std::strcmp(words[1], "features") == 0)
        return features(std::strtod(words[2], nullptr), words[3]);
    if (count == 3 && std::strcmp(words[1], "decisions") == 0)
        return decisions(words[2]);
    if (count == 3 && std::strcmp(words[1], "errors") == 0)
        return errors(words[2]);
    return 2;
}
