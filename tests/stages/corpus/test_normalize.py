"""Every text is spelled in one way or refused with a reason that can be counted."""

from __future__ import annotations

import csv

import pytest

from fonoteka.core.files import read_json
from fonoteka.corpus.corpus import ACCEPTED_COLUMNS, TimedPhones, write_phone_times
from fonoteka.manifest import read_transcripts
from fonoteka.pseudonyms import PrivacyParams
from fonoteka.tables import write_table
from stages.corpus.normalize import stage as normalize
from stages.corpus.normalize.stage import (
    NormalizeOutputs,
    NormalizeParams,
    matching_times,
    run,
    text_result,
)

ALL = NormalizeParams(0.5, 0.9, "refuse", False)
LENIENT = NormalizeParams(0.99, 0.9, "refuse", False)
UNNAMED, NAMED = PrivacyParams(name_people=False), PrivacyParams(name_people=True)
OUTPUTS = ("t.jsonl", "r.csv", "norm", "report.json")


def row(name, text, language="hr", **more):
    values = {
        "id": f"mine-{name}", "corpus": "mine", "path": f"mine/{name}.wav",
        "duration_s": "1.500000", "text": text, "speaker": "mine/ana", "language": language,
        "licence": "CC0", "synthetic": "false",
    }  # fmt: skip
    return dict.fromkeys(ACCEPTED_COLUMNS, "") | values | more


def take(tmp_path, rows, params=ALL, privacy=UNNAMED, times=None):
    """Run the stage; `times` are the phone times that the corpora know, by id."""
    write_table(tmp_path / "accepted.csv", ACCEPTED_COLUMNS, rows)
    write_phone_times(tmp_path / "phones.jsonl", times or {})
    outputs = NormalizeOutputs(*(tmp_path / name for name in OUTPUTS))
    run(tmp_path / "accepted.csv", tmp_path / "phones.jsonl", outputs, params, privacy)
    with outputs.refused.open(encoding="utf-8", newline="") as file:
        return [*read_transcripts(outputs.transcripts).values()], list(csv.DictReader(file))


def reported(tmp_path, rows, params=LENIENT, privacy=UNNAMED):
    take(tmp_path, rows, params, privacy)
    return read_json(tmp_path / "report.json")


def test_both_scripts_give_the_same_words_and_phones():
    cyrillic, latin = (
        text_result("a", text, language, ALL)
        for text, language in (("Њива, љето!", "sr"), ("njiva ljeto", "hr"))
    )
    assert cyrillic[0].normalized == latin[0].normalized == "njiva ljeto"
    assert cyrillic[1] == latin[1]


def test_a_number_is_spoken(tmp_path):
    (transcript,), _ = take(tmp_path, [row("a", "u 9 sati")])
    assert (transcript.id, transcript.language, transcript.normalized) == (
        "mine-a",
        "hr",
        "u devet sati",
    )
    assert transcript.phones[-4:] == ("s", "a", "t", "i")


@pytest.mark.parametrize(
    ("text", "language", "reason"),
    [
        ("Škoda x", "sr", "character"),
        ("naïve", "en", "character"),
        ("...", "hr", "no word"),
        ("[smeh]", "bs", "no word"),
        ("сtaрp", "sr", "mixed script"),
        ("Glava II, strana", "bs", "roman numeral"),
        ("Marko ima psa", "auto", "language"),
    ],
)
def test_a_text_that_cannot_be_spelled_has_a_reason(text, language, reason):
    result, phones = text_result("a", text, language, ALL)
    assert (result.reason, result.normalized, phones) == (reason, "", ())
    assert result.detail


def test_a_text_without_phones_is_refused(monkeypatch):
    monkeypatch.setattr(normalize, "phones_of", lambda text, language: ())
    result, _ = text_result("a", "da", "hr", ALL)
    assert (result.reason, result.detail) == ("no phones", "nothing to say in 'da'")


def test_a_text_whose_phones_cannot_be_found_is_refused(monkeypatch):
    def refuse(text, language):
        raise ValueError("in no table")

    monkeypatch.setattr(normalize, "phones_of", refuse)
    result, _ = text_result("a", "da", "hr", ALL)
    assert (result.reason, result.detail) == ("no phones", "in no table")


def test_refused_texts_are_in_their_table_and_not_in_the_manifest(tmp_path):
    good, bad = take(tmp_path, [row("b", "x"), row("a", "da")])
    assert [u.id for u in good] == ["mine-a"]
    assert [(r["id"], r["path"], r["reason"]) for r in bad] == [
        ("mine-b", "mine/b.wav", "character")
    ]


@pytest.mark.parametrize("texts", [["da", "x", "y"], ["x"]])
def test_too_many_refused_texts_are_an_error_that_shows_some(texts, tmp_path):
    rows = [row(str(n), text) for n, text in enumerate(texts)]
    with pytest.raises(ValueError, match=r"of \d texts cannot be spelled, more than .* 0\.5 .*wav"):
        take(tmp_path, rows)
    assert not (tmp_path / "t.jsonl").exists()


def test_an_unknown_language_is_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"mine/a\.wav: language 'de' is unknown; expected one of"):
        take(tmp_path, [row("a", "ja", "de")])


@pytest.mark.parametrize("language", ["", "auto"])
def test_a_missing_language_is_guessed_if_the_guess_is_sure(language, tmp_path):
    good, _ = take(
        tmp_path, [row("a", "Где су деца?", language), row("b", "Where are they?", language)]
    )
    assert [(u.language, u.normalized) for u in good] == [
        ("sr", "gde su deca"), ("en", "where are they")
    ]  # fmt: skip


def test_an_unsure_guess_is_refused_or_replaced_by_the_language_of_the_parameters(tmp_path):
    rows = [row("a", "Marko ima psa.", ""), row("b", "Da.", "bs")]
    _, bad = take(tmp_path, rows)
    assert bad[0]["reason"] == "language"
    assert "a guess of confidence 0." in bad[0]["detail"]
    good, bad = take(tmp_path, rows, NormalizeParams(0.5, 0.9, "hr", False))
    assert [u.language for u in good] == ["hr", "bs"]
    assert bad == []


def test_the_report_counts_rules_guesses_and_refusals(tmp_path):
    report = reported(
        tmp_path,
        [
            row("a", "Ima 5 km i 3 kg [smijeh]."),
            row("b", "дoбaр дан", "sr"),
            row("c", "Gde su deca?", ""),
            row("d", "Marko ima psa.", ""),
            row("e", "Quebec"),
            row("f", "u km"),
        ],
        privacy=NAMED,
    )
    assert (report["clips"], report["normalized"]) == (6, 4)
    assert report["normalized_share"] == 0.6667
    assert report["languages"]["hr"] == {"clips": 3, "normalized": 2, "normalized_share": 0.6667}
    assert report["guessed"]["sr"]["clips"] == 1
    assert report["rules"]["units"] == {"clips": 1, "times": 2}
    assert (report["annotations_removed"], report["homoglyphs_mended"]) == (1, 1)
    assert report["unvoiced_words"] == {"words": 1, "examples": ["mine-f"]}
    refused = report["refused"]
    assert {reason: refused[reason]["clips"] for reason in refused} == {
        "character": 1, "language": 1
    }  # fmt: skip
    assert refused["character"]["examples"][0]["id"] == "mine-e"


def test_the_report_shows_the_first_refusals_and_no_whole_text(tmp_path):
    rows = [row(f"x{n}", "tajna rečenica w") for n in range(5)]
    report = reported(tmp_path, [*rows, row("a", "da")], privacy=NAMED)
    examples = report["refused"]["character"]["examples"]
    assert [example["id"] for example in examples] == ["mine-x0", "mine-x1", "mine-x2"]
    assert "tajna" not in (tmp_path / "report.json").read_text(encoding="utf-8")


def test_the_report_names_no_clip_of_a_person_and_quotes_none(tmp_path):
    rows = [row("ana-1", "Quebec"), row("ana-2", "u km"), row("ana-3", "da")]
    report = reported(tmp_path, rows)
    assert report["refused"]["character"] == {"clips": 1, "examples": []}
    assert report["unvoiced_words"] == {"words": 1, "examples": []}
    text = (tmp_path / "report.json").read_text(encoding="utf-8")
    assert "ana" not in text
    assert "Q" not in text
    machine = [r | {"synthetic": "true"} for r in rows]
    assert reported(tmp_path, machine)["unvoiced_words"]["examples"] == ["mine-ana-2"]


def test_all_outputs_are_the_same_whatever_the_order_of_the_rows(tmp_path):
    rows = [row("a", "Ima 5 km."), row("b", "x"), row("c", "Where is it?", "")]
    outputs = []
    for folder, order in (("one", rows), ("two", rows[::-1])):
        (tmp_path / folder).mkdir()
        take(tmp_path / folder, order, NormalizeParams(0.5, 0.9, "refuse", True))
        files = sorted(p for p in (tmp_path / folder).rglob("*") if p.is_file())
        outputs.append({p.relative_to(tmp_path / folder): p.read_bytes() for p in files})
        del outputs[-1][next(p for p in outputs[-1] if p.name == "accepted.csv")]
    assert outputs[0] == outputs[1]


def test_sidecars_lie_in_a_folder_of_their_own_and_only_on_request(tmp_path):
    rows = [
        row("a", "Da, 5!"), row("b", "ne"), row("c", "x"),
        row("b2", "tu", path="mine/b.flac"), row("d", "tri", path="mine/in/d.v2.wav"),
    ]  # fmt: skip
    take(tmp_path, rows)
    assert [p.name for p in (tmp_path / "norm").iterdir()] == ["index.csv"]
    take(tmp_path, rows, NormalizeParams(0.5, 0.9, "refuse", True))
    texts = {
        p.relative_to(tmp_path / "norm").as_posix(): p.read_text(encoding="utf-8")
        for p in (tmp_path / "norm").rglob("*.norm.txt")
    }
    assert texts == {
        "mine/a.norm.txt": "da pet\n",
        "mine/b.wav.norm.txt": "ne\n",
        "mine/b.flac.norm.txt": "tu\n",
        "mine/in/d.v2.norm.txt": "tri\n",
    }
    with (tmp_path / "norm/index.csv").open(newline="") as file:
        index = {r["path"]: r["sidecar"] for r in csv.DictReader(file)}
    assert index["mine/b.flac"] == "mine/b.flac.norm.txt"
    assert set(index.values()) == set(texts)


def test_phone_times_are_taken_where_the_phones_agree(tmp_path, capsys):
    times = {
        "mine-a": TimedPhones(("d", "a"), ((0.1, 0.2), (0.2, 1.6))),
        "mine-b": TimedPhones(("d", "e"), ((0.1, 0.2), (0.2, 0.4))),
    }
    (first, second), _ = take(tmp_path, [row("a", "da"), row("b", "da")], times=times)
    assert first.phone_times_s == ((0.1, 0.2), (0.2, 1.5))
    assert second.phone_times_s is None
    assert "1 with phone times, 1 without because the corpus has other phones" in (
        capsys.readouterr().out
    )


def test_times_of_other_phones_are_not_taken():
    assert matching_times(TimedPhones(("a",), ((0.0, 0.1),)), ("e",), 1.0) is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((5, 0.9, "refuse", False), r"max_refused_fraction must be in 0 to 1, found 5"),
        ((0.1, -1, "refuse", False), r"min_language_confidence must be in 0 to 1, found -1"),
        ((0.1, 0.9, "de", False), r"unsure_language must be refuse or one of .*, found 'de'"),
    ],
)
def test_parameters_out_of_range_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        NormalizeParams(*values)


def test_the_command_line_reads_params_and_paths(tmp_path, monkeypatch):
    write_table(tmp_path / "accepted.csv", ACCEPTED_COLUMNS, [row("a", "da")])
    (tmp_path / "params.yaml").write_text(
        "normalize: {max_refused_fraction: 0, min_language_confidence: 0.9, "
        "unsure_language: refuse, sidecars: false}\nprivacy: {name_people: false}\n"
    )
    write_phone_times(tmp_path / "phones.jsonl", {})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["normalize", "accepted.csv", "phones.jsonl", *OUTPUTS])
    normalize.main()
    assert (tmp_path / "r.csv").read_text() == "id,path,reason,detail\n"
    assert read_json(tmp_path / "report.json")["normalized_share"] == 1.0
