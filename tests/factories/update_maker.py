"""Phones and updates of streams, made where a test needs them."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from fonoteka.streaming.interfaces import StreamedPhone, StreamUpdate


def phone(symbol: str, start_s: float, end_s: float | None = None) -> StreamedPhone:
    """Return a phone of 100 ms, or with the given end."""
    return StreamedPhone(symbol, start_s, start_s + 0.1 if end_s is None else end_s, 0.9)


def update(
    audio_s: float,
    committed: Sequence[StreamedPhone] = (),
    provisional: Sequence[StreamedPhone] = (),
) -> StreamUpdate:
    """Return an update."""
    return StreamUpdate(audio_s, tuple(committed), tuple(provisional))


@st.composite
def random_updates(draw: st.DrawFn, symbols: str = "abcd") -> list[StreamUpdate]:
    """Draw the updates of a finished stream; a chunk has 40 ms and a phone 10 ms."""
    short = st.lists(st.sampled_from(symbols), max_size=4)
    pairs = draw(st.lists(st.tuples(short, short), min_size=1, max_size=12))
    updates, count = [], 0
    for number, (committed, provisional) in enumerate(pairs):
        tail = [] if number + 1 == len(pairs) else provisional
        phones = [
            phone(symbol, 0.01 * (count + n), 0.01 * (count + n + 1))
            for n, symbol in enumerate([*committed, *tail])
        ]
        updates.append(
            update(0.04 * (number + 1), phones[: len(committed)], phones[len(committed) :])
        )
        count += len(committed)
    return updates
