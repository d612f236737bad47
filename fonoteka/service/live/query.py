"""The query of a handshake: every parameter is checked, and an unknown one is refused."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from fonoteka.audio.dsp import FRAMES_PER_SECOND
from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json
from fonoteka.packaging import PACKAGE
from fonoteka.service.api_errors import ApiError, api_error
from fonoteka.service.interfaces import (
    ModelKind,
    Models,
    ModelVersion,
    StreamRequest,
    UnknownModelError,
)
from fonoteka.service.live.pcm import LiveFormat

STREAMING, EXACT = "streaming", "exact"
DECODERS = ("greedy", "beam")
_NGRAM = "phones.arpa"
_TRUTH = {"true": True, "1": True, "false": False, "0": False}
_SHOWN_CHARACTERS = 40


def invalid(name: str, value: object, expected: str) -> ApiError:
    """Return the error for a parameter with a value that cannot be used."""
    shown = str(value)
    shown = shown if len(shown) <= _SHOWN_CHARACTERS else shown[:_SHOWN_CHARACTERS] + "…"
    return ApiError(400, f"{name} is {shown!r}; expected {expected}", "invalid_value", name)


class Query:
    """The parameters of a handshake, each once."""

    def __init__(self, pairs: Iterable[tuple[str, str]], allowed: Iterable[str]) -> None:
        """Take the parameters.

        Raises:
            ApiError: a name is not in `allowed`, or occurs twice.
        """
        self._values: dict[str, str] = {}
        names = sorted(allowed)
        for name, value in pairs:
            if name not in names:
                raise ApiError(
                    400, f"parameter {name[:_SHOWN_CHARACTERS]!r} is unknown; expected "
                    f"{', '.join(names)}", "unknown_parameter", name[:_SHOWN_CHARACTERS],
                )  # fmt: skip
            if name in self._values:
                raise invalid(name, f"{self._values[name]} and {value}", "one value")
            self._values[name] = value

    def __contains__(self, name: str) -> bool:
        """Return whether the client sent a parameter."""
        return name in self._values

    def text(self, name: str, default: str) -> str:
        """Return a value as it is."""
        return self._values.get(name, default)

    def integer(self, name: str, default: int) -> int:
        """Return an integer from 0 to 10^9 - 1."""
        value = self._values.get(name)
        if value is None:
            return default
        if not re.fullmatch("[0-9]{1,9}", value):
            raise invalid(name, value, "an integer")
        return int(value)

    def truth(self, name: str, default: bool) -> bool:
        """Return true or false."""
        value = self._values.get(name)
        if value is None:
            return default
        if value.lower() not in _TRUTH:
            raise invalid(name, value, "true or false")
        return _TRUTH[value.lower()]


def written_format(query: Query, encoding: str, rate_hz: int) -> LiveFormat:
    """Return how samples are written.

    Args:
        query: its `sample_rate` and `channels` are read.
        encoding: as `LiveFormat` names it.
        rate_hz: if the query has no `sample_rate`.

    Raises:
        ApiError: it cannot be read.
    """
    try:
        return LiveFormat(
            encoding, query.integer("sample_rate", rate_hz), query.integer("channels", 1)
        )
    except UserError as error:
        raise ApiError(400, str(error), "invalid_value") from error


def stream_request(query: Query, models: Models, request_id: str) -> StreamRequest:
    """Return the stream that `model`, `policy` and `decoder` of a query ask for.

    Raises:
        ApiError: the model is unknown, or cannot be streamed with this policy.
    """
    try:
        model = models.get(query.text("model", STREAMING))
    except UnknownModelError as error:
        raise api_error(error) from error
    decoder = query.text("decoder", DECODERS[0])
    if decoder not in DECODERS:
        raise invalid("decoder", decoder, " or ".join(DECODERS))
    if decoder == "beam" and not (model.folder / _NGRAM).is_file():
        raise invalid("decoder", decoder, f"greedy, because {model.name} has no phone n-gram")
    policy = query.text("policy", EXACT)
    _check_policy(model, policy)
    return StreamRequest(request_id, model, policy, decoder)


def _check_policy(model: ModelVersion, policy: str) -> None:
    if model.kind is ModelKind.WORDS:
        raise ApiError(
            400, f"model {model.name!r} recognises the words of whole recordings; stream with "
            f"model={STREAMING}, or send a recording to /v1/audio/transcriptions",
            "invalid_value", "model",
        )  # fmt: skip
    if model.kind is ModelKind.STREAM:
        if policy != EXACT:
            raise invalid("policy", policy, f"{EXACT}, because {model.name} needs no other")
    else:
        _window_look_ahead_s(policy)


def _window_look_ahead_s(policy: str) -> float:
    """Return the look-ahead of a recomputed window, as `WindowSource` does.

    Raises:
        ApiError: the policy is unknown.
    """
    # Imported here because it loads onnxruntime, which most streams do not need in this process.
    from fonoteka.streaming.window_source import WindowPolicy

    try:
        window = WindowPolicy(policy)
    except UserError as error:
        raise invalid("policy", policy, "hold-N or agree-N, for example hold-16") from error
    frames = window.number * window.hop_frames
    if window.kind == "hold":
        frames = window.number + window.hop_frames
    return frames / FRAMES_PER_SECOND


def look_ahead_s(request: StreamRequest) -> float | None:
    """Return the longest time from the start of a frame to the last sample that it depends on.

    It is None if the package of a model does not record it.
    """
    if request.model.kind is not ModelKind.STREAM:
        return _window_look_ahead_s(request.policy)
    return _recorded_look_ahead_s(request.model.folder)


def _recorded_look_ahead_s(folder: Path) -> float | None:
    path = folder / PACKAGE
    package = read_json(path) if path.is_file() else {}
    try:
        stream = package["stream"]
        return float((stream["chunk"] + stream["look_ahead"]) / package["frames_per_second"])
    except (KeyError, TypeError):
        return None
