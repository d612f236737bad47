"""The processor of a folder, its prefixes, and the tiny model that the tests use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from real_whisper import real_whisper
from transformers.models.whisper.tokenization_whisper import LANGUAGES
from whisper_maker import (
    LANGUAGES as TINY_LANGUAGES,
)
from whisper_maker import (
    PREPROCESSOR,
    STAMPS,
    special_tokens,
    tiny_whisper,
    tokenizer,
    vocabulary,
    weights,
    write,
)

from fonoteka.whisper.conversion.processor import build_processor, language_codes, set_prefix
from fonoteka.whisper.conversion.tokens import TIME_STAMPS

ROOT = Path(__file__).resolve().parents[3]
TEXTS = ("čaša ž", "Њива и љубав, ђак", "the one dan je", "two  spaces — 1,5 € '”'")


@pytest.fixture
def folder(tmp_path):
    return tiny_whisper(tmp_path / "whisper")


@pytest.mark.parametrize("language", ["sr", "Serbian", "SR"])
def test_a_text_begins_with_start_language_task_and_no_time_stamps(language, folder):
    tokens = build_processor(folder, language).tokenizer
    ids = tokens("da").input_ids
    assert tokens.convert_ids_to_tokens(ids[:4]) == [
        "<|startoftranscript|>", "<|sr|>", "<|transcribe|>", "<|notimestamps|>",
    ]  # fmt: skip
    assert ids[:4] == tokens.prefix_tokens
    assert tokens.convert_ids_to_tokens(ids[-1]) == "<|endoftext|>"
    translate = build_processor(folder, language, "translate").tokenizer.prefix_tokens
    assert tokens.convert_ids_to_tokens(translate[2]) == "<|translate|>"


def test_without_a_language_no_language_is_set(folder):
    tokens = build_processor(folder).tokenizer
    assert tokens.convert_ids_to_tokens(tokens.prefix_tokens) == [
        "<|startoftranscript|>", "<|notimestamps|>",
    ]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_any_text_is_decoded_as_it_was_encoded(text, folder):
    tokens = build_processor(folder, "sr").tokenizer
    assert tokens.decode(tokens(text).input_ids, skip_special_tokens=True) == text


def test_time_stamps_are_decoded_as_times(folder):
    tokens = build_processor(folder, "sr").tokenizer
    ids = tokens.convert_tokens_to_ids(["<|0.00|>", "d", "a", "<|1.50|>"])
    assert tokens.decode(ids, decode_with_timestamps=True) == "<|0.00|>da<|1.50|>"
    assert tokens.timestamp_ids() == list(range(ids[0], ids[0] + 1501))


def test_features_are_80_bands_of_30_s(folder):
    extractor = build_processor(folder).feature_extractor
    features = extractor(np.zeros(16000), sampling_rate=16000, return_tensors="np")
    assert features.input_features.shape == (1, 80, 3000)


@pytest.mark.parametrize("language", ["xx", "yue", "cantonese", ""])
def test_a_language_that_the_model_does_not_have_is_refused_with_those_it_has(language, folder):
    message = f"whisper: language '{language}' is not one of af, am, .*, bs, .*, sr, .*, zh$"
    with pytest.raises(ValueError, match=message):
        build_processor(folder, language)


def test_a_task_that_is_unknown_is_refused(folder):
    with pytest.raises(ValueError, match="task 'sing' is not one of transcribe, translate"):
        build_processor(folder, "sr", "sing")


def test_a_prefix_of_other_tokens_is_refused(folder):
    """With the languages in another order, transformers would take one for another."""
    content = tokenizer()
    first, second = (
        next(t for t in content["added_tokens"] if t["content"] == f"<|{code}|>")
        for code in ("sr", "hr")
    )
    first["content"], second["content"] = second["content"], first["content"]
    write(folder / "tokenizer.json", content)
    with pytest.raises(ValueError, match=r"a text begins with .*'<\|hr\|>'.*expected .*'<\|sr\|>'"):
        build_processor(folder, "sr")


@pytest.mark.parametrize("name", ["tokenizer.json", "preprocessor_config.json"])
def test_a_folder_without_tokenizer_or_extractor_is_refused(name, folder):
    (folder / name).unlink()
    with pytest.raises(ValueError, match=rf"{name}(: no such file)?; expected the folder of a Whi"):
        build_processor(folder, "sr")


def test_a_damaged_tokenizer_is_refused(folder):
    (folder / "tokenizer.json").write_text('{"version": "1.0"')
    with pytest.raises(ValueError, match="whisper: no processor of a Whisper to load: "):
        build_processor(folder, "sr")


def test_another_sampling_rate_is_refused(folder):
    write(folder / "preprocessor_config.json", PREPROCESSOR | {"sampling_rate": 24000})
    with pytest.raises(ValueError, match="a sampling rate of 24000 Hz; expected 16000"):
        build_processor(folder)


def test_what_transformers_saves_again_has_a_processor(folder, tmp_path):
    build_processor(folder, "hr").save_pretrained(tmp_path / "saved")
    tokens = build_processor(tmp_path / "saved", "sr").tokenizer
    assert "<|sr|>" in tokens.convert_ids_to_tokens(tokens.prefix_tokens)
    assert tokens.decode(tokens(TEXTS[1]).input_ids, skip_special_tokens=True) == TEXTS[1]


def test_the_tiny_model_has_the_languages_and_stamps_of_the_real_ones(folder):
    assert [*LANGUAGES][:99] == TINY_LANGUAGES
    assert tuple(STAMPS) == TIME_STAMPS
    tokens = build_processor(folder).tokenizer
    assert language_codes(tokens) == sorted(TINY_LANGUAGES)
    assert tokens.convert_ids_to_tokens(list(range(len(tokens)))) == vocabulary()
    assert tokens.all_special_tokens == special_tokens()


def test_the_tiny_model_has_every_weight_of_the_architecture(folder):
    import torch
    from transformers import WhisperForConditionalGeneration

    model, report = WhisperForConditionalGeneration.from_pretrained(
        folder, output_loading_info=True
    )
    assert not any(report.values())
    assert model.dtype == torch.float32
    assert len(model.state_dict()) == len(weights()) + 1  # and the tied projection


def test_the_tiny_model_is_written_without_torch_and_the_same_each_time(folder, tmp_path):
    code = (
        "import sys; from pathlib import Path; "
        "from fonoteka.whisper.conversion.untrained import tiny_whisper; "
        "tiny_whisper(Path(sys.argv[1])); "
        "assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "again")], cwd=ROOT, check=True)
    again = {p.name: p.read_bytes() for p in (tmp_path / "again").iterdir()}
    assert again == {p.name: p.read_bytes() for p in folder.iterdir()}


def test_the_real_tokenizer_knows_the_languages_of_the_project():
    processor = build_processor(real_whisper(), "sr")
    assert processor.tokenizer.prefix_tokens == [50258, 50303, 50359, 50363]
    for language, number in {"hr": 50291, "bs": 50315, "en": 50259}.items():
        set_prefix(processor.tokenizer, language, "transcribe", "base")
        assert processor.tokenizer.prefix_tokens[1] == number
    assert len(language_codes(processor.tokenizer)) == 99
    ids = processor.tokenizer(TEXTS[1]).input_ids
    assert processor.tokenizer.decode(ids, skip_special_tokens=True) == TEXTS[1]
