"""A page of 10,000 utterances without audio has at most 5 MB."""

from __future__ import annotations

import random
from collections import Counter

from corpus_maker import utterance

from fonoteka.phones import LETTERS
from fonoteka.reporting.dashboard.clips import Privacy, clip_columns, clips_of
from fonoteka.reporting.dashboard.group_rates import Draws
from fonoteka.reporting.dashboard.page.render import render
from fonoteka.reporting.dashboard.phone_task import (
    DecodedClips,
    add_clip,
    phone_model,
    phone_task,
)
from fonoteka.scoring.error_rate import Errors

CLIPS = 10_000
PHONES = sorted(set(LETTERS.values()))
# As on the test split of the embedded corpus: 33 phones per clip, 12 speakers, and these PERs.
RATES = {
    "ensemble": 0.04,
    "mlp": 0.24,
    "wav2vec2_ctc": 0.08,
    "wavlm_ctc": 0.07,
    "whisper_ctc": 0.06,
}


def toy_clips(rng):
    rows = [
        utterance(
            f"embedded/voice{n % 12}", language="hr", id=f"embedded-{n:05}-voice-hr-{n * 7919:08x}",
            phones=tuple(rng.choices(PHONES, k=rng.randint(5, 61))),
            duration_s=round(rng.uniform(0.5, 5.0), 2), licence="CC0", synthetic=True,
        )
        for n in range(CLIPS)
    ]  # fmt: skip
    return clips_of(rows, Privacy(False, {}, ("CC0",)))


def decoded_with(rng, clips, rate):
    """Return clips decoded with errors in a share of the phones, a third of each kind."""
    decoded = DecodedClips([], [], [], [], Counter())
    for u in clips.utterances:
        phones = []
        for phone in u.phones:
            kind = rng.choice("sdi") if rng.random() < rate else "="
            phones += {"=": [phone], "s": rng.choices(PHONES), "d": [],
                       "i": [phone, *rng.choices(PHONES)]}[kind]  # fmt: skip
        add_clip(decoded, u.phones, phones)
        decoded.confidence.append(round(rng.random(), 3))
    return decoded


def report_of(clips, decoded):
    """Return a report with the counts of decoded clips."""
    total = sum(decoded.errors, Errors())
    speakers = {}
    for speaker, own in zip(clips.speakers, decoded.errors, strict=True):
        speakers[speaker] = speakers.get(speaker, Errors()) + own
    rate = {"per": round(total.rate, 4), "per_low": 0.1, "per_high": 0.2}
    counts = {"phones": total.reference, "utterances": CLIPS}
    judged = ("segment_accuracy", "top3", "balanced_accuracy", "ece")
    return rate | counts | {
        **{f"{key}{end}": 0.5 for key in judged for end in ("", "_low", "_high")},
        "substitutions": total.substitutions, "deletions": total.deletions,
        "insertions": total.insertions, "reliability": [],
        "languages": {"hr": rate | counts}, "sources": {"embedded": rate | counts},
        "by_speaker": {
            name: {"per": own.rate, "phones": own.reference, "utterances": CLIPS // 12}
            for name, own in speakers.items()
        },
        "lengths": {"01-20": rate | counts, "21-": rate | counts},
    }  # fmt: skip


def test_five_models_of_10_000_utterances_fit_in_5_mb(tmp_path):
    rng = random.Random(1)
    clips = toy_clips(rng)
    models = []
    for name, rate in RATES.items():
        decoded = decoded_with(rng, clips, rate)
        report = report_of(clips, decoded)
        file = tmp_path / f"{name}.json"
        models.append(
            phone_model(name, clips, decoded, report, file, tmp_path / name, Draws(10, 1, 4))
        )
        assert abs(report["per"] - rate) < 0.3 * rate
    rates = {m["name"]: {"per": m["report"]["rate"]["phones"]["value"]} for m in models}
    task = phone_task(clips, models, {"models": rates, "paired": []}, tmp_path / "comparison.json")
    document = {
        "format": 1, "title": "Large", "note": "", "clips": clip_columns(clips, {}),
        "tasks": [task],
        "corpus": None,
    }  # fmt: skip
    size = len(render(document).encode())
    assert 1e6 < size < 5e6, f"{size / 1e6:.2f} MB"
