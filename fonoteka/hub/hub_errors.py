"""Sentences for what a hub answers, because its client's errors are pages of text."""

from __future__ import annotations

from collections.abc import Iterator

_SENTENCES = {
    401: "the token is not valid or has expired; set HF_TOKEN to a new one, or run hf auth login",
    403: "the token may not write there; use one with the role write, of an account that may",
    404: "no such owner or repository, or the token may not see it; check the name after hf:",
    409: "another commit was made at the same time; run the same command again",
    412: "another commit was made at the same time; run the same command again",
    413: "the hub does not accept files of this size; export fewer models or smaller shards",
    429: "the hub accepts no more requests for now; wait some minutes and run the command again",
}
_CLIENTS = ("hf_xet", "httpcore", "httpx", "huggingface_hub")
_AGAIN = "files that arrived are not sent again, so run the same command later"


def hub_sentence(error: BaseException) -> str:
    """Return what an error of huggingface_hub means and what to do, in one sentence.

    >>> hub_sentence(OSError("connection reset"))[:46]
    'the hub does not answer, or the connection was'
    """
    status = status_of(error)
    if status is None and isinstance(error, ValueError):
        return f"the name or an answer of the hub is not valid: {_first_line(error)}"
    if status is None:
        return (
            f"the hub does not answer, or the connection was cut ({_first_line(error)}); check the "
            f"network and HF_ENDPOINT; {_AGAIN}"
        )
    if status in _SENTENCES:
        return f"{status}: {_SENTENCES[status]}"
    if status >= 500:
        return f"{status}: the hub fails; {_AGAIN}"
    return f"{status}: the hub refuses the request: {_first_line(error)}"


def is_of_the_client(error: BaseException) -> bool:
    """Return whether an error comes from the network or a hub, and not from a fault of the code.

    huggingface_hub's client and its uploads raise errors of several libraries.
    """
    return status_of(error) is not None or any(
        isinstance(each, OSError) or type(each).__module__.startswith(_CLIENTS)
        for each in chain_of(error)
    )


def status_of(error: BaseException) -> int | None:
    """Return the HTTP status of an error or of one that it was raised from, None without one."""
    for each in chain_of(error):
        status = getattr(getattr(each, "response", None), "status_code", None)
        if isinstance(status, int):
            return status
    return None


def chain_of(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those that it was raised from, the last one first."""
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__ or current.__context__


def _first_line(error: BaseException) -> str:
    """Return the message of the first error of a chain that has one, on one line."""
    messages = [" ".join(str(each).split()) for each in chain_of(error)]
    return next((message for message in reversed(messages) if message), type(error).__name__)[:200]
