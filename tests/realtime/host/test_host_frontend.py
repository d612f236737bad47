"""The C++ front end computes the numpy features, for any blocks, and never allocates."""

from __future__ import annotations

import numpy as np
import pytest
from host_programs import COMPILERS, run_program
from hypothesis import given, settings
from hypothesis import strategies as st

from fonoteka.realtime.block_check import synthetic_sound
from fonoteka.realtime.resampler import HOST_RATES_HZ, resampled

ALLOWED = 1e-5
"""Both compute in float64 and round a feature of up to 6 to float32: 5e-7."""

SOUND = synthetic_sound(3.0)


def features(program, folder, samples, rate_hz, sizes):
    """Return the features `[T, M]` that the C++ front end computes in blocks of these sizes."""
    np.array(sizes, np.uint32).tofile(folder / "sizes")
    data = np.asarray(samples, np.float32).tobytes()
    out = run_program(program, "features", rate_hz, folder / "sizes", data=data)
    return np.frombuffer(out, np.float32).reshape(-1, 40)


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_a_release_build_computes_the_features(compiler, programs, optimized, end, tmp_path):
    if compiler not in COMPILERS:
        pytest.skip(f"{compiler} is not installed")
    program = programs("harness", optimized, compiler)
    result, expected = features(program, tmp_path, SOUND, 16000, [480]), end(SOUND)
    assert result.shape == expected.shape
    assert np.abs(result - expected).max() <= ALLOWED


@settings(max_examples=25)
@given(sizes=st.lists(st.integers(1, 3000), min_size=1, max_size=12), start=st.integers(0, 16000))
def test_features_do_not_depend_on_the_blocks(programs, end, tmp_path_factory, sizes, start):
    folder = tmp_path_factory.getbasetemp()
    samples = SOUND[start : start + 20000]
    result, expected = features(programs("harness"), folder, samples, 16000, sizes), end(samples)
    assert result.shape == expected.shape
    assert np.abs(result - expected).max() <= ALLOWED


@pytest.mark.parametrize("rate_hz", HOST_RATES_HZ[1:])
@pytest.mark.parametrize("sizes", [[1], [64, 441, 0, 7], [48000]])
def test_the_features_of_resampled_sound_are_those_of_the_reference(
    rate_hz, sizes, programs, end, tmp_path
):
    samples = (0.3 * np.random.default_rng(2).standard_normal(rate_hz // 2)).astype(np.float32)
    result = features(programs("harness"), tmp_path, samples, rate_hz, sizes)
    expected = end(resampled(samples.astype(np.float64), rate_hz))
    assert len(expected) in (49, 50)
    assert np.abs(result - expected).max() <= ALLOWED


@pytest.mark.parametrize("name", ["zeros", "full scale", "denormals", "huge", "one sample"])
def test_unusual_samples_have_the_features_of_the_reference(name, programs, end, tmp_path):
    samples = {
        "zeros": np.zeros(2000), "full scale": np.sign(np.sin(np.arange(2000) / 3)),
        "denormals": np.full(2000, 1e-41), "huge": np.full(2000, 1e37),
        "one sample": np.eye(1, 2000, 1000)[0],
    }[name].astype(np.float32)  # fmt: skip
    result = features(programs("harness"), tmp_path, samples, 16000, [100])
    assert np.isfinite(result).all()
    assert np.abs(result - end(samples)).max() <= ALLOWED


def test_samples_that_are_not_finite_count_as_zeros(programs, end, tmp_path):
    samples = SOUND[:8000].copy()
    samples[[0, 1000, 4001, 4002]] = np.nan, np.inf, -np.inf, np.nan
    result = features(programs("harness"), tmp_path, samples, 16000, [333])
    cleaned = np.where(np.isfinite(samples), samples, 0)
    assert np.abs(result - end(cleaned)).max() <= ALLOWED


def test_misuse_has_a_return_code(programs, headers):
    out = run_program(programs("harness"), "errors", headers / "frontend.json").decode()
    lines = [line.split() for line in out.splitlines()]
    rates = [pair for pair in lines if pair[0] in ("rate", "after_rate")]
    assert rates == [["rate", "-2"], ["after_rate", "-1"]] * 6
    assert dict(pair for pair in lines if pair not in rates) == {
        "before_prepare": "-1", "rate_16000": "0", "empty": "0", "null": "-3", "million": "0",
        "hops": "6250", "not_finite": "1", "replaced": "2", "outputs": "2", "outputs_null": "-3",
        "file": "0", "file_null": "-3", "other_file": "-4", "shorter_file": "-4",
    }  # fmt: skip


# An hour at 16 kHz takes 3 s, the same at 48 kHz 8 s.
@pytest.mark.parametrize(("rate_hz", "seconds"), [(16000, 3600), (44100, 60), (48000, 60)])
def test_nothing_allocates_after_prepare(rate_hz, seconds, programs, optimized):
    if COMPILERS[:1] != ["g++"]:
        pytest.skip("the hooks of malloc need glibc and g++")
    program = programs("allocations", optimized)
    out = run_program(program, rate_hz, seconds, 480).decode()
    hops, changes, before, after = map(int, out.split())
    assert abs(hops - 100 * seconds) <= 1
    assert changes > 10
    assert before >= 2  # the hooks count: a vector and the front end
    assert after == 0


def test_the_queue_keeps_the_order_between_threads(programs):
    flags = ("-std=c++17", "-O2", "-fsanitize=thread")
    assert run_program(programs("queue_check", flags)).split() == [b"200000", b"1", b"0"]
