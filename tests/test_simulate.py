import json

import numpy as np
import pandas as pd
import pytest

from selfdana_lite import simulate
from selfdana_lite.leads import LEADS, limb_lead_residual
from selfdana_lite.simulate import deal_folds, labels_of, main, replace_samples, simulate_recordings, visits, write_samples
from selfdana_lite.simulation.data_card import data_card, interval_table, wfdb_rows
from selfdana_lite.simulation.diseases import MI_WALLS
from selfdana_lite.simulation.patients import LABEL_MIX, LABEL_NAMES, STATEMENT_MIX, draw_patient, labels_at
from selfdana_lite.simulation.visit import record

# The published range of each interval, ms, for the statements that are defined by it, and for the healthy.
RANGES = {
    "NORM": {"pr_ms": (120, 200), "qrs_ms": (70, 110), "qtc_ms": (350, 460)},
    "1AVB": {"pr_ms": (201, 310)},
    "WPW": {"pr_ms": (80, 120), "qrs_ms": (95, 165)},
    "IRBBB": {"qrs_ms": (95, 120)},
    "CRBBB": {"qrs_ms": (120, 165)},
    "CLBBB": {"qrs_ms": (120, 175)},
    "IVCD": {"qrs_ms": (110, 150)},
    "LNGQT": {"qtc_ms": (460, 560)},
}


@pytest.fixture(scope="module")
def population():
    return simulate_recordings(320, seed=5)


@pytest.fixture(scope="module")
def table(population):
    return population[1].assign(qtc_ms=lambda t: t["qt_ms"] * (t["heart_rate_bpm"] / 60) ** 0.4)


def test_shapes_types_and_columns(population):
    signals, table = population
    assert signals.shape == (480, 12, 1000)  # three recordings for every two patients
    assert signals.dtype == np.int16
    assert len(table) == len(signals)
    assert table["record_id"].is_unique
    assert list(table.columns[:5]) == ["record_id", "patient_id", "fold", "age", "sex"]
    assert set(np.unique(table[list(LABEL_NAMES)])) == {0, 1}
    assert table["age"].between(18, 96).all()


def test_signals_are_of_clinical_size_and_no_lead_is_flat(population):
    signals, _ = population
    height = np.ptp(signals.astype(int), axis=2)
    assert height.min() > 50  # microvolt
    assert np.median(height) < 3000
    assert height.max() < 20_000


def test_the_lead_laws_hold_within_rounding_in_microvolt(population):
    assert limb_lead_residual(population[0] / 1000, LEADS).max() <= 0.0015 + 1e-6  # three roundings of half a microvolt


def test_the_lead_laws_hold_exactly_before_rounding():
    rng = np.random.default_rng(0)
    signals_mv, _ = record(rng, draw_patient(rng, ("MI", "CD")))
    assert limb_lead_residual(signals_mv, LEADS) == 0


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not():
    first, again, other = simulate_recordings(4, seed=1), simulate_recordings(4, seed=1), simulate_recordings(4, seed=2)
    assert first[0].tobytes() == again[0].tobytes()
    pd.testing.assert_frame_equal(first[1], again[1])
    assert (first[0] != other[0]).mean() > 0.9


def test_a_patient_is_the_same_alone_and_among_others(population):
    signals, table = population
    alone, row = simulate_recordings(1, seed=5, first_patient=102)
    rows = np.flatnonzero(table["patient_id"] == 102)
    np.testing.assert_array_equal(alone, signals[rows])
    assert row["record_id"].tolist() == table["record_id"].iloc[rows].tolist()


def test_visits_of_one_patient_share_the_heart_but_not_the_rhythm_and_noise(population):
    signals, table = population
    person = table[table["patient_id"] == 4]
    assert len(person) == visits(4) == 3
    assert person[["age", "sex", "statements", "qrs_ms"]].drop_duplicates().shape[0] == 1
    assert person["heart_rate_bpm"].nunique() == 3
    assert (signals[person.index[0]] != signals[person.index[1]]).mean() > 0.9


def test_four_hundred_patients_have_six_hundred_recordings():
    assert sum(visits(number) for number in range(400)) == 600
    assert {visits(number) for number in range(400)} == {1, 2, 3}


@pytest.mark.parametrize("seed", [0, 1, 99])
def test_any_run_of_patients_has_close_to_the_mix_of_labels(seed):
    labels = [labels_of(number, seed) for number in range(250, 650)]
    for name, percent in LABEL_MIX.items():
        assert labels.count(name) / 4 == pytest.approx(percent, abs=0.8)
    assert sum(LABEL_MIX.values()) == pytest.approx(100)


def test_labels_at_a_share_follow_the_order_of_the_mix():
    assert labels_at(0.0) == ("NORM",)
    assert labels_at(0.442) == ("NORM",)
    assert labels_at(0.444) == ("NORM", "CD")
    assert labels_at(1 - 1e-12) == list(LABEL_MIX)[-1]


def test_every_class_is_as_common_as_in_the_archive_it_imitates(table):
    shares = table.drop_duplicates("patient_id")[list(LABEL_NAMES)].mean()
    for name, share in {"NORM": 0.45, "MI": 0.24, "STTC": 0.25, "CD": 0.21, "HYP": 0.13}.items():
        assert shares[name] == pytest.approx(share, abs=0.025)


def test_statements_belong_to_their_labels(table):
    for statements, *labels in table[["statements", *LABEL_NAMES]].itertuples(index=False):
        named = {label for label, given in zip(LABEL_NAMES, labels, strict=True) if given}
        assert named == {label for word in statements.split() for label in LABEL_NAMES if word in STATEMENT_MIX[label]}
    assert (table["territory"] != "").equals(table["MI"] == 1)
    assert set(table["territory"]) - {""} <= set(MI_WALLS.values())


@pytest.mark.parametrize(
    ("statement", "column", "low", "high"), [(s, c, *r) for s, of in RANGES.items() for c, r in of.items()]
)
def test_intervals_lie_in_the_published_ranges(statement, column, low, high):
    """Fifty patients with this statement and no other, seen on their first visit."""
    label = next(label for label in LABEL_NAMES if statement in STATEMENT_MIX[label])
    found = []
    for seed in range(10_000):
        rng = np.random.default_rng(seed)
        patient = draw_patient(rng, (label,))
        if patient.statements != (statement,):
            continue
        heart = patient.heart
        found.append({"pr_ms": heart.pr_ms, "qrs_ms": heart.qrs_ms, "qtc_ms": heart.qt_ms(1000)}[column])
        if len(found) == 12:
            break
    assert low <= min(found)
    assert max(found) <= high


def test_only_the_ill_fibrillate_and_then_they_have_no_pr(table):
    fibrillating = table["rhythm"] == "AFIB"
    assert 0.01 < fibrillating.mean() < 0.15
    assert table.loc[fibrillating, "NORM"].sum() == 0
    assert table["pr_ms"].isna().equals(fibrillating)


def test_qt_follows_rate(table):
    healthy = table[table["NORM"] == 1]
    slow, fast = (healthy["qt_ms"][chosen] for chosen in (healthy["heart_rate_bpm"] < 60, healthy["heart_rate_bpm"] > 80))
    assert slow.median() > fast.median() + 40


def test_the_stated_rate_can_be_counted_in_the_signal(population):
    """R peaks of lead II found by somebody else's code."""
    import neurokit2

    signals, table = population
    for row in table.index[table["statements"] == "NORM"][:8]:
        _, found = neurokit2.ecg_peaks(neurokit2.ecg_clean(signals[row, 1] / 1000, sampling_rate=100), sampling_rate=100)
        counted_bpm = 6000 / np.median(np.diff(found["ECG_R_Peaks"]))
        assert counted_bpm == pytest.approx(table["heart_rate_bpm"][row], rel=0.12)


def test_folds_keep_patients_whole_and_spread_every_label(table):
    assert (table.groupby("patient_id")["fold"].nunique() == 1).all()
    assert set(table["fold"]) == set(range(1, 11))
    people = table.drop_duplicates("patient_id").groupby("fold")
    assert np.ptp(people.size()) <= 1
    for name in LABEL_NAMES:
        assert people[name].sum().min() >= 1
        assert np.ptp(people[name].sum()) <= 6


def test_folds_differ_with_the_generator_but_not_with_the_order_of_labels(table):
    first, again, other = (deal_folds(table, np.random.default_rng(seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.5


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"n_patients": 0}, "n_patients is 0; give a whole number of at least 1"),
        ({"n_patients": 2.5}, "n_patients is 2.5"),
        ({"n_patients": 1, "seed": -1}, "seed is -1; give a whole number of at least 0"),
        ({"n_patients": 1, "first_patient": "two"}, "first_patient is 'two'"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(wrong, says):
    with pytest.raises(ValueError, match=says):
        simulate_recordings(**wrong)


def test_a_voltage_that_int16_cannot_hold_is_refused_rather_than_wrapped_around():
    assert simulate.to_microvolt(np.array([32.767, -0.0004])).tolist() == [32767, 0]
    with pytest.raises(ValueError, match=r"reaches 40\.0 mV"):
        simulate.to_microvolt(np.array([0.0, -40.0]))


def tree(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_samples_are_written_whole_and_replaced_byte_for_byte(tmp_path):
    write_samples(tmp_path / "samples", n_patients=40)
    written = tree(tmp_path / "samples")
    assert {"dataset.json", "signals.npy", "table.csv", "README.md"} <= set(written)
    (tmp_path / "samples" / "table.csv").write_text("spoilt")
    replace_samples(tmp_path / "samples", n_patients=40)
    assert tree(tmp_path / "samples") == written
    assert [path.name for path in tmp_path.iterdir()] == ["samples"]  # nothing temporary stays


def test_samples_are_never_overwritten_unasked(tmp_path):
    write_samples(tmp_path / "samples", n_patients=8)
    before = tree(tmp_path)
    with pytest.raises(FileExistsError, match="samples"):
        write_samples(tmp_path / "samples", n_patients=8, seed=1)
    assert tree(tmp_path) == before


@pytest.mark.parametrize("content", [None, "not JSON", json.dumps({"source": "a real archive"}), "[]"])
def test_a_folder_that_holds_something_else_is_not_replaced(tmp_path, content):
    (tmp_path / "precious.txt").write_text("years of work")
    if content is not None:
        (tmp_path / "dataset.json").write_text(content)
    before = tree(tmp_path)
    with pytest.raises(ValueError, match="no samples of this simulator"):
        replace_samples(tmp_path, n_patients=8)
    assert tree(tmp_path) == before


def test_the_old_samples_stay_when_making_new_ones_fails(tmp_path, monkeypatch):
    write_samples(tmp_path / "samples", n_patients=8)
    before = tree(tmp_path)
    monkeypatch.setattr(simulate, "data_card", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        replace_samples(tmp_path / "samples", n_patients=8)
    assert tree(tmp_path) == before


def test_the_command_line_says_what_is_wrong_in_one_sentence(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(simulate, "SAMPLE_PATIENTS", 8)
    (tmp_path / "mine").mkdir()
    for arguments, says in (([], "exists already"), (["--replace"], "holds no samples of this simulator")):
        with pytest.raises(SystemExit) as stop:
            main([str(tmp_path / "mine"), *arguments])
        assert stop.value.code == 2
        assert says in capsys.readouterr().err


def test_the_command_line_writes_and_replaces(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(simulate, "write_samples", lambda folder: calls.append(("write", folder)))
    monkeypatch.setattr(simulate, "replace_samples", lambda folder: calls.append(("replace", folder)))
    main([str(tmp_path / "new"), "--replace"])  # nothing there to replace
    main([str(tmp_path), "--replace"])
    assert calls == [("write", tmp_path / "new"), ("replace", tmp_path)]


def test_the_card_is_computed_from_the_table(table):
    card = data_card(table, seed=5, sampling_rate_hz=100, samples=1000)
    assert "480 recordings of 320 simulated patients" in card
    assert f"| MI | {table['MI'].sum()} |" in card
    assert "seed 5" in card
    fewer = data_card(table[table["MI"] == 0], seed=5, sampling_rate_hz=100, samples=1000)
    assert "| MI | 0 |" in fewer


def test_the_interval_table_holds_percentiles(table):
    """QTc after Fridericia, unlike the simulator's own exponent, so that readers can compare it with published values."""
    intervals = interval_table(table).set_index("class")
    healthy = table[table["NORM"] == 1]
    assert intervals.loc["NORM", "pr_ms"].startswith(f"{healthy['pr_ms'].median():.0f} (")
    qtc = healthy["qt_ms"] * (healthy["heart_rate_bpm"] / 60) ** (1 / 3)
    assert intervals.loc["NORM", "qtc_ms"].startswith(f"{qtc.median():.0f} (")


def test_a_dozen_wfdb_records_show_every_class_alone(table):
    rows = wfdb_rows(table)
    assert len(rows) == 12
    assert (table.iloc[rows][list(LABEL_NAMES)].sum(axis=1) == 1).all()
    assert (table.iloc[rows][list(LABEL_NAMES)].sum() >= 2).all()


def test_healthy_amplitudes_are_those_of_real_recordings(population, real_archive):
    """Median peak-to-peak voltage per lead of healthy adults, folds 1 to 8 of the real archive, within a third."""
    signals, table = population
    with np.load(real_archive) as real:
        healthy = (real["y_super"][:, 0] == 1) & (real["strat_fold"] <= 8)
        there = np.median(np.ptp(real["signals"][healthy].astype(int), axis=2), axis=0)
    here = np.median(np.ptp(signals[table["NORM"] == 1].astype(int), axis=2), axis=0)
    np.testing.assert_allclose(here, there, rtol=0.34)
