"""What processes of a crew do in tests; they import this and nothing heavy."""

from __future__ import annotations

import os


def adding(number):
    """Prepare for jobs that are numbers; below 0 they fail, and 0 ends the process."""

    def work(job):
        if job == 0:
            os._exit(3)
        if job < 0:
            raise KeyError("negative")
        return job + number

    return work


def unprepared(about):
    """Fail before the first job."""
    raise RuntimeError(f"no {about}")
