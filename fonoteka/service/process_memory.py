"""Resident memory of a process of the service."""

from __future__ import annotations

import psutil


def resident_mib(process: int) -> float:
    """Return the resident memory of a process, 0 if it has ended."""
    try:
        return float(psutil.Process(process).memory_info().rss) / 2**20
    except psutil.Error:
        return 0.0
