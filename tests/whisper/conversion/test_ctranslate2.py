"""CTranslate2's format and both conversions, against a folder that is written by hand."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys

import numpy as np
import pytest
from real_whisper import real_whisper
from safetensors.numpy import load_file, save_file
from whisper_maker import (
    PREPROCESSOR,
    ct2_folder,
    ct2_model,
    ct2_variables,
    generation_config,
    model_config,
    tiny_whisper,
    tokenizer,
    vocabulary,
    weights,
    write,
)

from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json, sha256_file
from fonoteka.whisper.conversion import from_ctranslate2, to_ctranslate2
from fonoteka.whisper.conversion.ctranslate2_format import Ct2Model, read_model, write_model
from fonoteka.whisper.conversion.ctranslate2_names import ALIASES

BASE_SHA256 = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A folder of CTranslate2 and one of transformers with the same model; not to be changed."""
    base = tmp_path_factory.mktemp("whisper")
    return ct2_folder(base / "ct2"), tiny_whisper(base / "hf", dtype="float16")


@pytest.fixture
def ct2(folders, tmp_path):
    return shutil.copytree(folders[0], tmp_path / "ct2")


@pytest.fixture
def hf(folders, tmp_path):
    return shutil.copytree(folders[1], tmp_path / "hf")


@pytest.fixture
def out(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def same_arrays(left, right):
    return left.keys() == right.keys() and all(
        left[name].dtype == right[name].dtype and np.array_equal(left[name], right[name])
        for name in left
    )


def test_a_model_is_read_and_written_byte_for_byte(folders, tmp_path):
    model = read_model(folders[0] / "model.bin")
    assert same_arrays(model.variables, ct2_variables())
    assert model.aliases == {"decoder/projection/weight": "decoder/embeddings/weight"}
    write_model(tmp_path / "model.bin", model)
    assert (tmp_path / "model.bin").read_bytes() == (folders[0] / "model.bin").read_bytes()


def test_the_order_of_the_variables_does_not_change_the_file(tmp_path):
    backwards = dict(reversed(ct2_variables().items()))
    write_model(tmp_path / "model.bin", Ct2Model(backwards, ALIASES))
    assert (tmp_path / "model.bin").read_bytes() == ct2_model(ct2_variables())


SMALL = {"a/weight": np.ones((2, 3), np.float16), "b": np.array(3, np.int16)}


def test_a_truncated_model_is_refused_wherever_it_ends(tmp_path):
    path, whole = tmp_path / "model.bin", ct2_model(SMALL)
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match=rf"model\.bin: {size} bytes, and at least \d+ are"):
            read_model(path)


def test_any_other_byte_is_refused_or_is_another_number(tmp_path):
    path, whole = (
        tmp_path / "model.bin",
        ct2_model({**SMALL, "decoder/embeddings/weight": SMALL["b"]}),
    )
    path.write_bytes(whole)
    assert len(read_model(path).variables) == 3
    accepted = 0
    for place in range(len(whole)):
        for value in (0, 255):
            path.write_bytes(whole[:place] + bytes([value]) + whole[place + 1 :])
            with contextlib.suppress(UserError):  # any other error would fail
                read_model(path)
                accepted += 1
    assert 0 < accepted < len(whole)


def test_bytes_after_the_model_are_refused(ct2):
    with (ct2 / "model.bin").open("ab") as file:
        file.write(b"xy")
    with pytest.raises(ValueError, match=r"model\.bin: 2 bytes follow the model"):
        read_model(ct2 / "model.bin")


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ((5, "WhisperSpec", 3), "format 5 with model '' revision 0; expected format 6"),
        ((6, "TransformerSpec", 7), "format 6 with model 'TransformerSpec' revision 7; expected"),
        ((6, "WhisperSpec", 2), "format 6 with model 'WhisperSpec' revision 2; expected"),
    ],
)
def test_another_format_is_named(head, message, tmp_path):
    (tmp_path / "model.bin").write_bytes(ct2_model(SMALL, head))
    with pytest.raises(ValueError, match=message):
        read_model(tmp_path / "model.bin")


def test_a_missing_model_and_a_lost_alias_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"model\.bin: no such file"):
        read_model(tmp_path / "model.bin")
    (tmp_path / "model.bin").write_bytes(ct2_model(SMALL))
    with pytest.raises(ValueError, match="an alias stands for 'decoder/embeddings/weight', which"):
        read_model(tmp_path / "model.bin")


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_a_folder_of_ctranslate2_becomes_one_of_transformers(dtype, folders, out):
    from_ctranslate2.write_folder(folders[0], out, None if dtype == "float16" else dtype)
    assert same_arrays(load_file(out / "model.safetensors"), weights(dtype=dtype))
    expected = model_config(dtype)  # dropout is not in a file of CTranslate2; 0 is the default
    config = {k: v for k, v in expected.items() if "drop" not in k}
    assert read_json(out / "config.json") == config
    assert read_json(out / "generation_config.json") == generation_config()
    assert read_json(out / "preprocessor_config.json") == PREPROCESSOR
    assert read_json(out / "tokenizer.json") == tokenizer()
    assert read_json(out / "tokenizer_config.json") == read_json(
        folders[1] / "tokenizer_config.json"
    )
    assert len(list(out.iterdir())) == 6


def test_a_folder_of_transformers_becomes_one_of_ctranslate2(folders, out):
    to_ctranslate2.write_folder(folders[1], out)
    assert (out / "model.bin").read_bytes() == (folders[0] / "model.bin").read_bytes()
    assert read_json(out / "vocabulary.json") == vocabulary()
    for name in ("config.json", "tokenizer.json"):
        assert read_json(out / name) == read_json(folders[0] / name)
    assert read_json(out / "preprocessor_config.json") == PREPROCESSOR
    assert len(list(out.iterdir())) == 5


def test_a_model_survives_both_ways_with_either_type(folders, tmp_path, monkeypatch):
    for dtype in ("float16", "float32"):
        line = ["to", str(folders[1]), str(tmp_path / "a"), "--dtype", dtype]
        monkeypatch.setattr(sys, "argv", line)
        to_ctranslate2.main()
        monkeypatch.setattr(sys, "argv", ["from", str(tmp_path / "a"), str(tmp_path / "b")])
        from_ctranslate2.main()
        assert same_arrays(load_file(tmp_path / "b" / "model.safetensors"), weights(dtype=dtype))


def test_the_vocabulary_is_read_from_either_file(ct2, out):
    (ct2 / "vocabulary.txt").unlink()
    with pytest.raises(ValueError, match=r"vocabulary\.json: no such file"):
        from_ctranslate2.write_folder(ct2, out)
    write(ct2 / "vocabulary.json", vocabulary())
    from_ctranslate2.write_folder(ct2, out)
    assert read_json(out / "tokenizer.json") == tokenizer()


def test_time_stamps_that_are_in_the_tokenizer_are_not_added_twice(ct2, out):
    write(ct2 / "tokenizer.json", tokenizer())
    from_ctranslate2.write_folder(ct2, out)
    assert read_json(out / "tokenizer.json") == tokenizer()


def change(ct2, **variables):
    """Write the model with some variables added, changed or, with None, left out."""
    named = {name.replace("__", "/"): value for name, value in variables.items()}
    values = ct2_variables() | named
    data = ct2_model({k: v for k, v in sorted(values.items()) if v is not None})
    (ct2 / "model.bin").write_bytes(data)


KEYS_BIAS = np.r_[np.zeros(32), 0.5, np.zeros(63)].astype(np.float16)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"encoder__conv1__bias": np.zeros(32, np.int8)}, "type int8; a quantized model has lost"),
        ({"encoder__conv3__bias": np.zeros(1, np.float16)}, "1 unknown, .* 'encoder/conv3/bias'"),
        ({"encoder__conv1__bias": None}, "1 missing, for example 'encoder/conv1/bias'"),
        ({"decoder__activation": np.array(1, np.int8)}, "decoder/activation is 1, and 3 in every"),
        ({"encoder__layer_0__self_attention__linear_0__bias": KEYS_BIAS}, "bias for the keys"),
        ({"encoder__layer_0__self_attention__linear_0__bias": KEYS_BIAS[:95]}, r"shape \(95,\)"),
        ({"encoder__conv1__bias": np.zeros(32, np.float32)}, "expected one type"),
        ({"encoder__num_heads": None}, "1 missing, for example 'encoder/num_heads'"),
    ],
)  # fmt: skip
def test_weights_that_are_not_whispers_are_refused(variables, message, ct2, out):
    change(ct2, **variables)
    with pytest.raises(ValueError, match=message):
        from_ctranslate2.write_folder(ct2, out)


def test_a_model_of_many_layers_that_are_not_there_is_refused_at_once(ct2, out):
    change(ct2, encoder__layer_4294967295__ffn__linear_0__bias=np.zeros(64, np.float16))
    with pytest.raises(ValueError, match=r"\d+ missing, for example .*1 unknown, .*4294967295"):
        from_ctranslate2.write_folder(ct2, out)


def test_numbers_that_do_not_touch_the_weights_may_differ_or_be_missing(ct2, out):
    change(ct2, decoder__alignment_heads=None, decoder__alignment_layer=np.array(0, np.int16))
    from_ctranslate2.write_folder(ct2, out)
    assert same_arrays(load_file(out / "model.safetensors"), weights(dtype="float16"))


def swapped(tokens):
    return [tokens[1], tokens[0], *tokens[2:]]


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (swapped(vocabulary()), "token 0 is '!' in tokenizer.json and '\"' in the vocabulary"),
        (vocabulary()[:-1], r"\d+ tokens; the model has \d+ embeddings"),
        ([*vocabulary()[:-1], "<|30.02|>"], "must be the 373 tokens .* and 1501 time stamps"),
        (vocabulary("<|other|>"), "is '<|nospeech|>' in tokenizer.json and '<|other|>' in the"),
        (["x" if t == "<|transcribe|>" else t for t in vocabulary()], "no token <|transcribe|>"),
    ],
)
def test_a_vocabulary_that_disagrees_is_refused(tokens, message, ct2, out):
    (ct2 / "vocabulary.txt").write_text("\n".join(tokens) + "\n", encoding="utf-8")
    with pytest.raises(ValueError, match=message.replace("|", r"\|")):
        from_ctranslate2.write_folder(ct2, out)


def test_an_english_only_model_is_refused(tmp_path):
    tokens = [f"t{n}" for n in range(50256)] + ["<|endoftext|>"]
    write(tmp_path / "vocabulary.json", tokens)
    with pytest.raises(ValueError, match=r"vocabulary\.json: an English-only Whisper; expected"):
        from_ctranslate2.read_vocabulary(tmp_path, len(tokens))


@pytest.mark.parametrize("content", [{}, {"lang_ids": [99999]}, {"lang_ids": 3}, []])
def test_a_config_of_another_model_is_refused(content, ct2, out):
    if isinstance(content, dict):
        content = {"alignment_heads": [], "suppress_ids": [], "suppress_ids_begin": []} | content
    write(ct2 / "config.json", content)
    with pytest.raises(ValueError, match=r"config\.json: not the config\.json of a Whisper"):
        from_ctranslate2.write_folder(ct2, out)


def test_a_tokenizer_of_another_kind_is_refused(ct2, out):
    write(ct2 / "tokenizer.json", {"model": {"type": "Unigram", "vocab": [["a", 0.0]]}})
    with pytest.raises(ValueError, match=r"tokenizer\.json: not the tokenizer of a Whisper"):
        from_ctranslate2.write_folder(ct2, out)


def save(hf, **changes):
    """Write the weights with some changed, added or, with None, left out."""
    named = {name.replace("__", "."): value for name, value in changes.items()}
    values = weights(dtype="float32") | named
    save_file({k: v for k, v in values.items() if v is not None}, hf / "model.safetensors")


BIAS = "model__encoder__conv1__bias"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({BIAS: None}, "1 missing, for example 'model.encoder.conv1.bias'"),
        ({"model__extra": np.zeros(1)}, "1 unknown, for example 'model.extra'"),
        ({BIAS: np.full(32, np.nan, np.float32)}, "conv1.bias has values that are not finite in"),
        ({BIAS: np.full(32, 1e5, np.float32)}, "conv1.bias has values that are not finite in"),
        ({"proj_out__weight": np.zeros((3, 3), np.float32)}, "proj_out.weight differs from"),
    ],
)
def test_weights_that_ctranslate2_cannot_have_are_refused(changes, message, hf, out):
    save(hf, **changes)
    with pytest.raises(ValueError, match=message):
        to_ctranslate2.write_folder(hf, out)


def test_a_large_weight_fits_in_float32_and_a_tied_projection_is_left_out(hf, folders, out):
    save(
        hf, **{BIAS: np.full(32, 1e5, np.float32)},
        proj_out__weight=weights()["model.decoder.embed_tokens.weight"],
    )  # fmt: skip
    to_ctranslate2.write_folder(hf, out, "float32")
    variables = read_model(out / "model.bin").variables
    assert set(variables["encoder/conv1/bias"]) == {1e5}
    assert variables.keys() == ct2_variables().keys()


def test_a_folder_that_is_not_a_whisper_is_refused(hf, out):
    (hf / "model.safetensors").write_bytes(b"short")
    with pytest.raises(ValueError, match=r"model\.safetensors: cannot be read by numpy"):
        to_ctranslate2.write_folder(hf, out)
    (hf / "model.safetensors").unlink()
    with pytest.raises(ValueError, match=r"model\.safetensors: no such file; expected"):
        to_ctranslate2.write_folder(hf, out)
    write(hf / "config.json", {"model_type": "whisper"})
    with pytest.raises(ValueError, match="has no number 'd_model'"):
        to_ctranslate2.write_folder(hf, out)
    write(hf / "config.json", {"model_type": "wavlm"})
    with pytest.raises(ValueError, match="model_type 'wavlm'; expected 'whisper'"):
        to_ctranslate2.write_folder(hf, out)


def test_a_tokenizer_of_another_size_is_refused(hf, out):
    write(hf / "tokenizer.json", tokenizer(stamps=False))
    with pytest.raises(
        ValueError, match="373 tokens, the last with number 372; the model has 1874"
    ):
        to_ctranslate2.write_folder(hf, out)


def test_a_fine_tuned_folder_may_lack_what_only_word_times_need(hf, out):
    generation = generation_config()
    del generation["alignment_heads"]
    write(hf / "generation_config.json", generation)
    to_ctranslate2.write_folder(hf, out)
    assert read_json(out / "config.json")["alignment_heads"] == [[1, 0], [1, 1]]
    del generation["lang_to_id"]
    write(hf / "generation_config.json", generation)
    with pytest.raises(ValueError, match=r"generation_config\.json: no 'lang_to_id'; expected"):
        to_ctranslate2.write_folder(hf, out)


def test_what_transformers_saves_again_converts_to_the_same_folder(hf, folders, tmp_path, out):
    from transformers import WhisperForConditionalGeneration, WhisperProcessor

    WhisperForConditionalGeneration.from_pretrained(hf).save_pretrained(tmp_path / "saved")
    WhisperProcessor.from_pretrained(hf).save_pretrained(tmp_path / "saved")
    assert not (tmp_path / "saved" / "preprocessor_config.json").exists()  # in transformers 5
    to_ctranslate2.write_folder(tmp_path / "saved", out)
    assert (out / "model.bin").read_bytes() == (folders[0] / "model.bin").read_bytes()
    assert read_json(out / "config.json") == read_json(folders[0] / "config.json")
    assert read_json(out / "vocabulary.json") == vocabulary()
    extractor = read_json(out / "preprocessor_config.json")
    assert {k: extractor[k] for k in ("feature_size", "sampling_rate")} == {
        "feature_size": 80, "sampling_rate": 16000,
    }  # fmt: skip
    stamps = [t for t in read_json(out / "tokenizer.json")["added_tokens"] if "." in t["content"]]
    assert stamps == []


def test_ctranslate2_decodes_the_tokens_of_transformers(folders, out):
    ctranslate2 = pytest.importorskip("ctranslate2")
    import torch
    from transformers import WhisperForConditionalGeneration

    to_ctranslate2.write_folder(folders[1], out, "float32")
    model = WhisperForConditionalGeneration.from_pretrained(folders[1], dtype=torch.float32).eval()
    features = np.random.default_rng(0).standard_normal((2, 80, 3000)).astype(np.float32)
    numbers = {token: n for n, token in enumerate(vocabulary())}
    names = ("<|startoftranscript|>", "<|sr|>", "<|transcribe|>", "<|notimestamps|>")
    prompt = [numbers[name] for name in names]
    other = ctranslate2.models.Whisper(str(out), compute_type="float32", intra_threads=1)
    decoded = other.generate(
        ctranslate2.StorageView.from_array(features), [prompt, prompt], beam_size=1,
        max_length=len(prompt) + 8, suppress_blank=False, suppress_tokens=[],
    )  # fmt: skip
    with torch.inference_mode():
        for row, result in zip(features, decoded, strict=True):
            tokens = list(prompt)
            for _ in range(len(result.sequences_ids[0])):
                logits = model(
                    input_features=torch.from_numpy(row)[None],
                    decoder_input_ids=torch.tensor([tokens]),
                ).logits[0, -1]
                tokens.append(int(logits.argmax()))
            assert len(tokens) > len(prompt)
            assert tokens[len(prompt) :] == result.sequences_ids[0]


def test_the_real_weights_become_the_file_that_others_published(out):
    to_ctranslate2.write_folder(real_whisper(), out)
    assert sha256_file(out / "model.bin") == BASE_SHA256
    from_ctranslate2.write_folder(out, out.parent, "float32")
    own, other = (load_file(f / "model.safetensors") for f in (out.parent, real_whisper()))
    assert own.keys() == other.keys()
    assert all(np.array_equal(own[name], other[name].astype(np.float32)) for name in own)
    for name in ("generation_config.json", "preprocessor_config.json", "tokenizer.json"):
        assert json.loads((out.parent / name).read_text()) == read_json(real_whisper() / name)
