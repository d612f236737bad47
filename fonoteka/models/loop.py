"""One training loop for all models, which goes on after a kill as if nothing had happened.

What differs between models is a task: what a batch is and what its loss is. All are judged while
they train by an error on the validation voices, and the weights of the best epoch are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from fonoteka.core.errors import UserError
from fonoteka.models.checkpoint import Checkpoint
from fonoteka.models.ctc import lr_at
from fonoteka.models.determinism import seed_of


@dataclass(frozen=True)
class LoopParams:
    """What every section of a trained model has.

    Attributes:
        seed: of weights, batches and dropout.
        epochs: at most.
        patience: epochs without a lower validation error before training stops.
        learning_rate: highest, after `warmup_fraction` of all epochs; then it falls to 0.
        warmup_fraction: share of the epochs in which the rate rises.
        weight_decay: of AdamW.
        clip_norm: longest gradient.
    """

    seed: int
    epochs: int
    patience: int
    learning_rate: float
    warmup_fraction: float
    weight_decay: float
    clip_norm: float

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.patience < 1:
            raise UserError(
                f"epochs and patience must be at least 1, found {self.epochs} and {self.patience}"
            )


class Task(Protocol):
    """What the training loop needs to know."""

    def new(self) -> nn.Module:
        """Return a model as it is before training."""

    def batches(self, seed: int) -> Sequence[Any]:
        """Return one epoch's batches."""

    def loss(self, model: nn.Module, batch: Any) -> Tensor:
        """Return the loss of one batch."""


@dataclass
class Progress:
    """How far a run is: JSON beside the weights in a checkpoint."""

    epoch: int = 0
    best_epoch: int = 0
    best: float = float("inf")
    history: list[dict[str, float]] | None = None


class Keeper(nn.Module):
    """The model in training beside its best state so far, so that a checkpoint holds both."""

    def __init__(self, model: nn.Module, best: nn.Module) -> None:
        super().__init__()
        self.model, self.best = model, best
        self.best.requires_grad_(False)


def fit(
    task: Task, error: Callable[[nn.Module], float], name: str, params: LoopParams,
    checkpoint: Checkpoint,
) -> tuple[nn.Module, Progress]:  # fmt: skip
    """Return the best model and the story of its training.

    Args:
        task: what is learned.
        error: of a model on the validation part; less is better.
        name: of that error, in curves and on the screen.
        params: the loop's.
        checkpoint: of this very run.
    """
    torch.manual_seed(seed_of(params.seed, "weights"))
    keeper = Keeper(task.new(), task.new())
    optimizer = torch.optim.AdamW(
        keeper.model.parameters(), params.learning_rate, weight_decay=params.weight_decay
    )
    notes = checkpoint.restore(keeper, optimizer)
    progress = Progress(**notes) if notes else Progress(history=[])
    assert progress.history is not None
    while progress.epoch < params.epochs:
        if progress.epoch - progress.best_epoch >= params.patience:
            break
        loss = run_epoch(task, keeper.model, optimizer, progress.epoch, params)
        progress.epoch += 1
        keeper.model.eval()
        found = error(keeper.model)
        if found < progress.best:
            progress.best, progress.best_epoch = found, progress.epoch
            keeper.best.load_state_dict(keeper.model.state_dict())
        progress.history.append({"train_loss": round(loss, 6), f"valid_{name}": round(found, 6)})
        checkpoint.save(keeper, optimizer, asdict(progress))
        print(f"epoch {progress.epoch}: loss {loss:.3f}, valid {name} {found:.4f}", flush=True)
    return keeper.best, progress


def run_epoch(
    task: Task, model: nn.Module, optimizer: torch.optim.Optimizer, epoch: int, params: LoopParams
) -> float:
    """Go once through the training part and return the mean loss."""
    seed = seed_of(params.seed, "epoch", epoch)
    torch.manual_seed(seed)
    batches = task.batches(seed)
    model.train()
    total = 0.0
    for number, batch in enumerate(batches):
        share = (epoch + number / len(batches)) / params.epochs
        for group in optimizer.param_groups:
            group["lr"] = params.learning_rate * lr_at(share, params.warmup_fraction)
        loss: Tensor = task.loss(model, batch)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), params.clip_norm)
        optimizer.step()
        total += loss.item()
    return total / len(batches)
