// A queue from one thread to another that never locks or allocates: audio to message thread.
#pragma once

#include <atomic>
#include <cstddef>

namespace fonoteka {

// One thread calls push(), one other thread calls pop(). T is copied, so it should be small.
template <class T, std::size_t capacity>
class Queue {
    static_assert(capacity > 0 && (capacity & (capacity - 1)) == 0, "capacity is a power of two");
    static_assert(std::atomic<std::size_t>::is_always_lock_free, "indices need no lock");

public:
    // Returns false if the queue is full; the item is dropped then.
    bool push(const T& item) noexcept {
        const std::size_t end = end_.load(std::memory_order_relaxed);
        if (end - start_.load(std::memory_order_acquire) == capacity)
            return false;
        items_[end & (capacity - 1)] = item;
        end_.store(end + 1, std::memory_order_release);
        return true;
    }

    // Returns false if the queue is empty.
    bool pop(T& item) noexcept {
        const std::size_t start = start_.load(std::memory_order_relaxed);
        if (start == end_.load(std::memory_order_acquire))
            return false;
        item = items_[start & (capacity - 1)];
        start_.store(start + 1, std::memory_order_release);
        return true;
    }

private:
    T items_[capacity] {};
    // On cache lines of their own, so that the threads do not wait for each other's writes.
    alignas(64) std::atomic<std::size_t> start_ {0};
    alignas(64) std::atomic<std::size_t> end_ {0};
};

}  // namespace fonoteka
