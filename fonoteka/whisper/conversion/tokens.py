"""The tokens of a Whisper by number, and the special ones that its vocabulary ends with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fonoteka.core.errors import UserError

END, START, NO_TIME_STAMPS = "<|endoftext|>", "<|startoftranscript|>", "<|notimestamps|>"
TASKS = ("transcribe", "translate")
TIME_STAMPS = tuple(f"<|{number / 50:.2f}|>" for number in range(1501))  # 0 to 30 s, each 20 ms


def tokens_by_number(tokenizer: Mapping[str, Any], place: object) -> dict[int, str]:
    """Return the tokens that the content of tokenizer.json contains.

    Raises:
        UserError: it has no vocabulary or no special tokens; `place` is named in the message.

    >>> tokens_by_number({"model": {"vocab": {"a": 0}}, "added_tokens": []}, "tokenizer.json")
    {0: 'a'}
    """
    try:
        tokens = {int(number): str(token) for token, number in tokenizer["model"]["vocab"].items()}
        return tokens | {int(t["id"]): str(t["content"]) for t in tokenizer["added_tokens"]}
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{place}: not the tokenizer of a Whisper: {error!r}") from error


def letter_values() -> dict[str, int]:
    """Return the byte of each letter of a token in byte-level BPE.

    A printable byte of Latin-1 is its own letter, any other one a letter from U+0100 on.

    Source: OpenAI's GPT-2, `src/encoder.py`.

    >>> letter_values()["a"], letter_values()["Ġ"]
    (97, 32)
    """
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    other = [byte for byte in range(256) if byte not in printable]
    letters = [*printable, *range(256, 256 + len(other))]
    return {chr(letter): byte for letter, byte in zip(letters, [*printable, *other], strict=True)}
