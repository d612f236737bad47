"""Training curves are one table per metric, without timestamps."""

from __future__ import annotations

from fonoteka.models.curves import write_curves

HISTORY = [{"loss": 2.5, "per": 1.0}, {"loss": 0.25, "per": 0.5}]


def test_a_curve_has_one_row_per_epoch_and_no_time(tmp_path):
    write_curves(tmp_path / "curves", HISTORY)
    assert sorted(p.name for p in (tmp_path / "curves").iterdir()) == ["loss.tsv", "per.tsv"]
    assert (tmp_path / "curves" / "loss.tsv").read_text() == "step\tloss\n0\t2.5\n1\t0.25\n"


def test_curves_of_an_earlier_run_are_removed(tmp_path):
    write_curves(tmp_path, HISTORY)
    write_curves(tmp_path, [{"loss": 1.0}])
    assert [p.name for p in tmp_path.iterdir()] == ["loss.tsv"]
