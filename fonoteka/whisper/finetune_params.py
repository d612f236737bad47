"""Section `train_whisper` of params.yaml: how Whisper is fine-tuned."""

from __future__ import annotations

from dataclasses import dataclass

from fonoteka.core.errors import UserError
from fonoteka.whisper.examples import SCRIPTS, MaskParams
from fonoteka.whisper.lora import LoraParams

TRAINABLE, FROZEN = ("all", "decoder", "lora"), ("embeddings",)


@dataclass(frozen=True)
class FineTuneParams:
    """Section `train_whisper`.

    Attributes:
        seed: of batches, masks, dropout and adapters.
        trainable: `all` weights but the encoder's positions; `decoder`, on stored encoder states;
            or `lora`, adapters that are merged into the weights.
        frozen: parts that are not trained with `all` and `decoder`: `embeddings`, the token
            embeddings, which are 26 of whisper-base's 72 million weights.
        frozen_layers: encoder layers from the first that are not trained with `all`, the two
            convolutions with them; 0 trains both.
        script: of the targets, `latin` or `as_written`.
        batch: most clips that are computed side by side.
        accumulate: batches per step.
        steps: updates of the weights.
        learning_rate: maximum, after `warmup_fraction` of the steps; then it decreases to 0.
        warmup_fraction: share of the steps in which the rate increases.
        beta2: decay of AdamW's second moment; Whisper was trained with 0.98.
        weight_decay: of AdamW.
        max_grad_norm: maximum gradient norm.
        label_smoothing: share of the target's probability given to all tokens, in training.
        valid_every: steps between two validations.
        valid_clips: clips of the validation split, as many per speaker and language as possible.
        patience: validations without a lower loss before training stops.
        checkpoint_every: steps between two checkpoints.
        augment: name of the recipe of the training clips; not with `decoder`.
        masks: on the log-mel input; not with `decoder`.
        lora: adapters, with `lora`.
        repeat: passes over a corpus per epoch, if not 1.
        language_share: share of a language's clips that an epoch draws, if not 1.
    """

    seed: int
    trainable: str
    frozen: tuple[str, ...]
    frozen_layers: int
    script: str
    batch: int
    accumulate: int
    steps: int
    learning_rate: float
    warmup_fraction: float
    beta2: float
    weight_decay: float
    max_grad_norm: float
    label_smoothing: float
    valid_every: int
    valid_clips: int
    patience: int
    checkpoint_every: int
    augment: str
    masks: MaskParams
    lora: LoraParams
    repeat: dict[str, int]
    language_share: dict[str, float]

    def __post_init__(self) -> None:
        words = {"trainable": TRAINABLE, "script": SCRIPTS}
        for name, allowed in words.items():
            if getattr(self, name) not in allowed:
                raise UserError(
                    f"train_whisper.{name}: {getattr(self, name)!r} is not one of "
                    f"{', '.join(allowed)}; change it in params.yaml"
                )
        if unknown := sorted({*self.frozen} - {*FROZEN}):
            raise UserError(f"train_whisper.frozen: {unknown[0]!r} is not one of {FROZEN}")
        counts = (
            "batch", "accumulate", "steps", "valid_every", "valid_clips", "patience",
            "checkpoint_every",
        )  # fmt: skip
        for name in counts:
            if getattr(self, name) < 1:
                raise UserError(
                    f"train_whisper.{name} must be at least 1, found {getattr(self, name)}; "
                    "change it in params.yaml"
                )
        if self.trainable == "decoder" and self.masks.on:
            raise UserError(
                "train_whisper: masks need an encoder in training, and trainable is 'decoder'; "
                "set time_masks and band_masks to 0 in params.yaml"
            )
