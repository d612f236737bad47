// Features of sound for the causal models of this folder: one vector of log mel energies per hop.
//
// The stage package_realtime writes this file from frontend.json. C++17, header only, without
// exceptions, RTTI or dependencies. After prepare() nothing allocates, locks or calls the system.
//
//     fonoteka::FrontEnd frontEnd;
//     frontEnd.prepare(48000);                                     // 16000, 44100 or 48000 Hz
//     frontEnd.process(block, count, [](const float* features) {   // blocks of any length
//         // $bands numbers, once per hop of $hop_ms ms
//     });
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace fonoteka {

// The result of each call. Below 0 nothing was done; above 0 it was done with a remark.
enum class Status : int {
    ok = 0,
    samplesReplaced = 1,   // NaN or infinite samples counted as zeros
    outputsNotFinite = 2,  // a model returned NaN or infinity, so the decision was kept
    notPrepared = -1,      // prepare() has to succeed first
    unknownRate = -2,      // prepare() accepts 16000, 44100 and 48000 Hz
    nullPointer = -3,
    otherFile = -4,        // a file of another version than this header
};

constexpr bool failed(Status status) noexcept { return static_cast<int>(status) < 0; }

// A file that belongs to this header, by its length and its 64-bit FNV-1a hash.
struct File {
    const char* name;
    std::size_t bytes;
    std::uint64_t fnv1a;
};

// Returns ok if `data` is that file, so a JSON of another front-end version is found before use.
inline Status checkFile(const File& file, const void* data, std::size_t bytes) noexcept {
    if (data == nullptr)
        return Status::nullPointer;
    std::uint64_t hash = 14695981039346656037ull;
    for (std::size_t i = 0; i < bytes; ++i)
        hash = (hash ^ static_cast<const unsigned char*>(data)[i]) * 1099511628211ull;
    return bytes == file.bytes && hash == file.fnv1a ? Status::ok : Status::otherFile;
}

inline constexpr File kFrontEndFile {"frontend.json", $file_bytes, ${file_hash}ull};
inline constexpr int kFrontEndVersion = $version;
inline constexpr int kSampleRateHz = $sample_rate_hz;
inline constexpr int kHop = $hop;        // samples between two vectors
inline constexpr int kWindow = $window;  // samples that one vector depends on
inline constexpr int kFft = $fft;
inline constexpr int kBands = $bands;
inline constexpr double kHopSeconds = $hop_s;

namespace constants {

inline constexpr double kFloor = $floor;
inline constexpr double kHann[kWindow] = {
$hann
};
// The matrix without its zeros: of each band the first bin, the number of bins and their weights.
inline constexpr int kMelFirst[kBands] = {
$mel_first
};
inline constexpr int kMelCount[kBands] = {
$mel_count
};
inline constexpr double kMel[$mel_size] = {
$mel
};
inline constexpr float kMean[kBands] = {
$mean
};
inline constexpr float kStd[kBands] = {
$std
};
// cos and sin of 2 pi k / kFft, and the order of the inputs of a transform of half the length.
inline constexpr double kCos[kFft / 2] = {
$cos
};
inline constexpr double kSin[kFft / 2] = {
$sin
};
inline constexpr int kOrder[kFft / 2] = {
$order
};
// 44.1 to 48 kHz: $up phases of $up_taps taps, so every $up_step-th of $up x 44100 values per second.
inline constexpr int kUpPhases = $up, kUpStep = $up_step, kUpTaps = $up_taps;
inline constexpr double kUp[kUpPhases * kUpTaps] = {
$up_filter
};
// 48 to 16 kHz: every third output of a filter with a stop band from $stop_hz Hz on.
inline constexpr int kDown = 3, kDownTaps = $down_taps;
inline constexpr double kDownFilter[kDownTaps] = {
$down_filter
};

}  // namespace constants

// The delay of the resampler in milliseconds: 0 at 16 kHz.
constexpr double resamplerDelayMs(double sampleRateHz) noexcept {
    return sampleRateHz == 44100.0 ? $delay_44100_ms : sampleRateHz == 48000.0 ? $delay_48000_ms : 0.0;
}

class FrontEnd {
public:
    // Starts a stream. After a failure process() returns notPrepared.
    Status prepare(double sampleRateHz) noexcept {
        rate_ = Rate::none;
        if (sampleRateHz == kSampleRateHz)
            rate_ = Rate::model;
        else if (sampleRateHz == 44100.0)
            rate_ = Rate::k44100;
        else if (sampleRateHz == 48000.0)
            rate_ = Rate::k48000;
        reset();
        return rate_ == Rate::none ? Status::unknownRate : Status::ok;
    }

    // Clears the history: the samples before the next block count as zeros.
    void reset() noexcept {
        for (double& sample : samples_)
            sample = 0.0;
        for (double& sample : upLine_)
            sample = 0.0;
        for (double& sample : downLine_)
            sample = 0.0;
        filled_ = kWindow - kHop;
        upPhase_ = downPhase_ = upPosition_ = downPosition_ = 0;
        hops_ = replaced_ = 0;
    }

    // Adds samples in [-1, 1] and calls sink(const float* features) for each hop that they complete.
    template <class Sink>
    Status process(const float* samples, std::size_t count, Sink&& sink) {
        if (rate_ == Rate::none)
            return Status::notPrepared;
        if (count == 0)
            return Status::ok;
        if (samples == nullptr)
            return Status::nullPointer;
        const std::uint64_t before = replaced_;
        for (std::size_t i = 0; i < count; ++i) {
            const double sample = finite(samples[i]);
            if (rate_ == Rate::model)
                add(sample, sink);
            else if (rate_ == Rate::k48000)
                addAt48k(sample, sink);
            else
                addAt44k(sample, sink);
        }
        return replaced_ == before ? Status::ok : Status::samplesReplaced;
    }

    // Hops since the start of the stream, those of the current call of sink included.
    std::uint64_t hops() const noexcept { return hops_; }

    // Samples since the start of the stream that were not finite.
    std::uint64_t replacedSamples() const noexcept { return replaced_; }

private:
    enum class Rate { none, model, k44100, k48000 };
    static constexpr int kHalf = kFft / 2;

    // By its bits, because compilers may assume with -ffast-math that NaN does not occur. Denormals
    // become zeros, as they take a hundred times as long on some processors.
    double finite(float sample) noexcept {
        std::uint32_t bits;
        std::memcpy(&bits, &sample, sizeof bits);
        const std::uint32_t exponent = bits & 0x7f800000u;
        if (exponent == 0x7f800000u)
            ++replaced_;
        return exponent == 0x7f800000u || exponent == 0 ? 0.0 : static_cast<double>(sample);
    }

    template <class Sink>
    void addAt44k(double sample, Sink& sink) {
        upPosition_ = upPosition_ == 0 ? constants::kUpTaps - 1 : upPosition_ - 1;
        upLine_[upPosition_] = upLine_[upPosition_ + constants::kUpTaps] = sample;
        for (; upPhase_ < constants::kUpPhases; upPhase_ += constants::kUpStep) {
            const double* taps = constants::kUp + upPhase_ * constants::kUpTaps;
            addAt48k(product<constants::kUpTaps>(taps, upLine_ + upPosition_), sink);
        }
        upPhase_ -= constants::kUpPhases;
    }

    template <class Sink>
    void addAt48k(double sample, Sink& sink) {
        downPosition_ = downPosition_ == 0 ? constants::kDownTaps - 1 : downPosition_ - 1;
        downLine_[downPosition_] = downLine_[downPosition_ + constants::kDownTaps] = sample;
        if (downPhase_ == 0)
            add(product<constants::kDownTaps>(constants::kDownFilter, downLine_ + downPosition_), sink);
        downPhase_ = downPhase_ == constants::kDown - 1 ? 0 : downPhase_ + 1;
    }

    // Four sums at a time, because each addition waits for the one before it.
    template <int count>
    static double product(const double* taps, const double* line) noexcept {
        double sums[4] = {0.0, 0.0, 0.0, 0.0};
        int i = 0;
        for (; i + 4 <= count; i += 4)
            for (int j = 0; j < 4; ++j)
                sums[j] += taps[i + j] * line[i + j];
        for (; i < count; ++i)
            sums[0] += taps[i] * line[i];
        return (sums[0] + sums[1]) + (sums[2] + sums[3]);
    }

    template <class Sink>
    void add(double sample, Sink& sink) {
        samples_[filled_++] = sample;
        if (filled_ < kWindow)
            return;
        transform();
        normalise();
        filled_ = kWindow - kHop;
        std::memmove(samples_, samples_ + kHop, static_cast<std::size_t>(filled_) * sizeof *samples_);
        ++hops_;
        sink(static_cast<const float*>(features_));
    }

    double windowed(int n) const noexcept {
        return n < kWindow ? samples_[n] * constants::kHann[n] : 0.0;
    }

    // The power spectrum of the windowed samples. Even and odd samples are the real and imaginary
    // parts of one transform of half the length.
    void transform() noexcept {
        for (int n = 0; n < kHalf; ++n) {
            re_[n] = windowed(2 * constants::kOrder[n]);
            im_[n] = windowed(2 * constants::kOrder[n] + 1);
        }
        for (int half = 1; half < kHalf; half *= 2) {
            for (int start = 0; start < kHalf; start += 2 * half) {
                for (int j = 0; j < half; ++j) {
                    const double c = constants::kCos[j * (kHalf / half)];
                    const double s = constants::kSin[j * (kHalf / half)];
                    const int a = start + j, b = a + half;
                    const double re = re_[b] * c + im_[b] * s, im = im_[b] * c - re_[b] * s;
                    re_[b] = re_[a] - re;
                    im_[b] = im_[a] - im;
                    re_[a] += re;
                    im_[a] += im;
                }
            }
        }
        power_[0] = (re_[0] + im_[0]) * (re_[0] + im_[0]);
        power_[kHalf] = (re_[0] - im_[0]) * (re_[0] - im_[0]);
        for (int k = 1; k < kHalf; ++k) {
            const int m = kHalf - k;
            const double evenRe = 0.5 * (re_[k] + re_[m]), evenIm = 0.5 * (im_[k] - im_[m]);
            const double oddRe = 0.5 * (im_[k] + im_[m]), oddIm = 0.5 * (re_[m] - re_[k]);
            const double c = constants::kCos[k], s = constants::kSin[k];
            const double re = evenRe + c * oddRe + s * oddIm, im = evenIm + c * oddIm - s * oddRe;
            power_[k] = re * re + im * im;
        }
    }

    void normalise() noexcept {
        const double* weight = constants::kMel;
        for (int band = 0; band < kBands; ++band) {
            const double* power = power_ + constants::kMelFirst[band];
            double energy = constants::kFloor;
            for (int i = 0; i < constants::kMelCount[band]; ++i)
                energy += power[i] * *weight++;
            const double centred = std::log(energy) - static_cast<double>(constants::kMean[band]);
            features_[band] = static_cast<float>(centred / static_cast<double>(constants::kStd[band]));
        }
    }

    // Aligned and padded, because some builds of RTNeural read whole SIMD registers.
    alignas(32) float features_[(kBands + 15) / 16 * 16] {};
    double samples_[kWindow] {}, re_[kHalf] {}, im_[kHalf] {}, power_[kHalf + 1] {};
    double upLine_[2 * constants::kUpTaps] {}, downLine_[2 * constants::kDownTaps] {};
    std::uint64_t hops_ = 0, replaced_ = 0;
    int filled_ = kWindow - kHop;
    int upPhase_ = 0, downPhase_ = 0, upPosition_ = 0, downPosition_ = 0;
    Rate rate_ = Rate::none;
};

}  // namespace fonoteka
