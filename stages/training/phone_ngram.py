"""Estimate a phone n-gram model from the training utterances, for beam search.

Reads   train.jsonl, valid.jsonl
Writes  data/models/phone_ngram/phones.arpa, and ngram.json with its counts and perplexities
Params  phone_ngram

The model is estimated from training utterances alone. The perplexities of all orders up to the
chosen one, on training and validation utterances, show what a longer history gains: if it were
learnt by heart, the perplexity on the validation utterances would rise again.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fonoteka import manifest
from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_folder, write_json, write_text
from fonoteka.core.params import load
from fonoteka.core.run_stage import stage
from fonoteka.phones import INVENTORY
from fonoteka.streaming.arpa import arpa_text
from fonoteka.streaming.phone_ngram import PhoneNgram, estimate, perplexity

DIGITS = 4  # decimals of a perplexity

Phones = Sequence[tuple[str, ...]]


@dataclass(frozen=True)
class PhoneNgramParams:
    """Section `phone_ngram`.

    Attributes:
        order: length of the longest n-grams.
    """

    order: int


def read_phones(path: Path) -> list[tuple[str, ...]]:
    """Return the phones of each utterance that has some.

    Raises:
        UserError: none has.
    """
    utterances = manifest.read(path)
    if phones := [u.phones for u in utterances if u.phones]:
        return phones
    raise UserError(f"{path}: none of {len(utterances)} utterances has a phone")


def described(model: PhoneNgram, train: Phones, valid: Phones) -> dict[str, Any]:
    """Return the contents of ngram.json: counts of the model, and perplexities by order."""
    lengths = Counter(map(len, model.entries))
    models = [estimate(train, model.phones, order) for order in range(1, model.order)] + [model]
    return {
        "order": model.order,
        "smoothing": "interpolated Witten-Bell",
        "ngrams": {str(order): lengths[order] for order in sorted(lengths)},
        "utterances": {"train": len(train), "valid": len(valid)},
        "phones": {"train": sum(map(len, train)), "valid": sum(map(len, valid))},
        "perplexity": {
            str(each.order): {
                "train": round(perplexity(each, train), DIGITS),
                "valid": round(perplexity(each, valid), DIGITS),
            }
            for each in models
        },
    }


def run(train: Path, valid: Path, out: Path, params: PhoneNgramParams) -> None:
    """Estimate the model and write it."""
    sequences = read_phones(train)
    model = estimate(sequences, INVENTORY, params.order)
    with atomic_folder(out) as folder:
        write_text(folder / "phones.arpa", arpa_text(model))
        write_json(folder / "ngram.json", described(model, sequences, read_phones(valid)))


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("train", "valid", "out"):
        parser.add_argument(name, type=Path)
    run(**vars(parser.parse_args()), params=load("phone_ngram", PhoneNgramParams))


if __name__ == "__main__":
    stage(main)
