"""A TextGrid is read if its wanted tier is one, and whole but for what floating point adds."""

from __future__ import annotations

import json

import pytest
from command_line import run_fonoteka
from layout_maker import ADDED, write_audio, write_grid

from fonoteka.corpus.corpus import read_clips, read_phones
from fonoteka.corpus.importers.layouts.base import ImportOptions, RefusedError
from fonoteka.corpus.importers.layouts.textgrid import read_tiers

FORMS = ("long", "short")
ONE = [(0, 1, "dobro"), (1, 2, "jutro")]


def written(form, *tiers, end="2"):
    """Return a TextGrid as Praat writes it, of (name, intervals) or (name, points, "points")."""
    # Praat's short form has the same values in the same order, without names and indentation.
    long = form == "long"
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', ""]

    def put(name, value, depth=0):
        lines.append(f"{'    ' * depth}{name} = {value} " if long else str(value))

    put("xmin", 0)
    put("xmax", end)
    lines.append("tiers? <exists> " if long else "<exists>")
    put("size", len(tiers))
    lines.extend(["item []: "] * long)
    for number, (name, entries, *kind) in enumerate(tiers, start=1):
        points = bool(kind)
        lines.extend([f"    item [{number}]:"] * long)
        put("class", '"TextTier"' if points else '"IntervalTier"', 2)
        put("name", f'"{name}"', 2)
        put("xmin", 0, 2)
        put("xmax", end, 2)
        entry_kind = "points" if points else "intervals"
        put(f"{entry_kind}: size", len(entries), 2)
        for index, (*times, label) in enumerate(entries, start=1):
            lines.extend([f"        {entry_kind} [{index}]:"] * long)
            names = ["number"] if points else ["xmin", "xmax"]
            for key, time in zip(names, times, strict=True):
                put(key, time, 3)
            put("mark" if points else "text", f'"{label}"', 3)
    return "\n".join(lines) + "\n"


@pytest.fixture
def tiers(tmp_path):
    """Read the tiers of a TextGrid."""

    def call(form, *tiers_made, end="2", options=None):
        path = tmp_path / "a.TextGrid"
        path.write_text(written(form, *tiers_made, end=end), encoding="utf-8")
        return read_tiers(path, ImportOptions(tiers=options or {}))

    return call


NOISE = {
    "one bit": [("0", "1.0000000000000002", "dobro"), ("1.0", "2", "jutro")],
    "one bit less": [("0", "0.9999999999999999", "dobro"), ("1.0", "2", "jutro")],
    "sums of a tenth": [("0", repr(0.1 * 3), "dobro"), ("0.3", "2", "jutro")],
    "six decimals": [("0", "1.3333340", "dobro"), ("1.3333333", "2", "jutro")],
    "a rest between": [("0", "1", "dobro"), ("1", "1.0000000000000002", ""),
                       ("1.0000000000000002", "2", "jutro")],
    "an empty interval": [("0", "1", "dobro"), ("1", "1", ""), ("1", "2", "jutro")],
    "a rest that ends before": [("0", "1.0000000000000002", "dobro"),
                                ("1.0000000000000002", "1", ""), ("1", "2", "jutro")],
    "just above 0": [("5.551115123125783e-17", "1", "dobro"), ("1", "2", "jutro")],
    "just below 0": [("-5.551115123125783e-17", "1", "dobro"), ("1", "2", "jutro")],
    "the end": [("0", "1", "dobro"), ("1", "2.0000000000000004", "jutro")],
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", NOISE)
def test_a_rounding_error_is_not_an_overlap(case, form, tiers):
    words = tiers(form, ("words", NOISE[case])).words
    (start, end, label), (begin, last, other) = words
    assert (label, other) == ("dobro", "jutro")
    assert 0 <= abs(start) < 1e-16 < end <= begin <= end + 1e-15
    assert last == pytest.approx(2, abs=1e-15)
    assert (end, begin) == (begin, float(NOISE[case][-1][0]))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("overlap", [2e-6, 1e-5, 62.5e-6, 1e-3, 0.5])
def test_a_real_overlap_is_refused(overlap, form, tiers):
    sentence = (
        r"a\.TextGrid: tier 'words': 'jutro' begins at 1 s, before 1\.[05]\d* s where the int"
    )
    with pytest.raises(RefusedError, match=sentence):
        tiers(form, ("words", [(0, f"{1 + overlap:.7f}", "dobro"), (1, 2, "jutro")]))


@pytest.mark.parametrize("form", FORMS)
def test_a_real_gap_is_refused(form, tiers):
    with pytest.raises(RefusedError, match=r"tier 'words' has nothing from 1 to 1\.002 s"):
        tiers(form, ("words", [(0, 1, "dobro"), (1.002, 2, "jutro")]))
    assert len(tiers(form, ("words", [(0, 1, "dobro"), (1.0009, 2, "jutro")])).words) == 2


@pytest.mark.parametrize("entries", [[(0, 1, "a"), (1, 1, "b"), (1, 2, "c")],
                                     [(0, 1, "a"), (2, 1, "b")]])  # fmt: skip
def test_a_label_without_a_time_is_refused(entries, tiers):
    with pytest.raises(RefusedError, match=r"tier 'words': 'b' begins at \d s and ends at 1 s"):
        tiers("short", ("words", entries))


NOTE = ("note", [(0, 2, "a")])
DOUBLED = {
    "another twice": (("words", ONE), NOTE, ("note", [(0, 2, "b")])),
    "first twice": (NOTE, NOTE, ("words", ONE)),
    "three times": (NOTE, NOTE, ("words", ONE), NOTE),
    "a tier of points of its name": (("words", ONE), ("words", [(1.5, "x")], "points")),
    "two tiers of points": (("words", ONE), ("bell", [(1.5, "x")], "p"), ("bell", [(1, "y")], "p")),
    "another that overlaps": (("words", ONE), ("note", [(0, 1.5, "x"), (1, 2, "y")])),
    "a name that praatio would give": (NOTE, NOTE, ("note_2", [(0, 2, "c")]), ("words", ONE)),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", DOUBLED)
def test_unused_tiers_of_one_name_are_accepted(case, form, tiers):
    assert [label for *_, label in tiers(form, *DOUBLED[case]).words] == ["dobro", "jutro"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("tiers_made", "options", "sentence"),
    [
        ([("words", ONE), ("words", ONE)], {}, r"2 tiers are named 'words'; rename one in Praat"),
        ([("words", ONE), NOTE, NOTE], {"words": "note"}, r"2 tiers are named 'note'; rename"),
        ([("words", ONE), ("phones", ONE), ("phones", ONE)], {}, r"2 tiers are named 'phones'"),
        ([("ana - words", ONE), ("ana - words", ONE)], {}, r"2 tiers are named 'ana - words'"),
        ([("words", ONE), ("Words", ONE)], {}, r"could be any of \['words', 'Words'\]; name one"),
        ([NOTE, NOTE], {}, r"which of the tiers \['note', 'note'\] holds words\? say with"),
    ],
)
def test_a_wanted_tier_that_is_there_twice_is_refused(tiers_made, options, sentence, form, tiers):
    with pytest.raises(RefusedError, match=sentence):
        tiers(form, *tiers_made, options=options)


def test_a_tier_is_chosen_beside_one_that_is_there_twice(tiers):
    tiers_made = (("words", [(0, 2, "da")]), ("words", [(0, 2, "ne")]), ("riječ", ONE))
    assert tiers("long", *tiers_made, options={"words": "riječ"}).words[0] == (0, 1, "dobro")


def test_praats_own_json_is_read_with_its_noise(tmp_path):
    path = tmp_path / "a.TextGrid"
    entries = [[0, 1.0000000000000002, " dobro "], [1.0, 2, "jutro"]]
    tier = {"class": "IntervalTier", "name": "words", "xmin": 0, "xmax": 2, "entries": entries}
    path.write_text(json.dumps({"xmin": 0, "xmax": 2, "tiers": [tier]}))
    assert read_tiers(path, ImportOptions()).words == ((0, 1, "dobro"), (1, 2, "jutro"))


BROKEN = {
    "Windows-1250": (written("long", ("words", [(0, 2, "čaša")])).encode("cp1250"),
                     r"a\.TextGrid:18: not UTF-8 at byte 20"),
    "UTF-16 without its mark": (written("long", ("words", ONE)).encode("utf-16-le"),
                                r"a\.TextGrid:1: contains the character '\\x00'"),
    "no number": (written("long", ("words", [("x", 2, "")])).encode(), r"not a TextGrid: P"),
    "binary": (b"ooBinaryFile\x08TextGrid\0\0", r"a\.TextGrid: a binary TextGrid; save it as text"),
    "nothing": (b"", r"a\.TextGrid: not a TextGrid: "),
    "JSON": (b'{"tiers": 5}', r"a\.TextGrid: not a TextGrid: "),
    "no time": (b'{"xmin": 0, "xmax": 2, "tiers": [{"class": "IntervalTier", "name": "words", '
                b'"xmin": 0, "xmax": 2, "entries": [[NaN, 2, "da"]]}]}',
                r"tier 'words': 'da' begins at nan s"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_one_textgrid_that_is_broken_costs_its_clip(case, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    content, sentence = BROKEN[case]
    for name in "abc":
        path = write_audio(tmp_path / f"from/{name}.wav", 0, seconds=2).with_suffix(".TextGrid")
        path.write_bytes(content if name == "a" else written("short", ("words", ONE)).encode())
    options = [*ADDED, "--speaker", "ana", "--language", "hr"]
    with pytest.raises(ValueError, match=sentence):
        run_fonoteka("corpus", "add", "from", *options)
    assert "wrong row  1: from/a.TextGrid" in capsys.readouterr().out
    run_fonoteka("corpus", "add", "from", *options, "--leave-out")
    assert [clip.path for clip in read_clips(tmp_path / "data/raw/mine")] == ["b.wav", "c.wav"]


def test_phones_keep_their_times_where_they_meet(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_audio(tmp_path / "from/a.wav", 0, seconds=2)
    phones = [("0", "0.30000000000000004", "d"), ("0.3", "2", "a")]
    tiers_made = written("long", ("words", [(0, 2, "da")]), ("phones", phones))
    (tmp_path / "from/a.TextGrid").write_text(tiers_made)
    options = [*ADDED, "--speaker", "ana", "--language", "hr"]
    run_fonoteka("corpus", "add", "from", *options)
    assert read_phones(tmp_path / "data/raw/mine")["a.wav"].times_s == ((0, 0.3), (0.3, 2))


def test_what_praatio_writes_is_read_as_it_was(tmp_path):
    entries = [(0.0, 0.25, ""), (0.25, 1.5, 'reče "da"'), (1.5, 2.0, "")]
    for form in ("long_textgrid", "short_textgrid", "json", "textgrid_json"):
        path = write_grid(tmp_path / "a.TextGrid", {"words": entries}, form)
        assert read_tiers(path, ImportOptions()).words == tuple(entries)
