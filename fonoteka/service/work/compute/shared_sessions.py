"""Copies of recognisers that share their sessions of ONNX Runtime.

A session takes most of the memory and of the time to open a recogniser, and it has no state of its
own: the state of a stream is in arrays beside it.
"""

from __future__ import annotations

import copy
import copyreg
from typing import TypeVar

import onnxruntime

Recogniser = TypeVar("Recogniser")


def _as_it_is(session: onnxruntime.InferenceSession) -> str:
    """Return what lets `copy` take the object itself: any string, see `object.__reduce__`."""
    return type(session).__name__


copyreg.pickle(onnxruntime.InferenceSession, _as_it_is)


def twin(fresh: Recogniser) -> Recogniser:
    """Return a copy of a recogniser that was not used yet; sessions are shared, arrays are not."""
    return copy.deepcopy(fresh)
