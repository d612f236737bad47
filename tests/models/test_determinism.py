"""Threads and algorithms are fixed, and seeds depend on their parts only."""

from __future__ import annotations

import pytest

from fonoteka.models.determinism import ComputeParams, configure, seed_of


def test_threads_are_at_least_one():
    with pytest.raises(ValueError, match=r"compute\.threads must be at least 1, found 0"):
        ComputeParams(threads=0, device="cpu")


def test_a_device_is_cpu_cuda_or_auto():
    with pytest.raises(ValueError, match=r"compute\.device: 'tpu' is not one of cpu, cuda, auto"):
        ComputeParams(threads=1, device="tpu")


@pytest.mark.torch
def test_configure_sets_the_threads_and_refuses_nondeterministic_algorithms():
    import torch  # not at the top: the other tests do not need it, and it takes 4 CPU seconds

    configure(1)
    assert torch.get_num_threads() == 1
    assert torch.are_deterministic_algorithms_enabled()
    assert torch.get_deterministic_debug_mode() == 2  # an error; 1 would only warn


def test_a_seed_has_32_bits_and_distinguishes_its_parts():
    seeds = {seed_of(*parts) for parts in ((1, "a"), (1, "b"), (2, "a"), ("1a",), (1, "a", 0))}
    assert len(seeds) == 5
    assert all(0 <= seed < 2**32 for seed in seeds)


def test_seeds_are_the_same_on_every_machine():
    # the first four bytes of SHA-256 of "1\0weights"; another seed is another model
    assert seed_of(1, "weights") == seed_of("1", "weights") == 0x1F6B8163
