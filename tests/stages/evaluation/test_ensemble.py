"""An ensemble is chosen on one part and scored on the other, against the best single model."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest
import yaml
from corpus_maker import utterance

from fonoteka import manifest
from fonoteka.core.files import read_json, write_json
from fonoteka.phones import INVENTORY, LABELS
from fonoteka.scoring.decoding import frame_range, greedy, segment_scores
from fonoteka.scoring.error_rate import ONE_SPEAKER, Interval, errors
from fonoteka.shards import open_arrays, write_arrays
from stages.evaluation.ensemble import report as ensemble_report
from stages.evaluation.ensemble import stage
from stages.evaluation.ensemble.report import part_of, report, scored, verdict
from stages.evaluation.ensemble.rover import average
from stages.evaluation.ensemble.search import (
    Candidate,
    Recipe,
    best_of,
    hypotheses,
    search,
    weightings,
)
from stages.evaluation.ensemble.stage import EnsembleParams, run

PARAMS = EnsembleParams(step=0.2, null_confidence=(0.3, 0.6), resamples=200, seed=1, digits=4)
# Indices of the phones that a model gets wrong; no two models err at the same index.
WRONG = {"a": (0, 6), "b": (3, 9), "c": (5,)}
PHONES = 12


def phones_of(number):
    """Return the phones of a clip, no two neighbours alike."""
    index = np.random.default_rng(number).permutation(len(INVENTORY))[:PHONES]
    return tuple(INVENTORY[i] for i in index)


def frames(phones, wrong=()):
    """Return log posteriors of a model with errors at some indices: 2 frames each, 1 blank.

    A wrong phone has a higher posterior (0.9) than a right one (0.85), and the right phone there
    has one of the lowest: the mean of two models is wrong at the indices of both.
    """
    rows = []
    for place, phone in enumerate(phones):
        right = LABELS.index(phone)
        row = np.full(len(LABELS), 0.1 / len(LABELS))
        if place in wrong:
            row[1 + right % len(INVENTORY)] = 0.9
        else:
            row[right] = 0.85
        blank = np.full(len(LABELS), 0.01)
        blank[0] = 0.9
        rows += [row, row, blank]
    table = np.array(rows)
    return np.log(table / table.sum(axis=1, keepdims=True)).astype(np.float32)


def corpus(part, clips, speakers=3):
    """Return the utterances of a part and each model's posteriors for them."""
    rows = [
        utterance(f"mine/{part}{n % speakers}", n, id=f"{part}-u{n}", phones=phones_of(n))
        for n in range(clips)
    ]
    log_probs = {m: {u.id: frames(u.phones, wrong) for u in rows} for m, wrong in WRONG.items()}
    return rows, log_probs


def scored_part(part, clips=6, speakers=3):
    rows, log_probs = corpus(part, clips, speakers)
    return part_of(rows, log_probs, part)


def searched(part, **more):
    values = {"step": 0.2, "null_confidences": (0.3, 0.6)} | more
    return search(part.references, part.log_probs, **values)


def noisy(names, clips=8, sharpness=3.0):
    """Return references, and posteriors of models with many errors."""
    rng = np.random.default_rng(4)
    references = [phones_of(n) for n in range(clips)]
    log_probs = {}
    for name in names:
        log_probs[name] = []
        for phones in references:
            logits = frames(phones) + rng.normal(0, sharpness, size=(3 * PHONES, len(LABELS)))
            total = np.logaddexp.reduce(logits, axis=1, keepdims=True)
            log_probs[name].append((logits - total).astype(np.float32))
    return references, log_probs


def test_weights_are_above_0_and_together_1():
    grid = weightings(3, 0.1)
    assert len(grid) == len(set(grid)) == 36  # compositions of 10 into 3: (9 over 2)
    assert all(min(w) >= 0.1 and sum(w) == pytest.approx(1) for w in grid)
    assert (0.3, 0.2, 0.5) in grid  # no 0.30000000000000004


@pytest.mark.parametrize("step", [0.0, -0.1, 0.3, 0.7, 1.0, 2.0])
def test_a_step_that_does_not_divide_1_is_refused(step):
    with pytest.raises(ValueError, match=rf"step must divide 1 into at least 2 .*found {step};"):
        weightings(2, step)


def test_a_step_too_large_for_three_members_is_refused():
    with pytest.raises(ValueError, match=r"into at least 3 parts, found 0\.5"):
        weightings(3, 0.5)


def test_every_two_and_three_are_tried_both_ways():
    result = searched(scored_part("valid"))
    assert [(t.recipe.method, "".join(t.recipe.members)) for t in result] == [
        (method, members) for members in ("ab", "ac", "bc", "abc") for method in ("average", "vote")
    ]  # fmt: skip
    two = part_of(*corpus("valid", 2), "valid")
    del two.log_probs["c"]
    assert [t.recipe.members for t in searched(two)] == [("a", "b")] * 2


def test_three_models_that_err_in_different_places_need_each_other():
    result = searched(scored_part("valid"))
    for method in ("average", "vote"):
        best = best_of(result, method)
        assert (best.recipe.members, best.wrong) == (("a", "b", "c"), 0)
        assert all(t.wrong > 0 for t in result if len(t.recipe.members) == 2)


def test_the_errors_searched_by_are_those_that_are_reported():
    references, log_probs = noisy("abc")
    for t in search(references, log_probs, 0.25, (0.2, 0.8)):
        counted = errors(references, hypotheses(t.recipe, log_probs))
        assert counted.wrong == t.wrong > 0


def test_no_weights_of_the_grid_are_better_than_those_found():
    references, log_probs = noisy("abc")
    for t in search(references, log_probs, 0.25, (0.2, 0.8)):
        for weights in weightings(len(t.recipe.members), 0.25):
            for null_confidence in (0.2, 0.8):
                other = replace(t.recipe, weights=weights, null_confidence=null_confidence)
                assert errors(references, hypotheses(other, log_probs)).wrong >= t.wrong


def test_the_most_even_of_equally_good_weights_win():
    phones = [phones_of(1)]
    log_probs = {name: [frames(phones[0])] for name in "abc"}
    result = {t.recipe.members: t.recipe.weights for t in search(phones, log_probs, 0.25, (0.5,))}
    assert result["a", "b"] == (0.5, 0.5)
    assert sorted(result["a", "b", "c"]) == [0.25, 0.25, 0.5]


def test_the_recipe_with_fewer_members_wins_among_equally_good_ones():
    three = Candidate(Recipe("vote", ("a", "b", "c"), (0.2, 0.4, 0.4)), 3)
    two = Candidate(Recipe("vote", ("b", "c"), (0.5, 0.5)), 3)
    assert best_of([three, two], "vote") is two
    assert best_of([replace(three, wrong=2), two], "vote").recipe is three.recipe


def test_a_recipe_of_one_member_is_that_model():
    references, log_probs = noisy("a")
    alone = hypotheses(Recipe("average", ("a",), (1.0,)), log_probs)
    assert alone == [[s.symbol for s in greedy(x)] for x in log_probs["a"]]
    assert alone != [list(r) for r in references]


def test_no_confidence_to_try_is_refused():
    with pytest.raises(ValueError, match=r"ensemble\.null_confidence is empty"):
        searched(scored_part("valid"), null_confidences=())


def test_errors_are_counted_for_each_speaker():
    part = scored_part("test", clips=7)
    result = scored(Recipe("average", ("a",), (1.0,)), part)
    assert {s: (e.wrong, e.reference) for s, e in result.items()} == {
        "mine/test0": (6, 36), "mine/test1": (4, 24), "mine/test2": (4, 24),
    }  # fmt: skip


def toy_report(speakers=3):
    valid, test = scored_part("valid"), scored_part("test", 9, speakers)
    return report(valid, test, searched(valid), resamples=200, seed=1)


def test_the_report_is_that_counted_by_hand():
    result = toy_report()
    assert {n: m["test_per"] for n, m in result["singles"].items()} == {
        "a": 2 / 12, "b": 2 / 12, "c": 1 / 12,
    }  # fmt: skip
    assert result["singles"]["c"] == {
        "valid_per": 1 / 12, "test_per": 1 / 12, "substitutions": 9, "deletions": 0,
        "insertions": 0,
    }  # fmt: skip
    assert result["parts"]["test"] == {
        "speakers": 3, "utterances": 9, "phones": 108, "empty_references": 0,
    }  # fmt: skip
    for method in ("average", "vote"):
        best = result[method]
        assert (best["valid_per"], best["test_per"]) == (0, 0)
        assert set(best["weights"]) == {"a", "b", "c"}
        # c errs in 1 of 12 with every speaker, so every draw of them says the same
        assert best["against_best_single"] == pytest.approx({
            "model": "c", "difference": -1 / 12, "low": -1 / 12, "high": -1 / 12, "better_in": 1.0,
        })  # fmt: skip
    assert result["average"]["verdict"] == (
        "the ensemble beats c by 8.33 points (95 %: 8.33 to 8.33)"
    )
    assert result["vote"]["verdict"].startswith("the vote beats c by 8.33 points")
    assert result["vote"]["null_confidence"] in (0.3, 0.6)
    assert "null_confidence" not in result["average"]


def test_the_report_has_a_row_for_each_combination_and_method():
    rows = toy_report()["combinations"]
    assert list(rows) == ["a+b", "a+c", "b+c", "a+b+c"]
    for members, row in rows.items():
        assert set(row) == {"average", "vote"}
        for tried in row.values():
            assert "+".join(tried["weights"]) == members
            assert (tried["valid_per"] == 0) == (members == "a+b+c")


def test_one_test_speaker_has_no_interval():
    for method in ("average", "vote"):
        result = toy_report(speakers=1)[method]
        against = result["against_best_single"]
        assert (against["low"], against["high"], against["better_in"]) == (None, None, None)
        assert result["verdict"].endswith(
            "is not proven better or worse than c: 0.00 % against 8.33 %, "
            "one speaker: no interval over speakers"
        )


def test_the_test_part_is_decoded_once_by_each_single_and_each_best(monkeypatch):
    decoded = []

    def watched(recipe, log_probs):
        if len(log_probs["a"]) == 9:  # the validation split has 6 clips
            decoded.append((recipe.method, recipe.members))
        return hypotheses(recipe, log_probs)

    monkeypatch.setattr(ensemble_report, "hypotheses", watched)
    toy_report()
    assert sorted(decoded) == [
        ("average", ("a",)), ("average", ("a", "b", "c")), ("average", ("b",)),
        ("average", ("c",)), ("vote", ("a", "b", "c")),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("ours", "interval", "expected"),
    [
        (0.08, (-0.015, -0.005), "x beats y by 1.00 points (95 %: 0.50 to 1.50)"),
        (0.095, (0.001, 0.009), "x is worse than y by 0.50 points (95 %: 0.10 to 0.90)"),
        (
            0.088, (-0.0051, 0.0011),
            "x does not beat y: 8.80 % against 9.00 %, and the 95 % interval of the difference, "
            "-0.51 to 0.11 points, contains 0",
        ),
        (
            0.09, (-0.000001, 0.0),
            "x does not beat y: 9.00 % against 9.00 %, and the 95 % interval of the difference, "
            "0.00 to 0.00 points, contains 0",
        ),
        (
            0.08, (None, None),
            "x is not proven better or worse than y: 8.00 % against 9.00 %, "
            "one speaker: no interval over speakers",
        ),
    ],
)  # fmt: skip
def test_a_verdict_says_what_the_interval_allows(ours, interval, expected):
    result = ONE_SPEAKER if interval[0] is None else Interval(*interval)
    assert verdict("x", "y", ours, 0.09, result) == expected


def save_project(folder):
    """Write all that the stage reads, as its arguments."""
    parts = {part: corpus(part, clips) for part, clips in (("valid", 4), ("test", 6))}
    for part, (rows, _) in parts.items():
        manifest.write(folder / f"{part}.jsonl", rows)
    for name in WRONG:
        arrays = {key: x for _, log_probs in parts.values() for key, x in log_probs[name].items()}
        # the folder contains posteriors of the int8 file too
        arrays |= {f"{key}#int8": x for key, x in arrays.items()}
        (folder / "posteriors" / name).mkdir(parents=True)
        write_arrays(folder / "posteriors" / name, arrays, 2)
        write_json(
            folder / "models" / name / "model.json",
            {
                "labels": list(LABELS), "sample_rate_hz": 16000, "frames_per_second": 50,
                "encoder": "wavlm" if name == "c" else "wav2vec2", "weights_sha256": name * 64,
            },
        )  # fmt: skip
    # later phones stand first, words and silence between: the table's order is what counts
    segments = [
        (u.id, part, kind, "x", 0.06 * index, 0.06 * index + 0.04)
        for part, (rows, _) in parts.items()
        for u in rows[:-1]
        for index in reversed(range(PHONES))
        for kind in ("phone", "word")
    ]
    columns = ["utterance", "part", "kind", "symbol", "start_s", "end_s"]
    pd.DataFrame(segments, columns=columns).to_parquet(folder / "s.parquet", index=False)
    return {
        "members": [folder / "posteriors" / name for name in WRONG],
        "models": [folder / "models" / name for name in WRONG],
        "valid": folder / "valid.jsonl", "test": folder / "test.jsonl",
        "segments": folder / "s.parquet", "out_model": folder / "out" / "model.json",
        "out_posteriors": folder / "out" / "posteriors", "report_to": folder / "out.json",
    }  # fmt: skip


def change(folder, name, **arrays):
    """Change posteriors of one model; None takes them away."""
    changed = {**open_arrays(folder / name)}
    changed |= {key.replace("_", "-"): x for key, x in arrays.items()}
    write_arrays(folder / name, {key: x for key, x in changed.items() if x is not None}, 2)


def test_model_json_contains_all_that_is_needed_to_build_the_ensemble(tmp_path):
    places = save_project(tmp_path)
    run(**places, params=PARAMS)
    description, result = read_json(places["out_model"]), read_json(places["report_to"])
    assert (description["name"], description["kind"], description["method"]) == (
        "ensemble",
        "ensemble",
        "average",
    )
    assert description["labels"] == list(LABELS)
    assert (description["sample_rate_hz"], description["frames_per_second"]) == (16000, 50)
    assert {m["name"]: m["weight"] for m in description["members"]} == result["average"]["weights"]
    assert [(m["encoder"], m["weights_sha256"][:2]) for m in description["members"]] == [
        ("wav2vec2", "aa"), ("wav2vec2", "bb"), ("wavlm", "cc"),
    ]  # fmt: skip
    assert description["valid_per"] == 0
    assert (result["shipped"], result["average"]["test_per"]) == ("average", 0)
    assert "one ONNX file" in result["shipped_because"]
    assert result["average"]["against_best_single"]["difference"] == -0.0833  # four digits of 1/12


def test_the_posteriors_are_the_average_of_the_members(tmp_path):
    places = save_project(tmp_path)
    run(**places, params=PARAMS)
    result = open_arrays(places["out_posteriors"])
    rows = [u for part in ("valid", "test") for u in manifest.read(places[part])]
    assert set(result) == {key for u in rows for key in (u.id, f"{u.id}#segments")}
    assert len(list(places["out_posteriors"].iterdir())) == 2  # as many shards as the members have
    members = read_json(places["out_model"])["members"]
    theirs = [open_arrays(tmp_path / "posteriors" / m["name"]) for m in members]
    for u in rows:
        expected = average([x[u.id] for x in theirs], [m["weight"] for m in members])
        assert np.array_equal(result[u.id], expected)


def test_segments_are_scored_on_the_average_in_the_order_of_the_table(tmp_path):
    places = save_project(tmp_path)
    run(**places, params=PARAMS)
    result = open_arrays(places["out_posteriors"])
    scores = result["test-u0#segments"]
    assert scores.shape == (PHONES, len(INVENTORY))
    np.testing.assert_allclose(np.exp(scores).sum(axis=1), 1, atol=1e-5)
    assert [INVENTORY[i] for i in scores.argmax(axis=1)] == list(reversed(phones_of(0)))
    start, end = frame_range(0.06 * (PHONES - 1), 0.06 * (PHONES - 1) + 0.04, 3 * PHONES)
    assert np.array_equal(scores[0], segment_scores(result["test-u0"], start, end))
    assert result["test-u5#segments"].shape == (0, len(INVENTORY))  # it has no segment


def test_what_is_chosen_does_not_depend_on_the_test_part(tmp_path):
    places = save_project(tmp_path)
    run(**places, params=PARAMS)
    before = places["out_model"].read_bytes(), read_json(places["report_to"])
    rows = manifest.read(places["test"])
    manifest.write(places["test"], [replace(u, phones=("x", "x", "x")) for u in rows])
    run(**places, params=PARAMS)
    assert places["out_model"].read_bytes() == before[0]
    after = read_json(places["report_to"])
    assert after["combinations"] == before[1]["combinations"]
    assert after["average"]["test_per"] > before[1]["average"]["test_per"]


def test_an_utterance_without_phones_is_counted_and_left_out(tmp_path):
    places = save_project(tmp_path)
    run(**places, params=PARAMS)
    before = read_json(places["report_to"])
    for part in ("valid", "test"):
        first, *rest = manifest.read(places[part])
        manifest.write(places[part], [replace(first, phones=()), *rest])
    run(**places, params=PARAMS)
    after = read_json(places["report_to"])
    assert [after["parts"][p]["empty_references"] for p in ("valid", "test")] == [1, 1]
    assert [after["parts"][p]["utterances"] for p in ("valid", "test")] == [3, 5]
    assert after["average"]["test_per"] == before["average"]["test_per"] == 0
    assert "test-u0" in open_arrays(places["out_posteriors"])


def test_everything_is_the_same_byte_for_byte(tmp_path):
    places = save_project(tmp_path)
    outs = [
        places["out_model"],
        places["report_to"],
        places["out_posteriors"] / "shard-00.safetensors",
    ]
    run(**places, params=PARAMS)
    before = [path.read_bytes() for path in outs]
    run(**places, params=PARAMS)
    assert [path.read_bytes() for path in outs] == before


def no_member(places):
    places["members"] = places["members"][:1]


def one_twice(places):
    places["members"][1] = places["members"][0]


def missing(places):
    change(places["members"][1].parent, "b", test_u0=None)


def of_another_corpus(places):
    change(places["members"][1].parent, "b", other_u0=frames(phones_of(0)))


def other_frames(places):
    change(places["members"][1].parent, "b", test_u0=frames(phones_of(0))[:-1])


def other_columns(places):
    for folder in places["members"]:
        change(folder.parent, folder.name, valid_u1=frames(phones_of(0))[:, :-1])


def broken(places):
    change(places["members"][1].parent, "b", valid_u1=frames(phones_of(1)) * np.float32(np.nan))


def no_posteriors(places):
    places["members"][2] = places["members"][2].with_name("d")


def change_metadata(places, name, **more):
    path = places["models"][0].with_name(name) / "model.json"
    write_json(path, read_json(path) | more)


def no_model(places):
    del places["models"][1]


def other_labels(places):
    change_metadata(places, "b", labels=list(LABELS[::-1]))


def another_rate(places):
    change_metadata(places, "c", frames_per_second=100)


def without_phones(part):
    def change_part(places):
        rows = manifest.read(places[part])
        manifest.write(places[part], [replace(u, phones=()) for u in rows])

    return change_part


def no_valid(places):
    ids = [u.id for u in manifest.read(places["valid"])]
    for folder in places["members"]:
        change(folder.parent, folder.name, **{key.replace("-", "_"): None for key in ids})
    places["valid"].write_text("")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (no_member, r"two or more different models, found \['a'\]"),
        (one_twice, r"two or more different models, found \['a', 'a', 'c'\]"),
        (missing, r"b: 1 utterances of the parts are missing and 0 are of neither, .*'test-u0'"),
        (of_another_corpus, r"b: 0 utterances .* and 1 are of neither, first 'other-u0'"),
        (other_frames, r"test-u0: .* found \{'a': \(36, 51\), 'b': \(35, 51\), 'c': \(36, 51\)\}"),
        (other_columns, r"valid-u1: expected posteriors of the same frames and 51 labels"),
        (broken, r"b: 'valid-u1' holds a NaN or \+inf; the model is broken"),
        (no_posteriors, r"posteriors/d: no posteriors; run the stage posteriors"),
        (no_model, r"posteriors of \['a', 'b', 'c'\], but models \['a', 'c'\]"),
        (other_labels, r"b/model\.json: its labels are not those of this code; train it again"),
        (another_rate, r"c/model\.json: frames_per_second is 100, of others 50"),
        (without_phones("valid"), r"valid\.jsonl: none of 4 utterances has a phone to score"),
        (without_phones("test"), r"test\.jsonl: none of 6 utterances has a phone to score"),
        (no_valid, r"valid\.jsonl: none of 0 utterances has a phone to score"),
    ],
)
def test_what_cannot_be_put_together_is_refused_and_nothing_is_written(tmp_path, spoil, reason):
    places = save_project(tmp_path)
    spoil(places)
    with pytest.raises(ValueError, match=reason):
        run(**places, params=PARAMS)
    assert not any(places[name].exists() for name in ("out_model", "out_posteriors", "report_to"))


def test_the_command_reads_params_and_paths(tmp_path, monkeypatch):
    places = save_project(tmp_path)
    values = asdict(PARAMS) | {"null_confidence": list(PARAMS.null_confidence)}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"ensemble": values}))
    monkeypatch.chdir(tmp_path)
    command = [*map(str, places.pop("members")), "--models", *map(str, places.pop("models"))]
    for name, path in places.items():
        command += [f"--{name.replace('_', '-').removesuffix('-to')}", str(path)]
    monkeypatch.setattr(sys, "argv", ["ensemble", *command])
    stage.main()
    assert read_json(places["report_to"])["parts"]["valid"]["speakers"] == 3
