// Times the front end hop by hop: samples from stdin in blocks of a hop, again from the start at
// the end, and the nanoseconds of each block to stdout as 32-bit numbers.
//
//     hop_times RATE HOPS WARMUP
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "fonoteka_decisions.hpp"

int main(int count, char** words) {
    if (count != 4)
        return 2;
    const double rate = std::strtod(words[1], nullptr);
    const long hops = std::strtol(words[2], nullptr, 10), warmup = std::strtol(words[3], nullptr, 10);
    const std::size_t size = static_cast<std::size_t>(rate * fonoteka::kHopSeconds + 0.5);
    std::vector<float> samples;
    float part[4096];
    while (const std::size_t read = std::fread(part, sizeof(float), 4096, stdin))
        samples.insert(samples.end(), part, part + read);
    const std::size_t blocks = samples.size() / size;
    static fonoteka::FrontEnd frontEnd;
    if (blocks == 0 || hops < 1 || fonoteka::failed(frontEnd.prepare(rate)))
        return 2;
    std::vector<std::uint32_t> times(static_cast<std::size_t>(hops));
    float sum = 0.0f;  // so that no compiler leaves the features out
    for (long hop = -warmup; hop < hops; ++hop) {
        const std::size_t block = static_cast<std::size_t>(hop + warmup) % blocks;
        const auto start = std::chrono::steady_clock::now();
        frontEnd.process(samples.data() + block * size, size, [&sum](const float* features) {
            sum += features[0];
        });
        const auto end = std::chrono::steady_clock::now();
        if (hop >= 0)
            times[static_cast<std::size_t>(hop)] = static_cast<std::uint32_t>(
                std::chrono::duration_cast<std::chrono::nanoseconds>(end - start).count());
    }
    std::fwrite(times.data(), sizeof times[0], times.size(), stdout);
    std::fprintf(stderr, "%zu %zu %g\n", sizeof(fonoteka::FrontEnd), sizeof(fonoteka::Decider),
                 static_cast<double>(sum));
    return 0;
}
