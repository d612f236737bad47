"""Determine the kind of processor: equal kinds compute equal bytes with equal packages.

A GPU is part of the kind if `compute.device` lets torch use it.

A library selects its code by the instructions of the processor. A kind is therefore the vendor,
family, model and the instructions that libraries use, without the product name and core count.

`archspec` is not used: it returns the newest microarchitecture in its list whose instructions the
processor has, so the name depends on the version of `archspec`, and several models share one.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

CPUINFO = Path("/proc/cpuinfo")
# Instruction sets that determine the speed of fp32 and int8 products on x86-64 and ARM.
INSTRUCTIONS = (
    "avx2", "avx512f", "avx_vnni", "avx512_vnni", "amx_int8", "asimd", "asimddp", "i8mm",
)  # fmt: skip
# Each library's own switch for the code of a processor of 2008, before AVX: numpy, the matrix
# products of numpy and scipy, torch, oneDNN and MKL in torch, and the C library.
OLDER = {
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
    "OPENBLAS_CORETYPE": "Nehalem",
    "ATEN_CPU_CAPABILITY": "default",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX2,-AVX,-FMA,-FMA4",
}


GPUS = Path("/proc/driver/nvidia/gpus")
"""A folder per GPU, with its model in the file `information`."""


@dataclass(frozen=True)
class Processor:
    """A processor.

    Attributes:
        name: the product name.
        kind: the properties that decide which bytes it computes.
    """

    name: str
    kind: str

    def older(self) -> Processor:
        """Return the processor as a program with the environment variables `OLDER` sees it."""
        return Processor(f"{self.name}, without AVX and later instructions", f"{self.kind}, no AVX")

    def with_gpus(self, models: Iterable[str]) -> Processor:
        """Return the processor as a pipeline with another `compute.device` than `cpu` sees it.

        >>> Processor("One", "x86_64").with_gpus(["H200"]).kind, Processor("A", "b").with_gpus([])
        ('x86_64, GPU H200', Processor(name='A', kind='b'))
        """
        cards = "".join(f", GPU {model}" for model in models)
        return Processor(self.name + cards, self.kind + cards)


def processor() -> Processor:
    """Return the processor that this process runs on."""
    text = CPUINFO.read_text(encoding="utf-8") if CPUINFO.is_file() else ""
    return parse_cpuinfo(text, platform.machine(), platform.processor())


def of_pipeline(params: Path) -> Processor:
    """Return the processor, with the GPUs if `compute.device` of params.yaml allows them.

    A pipeline without that section computes on the processor.
    """
    document = yaml.safe_load(params.read_text(encoding="utf-8")) if params.is_file() else None
    compute = document.get("compute") if isinstance(document, dict) else None
    device = compute.get("device", "cpu") if isinstance(compute, dict) else "cpu"
    return processor() if device == "cpu" else processor().with_gpus(gpu_models())


def gpu_models(folder: Path = GPUS) -> list[str]:
    """Return the models of the NVIDIA GPUs of this machine, each once; [] on other systems."""
    texts = [path.read_text(encoding="utf-8") for path in folder.glob("*/information")]
    lines = [line.partition(":") for text in texts for line in text.splitlines()]
    return sorted({value.strip() for key, _, value in lines if key.strip() == "Model"})


def parse_cpuinfo(cpuinfo: str, machine: str, name: str) -> Processor:
    r"""Return a processor from the text of /proc/cpuinfo, or from its name if that is empty.

    >>> parse_cpuinfo("vendor_id: A\ncpu family: 25\nmodel: 17\nmodel name: One\nflags: fma avx2",
    ...               "x86_64", "")
    Processor(name='One', kind='x86_64, A 25/17, avx2')
    >>> parse_cpuinfo("", "arm64", "arm")
    Processor(name='arm', kind='arm64, arm')
    """
    metadata = cpuinfo_entries(cpuinfo)
    vendor = metadata.get("vendor_id") or metadata.get("CPU implementer")
    flags = (metadata.get("flags") or metadata.get("Features") or "").split()
    name = metadata.get("model name") or name or machine
    if not vendor:
        return Processor(name, f"{machine}, {name}")
    family = metadata.get("cpu family") or metadata.get("CPU architecture")
    model = metadata.get("model") or metadata.get("CPU part")
    instructions = " ".join(flag for flag in INSTRUCTIONS if flag in flags)
    return Processor(name, f"{machine}, {vendor} {family}/{model}, {instructions}")


def cpuinfo_entries(text: str) -> dict[str, str]:
    r"""Return the entries of /proc/cpuinfo for the first processor.

    >>> cpuinfo_entries("model name : One CPU\nflags : avx2 fma\n\nmodel name : Another")
    {'model name': 'One CPU', 'flags': 'avx2 fma'}
    """
    lines = (line.partition(":") for line in text.split("\n\n")[0].splitlines())
    return {name.strip(): value.strip() for name, _, value in lines}
