"""The 78 files that others broke on purpose: each has a row, and what is taken decodes right."""

from __future__ import annotations

import csv
import shutil

import numpy as np
import pytest
from corpus_maker import CARD, shared_corpus, write_rows
from inventory_maker import QUARANTINE, take

from fonoteka.audiocheck.decode import read_sound
from fonoteka.core.files import write_json
from stages.corpus.inventory.problems import PROBLEMS

# Libsndfile decodes these without complaint, and to something other than they say.
DECODED_WRONG = {
    "03 - wrong bit depth.flac": "frame 0 has Hz, channels, bits (24000, 1, 16), STREAMINFO",
    "05 - wrong total number of samples.flac": "states 39842 samples and its frames contain 109487",
    "pcmwaveformat-24bit-4byte-48kHz-stereo.wav": "states 24 bits per sample and 8 bytes for 2",
    "waveformatextensible-24bit-4byte-48kHz-stereo.wav": "decodes to other samples than",
}
# Libsndfile decodes no file whose head states no length. This one ends with a whole frame, and its
# samples are those that its MD5 was made of.
UNSTATED = "flac/subset/45 - no total number of samples set.flac"
# Files of depths that libsndfile lacks; their samples have the stored MD5.
ODD_DEPTHS = (
    "flac/subset/22 - 12 bit per sample.flac",
    "flac/subset/62 - predictor overflow check, 20-bit.flac",
)
WHOLE = (UNSTATED, *ODD_DEPTHS)


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    source = shared_corpus("malformed")
    folder = tmp_path_factory.mktemp("malformed") / "raw" / "mine"
    for path in source.rglob("*"):
        if path.is_file():
            target = folder / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    names = [p.relative_to(folder).as_posix() for p in folder.rglob("*")]
    sounds = [name for name in names if name.endswith((".wav", ".flac"))]
    write_json(folder / "corpus.json", CARD)
    write_rows(folder, [f'"{name}",da,ana,hr' for name in sounds])
    return take(folder.parent, QUARANTINE, 2)


def verdicts():
    """Return libsndfile's verdict on each file; two playlists are in its table and not there."""
    folder = shared_corpus("malformed")
    with (folder / "probe.tsv").open(newline="") as file:
        rows = {row["file"]: row for row in csv.DictReader(file, delimiter="\t")}
    return {name: row for name, row in rows.items() if (folder / name).is_file()}


def test_every_file_of_the_verdict_table_has_a_row(rows):
    assert len(verdicts()) == 78
    assert {f"mine/{name}" for name in verdicts()} <= rows.keys()
    assert {row["problem"] for row in rows.values()} <= PROBLEMS.keys() | {""}


def test_what_libsndfile_refuses_is_not_taken(rows):
    for name, verdict in verdicts().items():
        if verdict["result"] == "error" and name not in WHOLE:
            problem = rows[f"mine/{name}"]["problem"]
            assert problem in ("unreadable", "truncated", "unknown length"), name


@pytest.mark.parametrize(("name", "detail"), DECODED_WRONG.items())
def test_what_libsndfile_decodes_wrong_is_not_taken(name, detail, rows):
    [row] = [row for path, row in rows.items() if path.endswith(f"/{name}")]
    assert (row["problem"], detail in row["detail"]) == ("unreadable", True), row["detail"]


def test_what_is_taken_has_the_length_and_the_peak_of_the_verdict(rows):
    accepted = 0
    for name, verdict in verdicts().items():
        row = rows[f"mine/{name}"]
        if row["problem"] or name in WHOLE:
            continue
        accepted += 1
        seconds = int(verdict["frames"]) / int(verdict["sample_rate"])
        assert float(row["duration_s"]) == pytest.approx(seconds, abs=1e-6)
        peak_db = 20 * np.log10(float(verdict["peak_or_error"]))
        assert float(row["peak_dbfs"]) == pytest.approx(peak_db, abs=0.01)  # 4 digits there
    assert accepted > 20


def test_valid_files_are_refused_only_for_their_channels(rows):
    """The subset of the FLAC test bench is valid."""
    refused = {
        path.rsplit("/", 1)[1]: row["problem"]
        for path, row in rows.items()
        if "/subset/" in path and path.endswith(".flac") and row["problem"]
    }
    channels = {name for name in refused if "channels (" in name}
    assert {refused[name] for name in channels} <= {"wrong channel count"}
    assert set(refused) == channels


def test_a_whole_file_that_states_no_length_is_taken_with_a_note(rows):
    row = rows[f"mine/{UNSTATED}"]
    assert (row["problem"], row["detail"]) == ("", "length not stated")


@pytest.mark.parametrize(("name", "bits"), [(ODD_DEPTHS[0], 12), (ODD_DEPTHS[1], 20)])
def test_flac_of_a_depth_that_libsndfile_lacks_is_read(name, bits, rows):
    row = rows[f"mine/{name}"]
    assert (row["problem"], row["detail"], row["codec"]) == ("", "", f"FLAC PCM_{bits}")
    samples, rate = read_sound(shared_corpus("malformed") / name)
    steps = samples.astype(np.float64) * 2 ** (bits - 1)
    assert (len(samples) / rate, np.abs(steps - np.rint(steps)).max()) == (
        pytest.approx(float(row["duration_s"]), abs=1e-6), 0,
    )  # fmt: skip


def test_only_that_file_has_a_note(rows):
    assert {path for path, row in rows.items() if row["detail"] and not row["problem"]} == {
        f"mine/{UNSTATED}"
    }


def test_the_samples_of_what_is_taken_are_those_that_preprocessing_reads(rows):
    for path, row in rows.items():
        if not row["problem"]:
            source = shared_corpus("malformed") / path.removeprefix("mine/")
            samples, rate = read_sound(source)
            assert str(rate) == row["sample_rate_hz"]
            assert float(row["duration_s"]) == pytest.approx(len(samples) / rate, abs=1e-6)
