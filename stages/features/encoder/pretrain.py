"""Teach an encoder, from the training part alone, what speech is made of.

Three tasks in one pass. Masked prediction (HuBERT): say which of k clusters of MFCC frames is
behind the masked part of a clip. Connectionist temporal classification of the clip's phones
(UniSpeech): what the clusters leave open, the phones decide. And, for clips whose phone times the
corpus knows, the phone of each frame, which spares the encoder the long search for an alignment.

Sources: Hsu et al. 2021, "HuBERT", arXiv:2106.07447; Wang et al. 2021, "UniSpeech",
arXiv:2101.07597.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import count
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
import torchaudio
from numpy.typing import NDArray
from sklearn.cluster import MiniBatchKMeans
from threadpoolctl import threadpool_limits
from torch import Tensor, nn

from fonoteka.audio.augment import augment
from fonoteka.audio.dsp import FRAME_HOP, SAMPLE_RATE_HZ, Signal
from fonoteka.audio.recipe import AugmentRecipe
from fonoteka.core.errors import UserError
from fonoteka.core.lazy_sequence import LazySequence
from fonoteka.manifest import Utterance
from fonoteka.models.ctc import bucket_by_length, ctc_loss, min_ctc_frames
from fonoteka.models.determinism import seed_of
from fonoteka.models.encoders import (
    ArchitectureParams,
    frame_count,
    new_encoder,
    pad_for_frames,
    receptive_field,
    zero_mean_unit_variance,
)
from fonoteka.models.frame_targets import frame_labels
from fonoteka.phones import LABELS, NUMBER


@dataclass(frozen=True)
class PretrainParams:
    """Section `encoder.pretrain`.

    Attributes:
        seed: of weights, batches, masks and augmentation.
        steps: updates in all.
        round_steps: updates between checkpoints.
        batch_s: seconds of audio per update.
        learning_rate: highest, after `warmup_fraction` of the steps; then it falls to 0.
        warmup_fraction: share of the steps in which the rate rises.
        clusters: k of k-means.
        mask_fraction: share of frames masked.
        mask_span: frames masked together.
        cluster_weight: weight of masked prediction in the loss.
        ctc_weight: weight of the phone sequence in the loss; 0 is without transcripts.
        frame_weight: weight of each frame's phone in the loss, for clips with phone times.
        repeat: passes over a corpus per epoch, if not 1; for a small corpus beside a large one.
        architecture: the size.
        augment: name of the recipe of the changes of a clip.
    """

    seed: int
    steps: int
    round_steps: int
    batch_s: float
    learning_rate: float
    warmup_fraction: float
    clusters: int
    mask_fraction: float
    mask_span: int
    cluster_weight: float
    ctc_weight: float
    frame_weight: float
    repeat: dict[str, int]
    architecture: ArchitectureParams
    augment: str


@dataclass(frozen=True)
class PretrainExample:
    """One clip with its targets; its samples are decoded for each batch.

    Attributes:
        id: of the utterance.
        clips: samples by id, shape `[T]`.
        samples: their number, T.
        clusters: of its 20 ms frames.
        frames: label of the phone in each frame, 0 between phones, -100 if unknown.
        phones: labels of its phones in order.
    """

    id: str
    clips: Mapping[str, Signal]
    samples: int
    clusters: NDArray[np.int64]
    frames: NDArray[np.int64]
    phones: NDArray[np.int64]

    @property
    def signal(self) -> Signal:
        """The samples, shape `[T]`."""
        return self.clips[self.id]


class PretrainModel(nn.Module):
    """An encoder with three output layers that are discarded after pretraining."""

    def __init__(self, name: str, params: PretrainParams) -> None:
        super().__init__()
        torch.manual_seed(seed_of(params.seed, "weights"))
        self.encoder: Any = new_encoder(name, params.architecture)
        # Otherwise transformers requires a gradient of the samples, which is a tenth of a step.
        self.encoder.freeze_feature_encoder()
        self.encoder.feature_extractor.requires_grad_(True)
        self.clusters = nn.Linear(params.architecture.hidden, params.clusters)
        self.phones = nn.Linear(params.architecture.hidden, len(LABELS))
        self.frames = nn.Linear(params.architecture.hidden, len(LABELS))

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.clusters.weight.device


def pretrain_examples(
    utterances: Sequence[Utterance], signals: Mapping[str, Signal], params: PretrainParams
) -> list[PretrainExample]:
    """Return the examples in the order of the utterances, with clusters of all of them."""
    samples = [len(signals[u.id]) for u in utterances]
    # Computed when they are asked for: all of them need 37 MB per hour.
    cepstra = LazySequence(utterances, lambda u: mfcc(signals[u.id]))
    clip_clusters = clusters_of(cepstra, [frame_count(size) for size in samples], params)
    short = sum(
        len(c) < min_ctc_frames(u.phones) for u, c in zip(utterances, clip_clusters, strict=True)
    )
    if short:
        print(f"{short} of {len(utterances)} clips have fewer frames than phones: no CTC loss")
    return [
        PretrainExample(
            u.id, signals, size, clusters, frame_labels(u, len(clusters)),
            np.array([NUMBER[p] for p in u.phones], dtype=np.int64),
        )
        for u, size, clusters in zip(utterances, samples, clip_clusters, strict=True)
    ]  # fmt: skip


def clusters_of(
    frames: Sequence[NDArray[np.float64]], sizes: Sequence[int], params: PretrainParams
) -> list[NDArray[np.int64]]:
    """Return the cluster of each frame of each clip, clusters found by k-means on a sample.

    Args:
        frames: `[T, C]` of each clip; they are asked for twice.
        sizes: their numbers of frames, T.
        params: the number of clusters, and the seed.
    """
    total = sum(sizes)
    if total < params.clusters:
        raise UserError(
            f"encoder: {total} frames of training audio cannot give "
            f"{params.clusters} clusters; add recordings or lower encoder.pretrain.clusters"
        )
    rng = np.random.default_rng(seed_of(params.seed, "clusters"))
    chosen = _rows(frames, sizes, rng.permutation(total)[:50_000])
    kmeans = MiniBatchKMeans(
        params.clusters, batch_size=4096, n_init=1, random_state=seed_of(params.seed, "k-means")
    )
    with threadpool_limits(1):  # its sums depend on the thread count
        kmeans.fit(chosen)
        return [kmeans.predict(block).astype(np.int64) for block in frames]


def _rows(
    blocks: Sequence[NDArray[np.float64]], sizes: Sequence[int], chosen: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return the chosen rows of all blocks together, with one block in memory at a time."""
    order = np.argsort(chosen)
    ends = np.cumsum(sizes)
    cuts = np.searchsorted(chosen[order], ends)
    rows: NDArray[np.float64] | None = None
    for block, end, size, begin, after in zip(
        blocks, ends, sizes, [0, *cuts[:-1]], cuts, strict=True
    ):
        if rows is None:
            rows = np.empty((len(chosen), block.shape[1]))
        own = order[begin:after]
        rows[own] = block[chosen[own] - (end - size)]
    assert rows is not None
    return rows


def mfcc(signal: Signal) -> NDArray[np.float64]:
    """Return 13 cepstra and their deltas each 20 ms, shape `[T, 26]`, the clip's mean taken out."""
    cepstra = _transform()(torch.from_numpy(pad_for_frames(signal, 400)))
    both = torch.cat([cepstra, torchaudio.functional.compute_deltas(cepstra, 5)]).T
    return np.asarray((both - both.mean(dim=0)).double().numpy())


@cache
def _transform() -> Any:
    return torchaudio.transforms.MFCC(
        SAMPLE_RATE_HZ, n_mfcc=13,
        melkwargs={"n_fft": 400, "hop_length": FRAME_HOP, "n_mels": 40, "center": False},
    )  # fmt: skip


def batches(lengths: Sequence[int], batch_s: float, seed: int) -> Iterator[list[int]]:
    """Yield clip numbers in batches of about `batch_s` seconds of like length, for ever."""
    for epoch in count():
        rng = np.random.default_rng(seed_of(seed, "batches", epoch))
        yield from bucket_by_length(lengths, batch_s * SAMPLE_RATE_HZ, rng)


def step_loss(
    model: PretrainModel, examples: Sequence[PretrainExample], params: PretrainParams,
    recipe: AugmentRecipe, seed: int,
) -> Tensor:  # fmt: skip
    """Return the loss of one batch; `seed` decides augmentation, masks and dropout."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    field = receptive_field(model.encoder)
    augmented = [augment(example.signal, recipe, rng) for example in examples]
    sizes = [frame_count(len(signal)) for signal, _ in augmented]
    waves = [
        torch.from_numpy(pad_for_frames(zero_mean_unit_variance(signal), field))
        for signal, _ in augmented
    ]
    batch = nn.utils.rnn.pad_sequence(waves, batch_first=True)
    attention = torch.zeros(batch.shape, dtype=torch.long)
    for row, wave in zip(attention, waves, strict=True):
        row[: len(wave)] = 1
    masked = torch.from_numpy(_masks(sizes, max(sizes), params, rng))
    # Augmentation changes the speed, so a frame's targets are those at `factor` times its index.
    indices = [
        np.minimum((np.arange(size) * factor).astype(int), len(example.clusters) - 1)
        for example, (_, factor), size in zip(examples, augmented, sizes, strict=True)
    ]
    device = model.device
    hidden = model.encoder(
        batch.to(device), attention_mask=attention.to(device), mask_time_indices=masked.to(device)
    ).last_hidden_state
    clusters = _padded([example.clusters[i] for example, i in zip(examples, indices, strict=True)])
    frames = _padded([example.frames[i] for example, i in zip(examples, indices, strict=True)])
    hits, labelled = masked & (clusters >= 0), frames >= 0
    phones = [torch.from_numpy(example.phones) for example in examples]
    # Losses are computed on the processor: torch's CTC has no deterministic gradient on a GPU.
    log_probs = model.phones(hidden).float().cpu().log_softmax(-1)
    loss = params.ctc_weight * ctc_loss(log_probs, phones, sizes)
    loss = loss + params.cluster_weight * F.cross_entropy(
        model.clusters(hidden[hits.to(device)]).float().cpu(), clusters[hits]
    )
    if labelled.any():
        scores = model.frames(hidden[labelled.to(device)]).float().cpu()
        loss = loss + params.frame_weight * F.cross_entropy(scores, frames[labelled])
    return loss


def _padded(rows: Sequence[NDArray[np.int64]]) -> Tensor:
    tensors = [torch.from_numpy(row) for row in rows]
    return nn.utils.rnn.pad_sequence(tensors, batch_first=True, padding_value=-100)


def _masks(
    sizes: Sequence[int], most: int, params: PretrainParams, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Return which frames are hidden: spans at random starts, shape `[B, T]`."""
    masked = np.zeros((len(sizes), most), dtype=bool)
    start = 1 - (1 - params.mask_fraction) ** (1 / params.mask_span)
    for row, size in zip(masked, sizes, strict=True):
        for first in np.flatnonzero(rng.random(size) < start):
            row[first : min(first + params.mask_span, size)] = True
        if not row.any():
            row[int(rng.integers(size))] = True
    return masked
