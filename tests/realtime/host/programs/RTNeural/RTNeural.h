// The part of RTNeural's interface that the host of the page uses, for tests without RTNeural: a
// model whose output is the logistic function of the mean feature times a factor. Its file contains
// the number of features and the factor.
#pragma once

#include <cmath>
#include <fstream>
#include <memory>

namespace RTNeural {

template <class T>
class Model {
public:
    Model(int inputs, T factor) : inputs_(inputs), factor_(factor) {}
    void reset() { output_[0] = T(0); }
    T forward(const T* input) {
        T sum = T(0);
        for (int i = 0; i < inputs_; ++i)
            sum += input[i];
        return output_[0] = T(1) / (T(1) + std::exp(-factor_ * sum / T(inputs_)));
    }
    const T* getOutputs() const { return output_; }

private:
    int inputs_;
    T factor_, output_[1] {};
};

namespace json_parser {

template <class T>
std::unique_ptr<Model<T>> parseJson(std::ifstream& stream) {
    int inputs;
    T factor;
    if (!(stream >> inputs >> factor))
        return nullptr;
    return std::make_unique<Model<T>>(inputs, factor);
}

}  // namespace json_parser
}  // namespace RTNeural
