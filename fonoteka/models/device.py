"""The device of torch that `compute.device` names, and the precision of products on it.

A processor computes in float32. A GPU computes products of matrices in bfloat16 and everything that
autocast knows to need it in float32; weights, sums of gradients and the optimiser stay in float32.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn

from fonoteka.core.errors import UserError
from fonoteka.models.determinism import AUTO, CPU, CUDA, DEVICES

HALF_DEVICES = (CUDA,)
"""Types of devices that compute in bfloat16. On processors it is slower than float32."""


def choose_device(name: str, local_rank: int = 0) -> torch.device:
    """Return the device of this process and fix the algorithms of a GPU.

    Args:
        name: `cpu`, `cuda`, or `auto` for a GPU if torch finds one.
        local_rank: number of this process on this machine; each has a GPU of its own.

    Raises:
        UserError: the name is unknown, or this machine lacks the device.
    """
    if name not in DEVICES:
        raise UserError(
            f"compute.device: {name!r} is not one of {', '.join(DEVICES)}; change it in params.yaml"
        )
    available = torch.cuda.is_available()
    if name == CUDA and not available:
        raise UserError(
            "compute.device: 'cuda', but torch finds no CUDA device here; set it to cpu or auto in "
            "params.yaml"
        )
    if name == CPU or (name == AUTO and not available):
        return torch.device(CPU)
    if local_rank >= (count := torch.cuda.device_count()):
        raise UserError(
            f"compute.device: process {local_rank + 1} of this machine has no GPU, torch finds "
            f"{count}; start torchrun with --nproc-per-node {count}"
        )
    # cuBLAS reads it at its start; without it sums have no fixed order.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # A convolution in TF32 has 10 bits: too few for the log-mel input, which reaches 80 dB down.
    torch.backends.cudnn.allow_tf32 = False
    device = torch.device(CUDA, local_rank)
    torch.cuda.set_device(device)
    return device


def half_precision(device: torch.device) -> AbstractContextManager[object]:
    """Return a block in which a GPU computes in bfloat16; it does nothing on a processor."""
    if device.type not in HALF_DEVICES:
        return nullcontext()
    return torch.autocast(device.type, torch.bfloat16)


def full_precision(device: torch.device) -> AbstractContextManager[object]:
    """Return a block of float32 inside one of `half_precision`; it does nothing outside of one.

    In bfloat16 quiet bands would be lost beside loud ones: it has 8 bits, a spectrum 80 dB.
    """
    # The question, and not a switch, so that an exported graph has no trace of it.
    if not torch.is_autocast_enabled(device.type):
        return nullcontext()
    return torch.autocast(device.type, enabled=False)


def device_of(module: nn.Module) -> torch.device:
    """Return the device of a module's parameters, a processor's if it has none.

    >>> device_of(nn.Linear(1, 1)).type
    'cpu'
    """
    return next((weight.device for weight in module.parameters()), torch.device(CPU))


def free_bytes(device: torch.device) -> int | None:
    """Return the memory of a GPU that a process can still use, None for other devices."""
    if device.type != CUDA:
        return None
    cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(torch.cuda.mem_get_info(device)[0] + cached)
