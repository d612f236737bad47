// One model of this folder in ONNX Runtime by its C API; reads 32-bit floats, prints the outputs.
//
//     g++ -std=c++17 -O2 -I INCLUDE onnx_example.cpp -o onnx_example -l onnxruntime
//     ./onnx_example speech.onnx speech 16000 < samples.f32     # prints the outputs of each hop
//
// A session allocates while it runs, so it belongs on a thread of its own: the audio thread passes
// features to it through fonoteka_queue.hpp.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <onnxruntime_c_api.h>

#include "fonoteka_decisions.hpp"

namespace {

const OrtApi* api = nullptr;

// Prints the message of an error and ends the program: an example has nothing to go back to.
void require(OrtStatus* status) {
    if (status == nullptr)
        return;
    std::fprintf(stderr, "onnxruntime: %s\n", api->GetErrorMessage(status));
    api->ReleaseStatus(status);
    std::exit(1);
}

struct State {
    std::string name;
    std::vector<std::int64_t> shape;
    std::vector<float> values;
};

class OnnxModel {
public:
    explicit OnnxModel(const char* path) {
        require(api->CreateEnv(ORT_LOGGING_LEVEL_WARNING, "fonoteka", &environment_));
        OrtSessionOptions* options = nullptr;
        require(api->CreateSessionOptions(&options));
        require(api->SetIntraOpNumThreads(options, 1));  // a hop is too small to share
        require(api->CreateSession(environment_, path, options, &session_));
        api->ReleaseSessionOptions(options);
        require(api->CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &memory_));
        require(api->GetAllocatorWithDefaultOptions(&allocator_));
        std::size_t count = 0;
        require(api->SessionGetInputCount(session_, &count));
        for (std::size_t i = 0; i < count; ++i)
            addInput(i);
    }

    ~OnnxModel() {
        api->ReleaseMemoryInfo(memory_);
        api->ReleaseSession(session_);
        api->ReleaseEnv(environment_);
    }

    OnnxModel(const OnnxModel&) = delete;
    OnnxModel& operator=(const OnnxModel&) = delete;

    // Runs one hop; the state is zeros before the first and is passed on after each.
    void run(const float* features, float* outputs, std::size_t count) {
        std::vector<float> frame(features, features + fonoteka::kBands);
        const std::vector<std::int64_t> shape {1, 1, fonoteka::kBands};
        std::vector<const char*> inputNames {"frames"}, outputNames {"outputs"};
        std::vector<std::string> nextNames;
        std::vector<OrtValue*> inputs {tensor(frame, shape)};
        for (State& state : states_)
            nextNames.push_back("next_" + state.name);
        for (std::size_t i = 0; i < states_.size(); ++i) {
            inputNames.push_back(states_[i].name.c_str());
            outputNames.push_back(nextNames[i].c_str());
            inputs.push_back(tensor(states_[i].values, states_[i].shape));
        }
        std::vector<OrtValue*> results(outputNames.size(), nullptr);
        require(api->Run(session_, nullptr, inputNames.data(), inputs.data(), inputs.size(),
                         outputNames.data(), outputNames.size(), results.data()));
        copy(results[0], outputs, count);
        for (std::size_t i = 0; i < states_.size(); ++i)
            copy(results[i + 1], states_[i].values.data(), states_[i].values.size());
        for (OrtValue* value : inputs)
            api->ReleaseValue(value);
        for (OrtValue* value : results)
            api->ReleaseValue(value);
    }

private:
    // Keeps the name and the shape of a state; `frames` is the input of a hop.
    void addInput(std::size_t index) {
        char* name = nullptr;
        require(api->SessionGetInputName(session_, index, allocator_, &name));
        State state {name, {}, {}};
        require(api->AllocatorFree(allocator_, name));
        if (state.name == "frames")
            return;
        OrtTypeInfo* type = nullptr;
        require(api->SessionGetInputTypeInfo(session_, index, &type));
        const OrtTensorTypeAndShapeInfo* info = nullptr;
        require(api->CastTypeInfoToTensorInfo(type, &info));
        std::size_t axes = 0;
        require(api->GetDimensionsCount(info, &axes));
        state.shape.resize(axes);
        require(api->GetDimensions(info, state.shape.data(), axes));
        std::size_t size = 1;
        for (const std::int64_t length : state.shape)
            size *= static_cast<std::size_t>(length);
        state.values.resize(size);
        api->ReleaseTypeInfo(type);
        states_.push_back(state);
    }

    OrtValue* tensor(std::vector<float>& values, const std::vector<std::int64_t>& shape) {
        OrtValue* value = nullptr;
        require(api->CreateTensorWithDataAsOrtValue(
            memory_, values.data(), values.size() * sizeof(float), shape.data(), shape.size(),
            ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, &value));
        return value;
    }

    // Copies a tensor; one of another size would be read past its end, so it ends the program.
    static void copy(OrtValue* value, float* target, std::size_t count) {
        OrtTensorTypeAndShapeInfo* info = nullptr;
        require(api->GetTensorTypeAndShape(value, &info));
        std::size_t found = 0;
        require(api->GetTensorShapeElementCount(info, &found));
        api->ReleaseTensorTypeAndShapeInfo(info);
        if (found != count) {
            std::fprintf(stderr, "the file has %zu numbers where NAME has %zu; use the file of NAME\n",
                         found, count);
            std::exit(1);
        }
        void* data = nullptr;
        require(api->GetTensorMutableData(value, &data));
        std::memcpy(target, data, count * sizeof(float));
    }

    OrtEnv* environment_ = nullptr;
    OrtSession* session_ = nullptr;
    OrtMemoryInfo* memory_ = nullptr;
    OrtAllocator* allocator_ = nullptr;
    std::vector<State> states_;
};

const fonoteka::DecisionSettings* settingsOf(const char* name) {
    static const fonoteka::DecisionSettings* const all[] = {
        &fonoteka::kOnset, &fonoteka::kPhone, &fonoteka::kSpeech, &fonoteka::kViseme, &fonoteka::kVoicing};
    for (const fonoteka::DecisionSettings* settings : all)
        if (std::strcmp(settings->name, name) == 0)
            return settings;
    return nullptr;
}

}  // namespace

int main(int count, char** words) {
    api = OrtGetApiBase()->GetApi(ORT_API_VERSION);
    const fonoteka::DecisionSettings* settings = count == 4 ? settingsOf(words[2]) : nullptr;
    fonoteka::FrontEnd frontEnd;
    if (api == nullptr || settings == nullptr ||
        fonoteka::failed(frontEnd.prepare(std::strtod(words[3], nullptr))))
        return std::fprintf(stderr, "usage: onnx_example FILE.onnx NAME RATE < samples.f32\n"), 2;
    OnnxModel model(words[1]);
    fonoteka::Decider decider(*settings);
    std::vector<float> outputs(static_cast<std::size_t>(settings->outputs)), block(480);
    while (const std::size_t samples = std::fread(block.data(), sizeof(float), block.size(), stdin))
        frontEnd.process(block.data(), samples, [&](const float* features) {
            model.run(features, outputs.data(), outputs.size());
            fonoteka::Decision decision;
            decider.push(outputs.data(), decision);
            std::printf("%d", decision.value);
            for (const float output : outputs)
                std::printf(" %.9g", static_cast<double>(output));
            std::printf("\n");
        });
    return 0;
}
