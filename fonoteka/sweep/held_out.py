"""Today's and the found values on the test part, by models that were trained with each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fonoteka import manifest
from fonoteka.core.errors import UserError
from fonoteka.models.determinism import configure
from fonoteka.models.heads import load_head, posteriors
from fonoteka.scoring.decoding import greedy
from fonoteka.scoring.error_rate import Errors, bootstrap, errors_by, paired_bootstrap
from fonoteka.shards import open_arrays
from fonoteka.sweep.space import HeldOut


def compared(today: Path, best: Path, part: HeldOut, threads: int) -> dict[str, Any]:
    """Return the phone error rates of two heads on the test part, and their difference.

    Args:
        today: folder of the model with today's values.
        best: folder of the model with the found values.
        part: the test part.
        threads: of torch.

    Returns:
        Rates with 95 % intervals over speakers, the paired interval of found minus today, and the
        verdict: `better` or `worse` if that interval is on one side of 0, else `undecided`.

    Raises:
        UserError: a file is missing or damaged, or the part is empty.
    """
    configure(threads)
    utterances = [u for u in manifest.read(Path(part.utterances)) if u.phones]
    if not utterances:
        raise UserError(f"{part.utterances}: no utterance to test on")
    frames = open_arrays(Path(part.embeddings), [u.id for u in utterances])
    sides = {}
    for name, folder in (("today", today), ("found", best)):
        head, _ = load_head(folder)
        decoded = [[s.symbol for s in greedy(posteriors(head, frames[u.id]))] for u in utterances]
        sides[name] = errors_by(
            [u.speaker for u in utterances], [u.phones for u in utterances], decoded
        )
    return difference(sides["today"], sides["found"], part)


def difference(today: dict[str, Errors], best: dict[str, Errors], part: HeldOut) -> dict[str, Any]:
    """Return both rates and the difference of found and today, from errors per speaker."""

    def rate(side: dict[str, Errors]) -> dict[str, Any]:
        pairs = [(side[speaker].wrong, side[speaker].reference) for speaker in sorted(side)]
        interval = bootstrap(pairs, part.resamples, part.seed)
        total = sum(side.values(), Errors()).rate
        return {"per": total, "per_low": interval.low, "per_high": interval.high}

    interval, better = paired_bootstrap(best, today, part.resamples, part.seed)
    rates = {"today": rate(today), "found": rate(best)}
    return rates | {
        "difference": rates["found"]["per"] - rates["today"]["per"],
        "difference_low": interval.low,
        "difference_high": interval.high,
        "interval": interval.reason or "95 %, paired, speakers resampled",
        "share_of_draws_better": better,
        "speakers": len(today),
        "verdict": verdict(interval.low, interval.high),
    }


def verdict(low: float | None, high: float | None) -> str:
    """Return what the interval of a difference of error rates says about the found values.

    >>> verdict(-0.02, -0.01), verdict(-0.01, 0.01), verdict(0.01, 0.02), verdict(None, None)
    ('better', 'undecided', 'worse', 'undecided')
    """
    if high is not None and high < 0:
        return "better"
    return "worse" if low is not None and low > 0 else "undecided"
