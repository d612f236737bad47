"""The file for whisper.cpp, read back by a reader of its own."""

from __future__ import annotations

import json
import struct
import sys

import numpy as np
import pytest
from corpus_maker import shared_corpus
from real_whisper import real_whisper
from safetensors.numpy import load_file
from whisper_maker import model_config, tiny_whisper, tokenizer, vocabulary, weights, write

from fonoteka.whisper.conversion import to_ggml
from fonoteka.whisper.conversion.to_ggml import (
    ggml_pieces,
    mel_filters,
    openai_name,
    token_bytes,
    write_file,
)

# As whisper.cpp names the weights of a layer of a decoder; one of an encoder has no cross_attn.
DECODER_LAYER = {
    "attn_ln.weight", "attn_ln.bias", "attn.query.weight", "attn.query.bias", "attn.key.weight",
    "attn.value.weight", "attn.value.bias", "attn.out.weight", "attn.out.bias",
    "cross_attn_ln.weight", "cross_attn_ln.bias", "cross_attn.query.weight",
    "cross_attn.query.bias", "cross_attn.key.weight", "cross_attn.value.weight",
    "cross_attn.value.bias", "cross_attn.out.weight", "cross_attn.out.bias", "mlp_ln.weight",
    "mlp_ln.bias", "mlp.0.weight", "mlp.0.bias", "mlp.2.weight", "mlp.2.bias",
}  # fmt: skip
OTHERS = {
    "encoder.positional_embedding", "encoder.conv1.weight", "encoder.conv1.bias",
    "encoder.conv2.weight", "encoder.conv2.bias", "encoder.ln_post.weight", "encoder.ln_post.bias",
    "decoder.positional_embedding", "decoder.token_embedding.weight", "decoder.ln.weight",
    "decoder.ln.bias",
}  # fmt: skip


class GgmlReader:
    """The head, the filters, the tokens and the weights of a file, read as whisper.cpp does it."""

    def __init__(self, data: bytes) -> None:
        self.data, self.place = data, 0
        self.head = self.numbers(12)
        rows, columns = self.numbers(2)
        self.filters = np.frombuffer(self.take(4 * rows * columns), "<f4").reshape(rows, columns)
        (count,) = self.numbers(1)
        self.tokens = [self.take(self.numbers(1)[0]) for _ in range(count)]
        self.weights = {}
        while self.place < len(data):
            rank, length, kind = self.numbers(3)
            shape = self.numbers(rank)[::-1]
            name = self.take(length).decode()
            dtype = np.dtype(("<f4", "<f2")[kind])
            raw = self.take(int(np.prod(shape)) * dtype.itemsize)
            self.weights[name] = np.frombuffer(raw, dtype).reshape(shape)

    def take(self, size: int) -> bytes:
        self.place += size
        assert self.place <= len(self.data)
        return self.data[self.place - size : self.place]

    def numbers(self, count: int) -> tuple[int, ...]:
        return struct.unpack(f"<{count}i", self.take(4 * count))


def tiny_file(dtype, **changes):
    tokens = token_bytes(tokenizer(), "tokenizer.json")
    own = weights() | changes
    return GgmlReader(b"".join(ggml_pieces(model_config(), own, tokens, dtype, "tiny")))


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_the_file_has_every_weight_in_its_type_and_shape(dtype):
    file, own = tiny_file(dtype), weights()
    size = len(vocabulary())
    assert file.head == (0x67676D6C, size, 1500, 32, 2, 2, 448, 32, 2, 2, 80, dtype == "float16")
    assert file.weights.keys() == {openai_name(name) for name in own}
    for name, value in own.items():
        array = file.weights[openai_name(name)]
        matrix = value.ndim > 1 and "embed_positions" not in name
        assert array.dtype == (dtype if matrix else "float32")
        assert np.array_equal(array.reshape(value.shape), value)  # the values are float16 numbers
    assert file.weights["encoder.conv1.bias"].shape == (32, 1)


def test_the_weights_have_the_names_of_whisper_cpp():
    own = {openai_name(name) for name in weights()}
    encoder_layer = {name for name in DECODER_LAYER if "cross" not in name}
    expected = OTHERS | {f"decoder.blocks.{n}.{name}" for n in (0, 1) for name in DECODER_LAYER}
    assert own == expected | {
        f"encoder.blocks.{n}.{name}" for n in (0, 1) for name in encoder_layer
    }


def test_the_tokens_are_bytes():
    tokens = tiny_file("float16").tokens
    assert {token for token in tokens if len(token) == 1} == {bytes([b]) for b in range(256)}
    assert b" the".removeprefix(b" ") in tokens
    assert b" da" in tokens
    assert len(tokens) == vocabulary().index("<|endoftext|>")


def test_the_mel_filters_are_those_of_the_feature_extractor():
    from transformers import WhisperFeatureExtractor

    for bands in (80, 128):
        expected = WhisperFeatureExtractor(feature_size=bands).mel_filters.T
        assert np.array_equal(mel_filters(bands), expected.astype(np.float32))


def test_a_weight_that_is_too_large_for_float16_is_refused():
    name = "model.encoder.conv1.weight"
    large = {name: np.full_like(weights()[name], 1e5)}
    with pytest.raises(
        ValueError, match=rf"tiny: {name} has values that are not finite in float16"
    ):
        tiny_file("float16", **large)
    assert tiny_file("float32", **large).weights["encoder.conv1.weight"].max() == 1e5


def test_a_vocabulary_that_whisper_cpp_does_not_have_is_refused(tmp_path, monkeypatch):
    line = ["to_ggml", str(tiny_whisper(tmp_path / "tiny")), str(tmp_path / "ggml.bin")]
    monkeypatch.setattr(sys, "argv", line)
    with pytest.raises(ValueError, match=r"<\|endoftext\|> has number 266; whisper\.cpp has 50257"):
        to_ggml.main()
    assert not (tmp_path / "ggml.bin").exists()


@pytest.mark.parametrize(
    ("vocab", "message"),
    [
        ({"a": 0}, r"expected every token below <\|endoftext\|>"),
        ({"a": 0, "b": 2, "<|endoftext|>": 3}, r"expected every token below <\|endoftext\|>"),
        ({"a b": 0, "<|endoftext|>": 1}, "a token contains ' ', which is not a byte"),
    ],
)
def test_a_tokenizer_of_another_kind_is_refused(vocab, message):
    with pytest.raises(ValueError, match=f"^here: {message}"):
        token_bytes({"model": {"vocab": vocab}, "added_tokens": []}, "here")


def test_missing_weights_are_refused(tmp_path):
    folder = tiny_whisper(tmp_path / "tiny")
    config = json.loads((folder / "config.json").read_text())
    write(folder / "config.json", config | {"encoder_layers": 3})
    with pytest.raises(ValueError, match=r"missing, for example 'model\.encoder\.layers\.2\."):
        write_file(folder, tmp_path / "ggml.bin")


def test_the_real_weights_are_written_whole(tmp_path):
    folder = real_whisper()
    write_file(folder, tmp_path / "ggml.bin")
    file = GgmlReader((tmp_path / "ggml.bin").read_bytes())
    assert file.head == (0x67676D6C, 51865, 1500, 512, 8, 6, 448, 512, 8, 6, 80, 1)
    assert len(file.tokens) == 50257
    assert "ž".encode() in file.tokens
    own = load_file(folder / "model.safetensors")
    assert file.weights.keys() == {openai_name(name) for name in own}
    for name, value in own.items():
        assert np.array_equal(file.weights[openai_name(name)].ravel(), value.ravel())


def test_whisper_cpp_transcribes_with_the_real_weights(tmp_path):
    model = pytest.importorskip("pywhispercpp.model")
    import soundfile as sf

    write_file(real_whisper(), tmp_path / "ggml.bin")
    path = shared_corpus("librispeech251") / "audio" / "1034-121119-0000.flac"
    signal, _ = sf.read(path, dtype="float32")
    recogniser = model.Model(str(tmp_path / "ggml.bin"), n_threads=1, language="en")
    text = " ".join(segment.text for segment in recogniser.transcribe(signal))
    assert "we have seen how quietly" in text.lower()
