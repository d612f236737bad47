"""Every text is spelled in one way or refused with a reason that can be counted."""

from __future__ import annotations

import csv
import json

import pytest

from stages.common.corpora import ACCEPTED_COLUMNS, TimedPhones
from stages.common.manifest import read
from stages.common.tables import write_table
from stages.corpus import normalize
from stages.corpus.normalize import NormalizeParams, Refusal, run, spell, times_of

ALL = NormalizeParams(max_refused_fraction=0.5)


def row(name, text, language="hr", **more):
    values = {
        "id": f"mine-{name}", "corpus": "mine", "path": f"mine/{name}.wav",
        "duration_s": "1.500000", "text": text, "speaker": "mine/ana", "language": language,
        "licence": "CC0", "synthetic": "false",
    }  # fmt: skip
    return dict.fromkeys(ACCEPTED_COLUMNS, "") | values | more


def take(tmp_path, rows, params=ALL):
    write_table(tmp_path / "accepted.csv", ACCEPTED_COLUMNS, rows)
    paths = [tmp_path / name for name in ("accepted.csv", "raw", "t.jsonl", "r.csv")]
    run(*paths, params)
    with paths[-1].open(encoding="utf-8", newline="") as file:
        return read(tmp_path / "t.jsonl"), list(csv.DictReader(file))


def test_both_scripts_give_the_same_words_and_phones():
    assert spell("Њива, љето!", "sr") == spell("njiva ljeto", "hr")


def test_an_utterance_holds_what_the_inventory_knew(tmp_path):
    (one,), _ = take(tmp_path, [row("a", "Da!", synthetic="true")])
    assert (one.id, one.audio, one.speaker) == ("mine-a", "mine/a.wav", "mine/ana")
    assert (one.text, one.normalized, one.phones) == ("Da!", "da", ("d", "a"))
    assert (one.duration_s, one.source, one.licence, one.synthetic) == (1.5, "mine", "CC0", True)


@pytest.mark.parametrize(
    ("text", "language", "reason"),
    [
        ("u 9 sati", "hr", "digits"),
        ("at 9", "en", "digits"),
        ("Škoda x", "sr", "character"),
        ("naïve", "en", "character"),
        ("...", "hr", "no word"),
        ("€", "hr", "no word"),
    ],
)
def test_a_text_that_cant_be_spelled_has_a_reason(text, language, reason):
    refusal = spell(text, language)
    assert isinstance(refusal, Refusal)
    assert refusal.reason == reason
    assert refusal.detail


def test_a_text_without_phones_is_refused(monkeypatch):
    monkeypatch.setattr(normalize, "phones_of", lambda text, language: ())
    assert spell("da", "hr") == Refusal("no phones", "nothing to say in 'da'")


def test_a_text_that_the_speaker_falls_over_is_refused(monkeypatch):
    def refuse(text, language):
        raise ValueError("in no table")

    monkeypatch.setattr(normalize, "phones_of", refuse)
    assert spell("da", "hr") == Refusal("no phones", "in no table")


def test_refused_texts_are_in_their_table_and_not_in_the_manifest(tmp_path):
    good, bad = take(tmp_path, [row("b", "7"), row("a", "da")])
    assert [u.id for u in good] == ["mine-a"]
    assert [(r["id"], r["path"], r["reason"]) for r in bad] == [("mine-b", "mine/b.wav", "digits")]


@pytest.mark.parametrize("texts", [["da", "7", "8"], ["7"]])
def test_too_many_refused_texts_are_an_error_that_shows_some(texts, tmp_path):
    rows = [row(str(n), text) for n, text in enumerate(texts)]
    with pytest.raises(ValueError, match=r"of \d texts can't be spelled, more than .* 0\.5 .*wav"):
        take(tmp_path, rows)
    assert not (tmp_path / "t.jsonl").exists()


def test_an_unknown_language_is_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"mine/a\.wav: language 'de' is unknown; expected one of"):
        take(tmp_path, [row("a", "ja", "de")])


def test_phone_times_are_taken_where_the_phones_agree(tmp_path, capsys):
    (tmp_path / "raw/mine").mkdir(parents=True)
    lines = [
        {"path": "a.wav", "phones": ["d", "a"], "times_s": [[0.1, 0.2], [0.2, 1.6]]},
        {"path": "b.wav", "phones": ["d", "e"], "times_s": [[0.1, 0.2], [0.2, 0.4]]},
    ]
    (tmp_path / "raw/mine/phones.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (first, second), _ = take(tmp_path, [row("a", "da"), row("b", "da")])
    assert first.phone_times_s == ((0.1, 0.2), (0.2, 1.5))
    assert second.phone_times_s is None
    assert "1 with phone times, 1 without because the corpus heard other phones" in (
        capsys.readouterr().out
    )


def test_times_of_other_phones_are_not_taken():
    assert times_of(TimedPhones(("a",), ((0.0, 0.1),)), ("e",), 1.0) is None


def test_a_fraction_outside_0_to_1_is_refused():
    with pytest.raises(ValueError, match=r"max_refused_fraction must be in 0 to 1, found 5"):
        NormalizeParams(5)


def test_the_command_line_reads_params_and_paths(tmp_path, monkeypatch):
    write_table(tmp_path / "accepted.csv", ACCEPTED_COLUMNS, [row("a", "da")])
    (tmp_path / "params.yaml").write_text("normalize: {max_refused_fraction: 0}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["normalize", "accepted.csv", "raw", "t.jsonl", "r.csv"])
    normalize.main()
    assert (tmp_path / "r.csv").read_text() == "id,path,reason,detail\n"
