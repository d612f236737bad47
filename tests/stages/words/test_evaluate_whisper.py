"""Base and tuned model are scored side by side, and a language that became worse is refused."""

from __future__ import annotations

import dataclasses
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from clip_maker import noise, save_clips
from corpus_maker import utterance
from whisper_maker import tiny_whisper

from fonoteka import manifest
from fonoteka.core.files import read_json_lines
from fonoteka.core.params import build
from fonoteka.reporting.word_table import difference_sentence, word_table
from fonoteka.speech_gate import SpeechGate
from fonoteka.tables import read_table, write_table
from fonoteka.whisper.decode import recognise
from fonoteka.whisper.language import listening
from fonoteka.whisper.model import load_whisper
from fonoteka.whisper.onnx_export import export_whisper
from fonoteka.whisper.onnx_session import VOCABULARY
from fonoteka.whisper.spoken_language import most_probable, spoken_language
from fonoteka.whisper.word_scores import WordPair, summary
from stages.words.evaluate_whisper import stage as tool
from stages.words.evaluate_whisper.sounds import MAKERS, wordless_sounds
from stages.words.evaluate_whisper.trials import (
    Trial,
    evenly_drawn,
    gated_word_shares,
    has_word,
    language_recognition,
)

pytestmark = pytest.mark.torch
torch.set_num_threads(1)
PARAMS = tool.EvaluateWhisperParams(
    clips_per_voice_and_language=1, noise_clips=7, noise_clips_without_gate=1, max_loss=0.01,
    accepted_losses=(), batch=4, resamples=50, seed=1, digits=4,
)  # fmt: skip


def in_onnx(model, folder):
    folder.mkdir()
    export_whisper(load_whisper(model), folder.name, folder, 17)
    shutil.copyfile(model / VOCABULARY, folder / VOCABULARY)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two tiny models of other weights, a manifest of six clips of three people, and audio."""
    top = tmp_path_factory.mktemp("words")
    tiny_whisper(top / "base")
    in_onnx(tiny_whisper(top / "tiny", seed=1), top / "tuned")
    clips = {f"c{n}": noise(0.5 + 0.25 * (n % 3), n) for n in range(6)}
    own = save_clips(top / "audio", clips)
    texts = ("Dobar dan.", "Има 2 пса.", "Laku noć!")
    rows = [
        replace(
            u, speaker=f"mine/s{n % 3}", language=("hr", "sr", "bs")[n // 2], text=texts[n // 2]
        )
        for n, u in enumerate(own)
    ]
    manifest.write(top / "test.jsonl", rows)
    write_table(top / "speakers.csv", ("speaker",), [{"speaker": f"mine/s{n}"} for n in range(3)])
    return top


@pytest.fixture(autouse=True)
def few_tokens(monkeypatch):
    monkeypatch.setattr("fonoteka.whisper.decode.token_limit", lambda seconds: 6)


@pytest.fixture(scope="module")
def base(folders):
    return tool.in_onnx_runtime(folders / "base")


def run(top, out, params, **options):
    tool.run(
        top / "base", top / "tuned", top / "test.jsonl", top / "audio", out / "tuned.json",
        out / "tuned.csv", out / "texts.jsonl", params, **options,
    )  # fmt: skip
    return json.loads((out / "tuned.json").read_text())


LENIENT = replace(PARAMS, accepted_losses=("bs", "hr", "sr"))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("reports")


@pytest.fixture(scope="module")
def result(folders, place):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fonoteka.whisper.decode.token_limit", lambda seconds: 6)
        return run(folders, place, LENIENT, speakers=folders / "speakers.csv")


def test_both_models_are_scored_on_the_same_clips(result, place):
    assert result["tuned"]["clips"] == result["base"]["clips"] == 6
    assert result["tuned"]["words"] == result["base"]["words"] > 0
    assert {*result["tuned"]["languages"]} == {"bs", "hr", "sr"}
    difference = result["tuned_minus_base"]["wer"]["canonical"]["difference"]
    rates = [result[m]["wer"]["canonical"]["rate"] for m in ("tuned", "base")]
    assert difference == pytest.approx(rates[0] - rates[1], abs=2e-4)
    sounds = result["wordless_sounds"]
    assert sounds["base"]["with_gate"]["with_a_word"] == 0.0
    assert sounds["tuned"]["with_gate"]["clips"] == 7
    assert sounds["tuned"]["without_gate"]["clips"] == 1
    assert result["clips_without_speech_for_the_gate"] == 6
    rows = read_table(place / "tuned.csv", tool.COLUMNS)
    assert len(rows) == 3 * 4 * 2 * 3  # models, all and each language, units, spellings
    written = {row["language"]: row["rate"] for row in rows if row["model"] == "base"}
    assert float(written["all"]) == result["base"]["cer"]["canonical"]["rate"]


def test_the_texts_of_all_clips_are_kept_and_give_the_rates_of_the_report(result, folders, place):
    rows = [*read_json_lines(place / "texts.jsonl")]
    assert rows == sorted(rows, key=lambda row: (row["id"], row["model"]))
    assert [row["model"] for row in rows] == ["base", "tuned"] * 6
    assert all(row["log_prob"] < 0 for row in rows)
    texts = {row["id"]: row["text"] for row in rows if row["model"] == "tuned"}
    clips = manifest.read(folders / "test.jsonl")
    pairs = [WordPair(u.text, texts[u.id], u.language, u.speaker) for u in clips]
    rate = summary(pairs, PARAMS.resamples, PARAMS.seed)["wer"]["as_written"]["rate"]
    assert result["tuned"]["wer"]["as_written"]["rate"] == round(rate, PARAMS.digits)


def test_people_have_pseudonyms_and_equal_inputs_give_equal_bytes(result, folders, place, tmp_path):
    assert {*result["tuned"]["by_speaker"]} == {f"mine/speaker 00{n}" for n in (1, 2, 3)}
    assert "mine/s1" not in (place / "tuned.json").read_text()
    run(folders, tmp_path, LENIENT, speakers=folders / "speakers.csv")
    for name in ("tuned.json", "tuned.csv", "texts.jsonl"):
        assert (tmp_path / name).read_bytes() == (place / name).read_bytes()


def test_a_speaker_without_a_row_is_an_error(folders, tmp_path):
    write_table(tmp_path / "few.csv", ("speaker",), [{"speaker": "mine/s0"}])
    with pytest.raises(
        ValueError, match=r"2 speakers of the test part have no row, first 'mine/s1'"
    ):
        run(folders, tmp_path, LENIENT, speakers=tmp_path / "few.csv")


def test_the_table_has_a_row_for_each_model(result):
    lines = word_table(result).splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:]] == ["base", "tuned"]
    assert "WER bs" in lines[0]
    more = result | {"tuned": result["tuned"] | {"clips": 9}}
    assert word_table(more).splitlines()[-1].split("|")[1].strip() == "tuned, all clips"
    assert difference_sentence(result).startswith("WER of tuned minus WER of its base")


def with_rates(before, after):
    def scores(rate):
        return {"languages": {"en": {"wer": {"canonical": {"rate": rate}}}}}

    change = {"wer": {"canonical": {"difference": after - before}}}
    return {
        "base": scores(before), "tuned_on_the_clips_of_the_base": scores(after),
        "tuned_minus_base": {"languages": {"en": change}},
    }  # fmt: skip


def test_a_language_that_became_worse_is_named_with_both_rates():
    with pytest.raises(ValueError, match=r"mine: the WER of en rose from 10\.0 % to 12\.0 %"):
        tool.check_losses(with_rates(0.10, 0.12), PARAMS, "mine")
    tool.check_losses(with_rates(0.10, 0.12), replace(PARAMS, accepted_losses=("en",)), "mine")
    tool.check_losses(with_rates(0.10, 0.109), PARAMS, "mine")
    tool.check_losses(with_rates(0.10, 0.02), PARAMS, "mine")


def test_a_failed_check_leaves_the_reports_and_names_are_kept_if_they_may_be(folders, tmp_path):
    strict = replace(PARAMS, max_loss=-10.0)  # no model is ten times its words better
    with pytest.raises(ValueError, match="the WER of"):
        run(folders, tmp_path, strict)
    named = json.loads((tmp_path / "tuned.json").read_text())
    assert {*named["tuned"]["by_speaker"]} == {"mine/s0", "mine/s1", "mine/s2"}


def test_a_manifest_without_texts_is_refused(folders, tmp_path):
    manifest.write(tmp_path / "none.jsonl", [])
    with pytest.raises(ValueError, match="no utterance with a text"):
        tool.run(
            folders / "base", folders / "tuned", tmp_path / "none.jsonl", folders / "audio",
            tmp_path / "a.json", tmp_path / "a.csv", tmp_path / "a.jsonl", PARAMS,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"noise_clips": -1}, "noise_clips must be at least 0"),
        ({"noise_clips_without_gate": 8}, "is 8, above noise_clips, 7"),
        ({"batch": 0}, "batch must be at least 1"),
    ],
)
def test_parameters_are_checked(change, reason):
    values = dataclasses.asdict(PARAMS) | {"accepted_losses": []}
    with pytest.raises(ValueError, match=reason):
        build(values | change, tool.EvaluateWhisperParams, "params")


def test_clips_are_drawn_evenly_over_voices_and_languages():
    rows = [
        utterance(f"mine/s{speaker}", number, language)
        for speaker in range(3)
        for language, many in (("hr", 7), ("en", 2))
        for number in range(many)
    ]
    rows = [replace(u, id=f"{n:03}") for n, u in enumerate(rows)]
    drawn = evenly_drawn(rows, 3)
    assert [sum(u.language == code for u in drawn) for code in ("hr", "en")] == [9, 6]
    assert evenly_drawn(reversed(rows), 3) == drawn
    assert len(evenly_drawn(rows, 0)) == len(rows)


def trial(spoken, language):
    restricted = language if language in ("bs", "en", "hr", "sr") else "hr"
    return Trial("a", WordPair("da", "da", spoken, "mine/ana"), language, restricted)


def test_bosnian_croatian_and_serbian_count_apart_and_as_one():
    trials = [trial("sr", "hr"), trial("sr", "sr"), trial("en", "en"), trial("en", "hr")]
    result = language_recognition(trials)
    assert (result["right"], result["right_bs_hr_sr_as_one"]) == (0.5, 0.75)
    assert result["languages"]["sr"]["found"] == {"hr": 1, "sr": 1}
    assert result["languages"]["en"]["right_bs_hr_sr_as_one"] == 0.5
    other = language_recognition([trial("sr", "pl"), trial("hr", "cs")])
    assert (other["right_bs_hr_sr_as_one"], other["restricted_right"]) == (0.0, 0.5)
    assert other["restricted_right_bs_hr_sr_as_one"] == 1.0


def test_the_language_of_decoded_clips_is_that_of_the_clips_alone(base):
    signals = [noise(0.7), noise(1.9, 1), noise(0.7, 2)]
    model = listening(base)
    texts = recognise(model, signals, ["sr"] * 3, short=False, batch=2)
    assert texts == recognise(base, signals, ["sr"] * 3, short=False, batch=2)
    for signal in signals:
        alone = spoken_language(base, signal)
        assert sum(alone.values()) == pytest.approx(1)
        assert model.languages[id(signal)] == pytest.approx(alone, abs=1e-5)
        assert most_probable(model.languages[id(signal)]) == most_probable(alone)


def test_sounds_have_all_kinds_and_are_repeatable():
    sounds = [*wordless_sounds(14, 1)]
    assert [kind for kind, _ in sounds] == [*MAKERS] * 2
    assert all(8_000 <= len(signal) <= 80_000 for _, signal in sounds)
    assert all(np.isfinite(s).all() and np.abs(s).max() <= 0.51 for _, s in sounds)
    again = [*wordless_sounds(3, 1)]
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(sounds, again, strict=False))


def test_no_sound_passes_the_gate(base):
    sounds = [*wordless_sounds(70, 1)]
    result = gated_word_shares(base, SpeechGate(), sounds, ["sr"], short=True, batch=4)
    assert result["passed_the_gate"] == 0
    assert result["with_a_word"] == 0.0


def test_marks_alone_are_not_a_word():
    assert [has_word(text) for text in ("", " ... ", "a", "7")] == [False, False, True, True]
