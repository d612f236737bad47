"""The simulation of active learning is fair, repeatable, and says what was reached."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from fonoteka.bench.selection import command
from fonoteka.bench.selection.clips import LabelledClip, Material, fsdd
from fonoteka.bench.selection.command import SimulatedCorpora, bench_selection
from fonoteka.bench.selection.learner import LearnerParams
from fonoteka.bench.selection.report import page, summary
from fonoteka.bench.selection.simulate import ORDER, SimulationParams, shares_of, simulate
from fonoteka.shards import write_arrays

pytestmark = pytest.mark.torch
PHONES = ("a", "e", "i", "o")
PARAMS = SimulationParams(
    seeds=2, pool=40, calibration=6, start_s=2.0, round_s=2.0, rounds=2,
    learner=LearnerParams(hidden=8, updates=12),
)  # fmt: skip


def clip(number: int) -> LabelledClip:
    """A clip of 20 frames with two phones, each of which is a direction of the embeddings."""
    random = np.random.default_rng(number)
    phones = tuple(random.choice(PHONES, 2, replace=False).tolist())
    embeddings = 0.1 * random.standard_normal((20, 8))
    for place, phone in enumerate(phones):
        embeddings[4 + 8 * place : 8 + 8 * place, PHONES.index(phone)] += 3.0
    return LabelledClip(f"c{number:03d}", embeddings.astype(np.float32), phones, "x/a", "hr")


@pytest.fixture(scope="module")
def material():
    torch.set_num_threads(1)
    return Material("toy", tuple(map(clip, range(50))), tuple(map(clip, range(50, 60))))


@pytest.fixture(scope="module")
def rows(material):
    return simulate(material, PARAMS)


def test_all_strategies_of_a_seed_start_alike_and_keep_the_budget(rows):
    for seed in range(PARAMS.seeds):
        own = [row for row in rows if row["seed"] == seed]
        assert [row["strategy"] for row in own] == [s for s in ORDER for _ in range(3)]
        assert len({(row["seconds"], row["per"]) for row in own[::3]}) == 1
        for number, row in enumerate(own):
            limit = 2.0 + 2.0 * (number % 3)
            # A clip has 0.4 s, and sums of floats have an error.
            assert limit - 0.4 < row["seconds"] < limit + 1e-6


def test_a_simulation_is_repeatable(material, rows):
    assert simulate(material, replace(PARAMS, seeds=1)) == [r for r in rows if r["seed"] == 0]


def test_languages_get_their_share_of_the_pool(material):
    mixed = [replace(c, language="en") if n % 4 == 0 else c for n, c in enumerate(material.pool)]
    params = replace(PARAMS, seeds=1, by_language=True)
    for row in simulate(replace(material, pool=tuple(mixed)), params):
        # A clip has 0.4 s: a round may leave that much of each language to the next one.
        english = row["language_s"].get("en", 0.0)
        share = shares_of(drawn_pool(mixed, params))["en"]
        assert row["seconds"] * share - 0.6 < english < row["seconds"] * share + 0.6
        assert {*row["language_per"]} == {"hr"}
        assert row["per"] == row["language_per"]["hr"]


def drawn_pool(clips, params):
    """Return the pool of seed 0."""
    order = np.random.default_rng(0).permutation(len(clips))
    return [clips[i] for i in order[: params.pool]]


def test_a_head_learns_from_the_clips(material):
    learner = LearnerParams(hidden=16, updates=150)
    params = replace(PARAMS, seeds=1, rounds=1, round_s=8.0, learner=learner)
    last = [row["per"] for row in simulate(material, params) if row["seconds"] > 8]
    assert max(last) < 0.5  # a head that predicts nothing has 1


@pytest.mark.parametrize(
    ("change", "sentence"),
    [({"pool": 90}, "50 clips, fewer than 90"), ({"rounds": 40}, "the pool has 16 s, less than")],
    ids=["pool", "rounds"],
)
def test_a_pool_that_is_too_small_is_one_sentence(material, change, sentence):
    with pytest.raises(ValueError, match=sentence):
        simulate(material, replace(PARAMS, **change))


def test_a_command_without_a_corpus_is_one_sentence(tmp_path):
    with pytest.raises(ValueError, match="give --fsdd FOLDER, --corpus NAME of a build, or both"):
        bench_selection(SimulatedCorpora(None, (), tmp_path, tmp_path), PARAMS)


def curves(**last: float):
    """Return rows of two seeds whose PER falls in a straight line to the last value."""
    return [
        {
            "seed": seed, "strategy": strategy, "seconds": 10.0 * (number + 1),
            "per": 0.8 + (last.get(strategy, 0.6) - 0.8) * number / 4,
            "language_s": {"hr": 10.0 * number},
            "language_per": {"en": 0.9, "hr": 0.5 + 0.1 * seed},
        }
        for seed in range(2)
        for strategy in ORDER
        for number in range(5)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("last", "best", "share", "met"),
    [
        ({"both": 0.4}, "both", 0.6, True),  # 0.6 after 30 of 50 s
        ({"both": 0.5, "uncertainty": 0.7}, "both", (10 + 80 / 3) / 50, False),
        ({"uncertainty": 0.7, "diversity": 0.7, "both": 0.7}, None, None, False),
    ],
    ids=["met", "not-met", "never"],
)
def test_the_report_says_whether_the_demand_is_met(last, best, share, met):
    report = summary(curves(**last), PARAMS)
    assert (report["best"], report["met"]) == (best, met)
    assert report["target_per"] == pytest.approx(0.6)
    if best:
        assert report["strategies"][best]["share_of_budget"] == pytest.approx(share)
    text = page({"corpora": {"toy": report}})
    assert f"at most 60 % of the seconds: {'met' if met else 'not met'}" in text
    # The last round has no English, and the mean of two seeds is 0.55.
    english, croatian = report["strategies"]["both"]["languages"].values()
    assert english == {"seconds": 0.0, "per": pytest.approx(0.9)}
    assert croatian == {"seconds": 40.0, "per": pytest.approx(0.55)}
    assert "en 0 s 90.0, hr 40 s 55.0" in text


def test_the_command_writes_a_report_and_a_figure_beside_earlier_corpora(
    tmp_path, monkeypatch, material, rows
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".dvc").mkdir()
    monkeypatch.setattr(command, "build", lambda splits, arrays, name: replace(material, name=name))
    monkeypatch.setattr(command, "simulate", lambda material, params: rows)
    for name in ("first", "second"):
        bench_selection(SimulatedCorpora(None, [name], tmp_path, tmp_path), PARAMS)
    report = json.loads((tmp_path / command.REPORT).read_text())
    bench_selection(
        SimulatedCorpora(None, ["second"], tmp_path, tmp_path), replace(PARAMS, by_language=True)
    )
    assert sorted(report["corpora"]) == ["first", "second"]
    report = json.loads((tmp_path / command.REPORT).read_text())
    assert sorted(report["corpora"]) == ["first", "second", "second, by language"]
    assert (tmp_path / command.FIGURE).read_bytes().startswith(b"\x89PNG")


def test_the_digits_are_split_as_in_their_table(tmp_path):
    (tmp_path / "labels.tsv").write_text(
        "path\tspeaker\tlanguage\ttext\tsplit\n"
        "audio/0_ana_0.wav\tana\ten\tzero\ttest\naudio/1_ana_7.wav\tana\ten\tone\ttrain\n"
    )
    arrays = {f"audio/{n}.wav": np.zeros((9, 2), np.float32) for n in ("0_ana_0", "1_ana_7")}
    (tmp_path / "store").mkdir()
    write_arrays(tmp_path / "store", arrays, 2)
    loaded = fsdd(tmp_path, tmp_path / "encoder", tmp_path / "store")
    assert [c.id for c in loaded.test] == ["audio/0_ana_0.wav"]
    assert [(c.id, c.seconds, len(c.phones)) for c in loaded.pool] == [
        ("audio/1_ana_7.wav", 0.18, 3)
    ]
