"""Processor time and memory of this process with all its descendants, read from /proc.

psutil does the same on systems without /proc, but its import takes 60 ms, which each of 50 stages
would pay for; reading /proc takes 1 ms per 40 processes of the machine.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True)
class TreeUsage:
    """What a process and its descendants use.

    Attributes:
        cpu_s: processor seconds since they started, those of children that ended included.
        memory_mib: resident memory; pages that processes share count for each of them.
    """

    cpu_s: float
    memory_mib: float


def tree_usage() -> TreeUsage:
    """Return what this process and its descendants use."""
    if not (PROC / "self/stat").exists():
        return _portable_usage()
    members = _members()
    ticks, pages = sum(m.ticks for m in members), sum(m.pages for m in members)
    return TreeUsage(ticks / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE") / 2**20)


def peak_rss_mib() -> float:
    """Return the most resident memory of this process or of one of its children that have ended.

    The kernel keeps both, so no peak is missed between two samples. On Linux the count of a child
    begins with what it inherits by a fork, and `ru_maxrss` of this process with what it had before
    `exec`: so VmHWM is read for this process.
    """
    try:
        import resource  # Windows has none
    except ModuleNotFoundError:
        return _portable_usage().memory_mib
    unit = 2**20 if sys.platform == "darwin" else 2**10
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    status = PROC / "self/status"
    if status.is_file():
        lines = status.read_text(encoding="utf-8").splitlines()
        own = next((int(s.split()[1]) * 2**10 for s in lines if s.startswith("VmHWM:")), own)
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit
    return max(own, child) / 2**20


def _portable_usage() -> TreeUsage:
    import psutil  # for the reason above

    cpu_s, memory = 0.0, 0
    this = psutil.Process()
    for process in (this, *this.children(recursive=True)):
        try:
            cpu_s += sum(process.cpu_times()[:4])  # with children that ended, as in /proc
            memory += process.memory_info().rss
        except psutil.Error:  # it has ended, or belongs to another user
            continue
    return TreeUsage(cpu_s, memory / 2**20)


@dataclass(frozen=True)
class _StatLine:
    process: int
    parent: int
    ticks: int
    pages: int


def _members() -> list[_StatLine]:
    """Return this process and its descendants."""
    children: dict[int, list[_StatLine]] = {}
    members = []
    for line in _all_processes():
        children.setdefault(line.parent, []).append(line)
        if line.process == os.getpid():
            members.append(line)
    for member in members:  # the list grows while it is read
        members += children.get(member.process, [])
    return members


def _all_processes() -> Iterator[_StatLine]:
    for name in os.listdir(PROC):  # noqa: PTH208  a path per process would double the time
        if not name.isdecimal():
            continue
        try:
            text = (PROC / name / "stat").read_bytes()
        except OSError:  # it has ended, or belongs to another user
            continue
        # The program's name is in parentheses and may contain some; the third field of proc(5) is
        # the first after it: 4 is the parent, 14 to 17 are ticks of this process and of the
        # children that it waited for, 24 is resident memory.
        fields = text.rpartition(b")")[2].split()
        yield _StatLine(int(name), int(fields[1]), sum(map(int, fields[11:15])), int(fields[21]))
