"""Convolution over time and features, one step at a time as in RTNeural.

A step is a plane of features by channels, and its vector has the channels of a feature together:
index = feature x channels + channel.

    y(t)[f, o] = b[o] + sum over k, j, c of
                 K[k, j, c, o] x(t - (last - k) dilation)[f stride + j, c]

Time has no padding: the planes before the first step are zeros. Features are padded as TensorFlow
does: "valid" with none, "same" with zeros so that there are ceil(features / stride) outputs.

Source: RTNeural, https://github.com/jatinchowdhury18/RTNeural, commit 1fb1f075.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[Any]
KEYS = ("kernel_size_time", "kernel_size_feature", "dilation", "strides", "num_filters_in",
        "num_features_in", "num_filters_out")  # fmt: skip


class FeaturePadding(NamedTuple):
    """Zeros before and after the features, and the number of features of the output."""

    left: int
    right: int
    outputs: int


def feature_padding(features: int, kernel: int, stride: int, padding: str) -> FeaturePadding:
    """Return the padding along the features.

    >>> feature_padding(23, 5, 1, "valid"), feature_padding(19, 3, 2, "same")
    (FeaturePadding(left=0, right=0, outputs=19), FeaturePadding(left=1, right=1, outputs=10))
    """
    if padding == "valid":
        return FeaturePadding(0, 0, -(-(features - kernel + 1) // stride))
    total = max(kernel - (features % stride or stride), 0)
    return FeaturePadding(total // 2, total - total // 2, -(-features // stride))


class Conv2dShape(NamedTuple):
    """The sizes of a conv2d layer, in the order of KEYS, and its padding."""

    time: int
    feature: int
    dilation: int
    stride: int
    channels: int
    features: int
    filters: int
    padding: str

    @classmethod
    def from_layer(cls, layer: Mapping[str, Any]) -> Conv2dShape:
        """Return the sizes of a valid layer; each may be a number or a list."""
        values = [layer[key] for key in KEYS]
        time, feature, dilation, stride, channels, features, filters = (
            int(value[-1] if isinstance(value, list) else value) for value in values
        )
        return cls(
            time, feature, dilation, stride, channels, features, filters, str(layer["padding"])
        )

    @property
    def along_features(self) -> FeaturePadding:
        """The padding along the features."""
        return feature_padding(self.features, self.feature, self.stride, self.padding)

    @property
    def history(self) -> int:
        """The number of past steps that an output depends on."""
        return (self.time - 1) * self.dilation

    def windows(self, planes: Vector) -> Vector:
        """Return the inputs of each output of planes `[..., F, C]`: `[..., F', C, J]`."""
        left, right, outputs = self.along_features
        edges = [(0, 0)] * (planes.ndim - 2) + [(left, right), (0, 0)]
        padded = np.pad(planes, edges)
        windows = np.lib.stride_tricks.sliding_window_view(padded, self.feature, axis=-2)
        return windows[..., :: self.stride, :, :][..., :outputs, :, :]


class Conv2dSteps:
    """A convolution over a ring buffer of the last planes."""

    def __init__(self, kernel: Vector, bias: Vector, shape: Conv2dShape) -> None:
        """Store the kernel `[K][J][C][O]` and the bias `[O]`."""
        self.kernel, self.bias, self.shape = kernel, bias, shape
        self.offsets = (shape.time - 1 - np.arange(shape.time)) * shape.dilation
        self.ring = np.zeros((shape.history + 1, shape.features, shape.channels), kernel.dtype)
        self.position = 0

    def reset(self) -> None:
        """Clear the planes of the past."""
        self.ring[:] = 0

    def __call__(self, x: Vector) -> Vector:
        """Return the outputs of a step."""
        self.position = (self.position + 1) % len(self.ring)
        self.ring[self.position] = x.reshape(self.shape.features, self.shape.channels)
        planes = self.ring[(self.position - self.offsets) % len(self.ring)]
        sums = np.einsum("kfcj,kjco->fo", self.shape.windows(planes), self.kernel)
        return np.asarray((sums + self.bias).ravel())
