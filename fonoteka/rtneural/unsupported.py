"""Torch modules that RTNeural's format does not support, with reasons and nearest equivalents."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from torch import nn
from torch.nn.modules.lazy import LazyModuleMixin

from fonoteka.core.errors import UserError

NORM = "it normalises with statistics of its input, and the format only supports fixed ones"
POOL = "the format has neither pooling nor a change of rate: each step gives one output"
CURVE = "the format supports tanh, relu, sigmoid, softmax, elu (alpha 1) and prelu only"
ORDER = "the format has vectors of one step, and no axes to move"
GRAPH = "RTNeural runs layers one after another: no residual, branch, sum or concatenation"
OUTSIDE = "the vector itself as input, looked up on the host"

REFUSED: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(
            ("LayerNorm", "RMSNorm", "GroupNorm", "LocalResponseNorm", "InstanceNorm1d",
             "InstanceNorm2d"),
            (NORM, "BatchNorm1d"),
        ),
        "SyncBatchNorm": ("it is made for training on several devices", "BatchNorm1d"),
        **dict.fromkeys(("GELU", "SiLU", "Mish", "SELU", "CELU", "Softplus"), (CURVE, "ELU()")),
        **dict.fromkeys(("ReLU6", "Hardswish", "Threshold", "Hardshrink"), (CURVE, "ReLU")),
        **dict.fromkeys(("Hardtanh", "Softsign", "Tanhshrink", "Softshrink"), (CURVE, "Tanh")),
        **dict.fromkeys(("Hardsigmoid", "GLU"), (CURVE, "Sigmoid")),
        "RReLU": (CURVE, "LeakyReLU"),
        "LogSigmoid": (CURVE, "Sigmoid, with the logarithm taken on the host"),
        "LogSoftmax": (CURVE, "Softmax(dim=-1), with the logarithm taken on the host"),
        "Softmin": (CURVE, "Softmax(dim=-1) with the signs of the last Linear inverted"),
        "RNN": ("the format has no plain recurrent layer", "GRU"),
        **dict.fromkeys(("RNNCell", "GRUCell"), ("only whole layers are read", "GRU")),
        "LSTMCell": ("only whole layers are read", "LSTM"),
        **dict.fromkeys(("ConvTranspose1d", "Upsample", "PixelShuffle", "MaxPool1d", "AvgPool1d",
                         "AdaptiveAvgPool1d", "AdaptiveMaxPool1d", "LPPool1d"),
                        (POOL, "a causal Conv1d with stride 1")),
        **dict.fromkeys(("Conv3d", "BatchNorm3d"),
                        ("the format has planes of features and channels", "Conv2d")),
        **dict.fromkeys(("Flatten", "Unflatten"), (ORDER, "layers on [batch, time, features]")),
        **dict.fromkeys(("Embedding", "EmbeddingBag"), ("inputs are not indices", OUTSIDE)),
        **dict.fromkeys(("MultiheadAttention", "Transformer", "TransformerEncoder",
                         "TransformerEncoderLayer", "TransformerDecoderLayer"),
                        ("attention needs the whole sequence, not single steps", "GRU")),
        "Bilinear": ("a layer has one input", "Linear"),
        **dict.fromkeys(("ModuleList", "ModuleDict"),
                        ("it does not define the order of its modules", "Sequential")),
        **dict.fromkeys(("ReflectionPad1d", "ReplicationPad1d", "CircularPad1d"),
                        ("the history before the first step is zeros",
                         "ConstantPad1d((n, 0), 0.0)")),
    }
)  # fmt: skip


def unsupported_module(module: nn.Module, location: str) -> UserError:
    """Return the error for a module that the exporter does not support.

    A user-defined module is refused, because its `forward` cannot be analysed.

    >>> print(unsupported_module(nn.GELU(), "layer 1 (GELU)"))
    layer 1 (GELU): the format supports tanh, relu, sigmoid, softmax, elu (alpha 1) and prelu \
only; the nearest that works is ELU()
    """
    name = type(module).__name__
    if name in REFUSED and type(module).__module__.startswith("torch."):
        reason, nearest = REFUSED[name]
        return unsupported(location, reason, nearest)
    if name.startswith("Lazy"):
        return unsupported(location, "it has no sizes yet", "the same model after one run on data")
    return unsupported(
        location, f"the format has no such layer, and {GRAPH}",
        "a Sequential or a list of the plain layers that it runs, in order, with the rest of its "
        "arithmetic on the host",
    )  # fmt: skip


def unsupported(location: str, reason: str, nearest: str) -> UserError:
    """Return an error with the layer, the reason and the nearest supported form."""
    return UserError(f"{location}: {reason}; the nearest that works is {nearest}")


def runs_in_order(kind: type[nn.Module]) -> bool:
    """Return whether a class runs its children one after another, as `nn.Sequential` does.

    A subclass with its own `forward`, `__iter__` or `__call__` may run them differently.

    >>> runs_in_order(nn.Sequential), runs_in_order(nn.ModuleList)
    (True, False)
    """
    plain = nn.Sequential
    return (
        issubclass(kind, plain)
        and kind.forward is plain.forward
        and kind.__iter__ is plain.__iter__
        and kind.__call__ is plain.__call__
    )


def require_readable(module: nn.Module, location: str) -> None:
    """Refuse a module whose children and weights do not determine its result.

    Raises:
        UserError: it has no sizes yet, has hooks, or its `forward` was replaced.
    """
    if isinstance(module, LazyModuleMixin):  # its hooks set the sizes
        raise unsupported_module(module, location)
    if module._forward_hooks or module._forward_pre_hooks:
        raise unsupported(
            location,
            "hooks change what it computes, and they cannot be exported",
            "the layer without them, after torch.nn.utils.remove_weight_norm or prune.remove",
        )
    if "forward" in vars(module):
        reason = "its forward was replaced on this object, and a function cannot be exported"
        raise unsupported(
            location, reason, "the module with the forward of its class, del module.forward"
        )
    # A subclass that overrides `forward` alone may not run the layers that its base declares.
    classes = type(module).__mro__
    owners = {
        name: next((n for n, kind in enumerate(classes) if name in vars(kind)), 0)
        for name in ("declared_layers", "forward")
    }
    if hasattr(module, "declared_layers") and owners["declared_layers"] > owners["forward"]:
        own, declared = (classes[owners[name]].__name__ for name in ("forward", "declared_layers"))
        reason = f"its forward is that of {own}, but its declared_layers that of {declared}"
        raise unsupported(
            location, reason, f"a declared_layers of {own} that returns what its forward runs"
        )
