// Passes numbers from one thread to another and checks their order, for tests.
#include <cstdio>
#include <thread>

#include "fonoteka_queue.hpp"

int main() {
    constexpr unsigned count = 200000;
    static fonoteka::Queue<unsigned, 8> queue;
    for (unsigned i = 0; i < 8; ++i)
        if (!queue.push(i))
            return 1;
    if (queue.push(8))  // full
        return 2;
    std::thread sender([] {
        for (unsigned i = 8; i < count;)
            if (queue.push(i))
                ++i;
            else
                std::this_thread::yield();
    });
    unsigned expected = 0;
    bool ordered = true;
    while (expected < count) {
        unsigned value = 0;
        if (queue.pop(value))
            ordered = ordered && value == expected++;
        else
            std::this_thread::yield();
    }
    sender.join();
    unsigned value = 0;
    std::printf("%u %d %d\n", expected, ordered, queue.pop(value));
    return 0;
}
