"""The foreign files of lesson 10: each has its traps, each holds the sample that it claims, and the lesson's claims hold."""

import itertools
import re
import sys

import numpy as np
import pandas as pd
import pytest
from notebook_runner import ROOT

import selfdana_lite as sd
from selfdana_lite import explore

sys.path.append(str(ROOT / "notebooks"))
import foreign_files

WITH_NAMES = {"strap": {"ch1": "II", "ch2": "V2"}, "clinic": {"II": "aVL", "aVL": "II"}}
GAINS = {"strap": foreign_files.STRAP_COUNTS_PER_MV, "unitless": 1_000_000}


@pytest.fixture(scope="module")
def held_out(samples_path):
    return sd.EcgDataset.open(samples_path).where(folds=[9, 10])


@pytest.fixture(scope="module")
def made(tmp_path_factory, held_out):
    """The files, and the table of what is in them."""
    return foreign_files.make_foreign_files(tmp_path_factory.mktemp("files") / "inbox", held_out)


def read_mended(name, path):
    """A file as a person who knows its traps reads it."""
    return sd.read_recording(path, gain=GAINS.get(name)).rename(WITH_NAMES.get(name, {}))


@pytest.mark.parametrize(
    ("name", "rate_hz", "seconds", "leads"),
    [
        ("watch", 512, 30, "I"),
        ("holter", 200, 10, "I, II, III, V2, Resp"),
        ("archive", 360, 10, "II, V5"),
        ("strap", 130, 10, "ch1, ch2"),
        ("clinic", 100, 10, "I, aVL, III, aVR, II, aVF, V1, V2, V3, V4, V5, V6"),
        ("short", 100, 6, "I, II, V1"),
    ],
)
def test_files_are_as_the_lesson_says(made, name, rate_hz, seconds, leads):
    recording = sd.read_recording(made[0][name])
    assert (recording.sampling_rate_hz, recording.seconds, ", ".join(recording.leads)) == (rate_hz, seconds, leads)


def test_the_traps_are_there(made):
    files, _ = made
    with pytest.raises(sd.RecordingError, match="says nothing about volts"):
        sd.read_recording(files["unitless"])
    with pytest.raises(sd.LeadError, match="not in millivolt"):
        sd.read_recording(files["strap"]).rename({"ch1": "II"})
    with pytest.raises(sd.LeadError, match="no lead 'I'"):
        sd.read_recording(files["archive"]).select("I, II")
    assert "II and aVL bear each other's label" in explore.describe_limb_leads(sd.read_recording(files["clinic"]))
    assert "Nothing is suspected" in explore.describe_limb_leads(sd.read_recording(files["holter"]))
    assert re.fullmatch(r"-?\d+,\d{3}", files["watch"].read_text(encoding="utf-8").splitlines()[-1])


@pytest.mark.parametrize("name", ["watch", "holter", "archive", "strap", "clinic", "unitless", "short"])
def test_each_file_holds_its_sample(made, held_out, name):
    files, table = made
    row = table.set_index("path").loc[files[name].name]
    at = int(np.flatnonzero(held_out.table["record_id"] == row["sample"])[0])
    part, _ = explore.for_encoder(read_mended(name, files[name]), 0)
    original_mv = held_out.batch([at], part.leads)[0].numpy()  # [leads, samples]
    original_mv = original_mv - original_mv.mean(axis=1, keepdims=True)
    error_mv = (part.signal_mv - original_mv[:, : part.signal_mv.shape[1]])[:, 20:-20]  # filters ring at the ends
    assert np.sqrt((error_mv**2).mean()) < 0.01
    assert row[list(held_out.label_names)].tolist() == held_out.labels[at].tolist()


def test_seven_people_but_one_have_one_file(made, held_out):
    table = made[1].set_index("path")
    assert table["patient_id"].drop("unitless.csv").is_unique
    assert table.loc["unitless.csv", "sample"] == table.loc["clinic.csv", "sample"]
    assert set(table["patient_id"]) <= set(held_out.patient_ids)


# What the lesson claims


@pytest.fixture(scope="module")
def crowds(held_out):
    clf = sd.linear_probe(sd.load_encoder(), sd.EcgDataset.open().where(folds=range(1, 9)), leads="any", draws=1)
    return explore.Crowds(clf, held_out)


@pytest.mark.parametrize("name", ["watch", "holter", "archive", "strap", "clinic", "unitless", "short"])
def test_each_file_lands_next_to_its_sample(made, crowds, name):
    files, table = made
    part, _ = explore.for_encoder(read_mended(name, files[name]), 0)
    crowd = crowds.through(part.leads)
    nearest = explore.nearest_samples(explore.answer_for(crowds.clf, part, crowd), crowd)
    assert nearest["record_id"].iloc[0] == table.set_index("path").loc[files[name].name, "sample"]


def test_a_rate_that_lies_leads_astray(made, crowds):
    watch = sd.read_recording(made[0]["watch"]).window(0, 10)
    lied = sd.Recording(watch.signal_mv, 100, watch.leads)
    through_i = crowds.through("I")
    honest, astray = (
        explore.answer_for(crowds.clf, r, through_i).distances.min() for r in (watch.resample(100), lied.window(0, 10))
    )
    assert astray > 2 * honest
    true_bpm, seen_bpm = sd.quality_report([watch, lied])["heart_rate_bpm"]
    assert seen_bpm == pytest.approx(true_bpm * 100 / 512, rel=0.1)


def test_padding_takes_farther_away_than_shortness(made, held_out, crowds):
    short = sd.read_recording(made[0]["short"])
    padded = sd.Recording(np.pad(short.signal_mv, [(0, 0), (0, 400)]), 100, short.leads)
    at = int(np.flatnonzero(held_out.table["record_id"] == made[1].set_index("path").loc["short.csv", "sample"])[0])
    as_is, filled = (explore.answer_for(crowds.clf, r, crowds.through(short.leads)).distances[at] for r in (short, padded))
    assert filled > 1.5 * as_is


def test_six_limb_leads_see_every_exchange_and_three_miss_one(held_out):
    row = int(held_out.labels[:, held_out.label_names.index("NORM")].argmax())
    sound = sd.Recording(held_out.batch([row])[0].numpy(), 100, sd.LEADS)

    def residuals(leads):
        pairs = itertools.combinations(leads, 2)
        return pd.Series(
            {pair: explore.limb_check(sound.select(leads).rename(dict([pair, pair[::-1]]))).residual_mv for pair in pairs}
        )

    assert residuals(sd.LEAD_SETS["6-lead"]).min() > 0.1
    three = residuals(("I", "II", "III"))
    assert three[("I", "III")] < 0.01 < 0.1 < three.drop(("I", "III")).min()


def test_the_inbox_becomes_a_dataset_and_a_report(made, held_out, tmp_path):
    files, table = made
    options = {"label_names": held_out.label_names, "workers": 1, "progress": False}
    dataset = sd.EcgDataset.build(files["watch"].parent, tmp_path / "built", labels=table, **options)
    report = pd.read_csv(tmp_path / "built/report.csv", keep_default_na=False).set_index("path")
    refused = report.index[report["used"].astype(str) != "True"]
    assert set(refused) == {"strap.csv", "unitless.csv", "short.csv"}
    assert all(report.loc[refused, "reason"])
    assert dataset.present.sum(axis=1).tolist() == [1, 4, 2, 12]
    assert (sd.quality_report(dataset)["suspicion"] != "").sum() == 1
