"""A forecast rests on builds of other sizes, and is exact if costs are."""

import pytest
from built_projects import LINES, make, write_log
from command_line import exit_code, run_fonoteka

from fonoteka.core.files import read_json
from fonoteka.planning.build import read_build
from fonoteka.planning.check import check
from fonoteka.planning.measure import REPORT

SIZES = {"small": 1.0, "double": 2.0, "triple": 3.0}


def built(folder, name, times, **options):
    """Make a build of so many times the hours of the small one."""
    hours = {"train": 2.0 * times, "valid": 1.0 * times, "test": 1.0 * times}
    return make(folder / name, hours=hours, **options)


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Three builds, beside the current project."""
    folders = [built(tmp_path, name, times) for name, times in SIZES.items()]
    make(tmp_path / "current")
    (tmp_path / "current" / ".dvc").mkdir()
    monkeypatch.chdir(tmp_path / "current")
    return folders


def test_costs_on_a_line_are_forecast_exactly(folders):
    checks = check([read_build(folder) for folder in folders])
    assert [each.build for each in checks] == [*SIZES]
    for each in checks:
        assert each.error == pytest.approx(0.0, abs=1e-9)
        assert each.build not in each.fitted_on
        assert len(each.fitted_on) == 2


def test_a_build_of_the_same_size_does_not_help(folders, tmp_path):
    twin = built(tmp_path, "twin", 1.0)
    for path in twin.glob("logs/*/*"):
        path.unlink()
    for stage in LINES:
        write_log(twin, stage, 1000.0)
    small, *_, again = check([read_build(folder) for folder in (*folders, twin)])
    assert small.fitted_on == again.fitted_on == ("double", "triple")
    assert small.error == pytest.approx(0.0, abs=1e-9)
    assert again.error < -0.9


def test_a_forecast_within_the_limit_passes_and_is_stored(folders, capsys):
    assert exit_code("planning", "check", *folders) == 0
    table = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in table] == ["build", *SIZES]
    entry = read_json(REPORT)["check"]
    assert [row["build"] for row in entry["builds"]] == [*SIZES]
    # It stays when the current build is measured afterwards, and is part of the page.
    run_fonoteka("planning", "measure")
    run_fonoteka("planning", "page")
    assert read_json(REPORT)["check"] == entry


def test_a_forecast_beyond_the_limit_fails(folders):
    # The largest build takes three times as long as its size says.
    write_log(folders[2], "preprocess", 200.0, run="110000Z-1")
    assert exit_code("planning", "check", *folders) == 1
    rows = read_json(REPORT)["check"]["builds"]
    assert rows[2]["error"] < -0.2
    assert rows[2]["worst"][0][:2] == ["preprocess", 200.0]


def test_stages_without_a_run_in_the_others_are_left_out(folders):
    for folder in folders[1:]:
        (folder / "logs/train@mlp/20261130T100000Z-1.jsonl").unlink()
    small = check([read_build(folder) for folder in folders])[0]
    assert (small.stages, small.cpu_s) == (3, 2 + 3 * 4.0 + 7 + 1)


def test_one_size_is_not_enough(folders, tmp_path):
    twin = built(tmp_path, "twin", 1.0)
    with pytest.raises(ValueError, match="2 builds of 1 size; name two sizes at least"):
        check([read_build(folders[0]), read_build(twin)])


def test_other_models_are_not_another_size(folders, tmp_path):
    wide = built(tmp_path, "wide", 4.0, hidden=64)
    with pytest.raises(ValueError, match=r"wide: mlp\.hidden differs from that of small"):
        check([read_build(folders[0]), read_build(wide)])


def test_builds_without_a_common_stage_are_refused(folders):
    for path in folders[1].glob("logs/*/*"):
        path.unlink()
    write_log(folders[1], "a_stage_of_tomorrow", 1.0)
    with pytest.raises(ValueError, match="small: no stage of it has a finished run in another"):
        check([read_build(folder) for folder in folders[:2]])
