"""The program of the model card: it needs the folder of the model, and nothing of this project."""

PROGRAM = '''\
"""Print the words of a recording: python transcribe_words.py FOLDER clip.wav sr"""

import json
import math
import sys
import zlib

import numpy as np
import onnxruntime
import soundfile

folder, clip, language = sys.argv[1:]
encoder, decoder = (
    onnxruntime.InferenceSession(f"{folder}/{part}.onnx", providers=["CPUExecutionProvider"])
    for part in ("encoder", "decoder")
)
properties = decoder.get_modelmeta().custom_metadata_map
rules = {name: json.loads(value) for name, value in properties.items() if name != "name"}
with open(f"{folder}/tokenizer.json", encoding="utf-8") as file:
    vocabulary = {n: token for token, n in json.load(file)["model"]["vocab"].items()}
# A token is written with one letter per byte: printable bytes as themselves, others from U+0100.
printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
byte_of = {chr(byte): byte for byte in printable}
byte_of |= {chr(256 + n): b for n, b in enumerate(b for b in range(256) if b not in printable)}

samples, rate_hz = soundfile.read(clip, dtype="float32", always_2d=True)
seconds = len(samples) / rate_hz
if (rate_hz, samples.shape[1]) != (rules["sample_rate_hz"], 1) or not 0 < seconds <= 29:
    sys.exit(f"{clip}: expected mono at {rules['sample_rate_hz']} Hz and at most 29 s")
if language not in rules["languages"]:
    sys.exit(f"{language} is not one of {', '.join(sorted(rules['languages']))}")
prompt = [rules["start"], rules["languages"][language]]
prompt += [rules["tasks"]["transcribe"], rules["no_timestamps"]]
limit = rules["first_tokens"] + round(rules["tokens_per_s"] * seconds)
limit = min(limit, rules["max_tokens"] - 8)


def decode(input_s):
    """Return the tokens of the clip with silence up to `input_s`, and whether they ended."""
    padded = np.zeros((1, round(input_s * rate_hz)), dtype=np.float32)
    padded[0, : len(samples)] = samples[:, 0]
    names = [output.name for output in encoder.get_outputs()]
    encoded = dict(zip(names, encoder.run(names, {"samples": padded})))
    shapes = {node.name: node.shape for node in decoder.get_inputs()}
    cross = {name: encoded[name] for name in shapes if name.startswith("cross")}
    past = {
        name: np.zeros((1, shape[1], 0, shape[3]), dtype=np.float32)
        for name, shape in shapes.items()
        if name.startswith("past")
    }
    names = [output.name for output in decoder.get_outputs()]
    found, tokens = [], prompt
    while len(found) < limit:
        inputs = {"tokens": np.array([tokens])} | cross | past
        outputs = dict(zip(names, decoder.run(names, inputs)))
        past = {name: outputs[f"next_{name}"] for name in past}
        logits = outputs["logits"][0]
        logits[rules["suppressed"]] = -np.inf
        logits[rules["no_timestamps"] :] = -np.inf  # and all time stamps, which follow
        if not found:
            logits[rules["suppressed_first"]] = -np.inf
        tokens = [int(logits.argmax())]
        if tokens[0] == rules["end"]:
            return found, True
        found += tokens
    return found, False


steps = math.ceil((seconds + rules["margin_s"]) / rules["step_s"])
for input_s in (min(steps * rules["step_s"], rules["window_s"]), rules["window_s"]):
    found, ended = decode(input_s)
    letters = "".join(vocabulary[token] for token in found if token < rules["end"])
    text = bytes(map(byte_of.get, letters)).decode(errors="replace").strip()
    data = text.encode()
    if ended and len(data) <= rules["compression"] * len(zlib.compress(data)):
        break  # else the text repeats itself, so the clip is decoded again with 30 s of input
print(text)
'''
