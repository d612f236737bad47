"""The options of Deepgram's handshake: which are used, which change nothing, which are refused."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fonoteka.service.api_errors import ApiError
from fonoteka.service.live.pcm import LiveFormat
from fonoteka.service.live.query import Query, invalid, written_format

ENCODINGS = {"linear16": "pcm_s16le", "linear32": "pcm_f32le"}

USED = (
    "model", "encoding", "sample_rate", "channels", "interim_results", "endpointing",
    "utterance_end_ms", "vad_events", "policy", "decoder",
)  # fmt: skip
"""`policy` and `decoder` are our own, see `/v1/stream`."""

WITHOUT_EFFECT = (
    "extra", "filler_words", "language", "mip_opt_out", "no_delay", "numerals", "profanity_filter",
    "punctuate", "smart_format", "tag", "version",
)  # fmt: skip
"""Options about words, case and punctuation, which phones do not have, and about accounts."""

REFUSED = (
    "alternatives", "callback", "callback_method", "detect_entities", "diarize", "diarize_model",
    "dictation", "keyterm", "keywords", "multichannel", "redact", "replace", "search",
)  # fmt: skip
"""Options whose effect a client would miss; `false` is allowed, and 1 alternative."""

_OFF = {"false", "0", "none"}
SHORTEST_UTTERANCE_END_MS = 1_000


@dataclass(frozen=True)
class DeepgramOptions:
    """What a handshake asks for.

    Attributes:
        written: how the samples are written.
        interim: whether results are sent that may change.
        endpointing_s: seconds without a phone that end an utterance; None for the endpoints of the
            service, infinity for none.
        utterance_end_s: gap after which `UtteranceEnd` is sent; None for never.
        vad_events: whether `SpeechStarted` is sent.
    """

    written: LiveFormat
    interim: bool = False
    endpointing_s: float | None = None
    utterance_end_s: float | None = None
    vad_events: bool = False


def deepgram_query(pairs: Iterable[tuple[str, str]]) -> Query:
    """Return the parameters that are used.

    Raises:
        ApiError: one is unknown, or asks for what the service cannot do.
    """
    used = []
    for name, value in pairs:
        if name in REFUSED:
            allowed = {"1"} if name == "alternatives" else _OFF
            if value.lower() not in allowed:
                raise ApiError(
                    400, f"{name} is not supported, because the service recognises phones of one "
                    "mixed channel; leave it out", "unsupported_parameter", name,
                )  # fmt: skip
        elif name not in WITHOUT_EFFECT:
            used.append((name, value))
    return Query(used, USED)


def deepgram_options(query: Query) -> DeepgramOptions:
    """Return the options of a handshake.

    Raises:
        ApiError: one is missing or cannot be read.
    """
    encoding = query.text("encoding", "")
    if encoding not in ENCODINGS:
        raise invalid(
            "encoding", encoding, f"{' or '.join(ENCODINGS)}, raw samples without a container"
        )
    if "sample_rate" not in query:
        raise ApiError(
            400, "sample_rate is missing; raw samples need it", "missing_parameter", "sample_rate"
        )
    interim = query.truth("interim_results", False)
    return DeepgramOptions(
        written_format(query, ENCODINGS[encoding], 16_000),
        interim,
        _endpointing_s(query),
        _utterance_end_s(query, interim),
        query.truth("vad_events", False),
    )


def _endpointing_s(query: Query) -> float | None:
    value = query.text("endpointing", "true").lower()
    if value == "true":
        return None
    if value == "false":
        return float("inf")
    return query.integer("endpointing", 0) / 1000


def _utterance_end_s(query: Query, interim: bool) -> float | None:
    if "utterance_end_ms" not in query:
        return None
    gap_ms = query.integer("utterance_end_ms", 0)
    if gap_ms < SHORTEST_UTTERANCE_END_MS:
        raise invalid("utterance_end_ms", gap_ms, f"at least {SHORTEST_UTTERANCE_END_MS}")
    if not interim:
        raise invalid("interim_results", "false", "true, because utterance_end_ms needs it")
    return gap_ms / 1000
