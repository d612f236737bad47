"""What the dashboard's page has to show of a document, computed from the document alone."""

from __future__ import annotations

from dashboard_maker import CODES, LABELS, clip_errors

TASKS = ("phones", "words")


def reported(model, norm):
    rate = model["report"]["rate"][norm]
    return [rate["value"], rate["low"], rate["high"]]


def best_model(task):
    norm = task["normalisations"][-1]
    return min(task["models"], key=lambda model: model["report"]["rate"][norm]["value"])


def rates(task, norm, model):
    """Return the error rate of each clip that is part of a rate, by its index."""
    pairs = [(clip_errors(model, norm, n), units) for n, units in enumerate(task["units"][norm])]
    return {n: e / units for n, (e, units) in enumerate(pairs) if e is not None and units}


def worst_first(task, norm, model, indices):
    """Return the indices by rate, of equal rates the one with more errors first, the rest last."""
    by_clip = rates(task, norm, model)

    def key(n):
        return (n not in by_clip, -by_clip.get(n, 0), -(clip_errors(model, norm, n) or 0), n)

    rest = [n for n in indices if n not in by_clip]
    return sorted((n for n in indices if n in by_clip), key=key) + rest


def expected_steps(task, norm, model, clip):
    """Return the columns that show an alignment: reference, mark, unit."""
    label = dict(zip(CODES, LABELS, strict=True)) if "alphabet" in task else {}
    glue = " " if not label else ""

    def units(text):
        return [label.get(u, u) for u in (text.split(glue) if glue else text) if u]

    reference = iter(units(task["references"][norm][clip]))
    written = iter(units(model["hypotheses"][norm][clip]))
    return [
        [
            next(reference) if op != "i" else "–",
            "" if op == "=" else op.upper(),
            next(written) if op != "d" else "–",
        ]
        for op in model["ops"][norm][clip]
    ]
