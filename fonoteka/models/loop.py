"""One training loop for all models, which resumes after a kill with the same result.

A task defines the batches and the loss of a model. Each epoch ends with an error on the validation
part, and the weights of the best epoch are the result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from fonoteka.core.errors import UserError
from fonoteka.core.stage_log import log_event, log_step
from fonoteka.models.checkpoint import Checkpoint
from fonoteka.models.ctc import lr_at
from fonoteka.models.determinism import seed_of
from fonoteka.models.device import half_precision
from fonoteka.models.parallel.batch_parts import WHOLE, BatchPart, fitting_parts, parts_of_rank
from fonoteka.models.parallel.ranks import ALONE, Ranks


@dataclass(frozen=True)
class LoopParams:
    """Training parameters in the section of every model.

    Attributes:
        seed: seed of weights, batches and dropout.
        epochs: maximum number of epochs.
        patience: epochs without a lower validation error before training stops.
        learning_rate: maximum, after `warmup_fraction` of all epochs; then it decreases to 0.
        warmup_fraction: share of the epochs in which the rate increases.
        weight_decay: weight decay of AdamW.
        max_grad_norm: maximum gradient norm.
    """

    seed: int
    epochs: int
    patience: int
    learning_rate: float
    warmup_fraction: float
    weight_decay: float
    max_grad_norm: float

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.patience < 1:
            raise UserError(
                f"epochs and patience must be at least 1, found {self.epochs} and {self.patience}"
            )


class TrainingTask(Protocol):
    """The interface of a model for the training loop.

    Attributes:
        splits: whether `loss` takes a part of a batch; else it is always given the whole.
    """

    splits: bool

    def new(self) -> nn.Module:
        """Return an untrained model."""

    def batches(self, seed: int) -> Sequence[Any]:
        """Return the batches of one epoch."""

    def loss(self, model: nn.Module, batch: Any, part: BatchPart = WHOLE) -> Tensor:
        """Return what a part contributes to the loss of a batch; a part may be empty.

        The inputs are on the processor, the model may be elsewhere.
        """


@dataclass
class TrainingProgress:
    """The state of a run, stored as JSON with the weights in a checkpoint."""

    epoch: int = 0
    best_epoch: int = 0
    best: float = float("inf")
    history: list[dict[str, float]] | None = None


class BestModelTracker(nn.Module):
    """The model in training and its best state so far, so that a checkpoint contains both."""

    def __init__(self, model: nn.Module, best: nn.Module) -> None:
        super().__init__()
        self.model, self.best = model, best
        self.best.requires_grad_(False)


def _one_group(model: nn.Module) -> list[dict[str, Any]]:
    return [{"params": list(model.parameters()), "rate": 1.0}]


def fit(
    task: TrainingTask, error: Callable[[nn.Module], float], name: str, params: LoopParams,
    checkpoint: Checkpoint, groups: Callable[[nn.Module], list[dict[str, Any]]] = _one_group,
    ranks: Ranks = ALONE,
) -> tuple[nn.Module, TrainingProgress]:  # fmt: skip
    """Return the best model, on the processor, and the progress of its training.

    Args:
        task: batches and loss.
        error: returns the error of a model on the validation part; lower is better.
        name: name of that error, in curves and on the terminal.
        params: parameters of the loop.
        checkpoint: the checkpoint of this run.
        groups: returns the parameters that are trained, in groups for AdamW; the learning rate of
            a group is that of the schedule times its `rate`.
        ranks: the processes of this training and their device.
    """
    torch.manual_seed(seed_of(params.seed, "weights"))
    tracker = BestModelTracker(task.new(), task.new()).to(ranks.device)
    optimizer = torch.optim.AdamW(
        groups(tracker.model), params.learning_rate, weight_decay=params.weight_decay
    )
    notes = checkpoint.restore(tracker, optimizer)
    progress = TrainingProgress(**notes) if notes else TrainingProgress(history=[])
    assert progress.history is not None
    ranks.agree("inputs, parameters or code", checkpoint.mark)
    ranks.agree("checkpoint", f"epoch {progress.epoch}")
    trainer = BatchTrainer(task, tracker.model, optimizer, params, ranks)
    # Patience counts from the restored epoch too, so a resumed run stops where the first would.
    while progress.epoch < params.epochs:
        if progress.epoch - progress.best_epoch >= params.patience:
            break
        loss = run_epoch(task, tracker.model, optimizer, progress.epoch, params, trainer)
        progress.epoch += 1
        tracker.model.eval()
        valid_error = ranks.from_first(lambda: error(tracker.model))
        if valid_error < progress.best:
            progress.best, progress.best_epoch = valid_error, progress.epoch
            tracker.best.load_state_dict(tracker.model.state_dict())
        progress.history.append(
            {"train_loss": round(loss, 6), f"valid_{name}": round(valid_error, 6)}
        )
        if not ranks.first:
            continue
        checkpoint.save(tracker, optimizer, asdict(progress))
        log_event("valid", epoch=progress.epoch, train_loss=loss, **{f"valid_{name}": valid_error})
        print(
            f"epoch {progress.epoch}: loss {loss:.3f}, valid {name} {valid_error:.4f}", flush=True
        )
    return tracker.best.to("cpu"), progress


class BatchTrainer:
    """Updates of a model: the gradients of all parts of a batch, over ranks and one after another.

    Batches of a task have similar sizes, so the first one is measured and all are split as it is.
    """

    def __init__(
        self, task: TrainingTask, model: nn.Module, optimizer: torch.optim.Optimizer,
        params: LoopParams, ranks: Ranks,
    ) -> None:  # fmt: skip
        self.task, self.model, self.optimizer = task, model, optimizer
        self.params, self.ranks = params, ranks
        self.weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        self.per_rank: int | None = None

    def update(self, batch: Any, seed: int) -> float:
        """Update the weights once and return the loss of the whole batch before it.

        Args:
            batch: one of the task's.
            seed: of the draws inside the model, if there are several ranks.

        Raises:
            UserError: the parts do not fit into the memory of the device.
        """
        ranks = self.ranks
        try:
            self.per_rank = self.per_rank or self._fitting(batch)
            self.optimizer.zero_grad()
            parts = parts_of_rank(ranks, self.per_rank, seed)
            total = sum(self._backward(batch, part) for part in parts)
        except torch.OutOfMemoryError as error:
            raise UserError(
                f"{ranks.device}: a batch does not fit into its memory, in parts neither; free it, "
                "or lower the size of a batch in params.yaml"
            ) from error
        ranks.sum_gradients(self.weights)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.params.max_grad_norm)
        self.optimizer.step()
        return ranks.sum(total)

    def _fitting(self, batch: Any) -> int:
        if not self.task.splits:
            return 1
        return fitting_parts(
            self.ranks, lambda part: self.task.loss(self.model, batch, part)
        )  # fmt: skip

    def _backward(self, batch: Any, part: BatchPart) -> float:
        with half_precision(self.ranks.device):
            loss = self.task.loss(self.model, batch, part)
        if loss.requires_grad:  # that of an empty part does not
            loss.backward()  # type: ignore[no-untyped-call]
        return loss.item()


def run_epoch(
    task: TrainingTask,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    epoch: int,
    params: LoopParams,
    trainer: BatchTrainer | None = None,
) -> float:
    """Train one epoch and return the mean loss; without `trainer` as one process."""
    trainer = trainer or BatchTrainer(task, model, optimizer, params, ALONE)
    seed = seed_of(params.seed, "epoch", epoch)
    torch.manual_seed(seed)
    batches = task.batches(seed)
    model.train()
    total = 0.0
    for number, batch in enumerate(batches):
        share = (epoch + number / len(batches)) / params.epochs
        for group in optimizer.param_groups:
            rate = group["rate"] * params.learning_rate
            group["lr"] = rate * lr_at(share, params.warmup_fraction)
        value = trainer.update(batch, seed_of(seed, number))
        total += value
        if trainer.ranks.first:
            log_step(
                step=epoch * len(batches) + number + 1, loss=value, epoch=epoch + 1,
                learning_rate=optimizer.param_groups[0]["lr"],
            )  # fmt: skip
    return total / len(batches)
