"""The report says what was done to a recording, in columns and in words, and nothing of a sound one; so does its picture."""

import numpy as np
import pandas as pd
import pytest
import wfdb
from beating import changed, heart, lead_mv
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from selfdana_lite import EcgDataset, write_dataset
from selfdana_lite.explore.quality_picture import SHADES, describe_quality, quality_figure
from selfdana_lite.faults import LARGEST_OFFSET_MV
from selfdana_lite.leads import LEADS
from selfdana_lite.quality import COLUMNS, quality_report
from selfdana_lite.recording import Recording, RecordingError

HEART = heart()
TIME_S = np.arange(2500) / 250


def row_of(recording):
    report = quality_report(recording)
    assert (len(report), tuple(report.columns)) == (1, COLUMNS)
    return report.iloc[0]


def test_a_sound_recording_is_usable_without_a_remark():
    row = row_of(HEART)
    assert (row.verdict, row.remarks, row.suspicion, row.no_rhythm) == ("usable", "", "", "")
    assert (row.source, row.seconds, row.sampling_rate_hz, row.leads) == ("made up", 10.0, 250.0, ", ".join(LEADS))
    assert row.heart_rate_bpm == pytest.approx(72, abs=1.5)
    assert row.r_peaks in (11, 12)
    assert (row.missing_share, row.flat_leads, row.clipped_leads, row.off_scale_leads) == (0, "", "", "")


GAPPY = np.where((TIME_S >= 2) & (TIME_S < 4), np.nan, lead_mv(HEART, "V3"))


@pytest.mark.parametrize(
    ("leads_mv", "column", "value", "remark"),
    [
        ({"V3": GAPPY}, "missing_share", pytest.approx(0.2 / 12), "1.7% of the samples are missing"),
        ({"V2": 0.0, "V6": 0.25}, "flat_leads", "V2, V6", "flat: V2 (10 s), V6 (10 s)"),
        ({"V3": lead_mv(HEART, "V3") + 0.35}, "offset_mv", pytest.approx(0.35, abs=0.01), "offset of 0.35 mV in V3: an amp"),
        ({"II": lead_mv(HEART, "II") + 5.1}, "offset_mv", pytest.approx(5.1, abs=0.01), "offset of 5.1"),
        ({"I": lead_mv(HEART, "I") - 5.1}, "offset_mv", pytest.approx(5.1, abs=0.01), "offset of -5."),
        ({"V4": np.minimum(lead_mv(HEART, "V4"), 0.5)}, "clipped_leads", "V4", "clipped: V4"),
        ({"V5": 20 * lead_mv(HEART, "V5")}, "off_scale_leads", "V5", "off scale: V5"),
        ({"V5": 0.01 * lead_mv(HEART, "V5")}, "off_scale_leads", "V5", "off scale: V5"),
        ({"II": -lead_mv(HEART, "II")}, "suspicion", "the limb leads fit together if II is upside down", "II is upside down"),
        (
            {"V1": lead_mv(HEART, "V1") + 1.2 * np.sin(2 * np.pi * 0.2 * TIME_S)},
            "baseline_wander_mv",
            pytest.approx(1.2 / np.sqrt(2), rel=0.05),
            "baseline wanders by 0.85 mV",
        ),
        (
            {"V1": lead_mv(HEART, "V1") + 0.2 * np.sin(2 * np.pi * 50 * TIME_S)},
            "mains_noise_mv",
            pytest.approx(0.2 / np.sqrt(2), rel=0.05),
            "mains hum of 0.14 mV",
        ),
    ],
)
def test_each_fault_has_its_column_and_its_remark(leads_mv, column, value, remark):
    row = row_of(changed(HEART, **leads_mv))
    assert row[column] == value
    assert remark in row.remarks
    assert ";" not in row.remarks  # and it is the only one
    assert row.verdict == "look at it"


@pytest.mark.parametrize("value", [0.0, np.nan, 0.3])
def test_a_recording_without_a_signal_is_unusable(value):
    row = row_of(changed(HEART, **dict.fromkeys(LEADS, value)))
    assert (row.verdict, row.no_rhythm) == ("unusable", "no lead is whole and alive")
    assert np.isnan(row.heart_rate_bpm)
    assert np.isnan(row.r_peaks)


def test_a_short_recording_has_no_heart_rate_and_a_reason():
    row = row_of(HEART.window(0, 2))
    assert (row.no_rhythm, row.remarks) == ("shorter than 4 s", "no heart rate: shorter than 4 s")


def test_an_odd_heart_rate_is_remarked():
    assert row_of(heart(bpm=188)).remarks == "heart rate 188 bpm"


def test_channels_that_are_no_voltage_are_named_and_not_judged():
    both = Recording(np.stack([lead_mv(HEART, "II"), 97 + TIME_S]), 250.0, ("II", "SpO2"), notes={"units SpO2": "%"})
    row = row_of(both)
    assert (row.leads, row.verdict, row.remarks) == ("II, SpO2", "usable", "")
    alone = Recording(both.signal_mv[1:], 250.0, ("SpO2",), notes=both.notes)
    assert row_of(alone).verdict == "unusable"
    with pytest.raises(RecordingError, match="no lead in millivolt to draw"):
        quality_figure(alone)


def test_many_recordings_make_a_row_each_in_their_order():
    seconds = [10.0, 5.0, 8.0]
    report = quality_report(HEART.window(0, length_s) for length_s in seconds)
    assert report["seconds"].tolist() == seconds
    assert quality_report([]).columns.tolist() == list(COLUMNS)
    for wrong in (None, 3.0, [HEART, None]):
        with pytest.raises(RecordingError, match=r"Found a (NoneType|float); expected recordings, names of files or folders"):
            quality_report(wrong)


def test_without_its_offset_a_recording_is_usable_again():
    lifted = Recording(HEART.signal_mv + np.float32(5), 250.0, LEADS, "made up")
    assert row_of(lifted).verdict == "look at it"
    row = row_of(lifted.without_offset())
    assert (row.verdict, row.offset_mv) == ("usable", pytest.approx(0, abs=1e-6))


def test_a_recording_without_a_lead_for_an_encoder_is_looked_at():
    unnamed = Recording(HEART.signal_mv, 250.0, [f"ch{n}" for n in range(12)], "made up")
    row = row_of(unnamed)
    assert (row.verdict, row.remarks) == ("look at it", "no lead is among the twelve (rename those that are)")
    assert np.isnan(row.offset_mv)


@pytest.fixture
def folder(tmp_path):
    """A good file, one without a unit, one of no format, and a record of two files."""
    facts = {"sampling_rate_hz": 250.0, "leads": np.array(LEADS)}
    np.savez(tmp_path / "b good.npz", signal_mv=HEART.signal_mv, **facts)
    np.savez(tmp_path / "c lifted.npz", signal_mv=HEART.signal_mv + np.float32(1), **facts)
    (tmp_path / "a broken.edf").write_bytes(b"0       not much more")
    (tmp_path / "deeper").mkdir()
    record = {"sig_name": ["II"], "units": ["mV"], "fmt": ["16"], "write_dir": str(tmp_path / "deeper")}
    wfdb.wrsamp("d", fs=250, p_signal=HEART.signal_mv[1:2].T.astype(float), **record)
    (tmp_path / "notes.pdf").write_bytes(b"")
    return tmp_path


def test_a_folder_is_a_row_a_file_and_what_cannot_be_read_says_why(folder):
    report = quality_report(folder)
    assert [source.rpartition("/")[2] for source in report["source"]] == ["a broken.edf", "b good.npz", "c lifted.npz", "d.hea"]
    assert report["verdict"].tolist() == ["unusable", "usable", "look at it", "usable"]
    assert "a broken.edf" in report["remarks"][0]
    assert np.isnan(report["heart_rate_bpm"][0])
    assert describe_quality(report.iloc[0]).startswith(f"{folder / 'a broken.edf'}: unusable. ")
    assert "nan" not in describe_quality(report.iloc[0])
    paths = [folder / "b good.npz", str(folder / "c lifted.npz"), HEART, folder / "gone.edf"]
    assert quality_report(paths)["verdict"].tolist() == ["usable", "look at it", "usable", "unusable"]
    pd.testing.assert_frame_equal(quality_report(str(paths[0])), report[1:2].reset_index(drop=True))
    (folder / "empty").mkdir()
    with pytest.raises(RecordingError, match=r"has no file with a name in \.hea, \.edf"):
        quality_report(folder / "empty")


def test_a_dataset_is_read_record_by_record_with_the_leads_that_are_there(tmp_path):
    recording = heart(100.0)
    signals_uv = np.stack([recording.signal_mv, recording.signal_mv * 1.2, recording.signal_mv * 0])
    table = pd.DataFrame({"record_id": ["a", "b", "c"], "patient_id": [1, 2, 3], "fold": 1, "NORM": 1})
    present = np.ones((3, 12), bool)
    present[1, 2:] = False
    facts = {"leads": LEADS, "sampling_rate_hz": 100, "label_names": ["NORM"], "source": "made up", "licence": "none"}
    stored_uv = np.where(present[:, :, None], np.round(signals_uv * 1000), 0).astype(np.int16)
    dataset = write_dataset(tmp_path / "ecgs", stored_uv, table, present=present, **facts)
    report = quality_report(dataset)
    assert report["source"].tolist() == ["a", "b", "c"]
    assert report["verdict"].tolist() == ["usable", "usable", "unusable"]
    assert report["leads"].tolist() == [", ".join(LEADS), "I, II", ", ".join(LEADS)]
    assert report["mains_noise_mv"].isna().all()  # 100 Hz does not reach 50 Hz
    pd.testing.assert_frame_equal(quality_report(dataset.where(rows=[1])), report[1:2].reset_index(drop=True))
    pd.testing.assert_frame_equal(quality_report(tmp_path / "ecgs"), report)


def test_most_of_the_samples_are_usable(samples_path):
    report = quality_report(EcgDataset.open(samples_path).where(rows=np.arange(0, 600, 30)))
    assert (report["verdict"] == "usable").mean() > 0.7
    assert report["limb_residual_mv"].max() < 0.01


def test_few_real_recordings_have_an_offset(real_archive):
    dataset = EcgDataset.open(real_archive).where(folds=range(1, 9))
    blocks = np.array_split(np.arange(len(dataset)), 16)
    offset_mv = np.concatenate([np.abs(np.median(dataset.batch(rows).numpy(), axis=2)).max(axis=1) for rows in blocks])
    assert 0 < (offset_mv > LARGEST_OFFSET_MV).mean() < 0.02


def test_most_real_recordings_are_usable(real_archive):
    report = quality_report(EcgDataset.open(real_archive).where(folds=[1]).where(rows=np.arange(60)))
    assert (report["verdict"] == "usable").mean() > 0.85
    assert report["heart_rate_bpm"].between(35, 200).all()


@given(
    arrays(np.float32, (3, 240), elements=st.floats(-20, 20, width=16) | st.just(np.nan)), st.sampled_from([20.0, 60.0, 500.0])
)
@settings(max_examples=25)
def test_any_signal_gets_a_row_and_a_picture(signal_mv, rate_hz):
    recording = Recording(signal_mv, rate_hz, ("I", "II", "V6"))
    row = row_of(recording)
    assert row.verdict in ("usable", "look at it", "unusable")
    assert len(describe_quality(row)) > 50
    assert len(quality_figure(recording).data) >= 3


# The picture.


def test_the_picture_shades_each_fault_where_it_is_and_ticks_the_beats():
    faulty = changed(HEART, V3=GAPPY, V2=0.0, V4=np.minimum(lead_mv(HEART, "V4"), 0.5))
    figure = quality_figure(faulty, "visit")
    drawn = {trace.name: trace for trace in figure.data}
    assert set(drawn) == {*LEADS, *SHADES, "R peak"}
    gap = np.array([x for x in drawn["missing"].x if x is not None])
    assert (gap.min(), gap.max()) == (2.0, 4.0)
    ticks = list(figure.layout.yaxis.ticktext)
    shaded_mv = np.array([y for y in drawn["missing"].y if y is not None]).mean()
    assert shaded_mv == pytest.approx(
        figure.layout.yaxis.tickvals[ticks.index("V3")], abs=0.4
    )  # the outline counts one corner twice
    assert np.ptp(drawn["V1"].y) == pytest.approx(np.ptp(lead_mv(HEART, "V1")), rel=1e-4)  # never cut off
    np.testing.assert_array_equal(np.isnan(drawn["V3"].y), np.isnan(GAPPY))
    assert len(drawn["R peak"].x) >= 11
    assert figure.layout.title.text == "visit"


def test_a_sound_recording_has_no_shade_and_a_long_one_says_that_it_is_cut():
    long = heart(100.0, seconds=45)
    figure = quality_figure(long, "night")
    assert not set(SHADES) & {trace.name for trace in figure.data}
    assert figure.layout.title.text == "night (the first 30 of 45 s)"
    assert max(trace.x.max() for trace in figure.data) < 30


@pytest.mark.parametrize("count", [1, 2, 12])
def test_the_title_beside_the_rows_fits_beside_them(count):
    layout = quality_figure(HEART.select(LEADS[:count])).layout
    room_px = layout.height - layout.margin.t - layout.margin.b
    longest = max(layout.yaxis.title.text.split("<br>"), key=len)
    assert len(longest) * 0.6 * layout.font.size < room_px  # a letter is about 0.6 of its height wide


def test_the_text_says_what_the_figure_shows():
    said = describe_quality(row_of(changed(HEART, V2=0.0)))
    assert said.startswith("made up: look at it. 10 s at 250 Hz of I, II, III,")
    assert "To look at: flat: V2 (10 s)." in said
    assert "72 beats a minute" in said
    hundred = describe_quality(row_of(heart(100.0).select("I")))
    assert "mains hum cannot be seen at this rate, and the limb leads cannot be checked" in hundred
    assert "No remarks" in hundred
