"""Names of the files of a packaged recogniser of streams."""

STEP = "step.onnx"
"""One step of a streaming recogniser: samples and state to posteriors and the next state."""

MODEL = "model.onnx"
"""The whole path of a recogniser with unbounded context."""

CONFIDENCE = "confidence.json"
"""The calibration of a phone's confidence."""

NGRAM = "phones.arpa"
"""The phone n-gram of the beam."""
