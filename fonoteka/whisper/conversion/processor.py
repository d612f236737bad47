"""The processor of a Whisper: its feature extractor and its tokenizer, from a folder alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import WhisperProcessor
from transformers.models.whisper.tokenization_whisper import LANGUAGES, TO_LANGUAGE_CODE

from fonoteka.audio.dsp import SAMPLE_RATE_HZ
from fonoteka.core.errors import UserError
from fonoteka.whisper.conversion.tokens import NO_TIME_STAMPS, START, TASKS

TOKENIZER, EXTRACTORS = "tokenizer.json", ("preprocessor_config.json", "processor_config.json")


def build_processor(folder: Path, language: str | None = None, task: str = TASKS[0]) -> Any:
    """Return transformers' `WhisperProcessor` of a folder; no request is sent.

    With a language, the tokenizer begins every text with the tokens of start, language, task and
    no time stamps. Without one, transformers begins it with start and no time stamps only, and a
    model that is trained on such texts no longer recognises languages.

    Args:
        folder: of the model.
        language: a code as `sr` or an English name as `serbian`; None sets no prefix.
        task: transcribe or translate.

    Raises:
        UserError: a file is missing or damaged, the sampling rate is not 16 kHz, or the model does
            not have the language or the task.
    """
    _require_files(folder)
    try:
        processor = WhisperProcessor.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # the tokenizers library raises a plain Exception
        raise UserError(f"{folder}: no processor of a Whisper to load: {error}") from error
    rate = processor.feature_extractor.sampling_rate
    if rate != SAMPLE_RATE_HZ:
        raise UserError(f"{folder}: a sampling rate of {rate} Hz; expected {SAMPLE_RATE_HZ}")
    if language is not None:
        set_prefix(processor.tokenizer, language, task, folder)
    return processor


def _require_files(folder: Path) -> None:
    if not (folder / TOKENIZER).is_file():
        raise UserError(f"{folder / TOKENIZER}: no such file; expected the folder of a Whisper")
    if not any((folder / name).is_file() for name in EXTRACTORS):
        raise UserError(f"{folder}: no {EXTRACTORS[0]}; expected the folder of a Whisper")


def set_prefix(tokenizer: Any, language: str, task: str, place: object) -> None:
    """Let a tokenizer begin every text with start, language, task and no time stamps.

    transformers computes the number of a language from the list of the newest model, so in an older
    one the code of a later language, `yue`, would be the token of a task: names are compared.

    Raises:
        UserError: the tokenizer does not have the language or the task.
    """
    code = TO_LANGUAGE_CODE.get(language.lower(), language.lower())
    codes = language_codes(tokenizer)
    if code not in codes:
        raise UserError(f"{place}: language {language!r} is not one of {', '.join(codes)}")
    if task not in TASKS:
        raise UserError(f"{place}: task {task!r} is not one of {', '.join(TASKS)}")
    tokenizer.set_prefix_tokens(language=code, task=task, predict_timestamps=False)
    prefix = tokenizer.convert_ids_to_tokens(tokenizer.prefix_tokens)
    expected = [START, f"<|{code}|>", f"<|{task}|>", NO_TIME_STAMPS]
    if prefix != expected:
        raise UserError(f"{place}: a text begins with {prefix}; expected {expected}")


def language_codes(tokenizer: Any) -> list[str]:
    """Return the codes of the languages that a tokenizer has tokens for, sorted."""
    vocabulary = tokenizer.get_vocab()
    return sorted(code for code in LANGUAGES if f"<|{code}|>" in vocabulary)
