// Counts calls of operator new and malloc while a host processes blocks, for tests.
//
//     allocations RATE SECONDS BLOCK
//
// Prints the hops, the changes that went through the queue, the calls before prepare() was left
// (which shows that the hooks count) and the calls after it.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

#include "fonoteka_decisions.hpp"
#include "fonoteka_queue.hpp"

extern "C" void* __libc_malloc(std::size_t);
extern "C" void* __libc_calloc(std::size_t, std::size_t);
extern "C" void* __libc_realloc(void*, std::size_t);

namespace {

unsigned long calls = 0;

}  // namespace

// glibc lets a program define these; operator new of libstdc++ calls malloc, and it is counted too.
extern "C" void* malloc(std::size_t size) { return ++calls, __libc_malloc(size); }
extern "C" void* calloc(std::size_t n, std::size_t size) { return ++calls, __libc_calloc(n, size); }
extern "C" void* realloc(void* p, std::size_t size) { return ++calls, __libc_realloc(p, size); }

int main(int count, char** words) {
    if (count != 4)
        return 2;
    const double rate = std::strtod(words[1], nullptr);
    const long total = static_cast<long>(rate * std::strtod(words[2], nullptr));
    const long size = std::strtol(words[3], nullptr, 10);
    std::vector<float> block(static_cast<std::size_t>(size));
    auto frontEnd = std::make_unique<fonoteka::FrontEnd>();
    fonoteka::Decider speech {fonoteka::kSpeech}, onset {fonoteka::kOnset};
    fonoteka::Queue<int, 16> queue;
    if (fonoteka::failed(frontEnd->prepare(rate)))
        return 3;
    const unsigned long before = calls;
    unsigned long hops = 0, changes = 0;
    unsigned state = 1;
    for (long done = 0; done < total; done += size) {
        for (float& sample : block) {
            state = state * 1664525u + 1013904223u;
            // Loud and quiet seconds, so that decisions change.
            const float level = done / 16000 % 2 == 0 ? 0.3f : 1e-4f;
            sample = level * (static_cast<float>(state >> 8) / 8388608.0f - 1.0f);
        }
        frontEnd->process(block.data(), block.size(), [&](const float* features) {
            const float outputs[1] = {features[0] > 0.0f ? 0.95f : 0.05f};
            fonoteka::Decision decision;
            speech.push(outputs, decision);
            if (decision.changed)
                queue.push(decision.value);
            onset.push(outputs, decision);
            ++hops;
        });
        for (int value; queue.pop(value);)
            ++changes;
    }
    const unsigned long after = calls - before;
    std::printf("%lu %lu %lu %lu\n", hops, changes, before, after);
    return 0;
}
