"""Two thousand damaged files: each has a row, and no accepted file has wrong samples."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
from corpus_maker import CARD, write_rows
from fuzz_maker import KINDS, damaged, excuse, seeds
from inventory_maker import QUARANTINE, outputs

from fonoteka.audiocheck.decode import read_sound
from fonoteka.tables import read_table
from stages.corpus.inventory.problems import PROBLEMS
from stages.corpus.inventory.stage import run

FILES = 2000
ROUNDING = 1e-6  # of an MP3 decoder that begins with another frame


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory):
    """Return the inventory's rows by path, and for each its folder, whole seed and damage."""
    top = tmp_path_factory.mktemp("fuzz")
    folder, rng = top / "raw" / "mine", np.random.default_rng(20)
    folder.mkdir(parents=True)
    whole = seeds(folder)
    origin = {seed.name: (seed, "whole") for seed in whole}
    for number in range(FILES):
        seed = whole[number % len(whole)]
        damage, data = damaged(seed, whole, rng)
        name = f"{number}-{seed.name}"
        (folder / name).write_bytes(data)
        origin[name] = (seed, damage)
    write_rows(folder, [f"{name},da,ana,hr" for name in origin])
    (folder / "corpus.json").write_text(json.dumps(CARD))
    run(top / "raw", outputs(top), QUARANTINE, 2)
    rows = {row["path"]: row for row in read_table(top / "inventory.csv", ("path", "problem"))}
    return rows, origin, folder


def decoded(path):
    """Return a file's samples as preprocessing reads them, shape `[frames, channels]`."""
    samples, rate = read_sound(path)
    return samples.reshape(len(samples), -1), rate


def is_heard(samples, seed, note):
    """Tell whether a file gives the samples of its seed; no more of them, unless a note says so."""
    if "delay is not cut" not in note:
        return np.array_equal(samples, seed.samples, equal_nan=True)
    room = len(samples) - len(seed.samples)
    begins = np.abs(samples[: room + 1] - seed.samples[0]).max(axis=1) < ROUNDING
    parts = (samples[n : n + len(seed.samples)] for n in np.flatnonzero(begins))
    return any(np.abs(part - seed.samples).max() < ROUNDING for part in parts)


def test_every_file_has_one_row_with_a_problem_that_is_documented(fuzzed):
    rows, origin, _ = fuzzed
    assert rows.keys() == {f"mine/{name}" for name in origin}
    assert {row["problem"] for row in rows.values()} <= PROBLEMS.keys() | {""}
    assert all(row["detail"] for row in rows.values() if row["problem"])


def test_whole_files_of_every_kind_are_taken(fuzzed):
    rows, _, _ = fuzzed
    assert {name: rows[f"mine/{name}"]["problem"] for name, *_ in KINDS} == dict.fromkeys(
        (name for name, *_ in KINDS), ""
    )


def test_what_is_taken_decodes_to_what_it_was_or_no_reader_could_tell(fuzzed):
    """State what it means that a damaged file is taken: see `fuzz_maker.excuse`.

    Its samples and rate are those of the whole file; or each sample that is another lies plainly in
    bytes that were changed; or a head that says a thing once says another thing.
    """
    rows, origin, folder = fuzzed
    reasons = Counter()
    for name, (seed, damage) in origin.items():
        if rows[f"mine/{name}"]["problem"]:
            continue
        samples, rate = decoded(folder / name)
        same = rate == seed.rate and is_heard(samples, seed, rows[f"mine/{name}"]["detail"])
        reason = "same" if same else excuse(seed, (folder / name).read_bytes(), samples, rate)
        assert reason, f"{damage} {name} decodes to other samples"
        reasons[reason] += 1
    assert reasons["same"] > 50
    assert reasons["the head says it once"] < FILES / 100


def test_no_damaged_flac_ogg_or_tagged_mp3_is_taken_unless_it_sounds_the_same(fuzzed):
    rows, origin, folder = fuzzed
    for name, (seed, _) in origin.items():
        if seed.body == (0, 0) and not rows[f"mine/{name}"]["problem"]:
            samples, _ = decoded(folder / name)
            assert is_heard(samples, seed, rows[f"mine/{name}"]["detail"]), name
