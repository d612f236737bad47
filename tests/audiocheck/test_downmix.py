"""Channels that cancel give one channel; every other recording keeps the mean of its channels."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
import soundfile as sf
from corpus_maker import make_corpus
from inventory_maker import PARAMS as INVENTORY
from inventory_maker import outputs

from fonoteka.audio.dsp import to_mono_16k
from fonoteka.audiocheck.downmix import choose_channel, select_channel
from fonoteka.audiocheck.measure import ProbeLimits
from fonoteka.audiocheck.probe import probe
from fonoteka.fingerprint.fingerprint import fingerprint
from fonoteka.tables import read_table
from stages.corpus.inventory import stage as inventory
from stages.corpus.preprocess import PreprocessParams, prepare

RATE = 16_000
T = np.arange(2 * RATE) / RATE
GATE = np.sin(2 * np.pi * 3 * T) > 0  # speech and pauses, three times per second
VOICE = 0.3 * np.sin(2 * np.pi * 180 * T) * GATE
# A voice with more of a spectrum: a chirp, whose copies at another time have little in common.
CHIRP = 0.3 * np.sin(2 * np.pi * (150 * T + 500 * T**2)) * GATE

PREPROCESS = PreprocessParams(
    level_dbfs=-23.0, trim_below_peak_db=40.0, trim_margin_s=0.05, min_s=0.15, shards=3
)


def noise(seed, level=0.0005):
    return level * np.random.default_rng(seed).standard_normal(len(T))


def stereo(*channels):
    return np.stack([channel + noise(n) for n, channel in enumerate(channels)], 1)


CANCELLING = {
    "reversed": (stereo(VOICE, -VOICE), None),
    "reversed and half as loud": (stereo(VOICE, -VOICE / 2), None),
    "reversed, with an offset": (stereo(VOICE + 0.2, -VOICE + 0.2), None),
    "reversed to the bit": (np.rint(np.stack([CHIRP, -CHIRP], 1) * 32768) / 32768, 0),
    "one of two noisy": (np.stack([VOICE + noise(1, 0.1), -VOICE + noise(2)], 1), 1),
    "the other noisy": (np.stack([VOICE + noise(1), -VOICE + noise(2, 0.1)], 1), 0),
    "late by half a period": (stereo(VOICE, np.roll(VOICE, round(RATE / 360))), None),
    "four, two of them reversed": (stereo(CHIRP, -CHIRP, CHIRP, -CHIRP), None),
    "three, one of them reversed": (stereo(CHIRP, CHIRP, -CHIRP), None),
}
ORDINARY = {
    "alike": stereo(VOICE, VOICE),
    "one silent": stereo(VOICE, 0 * VOICE),
    "one silent to the bit": np.stack([0 * VOICE, CHIRP], 1),
    "one noise": np.stack([VOICE, noise(3, 0.15)], 1),
    "two voices": stereo(VOICE, CHIRP),
    "a quarter of a period apart": stereo(VOICE, np.roll(VOICE, round(RATE / 720))),
    "an echo": stereo(CHIRP, 0.7 * np.roll(CHIRP, 160)),
    "reversed and much softer": stereo(VOICE, -VOICE / 5),
    "eight, one of them with sound": stereo(CHIRP, *[0 * CHIRP] * 7),
    "noise alone": np.stack([noise(4, 0.1), noise(5, 0.1)], 1),
    "silence": np.zeros((800, 2)),
    "an offset alone": np.stack([np.full(800, 0.1), np.full(800, -0.1)], 1),
}


def clip_of(samples, folder, subtype="PCM_16"):
    sf.write(folder / "a.wav", samples, RATE, subtype=subtype)
    return prepare(("a", "a.wav"), folder, PREPROCESS)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
@pytest.mark.parametrize("name", CANCELLING)
def test_a_recording_whose_channels_cancel_keeps_its_voice(name, subtype, tmp_path):
    samples, channel = CANCELLING[name]
    choice = choose_channel(samples, RATE)
    assert choice is not None
    assert channel in (None, choice.channel)
    clip = clip_of(samples, tmp_path, subtype)
    assert clip.problem == ""
    shard_samples = sf.read(io.BytesIO(clip.flac))[0]
    start = round(clip.offset_s * RATE)
    voice = (VOICE if abs(np.corrcoef(samples[:, 0], VOICE)[0, 1]) > 0.5 else CHIRP)[start:]
    alike = np.corrcoef(shard_samples, voice[: len(shard_samples)])[0, 1]
    if name == "late by half a period" and choice.channel == 1:
        alike = np.corrcoef(
            shard_samples, np.roll(VOICE, round(RATE / 360))[start:][: len(shard_samples)]
        )[0, 1]
    assert abs(alike) > 0.9


@pytest.mark.parametrize("name", ORDINARY)
def test_every_other_recording_stays_as_it_is(name, tmp_path):
    samples = ORDINARY[name].astype(np.float32)
    assert choose_channel(samples, RATE) is None
    assert select_channel(samples, RATE) is samples
    mean = to_mono_16k(samples, RATE)
    assert np.array_equal(mean, samples.mean(axis=1))


@pytest.mark.parametrize("samples", [VOICE, VOICE[:, None], np.zeros((0, 2))])
def test_one_channel_and_no_sample_are_left_alone(samples):
    assert select_channel(samples, RATE) is samples


def test_the_border_is_where_the_mean_has_half_the_power_of_unrelated_channels():
    # Two channels s and -a s: the mean has (1 - a)^2 / 4 of the power, the channels (1 + a^2) / 2.
    # The first is a quarter of the second where a^2 - 4 a + 1 = 0: a = 2 - sqrt(3) = 0.268.
    border = 2 - math.sqrt(3)
    for a, cancels in ((border - 0.01, False), (border + 0.01, True)):
        assert (choose_channel(np.stack([CHIRP, -a * CHIRP], 1), RATE) is not None) == cancels
    # With the correlation r, of equal power: (1 + r) / 2, a quarter at r = -0.5.
    first, second = (np.random.default_rng(seed).standard_normal(len(T)) for seed in (1, 2))
    for r, cancels in ((-0.47, False), (-0.53, True)):
        other = r * first + math.sqrt(1 - r * r) * second
        assert (choose_channel(np.stack([first, other], 1) / 8, RATE) is not None) == cancels


def test_integers_and_floats_of_the_same_samples_decide_alike():
    for samples, _ in CANCELLING.values():
        ints = np.clip(np.rint(samples * 32768), -32768, 32767).astype(np.int16)
        assert choose_channel(ints, RATE) == choose_channel((ints / 32768).astype(np.float32), RATE)


def test_the_louder_of_two_equally_clean_channels_is_taken():
    samples = np.stack([VOICE / 2, -VOICE], 1)
    assert choose_channel(samples, RATE).channel == 1
    assert choose_channel(-samples[:, ::-1], RATE).channel == 0


def test_a_row_names_the_selected_channel_and_has_its_fingerprint(tmp_path):
    folder = make_corpus(tmp_path, [f"{n}.wav,dan,ana,hr" for n in "abc"])
    sounds = {"a": CANCELLING["reversed to the bit"][0], "b": CANCELLING["reversed"][0],
              "c": ORDINARY["alike"]}  # fmt: skip
    for name, samples in sounds.items():
        sf.write(folder / f"{name}.wav", samples, RATE, subtype="PCM_16")
    inventory.run(tmp_path, outputs(tmp_path), INVENTORY, workers=1)
    rows = read_table(tmp_path / "inventory.csv", ("path", "problem", "detail"))
    assert {row["problem"] for row in rows} == {""}
    details = {row["path"]: row["detail"] for row in rows}
    assert details["mine/a.wav"] == (
        "channels cancel, all is lost in their mean: channel 1 is taken"
    )
    # s is a sine of 0.3 for half of the time, 0.0225 of power; the noises' mean has 1.25e-7.
    assert details["mine/b.wav"].startswith(
        "channels cancel, 52.6 dB are lost in their mean: channel "
    )
    assert details["mine/c.wav"] == ""
    result = probe(str(folder / "a.wav"), ProbeLimits(10**8, 60))
    alone = fingerprint(result.sound.reshape(-1, 2)[:, 0], RATE)
    codes = np.load(tmp_path / "prints.npy")[[row["path"] for row in rows].index("mine/a.wav"), 1:]
    assert np.array_equal(codes[: len(alone)], alone)
    assert len(alone)
