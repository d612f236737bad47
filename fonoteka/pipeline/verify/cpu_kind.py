"""Say which kind of processor this is: equal kinds compute equal bytes with equal packages.

A library picks its code by what the processor can do, so what counts are vendor, family, model and
the instructions that libraries ask for; the name in the shop and the number of cores don't.

`archspec` is not used: it names the newest design it knows of whose instructions the processor has,
so the name depends on the version of `archspec`, and several models share one.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import Requirement

from fonoteka.core.errors import UserError
from fonoteka.reporting.machine import CPUINFO, INSTRUCTIONS, cpu_facts

# Each library's own switch for doing as on a processor of 2008, before AVX: numpy's, the matrix
# products of numpy and scipy, torch's, those of oneDNN and MKL below it, and the C library's.
OLDER = {
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
    "OPENBLAS_CORETYPE": "Nehalem",
    "ATEN_CPU_CAPABILITY": "default",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX2,-AVX,-FMA,-FMA4",
}


@dataclass(frozen=True)
class Processor:
    """A processor.

    Attributes:
        name: as its maker calls it.
        kind: what decides which bytes it computes.
    """

    name: str
    kind: str

    def older(self) -> Processor:
        """Return what this one is for a program that runs with the variables `OLDER`."""
        return Processor(f"{self.name}, without AVX and what came after", f"{self.kind}, no AVX")


def processor() -> Processor:
    """Return the processor that this process runs on."""
    text = CPUINFO.read_text(encoding="utf-8") if CPUINFO.is_file() else ""
    return described(text, platform.machine(), platform.processor())


def described(cpuinfo: str, machine: str, name: str) -> Processor:
    r"""Return a processor by what Linux tells of it, or by its name alone where Linux doesn't.

    >>> described("vendor_id: A\ncpu family: 25\nmodel: 17\nmodel name: One\nflags: fma avx2",
    ...           "x86_64", "")
    Processor(name='One', kind='x86_64, A 25/17, avx2')
    >>> described("", "arm64", "arm")
    Processor(name='arm', kind='arm64, arm')
    """
    facts = cpu_facts(cpuinfo)
    vendor = facts.get("vendor_id") or facts.get("CPU implementer")
    flags = (facts.get("flags") or facts.get("Features") or "").split()
    name = facts.get("model name") or name or machine
    if not vendor:
        return Processor(name, f"{machine}, {name}")
    family = facts.get("cpu family") or facts.get("CPU architecture")
    model = facts.get("model") or facts.get("CPU part")
    can = " ".join(flag for flag in INSTRUCTIONS if flag in flags)
    return Processor(name, f"{machine}, {vendor} {family}/{model}, {can}")


def strangers(lines: Iterable[str]) -> list[str]:
    """Return what is installed otherwise than pinned, a few words each.

    Args:
        lines: of requirements.lock. What a line's marker says is for other systems doesn't count.

    >>> strangers(["# a comment", "", "numpy==1.0", "no-such==1; sys_platform == 'plan9'"])[0][:9]
    'numpy is '
    """
    found = []
    for line in filter(None, (line.partition("#")[0].strip() for line in lines)):
        pinned = Requirement(line)
        if pinned.marker and not pinned.marker.evaluate():
            continue
        try:
            here = version(pinned.name)
        except PackageNotFoundError:
            found.append(f"{pinned.name} is not installed")
            continue
        # What follows a plus names a build of the same version, such as torch's for CPUs.
        if not pinned.specifier.contains(here.partition("+")[0], prereleases=True):
            found.append(f"{pinned.name} is {here}, pinned is {pinned.specifier}")
    return found


def unpinned(lock: Path) -> list[str]:
    """Return what is installed otherwise than a lock file of packages says.

    Raises:
        ValueError: there is no such file.
    """
    if not lock.is_file():
        raise UserError(f"{lock.name}: no such file, so it isn't known with what to rebuild")
    return strangers(lock.read_text(encoding="utf-8").splitlines())
