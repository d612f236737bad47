"""Documents for the dashboard's page, drawn from a seed: no recording and no model is needed."""

from __future__ import annotations

import base64
import io
import random
import struct
import wave
from math import pi, sin

from rapidfuzz.distance import Levenshtein

LABELS = [*"ab", "ts", "tʃ", "d", "dʒ", *"efijklʎmnoprsʃtuvzʒ"]
CODES = "abcCdDefijklLmnoprsStuvzZ"
WORDS = ["jutro", "miriše", "na", "kišu", "grad", "se", "polako", "čaša", "ђаче", "dobre", "ljude"]
LANGUAGES = ["bs", "en", "hr", "sr"]
NORMALISATIONS = {"phones": ["phones"], "words": ["as_written", "within_script", "canonical"]}
COUNTS = {"substitutions": "s", "deletions": "d", "insertions": "i"}
HOSTILE = [
    "</script><script>window.broken = 1</script>",
    "<img src=x onerror=window.broken=1>",
    "\u202eright to left\u202c אבג",
    "nul\x00line\u2028end\u2029\ufeff",
    "<!-- comment --> & &lt; ${1} $title \\u003c",
    "__proto__",
    "=1+1",
]


def tone_url(seconds=1.0, frequency_hz=440, rate_hz=16000):
    """Return a WAV with a sine as a data address."""
    step = 2 * pi * frequency_hz / rate_hz
    samples = [0.3 * sin(step * n) for n in range(int(seconds * rate_hz))]
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate_hz)
        out.writeframes(struct.pack(f"<{len(samples)}h", *(round(s * 32767) for s in samples)))
    return "data:audio/wav;base64," + base64.b64encode(buffer.getvalue()).decode()


def document(count=60, *, models=3, seed=0, units=12, hostile=True, audio=True):
    """Return a document with phones of some models and words of two.

    Clip 3 is withheld, clip 4 has no reference, clip 5 was not decoded by the last model, clip 6
    has an empty hypothesis, and clip 7 no SNR. Hostile texts are in clips from number 10 on.
    """
    # One generator for all, so that a seed and its arguments give the same document.
    rng = random.Random(seed)
    ids = [f"clip-{number:05d}" for number in range(count)]
    if hostile:
        ids[10 : 10 + len(HOSTILE)] = [f"{text} {n}" for n, text in enumerate(HOSTILE)]
    clips = {
        "id": ids,
        **groups(count, rng, hostile),
        "seconds": [round(rng.uniform(0.5, 8), 2) for _ in ids],
        "snr_db": [None if n == 7 else round(rng.uniform(-3, 40), 1) for n in range(count)],
        "synthetic": [n % 2 for n in range(count)],
        "withheld": [3],
        "withheld_reason": "The licence CC-BY-ND-4.0 does not let the page show texts.",
        "audio": {"0": tone_url(), "2": tone_url(0.5, 880)} if audio else {},
        "audio_note": "Two clips have sound.",
    }
    tasks = [
        task("phones", [f"model_{n}" for n in range(models)], count, rng, units),
        task("words", ["base", "tuned"], count, rng, max(units // 4, 3), hostile),
    ]
    for item in tasks:
        item["models"] = [with_report(model, item, clips, rng) for model in item["models"]]
        item["pairs"] = pairs(item, rng)
    return {
        "format": 1,
        "title": "Recognition of <speech> & words",
        "note": "Synthetic clips, drawn for a test.",
        "clips": clips,
        "tasks": tasks,
        "corpus": corpus(),
    }


def groups(count, rng, hostile):
    values = {
        "language": LANGUAGES,
        "speaker": [f"speaker {n}" for n in range(8)] + (HOSTILE[:2] if hostile else []),
        "sex": ["", "f", "m"],
        "source": ["embedded", "recorded"],
        "licence": ["CC-BY-4.0", "CC0-1.0"],
    }
    return {
        name: {"values": options, "index": [rng.randrange(len(options)) for _ in range(count)]}
        for name, options in values.items()
    }


def task(name, models, count, rng, units, hostile=False):
    words = name == "words"
    references = [
        [rng.choice(WORDS if words else CODES) for _ in range(rng.randint(1, 2 * units))]
        for _ in range(count)
    ]
    if hostile:
        for number, text in enumerate(HOSTILE):
            references[10 + number] = text.split(" ")
    references[4] = []  # no reference: no rate counts it
    result = {
        "name": name,
        "unit": "word" if words else "phone",
        "rate": "WER" if words else "PER",
        "normalisations": NORMALISATIONS[name],
        "references": {},
        "units": {},
        "tie_break": "Substitutions come before insertions in an alignment.",
        "models": [{"name": model} for model in models],
    }
    if words:
        result["characters"] = {}
    else:
        result["alphabet"] = {"labels": LABELS, "codes": CODES}
    for norm in result["normalisations"]:
        lower = [[w.lower() for w in text] if norm == "canonical" else text for text in references]
        glue = " " if words else ""
        result["references"][norm] = [
            None if n in (3, 4) else glue.join(text) for n, text in enumerate(lower)
        ]
        result["units"][norm] = [len(text) for text in lower]
        if words:
            result["characters"][norm] = [len("".join(text)) for text in lower]
        for number, model in enumerate(result["models"]):
            add_hypotheses(model, norm, lower, 0.04 + 0.06 * number, rng, words)
            if number == len(models) - 1:
                leave_out(model, norm, 5)
    return result


def add_hypotheses(model, norm, references, error_rate, rng, words):
    """Add the texts, alignments and counts of a model that errs at a rate."""
    for key in ("hypotheses", "ops", *COUNTS, *(["character_errors"] if words else [])):
        model.setdefault(key, {})[norm] = []
    options = WORDS if words else CODES
    for number, reference in enumerate(references):
        units = [] if number == 6 else wrong(reference, error_rate, options, rng)
        steps = operations(reference, units)
        shown = number not in (3, 4)
        text = (" " if words else "").join(units)
        model["hypotheses"][norm].append(None if number == 3 else text)
        model["ops"][norm].append(steps if shown else None)
        for key, operation in COUNTS.items():
            model[key][norm].append(None if number == 4 else steps.count(operation))
        if words:
            model["character_errors"][norm].append(None if number == 4 else 3 * steps.count("s"))
    model["confidence"] = [round(rng.uniform(0.5, 1), 3) for _ in references]


def wrong(reference, rate, options, rng):
    units = []
    for unit in reference:
        draw = rng.random() / rate
        if draw < 0.3:
            continue
        units.append(rng.choice(options) if draw < 0.8 else unit)
        if 0.8 <= draw < 1:
            units.append(rng.choice(options))
    return units


def operations(reference, units):
    """Return an alignment with the fewest errors, one character per step.

    >>> operations("abcd", "axcde")
    '=s==i'
    """
    result = ""
    for code in Levenshtein.opcodes(reference, units):
        length = max(code.src_end - code.src_start, code.dest_end - code.dest_start)
        result += {"equal": "=", "replace": "s", "delete": "d", "insert": "i"}[code.tag] * length
    return result


def leave_out(model, norm, clip):
    for key in ("hypotheses", "ops", *COUNTS, "character_errors"):
        if key in model:
            model[key][norm][clip] = None
    model["confidence"][clip] = None


def clip_errors(model, norm, clip):
    """Return the number of errors, or None if the clip was not decoded."""
    counts = [model[key][norm][clip] for key in COUNTS]
    return None if None in counts else sum(counts)


def rate_of(item, norm, model, indices):
    """Return the rate over clips, as the page has to compute it; None without any unit."""
    rows = [(clip_errors(model, norm, n), item["units"][norm][n]) for n in indices]
    counted = [(errors, units) for errors, units in rows if errors is not None and units]
    total = sum(units for _, units in counted)
    return sum(errors for errors, _ in counted) / total if total else None


def with_report(model, item, clips, rng):
    """Return a model with a report, whose numbers are drawn so that none can be computed again."""
    everything = range(len(clips["id"]))

    def interval(value, spread=0.02):
        low, high = round(value * (1 - rng.random() * spread), 4), round(value * (1 + spread), 4)
        return {"low": low, "high": high}

    rates, by_norm = {}, {}
    for norm in item["normalisations"]:
        value = round((rate_of(item, norm, model, everything) or 0) + rng.random() / 100, 4)
        rates[norm] = {"value": value, **interval(value), "key": f"{norm}.rate"}
        by_norm[norm] = {
            name: [
                {"value": v, "rate": round(rng.random(), 4), "low": None, "high": None,
                 "units": rng.randrange(500), "clips": 3, "computed": []}
                for v in clips[name]["values"]
            ]
            for name in ("language", "speaker", "source")
        }  # fmt: skip
        by_norm[norm]["length"] = [
            {"value": v, "rate": 0.1 + n / 100, "low": 0.05, "high": 0.2, "units": 90, "clips": 9,
             "computed": ["low", "high"]}
            for n, v in enumerate(["01-10", "11-20", "21-"])
        ]  # fmt: skip
    bins = [(n / 10, (n + 1) / 10) for n in range(10)]
    report = {
        "file": f"reports/metrics/{model['name']}.json",
        "rate": rates,
        "extra": [["CER canonical", 0.03125, 0.02, 0.04, "cer.canonical"],
                  ["test_utterances", 444, None, None, "test_utterances"]],
        "by": by_norm,
        "ece": round(rng.random() / 10, 4),
        "reliability": [
            {"low": low, "high": high, "confidence": low + 0.05, "accuracy": low * 0.9,
             "count": 10 + n}
            for n, (low, high) in enumerate(bins)
        ],
    }  # fmt: skip
    curve = {"name": "valid_per", "steps": [*range(1, 9)], "file": "curves.tsv", "step": "epoch"}
    curve["values"] = [round(0.9 / step, 4) for step in curve["steps"]]
    confusion = None
    if item["name"] == "phones":
        size = len(LABELS)
        counts = [[100 if r == c else rng.randrange(3) for c in range(size)] for r in range(size)]
        confusion = {"rows": LABELS, "columns": LABELS, "counts": counts}
    return {**model, "report": report, "curves": [curve], "confusion": confusion}


def pairs(item, rng):
    names = [model["name"] for model in item["models"]]
    return [
        {"a": names[1], "b": names[0], "normalisation": norm, "low": -0.0123, "high": 0.2,
         "difference": round(rng.random() / 9, 4), "better_draws": 0.04, "key": "pairs",
         "file": "reports/comparison.json"}
        for norm in item["normalisations"]
    ]  # fmt: skip


def corpus():
    counts = {"train": [1, 5, 2], "valid": [0, 2, 1], "test": [3, 1, 0]}
    return {
        "file": "reports/corpus.json",
        "tables": [{"name": "Splits", "columns": ["split", "clips", "hours"],
                    "rows": [["train", 100, 0.25], ["test", 30, None]]}],
        "histograms": [{"name": "seconds per clip", "unit": "s", "edges": [0, 1, 2, 4],
                        "counts": counts}],
        "bars": [{"name": "hours", "label": "language", "labels": ["a", "ʃ", "<b>"],
                  "counts": {part: [n / 100 for n in own] for part, own in counts.items()}}],
    }  # fmt: skip
