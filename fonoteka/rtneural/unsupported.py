"""What RTNeural's JSON cannot say: each torch module by name, why, and the nearest that works."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from torch import nn
from torch.nn.modules.lazy import LazyModuleMixin

from fonoteka.core.errors import UserError

NORM = "it normalises by what it hears, and the format by fixed statistics only"
POOL = "the format has neither pooling nor a change of rate: each step gives one output"
CURVE = "the format knows tanh, relu, sigmoid, softmax, elu (alpha 1) and prelu, and no other curve"
ORDER = "the format holds vectors of one step, and no axes to move"
GRAPH = "RTNeural runs layers one after another: no residual, branch, sum or concatenation"
OUTSIDE = "the vector itself, looked up on the host"

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
        "Softmin": (CURVE, "Softmax(dim=-1) with the last Linear's signs turned"),
        "RNN": ("the format has no plain recurrent layer", "GRU"),
        **dict.fromkeys(("RNNCell", "GRUCell"), ("only whole layers are read", "GRU")),
        "LSTMCell": ("only whole layers are read", "LSTM"),
        **dict.fromkeys(("ConvTranspose1d", "Upsample", "PixelShuffle", "MaxPool1d", "AvgPool1d",
                         "AdaptiveAvgPool1d", "AdaptiveMaxPool1d", "LPPool1d"),
                        (POOL, "a causal Conv1d with stride 1")),
        **dict.fromkeys(("Conv2d", "BatchNorm2d", "Conv3d"),
                        ("this exporter writes layers over one axis of features", "Conv1d")),
        **dict.fromkeys(("Flatten", "Unflatten"), (ORDER, "layers on [batch, time, features]")),
        **dict.fromkeys(("Embedding", "EmbeddingBag"), ("inputs are no indices", OUTSIDE)),
        **dict.fromkeys(("MultiheadAttention", "Transformer", "TransformerEncoder",
                         "TransformerEncoderLayer", "TransformerDecoderLayer"),
                        ("attention needs the whole sequence and the format has none", "GRU")),
        "Bilinear": ("a layer has one input", "Linear"),
        **dict.fromkeys(("ModuleList", "ModuleDict"),
                        ("it says nothing of the order its modules run in", "Sequential")),
        **dict.fromkeys(("ReflectionPad1d", "ReplicationPad1d", "CircularPad1d"),
                        ("the history before the first step is zeros",
                         "ConstantPad1d((n, 0), 0.0)")),
    }
)  # fmt: skip


def refusal(module: nn.Module, where: str) -> UserError:
    """Return the error for a module that the exporter has no words for.

    A module of one's own is refused whole: what its `forward` does cannot be read from it.

    >>> print(refusal(nn.GELU(), "layer 1 (GELU)"))
    layer 1 (GELU): the format knows tanh, relu, sigmoid, softmax, elu (alpha 1) and prelu, and no \
other curve; the nearest that works is ELU()
    """
    name = type(module).__name__
    if name in REFUSED and type(module).__module__.startswith("torch."):
        why, nearest = REFUSED[name]
        return refused(where, why, nearest)
    if name.startswith("Lazy"):
        return refused(where, "it has no sizes yet", "the same model after one run on data")
    return refused(
        where, f"it is no layer that the format has, and {GRAPH}",
        "a Sequential or a list of the plain layers that it runs, in order, with the rest of its "
        "arithmetic on the host",
    )  # fmt: skip


def refused(where: str, why: str, nearest: str) -> UserError:
    """Return an error that names the layer, the reason and the nearest thing that works."""
    return UserError(f"{where}: {why}; the nearest that works is {nearest}")


def runs_in_order(kind: type[nn.Module]) -> bool:
    """Return whether a class runs its children one after another, as `nn.Sequential` does.

    A subclass that has a `forward`, an `__iter__` or a `__call__` of its own may do otherwise.

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


def readable(module: nn.Module, where: str) -> None:
    """Refuse a module whose children or weights do not tell what it computes.

    Raises:
        ValueError: it has no sizes yet, has hooks, or its `forward` was replaced.
    """
    if isinstance(module, LazyModuleMixin):  # hooks give it its sizes
        raise refusal(module, where)
    if module._forward_hooks or module._forward_pre_hooks:
        raise refused(
            where,
            "hooks change what it computes, and they cannot be read",
            "the layer without them, after torch.nn.utils.remove_weight_norm or prune.remove",
        )
    if "forward" in vars(module):
        why = "its forward was replaced on this object, and a function cannot be read"
        raise refused(where, why, "the module as its class runs it, del module.forward")
    lines = type(module).__mro__
    owners = {
        name: next((n for n, kind in enumerate(lines) if name in vars(kind)), 0)
        for name in ("declared_layers", "forward")
    }
    if hasattr(module, "declared_layers") and owners["declared_layers"] > owners["forward"]:
        own, declared = (lines[owners[name]].__name__ for name in ("forward", "declared_layers"))
        why = f"its forward is that of {own}, and the layers that it declares those of {declared}"
        raise refused(where, why, f"a declared_layers of {own} that returns what its forward runs")
