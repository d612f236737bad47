"""Fine-tuning of Whisper: a deterministic loop that resumes after a kill with the same bytes.

The batches of a step, its learning rate and its random numbers depend on the seed and on the number
of the step alone, so weights, moments of the optimiser and history are the whole state of a run.
"""

from __future__ import annotations

import math
import time
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fonoteka.audio.recipe import NONE, AugmentRecipe
from fonoteka.core.errors import UserError
from fonoteka.core.stage_log import log_event, log_step
from fonoteka.models.ctc import lr_at
from fonoteka.models.determinism import seed_of
from fonoteka.models.device import half_precision
from fonoteka.models.log_mel import MEL_HOP
from fonoteka.models.parallel.batch_parts import WHOLE, BatchPart, fitting_parts, parts_of_rank
from fonoteka.models.parallel.ranks import ALONE, Ranks
from fonoteka.models.step_checkpoints import StepCheckpoints, TrainingState
from fonoteka.models.whisper_encoder import encode_mel
from fonoteka.whisper.augmented import augmented_examples, check_recipe
from fonoteka.whisper.encoder_states import EncoderStates
from fonoteka.whisper.examples import (
    NO_TARGET,
    TextClip,
    batches_of,
    drawn_share,
    make_targets,
    mask_spectrogram,
)
from fonoteka.whisper.finetune_params import FineTuneParams
from fonoteka.whisper.lora import add_adapters
from fonoteka.whisper.model import Whisper, padded

STATUS = Path("/proc/self/status")


@dataclass
class FineTuneProgress:
    """The state of a run besides its tensors.

    Attributes:
        step: updates so far.
        best_step: updates after which the validation loss was lowest; 0 is the base model.
        best: that loss, per token.
        waited: validations since then.
        history: values of each step, from step 0, the base model.
    """

    step: int = 0
    best_step: int = 0
    best: float = math.inf
    waited: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class StepRecord:
    """What is logged for a step.

    Attributes:
        step: its number, from 1.
        loss: mean per token before the update.
        learning_rate: of the update.
        seconds: of this step on the clock.
        cpu_seconds: of this process.
        peak_mib: most memory so far: of the device on a GPU, else of the process; None if the
            system does not tell.
    """

    step: int
    loss: float
    learning_rate: float
    seconds: float
    cpu_seconds: float
    peak_mib: int | None


Log = Callable[[StepRecord], None]


def trainable_weights(model: nn.Module, params: FineTuneParams) -> dict[str, nn.Parameter]:
    """Freeze what is not trained and return the other parameters by name."""
    if params.trainable == "lora":
        torch.manual_seed(seed_of(params.seed, "adapters"))
        add_adapters(model, params.lora)
    else:
        prefixes = _frozen_prefixes(params)
        for name, weight in model.named_parameters():
            weight.requires_grad_(not name.startswith(prefixes))
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}


def _frozen_prefixes(params: FineTuneParams) -> tuple[str, ...]:
    encoder = "model.encoder."
    frozen = [encoder] if params.trainable == "decoder" else [f"{encoder}embed_positions."]
    if params.frozen_layers:
        frozen += [f"{encoder}conv1.", f"{encoder}conv2."]
        frozen += [f"{encoder}layers.{number}." for number in range(params.frozen_layers)]
    if "embeddings" in params.frozen:
        frozen.append("model.decoder.embed_tokens.")
    return tuple(frozen)


class Losses:
    """The loss of batches, from clips or from stored encoder states."""

    def __init__(
        self, whisper: Whisper, params: FineTuneParams, stored: EncoderStates | None,
        recipe: AugmentRecipe = NONE,
    ) -> None:  # fmt: skip
        self.recipe = recipe
        self.whisper, self.params, self.stored = whisper, params, stored
        self.device: torch.device = whisper.model.device

    def train(self, batch: Sequence[TextClip], step: int, part: BatchPart = WHOLE) -> Tensor:
        """Return the sum of the losses of a part's tokens, with changes, masks and smoothing.

        All parts have the input length of the batch, because silence after a clip changes it.
        """
        changed = augmented_examples(batch, self.recipe, self.params.seed, step)
        some = part.take(changed)
        if not some:
            return torch.zeros((), device=self.device)
        with part.draws():
            length = max(e.input_s for e in changed)
            return self._sum(some, step, self.params.label_smoothing, length)

    @torch.no_grad()
    def valid(self, examples: Sequence[TextClip]) -> float:
        """Return the mean loss per token, each clip with the input length of its own."""
        self.whisper.model.eval()
        total = 0.0
        lengths = [e.input_s for e in examples]
        rng = np.random.default_rng(0)  # the order of the sum, which is rounded
        for numbers in batches_of(lengths, self.params.batch, rng, equal=True):
            some = [examples[i] for i in numbers]
            total += self._sum(some, None, 0.0, some[0].input_s).item()
        return total / sum(map(target_count, examples))

    def _sum(
        self, batch: Sequence[TextClip], step: int | None, smoothing: float, input_s: float
    ) -> Tensor:  # fmt: skip
        model = self.whisper.model
        targets = make_targets(batch, self.whisper.rules.end)
        labels = targets.labels.to(self.device)
        wanted = labels != NO_TARGET
        with half_precision(self.device):
            hidden = model.model.decoder(
                input_ids=targets.inputs.to(self.device),
                encoder_hidden_states=self._states(batch, step, input_s), use_cache=False,
            ).last_hidden_state  # fmt: skip
            # Positions without a target are left out: a third of the decoder's cost is here.
            logits = model.proj_out(hidden[wanted])
        return F.cross_entropy(
            logits.float(), labels[wanted], reduction="sum", label_smoothing=smoothing
        )

    def _states(self, batch: Sequence[TextClip], step: int | None, input_s: float) -> Tensor:
        if self.stored is not None:
            return self.stored.read(batch).to(self.device)
        samples = padded([e.samples for e in batch], input_s)
        mel = self.whisper.log_mel(samples.to(self.device))
        if step is not None and self.params.masks.on:
            seeds = [seed_of(self.params.seed, "masks", e.id, step) for e in batch]
            frames = [e.count // MEL_HOP for e in batch]
            mel = mask_spectrogram(mel, self.params.masks, seeds, frames)
        return encode_mel(self.whisper.model.model.encoder, mel)


def target_count(example: TextClip) -> int:
    """Return the number of tokens with a loss: the text and the end token."""
    return len(example.tokens) + 1


class BatchOrder:
    """The batches of all epochs, one after the other, by number."""

    def __init__(self, examples: Sequence[TextClip], params: FineTuneParams) -> None:
        self.examples, self.params = examples, params
        self.languages = [e.language for e in examples]
        self.equal = params.trainable == "decoder"  # stored states have no mask for padding
        # Numbers of the first batches of the epochs so far and of the next one.
        self.starts = [0, len(self.epoch(0))]

    def batch(self, number: int) -> list[TextClip]:
        """Return a batch of an epoch; epochs differ in their number of batches."""
        while number >= self.starts[-1]:
            self.starts.append(self.starts[-1] + len(self.epoch(len(self.starts) - 1)))
        epoch = bisect_right(self.starts, number) - 1
        return [self.examples[i] for i in self.epoch(epoch)[number - self.starts[epoch]]]

    @lru_cache(maxsize=2)  # noqa: B019 - one order per run
    def epoch(self, epoch: int) -> list[list[int]]:
        """Return the clip numbers of each batch of an epoch."""
        rng = np.random.default_rng(seed_of(self.params.seed, "epoch", epoch))
        drawn = drawn_share(self.languages, self.params.language_share, rng)
        lengths = [self.examples[i].input_s for i in drawn]
        batches = batches_of(lengths, self.params.batch, rng, self.equal)
        return [[drawn[i] for i in batch] for batch in batches]


class FineTuning:
    """A run: the model, its optimiser, the best weights and the progress."""

    def __init__(
        self, losses: Losses, train: Sequence[TextClip], params: FineTuneParams,
        ranks: Ranks = ALONE,
    ) -> None:  # fmt: skip
        self.losses, self.params, self.ranks = losses, params, ranks
        self.per_rank: int | None = None
        self.model: nn.Module = losses.whisper.model
        self.weights = trainable_weights(self.model, params)
        self.model.to(losses.device)
        self.order = BatchOrder(train, params)
        self.optimizer = torch.optim.AdamW(
            self.weights.values(), params.learning_rate, betas=(0.9, params.beta2),
            weight_decay=params.weight_decay, fused=True,
        )  # fmt: skip
        self.best = self._copy()
        self.progress = FineTuneProgress()

    def step(self) -> StepRecord:
        """Update the weights once."""
        number, params = self.progress.step, self.params
        clock, cpu = time.perf_counter(), time.process_time()
        torch.manual_seed(seed_of(params.seed, "step", number))
        # The middle of the step: at its start the first step would have a rate of 0.
        share = (number + 0.5) / params.steps
        rate = params.learning_rate * lr_at(share, params.warmup_fraction)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        loss = self._gradients(number)
        torch.nn.utils.clip_grad_norm_(self.weights.values(), params.max_grad_norm)
        self.optimizer.step()
        self.progress.step += 1
        self.progress.history.append({"train_loss": round(loss, 6)})
        return StepRecord(
            number + 1, round(loss, 6), rate, round(time.perf_counter() - clock, 3),
            round(time.process_time() - cpu, 3), peak_memory_mib(self.losses.device),
        )  # fmt: skip

    def _gradients(self, number: int) -> float:
        """Compute the gradients of a step and return its loss per token."""
        self.model.train()
        self.optimizer.zero_grad()
        params = self.params
        first = number * params.accumulate
        batches = [self.order.batch(first + i) for i in range(params.accumulate)]
        count = sum(target_count(e) for batch in batches for e in batch)
        try:
            self.per_rank = self.per_rank or fitting_parts(
                self.ranks, lambda part: self.losses.train(batches[0], number, part)
            )
            parts = parts_of_rank(self.ranks, self.per_rank, params.seed, number)
            total = sum(self._backward(batch, number, count, parts) for batch in batches)
        except torch.OutOfMemoryError as error:
            raise UserError(
                f"step {number + 1}: a batch of {params.batch} clips does not fit into the "
                "memory of the device; lower train_whisper.batch and raise accumulate"
            ) from error
        # The losses are sums over all tokens of the step, so the sum of the ranks is the whole.
        self.ranks.sum_gradients([*self.weights.values()])
        total = self.ranks.sum(total)
        if not math.isfinite(total):
            raise UserError(
                f"step {number + 1}: the loss is {total}; lower train_whisper.learning_rate, now "
                f"{params.learning_rate}"
            )
        return total

    def _backward(
        self, batch: Sequence[TextClip], number: int, count: int, parts: Sequence[BatchPart]
    ) -> float:  # fmt: skip
        total = 0.0
        for part in parts:
            loss = self.losses.train(batch, number, part) / count
            if loss.requires_grad:  # that of an empty part does not
                loss.backward()  # type: ignore[no-untyped-call]
            total += loss.item()
        return total

    def validate(self, examples: Sequence[TextClip]) -> float:
        """Record the validation loss and keep the weights if it is the lowest so far."""
        loss, progress = self.ranks.from_first(lambda: self.losses.valid(examples)), self.progress
        if not progress.history:
            progress.history.append({})
        progress.history[-1]["valid_loss"] = round(loss, 6)
        if self.ranks.first:
            log_event("valid", step=progress.step, valid_loss=loss)
        if loss < progress.best:
            progress.best, progress.best_step, progress.waited = loss, progress.step, 0
            self.best = self._copy()
        else:
            progress.waited += 1
        return loss

    def state(self) -> TrainingState:
        """Return what a checkpoint contains; the best weights if they are not the present ones."""
        tensors: dict[str, Tensor] = {f"weight.{n}": w.data for n, w in self.weights.items()}
        if self.progress.best_step != self.progress.step:
            tensors |= {f"best.{name}": weight for name, weight in self.best.items()}
        moments = self.optimizer.state_dict()["state"]
        for number, name in enumerate(self.weights):
            tensors |= {f"{key}.{name}": value for key, value in moments[number].items()}
        return TrainingState(tensors, asdict(self.progress))

    def load(self, state: TrainingState) -> None:
        """Continue from the state of a checkpoint."""
        self._set({n: state.tensors[f"weight.{n}"] for n in self.weights})
        self.progress = FineTuneProgress(**state.notes)
        present = self.progress.best_step == self.progress.step
        prefix = "weight" if present else "best"
        self.best = {
            n: state.tensors[f"{prefix}.{n}"].to(w.device) for n, w in self.weights.items()
        }
        moments = {
            number: {
                key: state.tensors[f"{key}.{name}"] for key in ("step", "exp_avg", "exp_avg_sq")
            }
            for number, name in enumerate(self.weights)
        }
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": moments, "param_groups": groups})

    def finish(self) -> None:
        """Give the model the best weights."""
        self._set(self.best)

    def _copy(self) -> dict[str, Tensor]:
        return {name: weight.detach().clone() for name, weight in self.weights.items()}

    @torch.no_grad()
    def _set(self, values: Mapping[str, Tensor]) -> None:
        for name, weight in self.weights.items():
            weight.copy_(values[name])


def fine_tune(
    whisper: Whisper, train: Sequence[TextClip], valid: Sequence[TextClip], params: FineTuneParams,
    checkpoints: StepCheckpoints, stored: EncoderStates | None, log: Log,
    recipe: AugmentRecipe = NONE, ranks: Ranks = ALONE,
) -> FineTuning:  # fmt: skip
    """Train a model in place and return the finished run; the model has its best weights.

    Args:
        whisper: the base model, on its device.
        train: repeated as `repeat` states.
        valid: the clips of the validation loss.
        params: of the run.
        checkpoints: of this run.
        stored: prepared encoder states of all examples, or None to encode clips in each step.
        log: called after each step by the first rank.
        recipe: of the training clips.
        ranks: the processes of this training.
    """
    check_recipe(train, recipe, params.trainable)
    run = FineTuning(Losses(whisper, params, stored, recipe), train, params, ranks)
    state = checkpoints.restore()
    ranks.agree("inputs, parameters or code", checkpoints.mark)
    ranks.agree("checkpoint", f"step {state.notes['step'] if state else 0}")
    if state:
        run.load(state)
        print(f"continues after step {run.progress.step} of {params.steps}", flush=True)
    else:
        print(f"base: valid loss {run.validate(valid):.4f}", flush=True)
    del state
    progress = run.progress
    while progress.step < params.steps and progress.waited < params.patience:
        record = run.step()
        if ranks.first:
            log(record)
            log_step(**asdict(record))
        ended = progress.step == params.steps
        if ended or progress.step % params.valid_every == 0:
            print(f"step {progress.step}: valid loss {run.validate(valid):.4f}", flush=True)
        if ranks.first and (ended or progress.step % params.checkpoint_every == 0):
            checkpoints.save(progress.step, run.state())
    run.finish()
    whisper.model.eval()
    return run


def peak_memory_mib(device: torch.device) -> int | None:
    """Return the most memory that the device or this process had, in MiB, or None if unknown."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device) / 2**20)
    if not STATUS.is_file():
        return None
    for line in STATUS.read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) // 1024
    return None
