"""What is embedded in the repository must be what the simulator makes, and what its card says."""

import numpy as np
import pandas as pd
import pytest
import wfdb

from selfdana_lite.dataset import EcgDataset
from selfdana_lite.leads import LEADS, limb_lead_residual
from selfdana_lite.simulate import SAMPLE_PATIENTS, SAMPLE_SEED, SOURCE, simulate_recordings, write_samples
from selfdana_lite.simulation.data_card import WFDB_GAIN_PER_MV, data_card
from selfdana_lite.simulation.patients import LABEL_NAMES


@pytest.fixture(scope="module")
def samples(samples_path):
    return EcgDataset.open(samples_path)


@pytest.fixture(scope="module")
def table(samples_path):
    return pd.read_csv(samples_path / "table.csv", keep_default_na=True)


def test_six_hundred_recordings_of_four_hundred_patients_in_fifteen_megabytes(samples_path, samples):
    assert len(samples) == 600
    assert len(set(samples.patient_ids)) == SAMPLE_PATIENTS == 400
    assert samples.sampling_rate_hz == 100
    assert tuple(samples.leads) == LEADS
    assert tuple(samples.label_names) == LABEL_NAMES
    assert sum(path.stat().st_size for path in samples_path.rglob("*") if path.is_file()) <= 15_000_000


def test_the_folder_says_that_it_is_simulated(samples_path):
    assert SOURCE in (samples_path / "dataset.json").read_text()
    assert "no person's data" in (samples_path / "README.md").read_text()


def test_folds_are_by_patient_and_each_has_every_class(table):
    assert (table.groupby("patient_id")["fold"].nunique() == 1).all()
    assert set(table["fold"]) == set(range(1, 11))
    assert table.groupby("fold")[list(LABEL_NAMES)].sum().min().min() >= 3


def test_the_lead_laws_hold_in_every_recording(samples):
    signals_mv = np.asarray(samples.batch(np.arange(len(samples))), dtype=np.float64)
    assert limb_lead_residual(signals_mv, LEADS).max() < 0.0016


def test_the_card_holds_what_the_table_computes(samples_path, table):
    assert (samples_path / "README.md").read_text(encoding="utf-8") == data_card(table, SAMPLE_SEED, 100, 1000)


def test_a_slice_is_regenerated_byte_for_byte(samples_path, table):
    signals, again = simulate_recordings(16, SAMPLE_SEED, first_patient=200)
    rows = np.flatnonzero(table["patient_id"].between(200, 215))
    stored = np.load(samples_path / "signals.npy", mmap_mode="r")[:, rows]  # [12, records, samples]
    assert signals.transpose(1, 0, 2).tobytes() == stored.tobytes()
    assert table["record_id"].iloc[rows].tolist() == again["record_id"].tolist()


def test_the_whole_folder_is_regenerated_byte_for_byte(samples_path, tmp_path):
    write_samples(tmp_path / "again")
    names = sorted(str(path.relative_to(samples_path)) for path in samples_path.rglob("*") if path.is_file())
    assert names == sorted(
        str(path.relative_to(tmp_path / "again")) for path in (tmp_path / "again").rglob("*") if path.is_file()
    )
    for name in names:
        assert (samples_path / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name


def test_a_dozen_wfdb_records_read_back_as_the_same_signals(samples_path, samples, table):
    headers = sorted((samples_path / "wfdb").glob("*.hea"))
    assert len(headers) == 12
    for header in headers:
        record = wfdb.rdrecord(str(header.with_suffix("")))
        row = int(np.flatnonzero(table["record_id"] == int(record.record_name.removeprefix("sim")))[0])
        assert record.sig_name == list(LEADS)
        assert record.fs == 100
        assert set(record.units) == {"mV"}
        assert set(record.fmt) == {"16"}
        np.testing.assert_allclose(record.p_signal.T, samples.batch([row])[0], atol=0.5 / WFDB_GAIN_PER_MV)
        labels = " ".join(name for name in LABEL_NAMES if table[name][row])
        assert f"labels: {labels}" in record.comments
