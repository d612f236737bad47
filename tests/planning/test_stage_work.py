"""The work of a stage follows the hours and params.yaml; rates are exact on exact costs."""

import pytest
from dvc_yaml import params as sections
from dvc_yaml import pipeline
from hypothesis import given
from hypothesis import strategies as st

from fonoteka.planning.build import SplitHours
from fonoteka.planning.comparable import SIZE_KEYS, UNREAD, differences
from fonoteka.planning.rates import StageCost, fit_rate
from fonoteka.planning.work import (
    FIXED,
    FIXED_STAGES,
    GROUPS,
    HELD_OUT_STAGES,
    TEST_STAGES,
    TRAIN_STAGES,
    StageWork,
    group_of,
    work_of,
)

HOURS = SplitHours(train=6.0, valid=2.0, test=1.0, train_clips=7200)
POSITIVE = st.floats(0.1, 100.0)


def test_every_stage_that_is_listed_is_in_the_pipeline():
    bases = {stage.partition("@")[0] for stage in pipeline()}
    folders = {entry["cmd"].split()[2].split(".")[1] for entry in pipeline().values()}
    assert bases >= FIXED_STAGES | HELD_OUT_STAGES | TEST_STAGES | TRAIN_STAGES
    assert bases | folders >= {*GROUPS}


def test_every_key_of_the_size_is_one_of_params():
    for path in SIZE_KEYS:
        section = sections()
        for key in path.split("."):
            assert key in section, path
            section = section[key]
    assert {*sections()} >= UNREAD


def test_every_stage_has_work_and_a_column():
    groups = {group_of(stage, entry["cmd"]) for stage, entry in pipeline().items()}
    assert groups == {"corpus", "encoders", "embeddings", "training", "export"}
    for stage in pipeline():
        assert work_of(stage, HOURS, sections()).amount >= 0, stage


@pytest.mark.parametrize(
    ("stage", "hours"),
    [
        ("preprocess", 9.0),
        ("a_stage_of_tomorrow", 9.0),
        ("phone_ngram", 6.0),
        ("posteriors@mlp", 3.0),
        ("evaluate@mlp", 1.0),
        ("embed@whisper", 9.0),
        ("embed@wavlm", 9.0),
    ],
)
def test_work_is_the_hours_that_a_stage_reads(stage, hours):
    work = work_of(stage, HOURS, sections())
    assert (work.unit, work.amount) == ("hours", hours)


def test_each_changed_copy_of_the_training_clips_is_work_of_its_embeddings():
    params = sections()
    params["embedded"]["wavlm"]["augmented_copies"] = 2
    assert work_of("embed@wavlm", HOURS, params).amount == 9.0 + 2 * 6.0


@pytest.mark.parametrize(
    ("stage", "section"),
    [
        ("train@mlp", "mlp"),
        ("train@wavlm_ctc", "ctc"),
        ("train_reference", "reference"),
        ("train_realtime@onset", "train_realtime"),
    ],
)
def test_the_work_of_a_head_is_an_epoch_of_the_training_split_each(stage, section):
    epochs = sections()[section]["epochs"]
    work = work_of(stage, HOURS, sections())
    assert (work.unit, work.amount, work.passes) == ("hours", 6.0 * epochs, epochs)


def test_steps_are_those_of_params_and_passes_follow_from_their_length():
    encoder = {"source": "pretrain", "pretrain": {"steps": 700, "batch_s": 20.0}}
    stream = {"epochs": 4, "batches": 40, "batch_s": 12.0}
    whisper = {"steps": 150, "batch": 4, "accumulate": 2}
    params = {"encoder": encoder, "train_stream": stream, "train_whisper": whisper}
    # The training split has 21,600 s, and a clip 3 s.
    for stage, steps, speech_s in (
        ("encoder@wavlm", 700, 700 * 20),
        ("train_stream", 160, 160 * 12),
        ("train_whisper", 150, 150 * 8 * 3),
    ):
        work = work_of(stage, HOURS, params)
        assert (work.unit, work.amount) == ("steps", steps)
        assert work.passes == pytest.approx(speech_s / 21600)


def test_a_fetched_encoder_and_an_empty_split_have_no_work():
    fetched = sections() | {"encoder": sections()["encoder"] | {"source": "hub"}}
    assert work_of("encoder@wavlm", HOURS, fetched) == StageWork(FIXED, 0.0)
    untested = SplitHours(6.0, 2.0, 0.0, 7200)
    assert work_of("evaluate@mlp", untested, sections()) == StageWork(FIXED, 0.0)


@given(POSITIVE, POSITIVE, st.lists(POSITIVE, min_size=2, max_size=6, unique=True))
def test_costs_on_a_line_give_its_constant_and_its_rate(constant, rate, works):
    costs = [StageCost(w, constant + rate * w, constant / 2) for w in works]
    fitted = fit_rate(costs)
    for cost in costs:
        assert fitted.cost_s(cost.work) == pytest.approx(cost.cpu_s, rel=1e-6)
    assert fitted.low <= fitted.high


@given(POSITIVE, POSITIVE)
def test_of_one_size_all_but_the_imports_grows(work, cpu_s):
    rate = fit_rate([StageCost(work, cpu_s, cpu_s / 4), StageCost(work, cpu_s, cpu_s / 4)])
    assert rate.constant_s == pytest.approx(cpu_s / 4)
    assert rate.cost_s(2 * work) == pytest.approx(cpu_s / 4 + 1.5 * cpu_s)


def test_a_stage_that_got_cheaper_with_more_work_does_not_grow():
    rate = fit_rate([StageCost(1.0, 10.0, 4.0), StageCost(2.0, 8.0, 4.0)])
    assert (rate.per_unit_s, rate.cost_s(100.0)) == (0.0, 9.0)


def test_the_constant_is_at_least_the_imports():
    # The line through both points starts at 2, below the imports of 4.
    rate = fit_rate([StageCost(1.0, 6.0, 4.0), StageCost(4.0, 18.0, 4.0)])
    assert rate.constant_s == 4.0
    assert 2.0 < rate.per_unit_s < 3.5
    assert (rate.low, rate.high) == (2.0, 3.5)


def test_each_build_counts_by_its_relative_error():
    # The seconds of a run vary by a share, so a build of 900 s must not outvote two of 20 s.
    costs = [StageCost(1.0, 16.0, 1.0), StageCost(2.0, 24.0, 1.0), StageCost(100.0, 905.0, 1.0)]
    fitted = fit_rate(costs)

    def error(constant_factor, rate_factor):
        constant_s, rate = constant_factor * fitted.constant_s, rate_factor * fitted.per_unit_s
        return sum(((constant_s + rate * c.work) / c.cpu_s - 1) ** 2 for c in costs)

    assert fitted.constant_s > 1.0
    for factors in ((0.99, 1), (1.01, 1), (1, 0.99), (1, 1.01)):
        assert error(1, 1) < error(*factors)


def test_a_size_is_not_a_difference_and_an_architecture_is():
    params = {"ctc": {"epochs": 2, "hidden": 32}, "gate": 1, "bench": {"a": 1}, "models": {"m": 1}}
    assert differences(params, params | {"gate": 2, "bench": {"a": 2}}) == []
    assert differences(params, params | {"models": {"m": 1, "n": {"head": "ctc"}}}) == [
        "models.n.head"
    ]
