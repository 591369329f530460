"""A dataset made of a folder of recordings: what is in it, what is not and why, and what it costs."""

import errno
import hashlib
import importlib
import inspect
import json
import multiprocessing
import os
import pickle
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import wfdb
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from small_archives import write_challenge_tree, write_ptbxl_tree, write_wfdb

import selfdana_lite as sd
from selfdana_lite import LEADS, DatasetError, EcgDataset
from selfdana_lite.building import blocks, finishing, pool
from selfdana_lite.building.blocks import Place, Wanted, bring, do_block, to_microvolt
from selfdana_lite.building.listing import Sought
from selfdana_lite.building.partial import alone_in
from selfdana_lite.recording import Recording, RecordingError
from selfdana_lite.simulate import simulate_recordings

TEN_SECONDS = Wanted(LEADS, 100.0, 0.0, 10.0)
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc")
build_module = importlib.import_module("selfdana_lite.build")


@pytest.fixture(scope="module")
def simulated():
    return simulate_recordings(8, seed=3)


@pytest.fixture
def folder(tmp_path, simulated):
    """Six recordings r0..r5 of 12 leads and 10 s at 100 Hz."""
    (tmp_path / "source").mkdir()
    for row in range(6):
        write_wfdb(tmp_path / "source" / f"r{row}", simulated[0][row] / 1000, 100)
    return tmp_path / "source"


@pytest.fixture
def small_blocks(monkeypatch):
    """Two recordings a block, so that a few make many, and other processes are called for at once."""
    monkeypatch.setattr(blocks, "_BLOCK_RECORDINGS", 2)
    monkeypatch.setattr(pool, "_START_S", -1.0)


def build(source, labels=None, **options):
    """The dataset beside its source; of all recordings there where no label table is given."""
    if labels is None:
        labels = pd.DataFrame({"path": sorted(path.name for path in source.glob("*.hea"))})
    return EcgDataset.build(source, source.with_name("dataset"), labels=labels, **{"workers": 1, "progress": False} | options)


def report_of(source):
    return pd.read_csv(source.with_name("dataset") / "report.csv", keep_default_na=False).set_index("path")


def all_bytes(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_ptbxl_comes_out_as_it_was_simulated(tmp_path):
    truth = write_ptbxl_tree(tmp_path / "ptbxl", 14, seed=2)
    dataset = EcgDataset.build(tmp_path / "ptbxl", tmp_path / "dataset", workers=1, progress=False)
    np.testing.assert_array_equal(dataset.signals, simulate_recordings(14, seed=2)[0][:14])
    assert dataset.label_names == ("NORM", "MI", "STTC", "CD", "HYP")
    np.testing.assert_array_equal(dataset.labels, truth[list(dataset.label_names)])
    np.testing.assert_array_equal(dataset.folds, truth["fold"])
    np.testing.assert_array_equal(dataset.patient_ids, truth["patient_id"])
    assert {"age", "sex", "scp_codes", "path"} <= set(dataset.table.columns)
    assert "PTB-XL" in dataset.source
    assert sd.build_summary(tmp_path / "dataset") == "14 of 14 recordings are used."


def test_challenge_recordings_are_resampled_and_the_report_says_so(tmp_path):
    write_challenge_tree(tmp_path / "challenge", 6)
    dataset = EcgDataset.build(tmp_path / "challenge", tmp_path / "dataset", workers=1, progress=False)
    truth = simulate_recordings(6)[0]
    for row, record in enumerate(dataset.table["record_id"]):
        expected = truth[int(record[-4:])]
        middle = np.abs(dataset.signals[row].astype(int) - expected)[:, 20:-20]  # filters ring at the ends
        assert np.median(middle) <= 3  # microvolt, of some hundred
    assert (report_of(tmp_path / "challenge")["remarks"].str.contains("resampled from 500 Hz")).all()
    assert "resampled from 500 Hz (6)" in sd.build_summary(tmp_path / "dataset")


def test_recordings_with_few_more_or_other_leads_keep_what_they_have(folder, simulated):
    signals_mv = simulated[0] / 1000
    write_wfdb(folder / "r1", signals_mv[1, [1, 0]], 100, ("ECG II", "ECG I"))
    write_wfdb(folder / "r2", np.concatenate([signals_mv[2], signals_mv[2, :3]]), 100, (*LEADS, "vx", "vy", "vz"))
    dataset = build(folder)
    assert dataset.present.sum(axis=1).tolist() == [12, 2, 12, 12, 12, 12]
    np.testing.assert_allclose(dataset.batch([1], "I, II")[0].numpy(), signals_mv[1, :2], atol=1e-6)
    with pytest.raises(sd.LeadError):
        dataset.batch([1], "V1")
    stored = np.load(folder.with_name("dataset") / "signals.npy")
    assert not stored[2:, 1].any()
    remarks = report_of(folder)["remarks"]
    assert "lacks III, aVR" in remarks["r1.hea"]
    assert "extra leads vx, vy, vz" in remarks["r2.hea"]
    assert remarks["r3.hea"] == "taken for a patient of its own"


def test_only_the_leads_and_the_window_asked_for(folder, simulated):
    dataset = build(folder, leads="V2, i", start_s=2.5, seconds=4)
    assert dataset.leads == ("V2", "I")
    np.testing.assert_array_equal(dataset.signals, simulated[0][:6, [7, 0], 250:650])
    assert "extra leads II, III" in report_of(folder)["remarks"].iloc[0]


def truncated(folder, signal_mv):
    write_wfdb(folder / "r2", signal_mv, 100)
    (folder / "r2.dat").write_bytes((folder / "r2.dat").read_bytes()[:1000])


def with_gaps(folder, signal_mv):
    signal_mv[:, 500:503] = np.nan
    write_wfdb(folder / "r2", signal_mv, 100)


def off_scale(folder, signal_mv):
    lines = (folder / "r2.hea").read_text().replace("1000.0(0)/mV", "10(0)/mV")
    (folder / "r2.hea").write_text(lines)


FAULTS = {
    "truncated": truncated,
    "gaps": with_gaps,
    "off scale": off_scale,
    "short": lambda folder, signal_mv: write_wfdb(folder / "r2", signal_mv[:, :990], 100),
    "no lead": lambda folder, signal_mv: write_wfdb(folder / "r2", signal_mv[:2], 100, ("PLETH", "RESP")),
    "no header": lambda folder, signal_mv: (folder / "r2.hea").write_bytes(b"\x00\xff" * 20),
    "gone": lambda folder, signal_mv: (folder / "r2.hea").unlink(),
}
REASONS = {
    "gaps": "samples are missing in this window in every lead: I, II",
    "short": "9.9 s",
    "no lead": "PLETH, RESP",
    "gone": "no such file",
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.filterwarnings("default::RuntimeWarning")
def test_what_cannot_be_used_is_listed_with_its_reason_and_leaves_no_hole(folder, simulated, fault):
    paths = pd.DataFrame({"path": [f"r{row}.hea" for row in range(6)]})
    FAULTS[fault](folder, simulated[0][2] / 1000)
    dataset = build(folder, labels=paths)
    assert dataset.table["record_id"].tolist() == ["r0", "r1", "r3", "r4", "r5"]
    np.testing.assert_array_equal(dataset.signals, simulated[0][[0, 1, 3, 4, 5]])
    report = report_of(folder)
    assert report["used"].tolist() == [True, True, False, True, True, True]
    assert REASONS.get(fault, "") in report["reason"]["r2.hea"]
    assert report["reason"]["r2.hea"]
    assert str(folder) not in report["reason"]["r2.hea"]  # the report does not depend on where things lie
    summary = sd.build_summary(folder.with_name("dataset"))
    assert "5 of 6 recordings are used. Not used: r2.hea: " in summary
    assert summary.count("r2.hea:") == 1
    assert ".." not in summary


def test_flat_leads_are_remarked_upon_and_stay(folder, simulated):
    signal_mv = simulated[0][2] / 1000
    signal_mv[[9, 10]], signal_mv[11, :500] = [[0.0], [-1.25]], 0.3
    write_wfdb(folder / "r2", signal_mv, 100)
    dataset = build(folder)
    assert report_of(folder)["remarks"].str.contains("flat").tolist() == [False, False, True, False, False, False]
    assert "flat: V4, V5" in report_of(folder)["remarks"]["r2.hea"].split("; ")
    assert "flat: V4, V5 (1)" in sd.build_summary(folder.with_name("dataset"))
    assert dataset.present.all()  # whether the electrode was off or the lead is absent, the file does not say
    assert (dataset.signals[2, 10] == -1250).all()


def test_an_amplifiers_offset_is_kept_and_remarked(folder, simulated):
    signal_mv = simulated[0][2] / 1000 - np.median(simulated[0][2] / 1000, axis=1, keepdims=True)
    signal_mv[1] += 0.5
    write_wfdb(folder / "r2", signal_mv, 100)
    dataset = build(folder)
    assert "offset above 0.3 mV: II" in report_of(folder)["remarks"]["r2.hea"].split("; ")
    assert np.median(dataset.signals[2, 1]) == pytest.approx(500, abs=1)  # microvolt: nothing is taken away unasked


def test_a_recording_of_flat_lines_alone_is_refused(folder, simulated):
    signal_mv = simulated[0][2] / 1000
    signal_mv[:, :500] = np.arange(12)[:, None] / 10
    write_wfdb(folder / "r2", signal_mv, 100)
    assert len(build(folder)) == 6
    shutil.rmtree(folder.with_name("dataset"))
    assert len(build(folder, seconds=5, leads="II, V1")) == 5
    assert report_of(folder)["reason"]["r2.hea"] == "nothing but flat lines in this window, in II, V1"


@pytest.mark.parametrize("rate_hz", [100, 50])
def test_a_lead_with_a_gap_is_left_out_alone(folder, simulated, rate_hz):
    signal_mv = simulated[0][2] / 1000
    signal_mv[6, 500:520] = np.nan
    write_wfdb(folder / "r2", signal_mv, 100)
    dataset = build(folder, sampling_rate_hz=rate_hz)
    assert [LEADS[lead] for lead in np.flatnonzero(~dataset.present[2])] == ["V1"]
    assert dataset.present.sum() == 6 * 12 - 1
    assert not np.load(folder.with_name("dataset") / "signals.npy")[6, 2].any()
    assert "V1 has gaps and is left out" in report_of(folder)["remarks"]["r2.hea"]


def test_a_gap_outside_the_leads_and_the_window_is_nobodys_business(folder, simulated):
    signal_mv = simulated[0][2] / 1000
    signal_mv[4, 500:503] = np.nan
    write_wfdb(folder / "r2", signal_mv, 100)
    assert len(build(folder, seconds=5)) == 6


def test_files_without_a_row_are_listed(folder):
    build(folder, labels=pd.DataFrame({"path": ["r0.hea", "r1.hea"]}))
    report = report_of(folder)
    assert report["used"].tolist() == [True, True] + [False] * 4
    assert report["reason"]["r5.hea"] == "no row of the label table names it"


def test_where_nothing_can_be_used_the_report_says_why(folder):
    with pytest.raises(
        DatasetError, match=r"None of the 6 recordings can be used\. The first: r0\.hea: .*does not fit.*report\.csv"
    ):
        build(folder, seconds=60)
    assert not folder.with_name("dataset").exists()
    assert (folder.with_name("dataset.partial") / "dataset" / "report.csv").read_text().count("does not fit") == 6


@given(
    arrays.arrays(np.float32, (2, 20), elements=st.floats(-32, 32, width=32)),
    st.permutations(LEADS).map(lambda leads: tuple(leads[:2])),
)
def test_microvolt_is_within_half_a_step_and_absent_leads_are_zero(signal_mv, leads):
    wanted = Wanted(LEADS, 100.0, 0.0, 0.2)
    stored = to_microvolt(bring(Recording(signal_mv, 100, leads), wanted)[0], wanted)
    rows = [LEADS.index(name) for name in leads]
    assert np.abs(stored[rows] - signal_mv.astype(float) * 1000).max() <= 0.502
    assert not np.delete(stored, rows, axis=0).any()


@pytest.mark.parametrize("value_mv", [32.768, -33.0])
def test_microvolt_never_wraps_around(value_mv):
    with pytest.raises(RecordingError, match="mV"):
        to_microvolt(Recording(np.full((1, 4), value_mv), 100, ("I",)), Wanted(LEADS, 100.0, 0.0, 0.04))


@pytest.mark.parametrize("rate_hz", [99.98, 100.02, 128.3, 257, 500, 1000 / 3])
def test_odd_rates_give_the_samples_wanted(rate_hz):
    brought, remarks = bring(Recording(np.zeros((1, round(12 * rate_hz))), rate_hz, ("I",)), TEN_SECONDS)
    assert brought.signal_mv.shape == (1, 1000)
    assert remarks.startswith(f"resampled from {rate_hz:g} Hz")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seconds": 0}, "above 0"),
        ({"seconds": float("nan")}, "above 0"),
        ({"sampling_rate_hz": -1}, "above 0"),
        ({"start_s": -1}, "the start 0 or more"),
        ({"seconds": 0.123, "sampling_rate_hz": 100}, "whole number"),
        ({"workers": 0}, "at least 1"),
        ({"leads": "I, XII"}, "Unknown lead"),
    ],
)
def test_settings_that_make_no_sense_are_refused_before_anything_is_written(folder, options, message):
    with pytest.raises(ValueError, match=message):
        build(folder, **options)
    assert [path.name for path in folder.parent.iterdir()] == ["source"]


def test_nothing_is_overwritten_and_nothing_is_written_among_the_recordings(folder):
    folder.with_name("dataset").mkdir()
    with pytest.raises(FileExistsError, match="choose another place"):
        build(folder)
    with pytest.raises(DatasetError, match="lies within"):
        EcgDataset.build(folder, folder / "dataset", labels=pd.DataFrame({"path": ["r0.hea"]}))


def test_the_checksum_is_that_of_the_signals(folder):
    build(folder)
    facts = json.loads((folder.with_name("dataset") / "dataset.json").read_text())
    assert facts["signals_sha256"] == hashlib.sha256((folder.with_name("dataset") / "signals.npy").read_bytes()).hexdigest()
    assert facts["recordings_found"] == 6


def test_the_dataset_does_not_depend_on_the_number_of_workers(tmp_path, small_blocks, monkeypatch):
    signals_uv = simulate_recordings(40)[0]
    (tmp_path / "source").mkdir()
    for row, signal_uv in enumerate(signals_uv):
        write_wfdb(tmp_path / "source" / f"r{row:02d}", signal_uv[:, : 500 if row == 30 else None] / 1000, 100)
    build(tmp_path / "source")
    (tmp_path / "dataset").rename(tmp_path / "one")
    read = interrupted(monkeypatch, None, None, after_s=0.5)  # this process is slow; others, fresh, are not
    build(tmp_path / "source", workers=2)
    assert len(read) < 60  # the others have helped
    assert all_bytes(tmp_path / "dataset") == all_bytes(tmp_path / "one")


def test_where_others_come_too_late_this_process_does_all_by_itself(folder, small_blocks):
    begin = time.monotonic()
    children = set(multiprocessing.active_children())
    assert len(build(folder, workers=2)) == 6
    assert set(multiprocessing.active_children()) == children
    assert time.monotonic() - begin < 60  # they would need seconds; the bound is for a busy machine


def test_a_process_of_somebody_else_lives_on(folder, monkeypatch, small_blocks):
    """Another thread of the notebook may start one while a build goes on."""
    begun = []

    def reader(path):
        if path.name == "r3.hea":  # the second block, for which other processes were called
            begun.append(multiprocessing.get_context("spawn").Process(target=time.sleep, args=(600,)))
            begun[-1].start()
        return sd.read_recording(path)

    monkeypatch.setattr(blocks, "read_recording", reader)
    try:
        assert len(build(folder, workers=2)) == 6
        assert [process.is_alive() for process in begun] == [True]
        assert set(multiprocessing.active_children()) & set(begun) == set(begun)
    finally:
        for process in begun:
            process.kill()
            process.join()


def test_no_signal_goes_through_a_pipe(folder, tmp_path):
    place = finishing.make_signals(tmp_path / "signals.npy", 6, TEN_SECONDS, begun=False)
    paths = [f"r{row}.hea" for row in range(6)]
    sought = [Sought(path, {}) for path in paths]
    answer = do_block(folder, sought, TEN_SECONDS, place, 0)
    assert len(pickle.dumps((folder, sought, TEN_SECONDS, place, 0))) + len(pickle.dumps(answer)) < 2000  # bytes, of 144,000
    assert np.load(tmp_path / "signals.npy").any(axis=2).all()


def test_blocks_shrink_as_recordings_grow():
    assert TEN_SECONDS.block == 128
    assert Wanted(LEADS, 500.0, 0.0, 3600.0).block == 1
    assert 1 < Wanted(LEADS, 500.0, 0.0, 60.0).block < 128


def test_it_is_quiet_unless_a_bar_is_wanted(folder, capsys):
    build(folder)
    assert capsys.readouterr() == ("", "")
    folder.with_name("dataset").rename(folder.with_name("old"))
    build(folder, progress=True)
    assert "6/6" in capsys.readouterr().err


def interrupted(monkeypatch, after, error, after_s=0.0):
    """The reader takes its time, and stops everything at this recording; returns which were read."""
    read = []

    def reader(path):
        read.append(path.name)
        time.sleep(after_s)
        if len(read) == after:
            raise error
        return sd.read_recording(path)

    monkeypatch.setattr(blocks, "read_recording", reader)
    return read


def test_ctrl_c_says_how_to_go_on_and_the_same_call_does(folder, monkeypatch, small_blocks):
    with pytest.MonkeyPatch.context() as patch:
        interrupted(patch, 4, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt, match=r"the same call goes on from there"):
            build(folder)
    assert not folder.with_name("dataset").exists()
    read = interrupted(monkeypatch, 99, KeyboardInterrupt())
    dataset = build(folder)
    assert read == ["r2.hea", "r3.hea", "r4.hea", "r5.hea"]  # the first block of two is done
    assert len(dataset) == 6
    assert sorted(path.name for path in folder.parent.iterdir()) == ["dataset", "source"]  # tidied up


def test_a_full_disk_is_said_and_the_build_goes_on_when_there_is_room(folder, small_blocks):
    real_fsync, calls = os.fsync, []

    def full(descriptor):
        calls.append(descriptor)
        if len(calls) == 6:
            raise OSError(errno.ENOSPC, "No space left on device")
        real_fsync(descriptor)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(DatasetError, match=r"is full\. Make room and call the same again"):
            build(folder)
    assert len(build(folder)) == 6


def test_a_disk_that_is_too_small_is_noticed_at_the_start(folder, monkeypatch):
    monkeypatch.setattr(finishing.shutil, "disk_usage", lambda path: type("usage", (), {"free": 100_000}))
    with pytest.raises(DatasetError, match=r"0\.00 GB free; the signals need 0\.00 GB"):
        build(folder)


@pytest.fixture
def stopped(folder, small_blocks):
    """A build that was interrupted half way."""
    with pytest.MonkeyPatch.context() as patch:
        interrupted(patch, 4, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            build(folder)
    return folder


def test_other_settings_are_refused_and_named(stopped):
    with pytest.raises(DatasetError, match=r"seconds \(then 10\.0, now 5\.0\).*delete that folder"):
        build(stopped, seconds=5)
    assert len(build(stopped)) == 6


def test_other_recordings_are_refused(stopped, simulated):
    write_wfdb(stopped / "r0", simulated[0][7] / 1000, 100)
    with pytest.raises(DatasetError, match=r"changed: the files of the source or their labels \(6 recordings then, 6 now\)\."):
        build(stopped)


def test_other_labels_are_refused(stopped):
    with pytest.raises(DatasetError, match="have changed"):
        build(stopped, labels=pd.DataFrame({"path": [f"r{row}.hea" for row in range(6)], "age": 50}))


def test_a_lost_signal_file_is_noticed(stopped):
    (stopped.with_name("dataset.partial") / "signals.npy").unlink()
    with pytest.raises(DatasetError, match="not as it was left; delete"):
        build(stopped)


def test_a_line_cut_short_costs_its_block_alone(stopped):
    journal = stopped.with_name("dataset.partial") / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-5])
    dataset = build(stopped)
    np.testing.assert_array_equal(dataset.signals, simulate_recordings(8, seed=3)[0][:6])


def test_a_folder_of_somebody_else_is_left_alone(folder):
    partial = folder.with_name("dataset.partial")
    partial.mkdir()
    (partial / "thesis.tex").write_text("chapter 1")
    with pytest.raises(DatasetError, match=r"holds thesis\.tex but no settings\.json"):
        build(folder)
    assert (partial / "thesis.tex").read_text() == "chapter 1"


def test_two_builds_of_the_same_do_not_meet(folder, monkeypatch):
    def meanwhile(path):
        with pytest.raises(DatasetError, match="Another build is at work"):
            build(folder)
        return sd.read_recording(path)

    monkeypatch.setattr(blocks, "read_recording", meanwhile)
    assert len(build(folder)) == 6


@pytest.mark.parametrize("change", ["file", "memory"])
def test_signals_that_differ_from_the_source_at_the_end_are_refused(folder, simulated, monkeypatch, change):
    keep_used = finishing.keep_used

    def spoilt(place: Place, *arguments):
        if change == "file":
            write_wfdb(folder / "r3", simulated[0][7] / 1000, 100)
        else:
            with place.path.open("r+b") as file:
                file.seek(place.offset + 2 * 3500)  # a sample of lead I of r3
                file.write(b"\x11\x11")
        keep_used(place, *arguments)

    monkeypatch.setattr(finishing, "keep_used", spoilt)
    with pytest.raises(DatasetError, match=r"r3\.hea reads otherwise"):
        build(folder)
    assert not folder.with_name("dataset").exists()


def write_many(folder: Path, records: int) -> pd.DataFrame:
    """Headers that share one file of signals: quick to write, and as slow to read as any."""
    folder.mkdir()
    write_wfdb(folder / "r0", simulate_recordings(1)[0][0] / 1000, 100)
    text = (folder / "r0.hea").read_text()
    for number in range(1, records):
        (folder / f"r{number}.hea").write_text(text.replace("r0 12", f"r{number} 12"))
    return pd.DataFrame({"path": [f"r{number}.hea" for number in range(records)]})


MEASURE = """
import sys, resource, pandas as pd
from selfdana_lite.build import build
for name in sys.argv[1:]:
    labels = pd.DataFrame({"path": [f"r{n}.hea" for n in range(int(name))]})
    build(name, f"{name}-dataset", labels=labels, workers=1, progress=False)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell the most memory a process had")
def test_memory_does_not_grow_with_the_number_of_recordings(tmp_path):
    for records in (200, 2000):
        write_many(tmp_path / str(records), records)
    command = [sys.executable, "-c", MEASURE, "200", "2000"]
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.split()
    unit = 1 if sys.platform == "darwin" else 1024
    few, many = (int(text) * unit for text in told)
    assert many - few < 12e6  # bytes; the signals of the 1,800 more are 43e6


def test_it_is_faster_than_a_plain_loop_of_rdrecord(tmp_path):
    """CPU time of one process against the usual loop, which writes nothing; a pool divides what is left."""
    paths = write_many(tmp_path / "source", 300)

    def loop():
        for path in paths["path"]:
            wfdb.rdrecord(str(tmp_path / "source" / path)[:-4])

    def ours():
        build(tmp_path / "source", labels=paths)
        shutil.rmtree(tmp_path / "dataset")

    def cpu_s(do):
        begin = time.process_time()
        do()
        return time.process_time() - begin

    assert min(cpu_s(ours) for _ in range(3)) < min(cpu_s(loop) for _ in range(3))  # about 0.7 of it


def test_a_recording_that_went_away_after_a_kill_is_counted(stopped):
    (stopped / "r5.hea").unlink()
    paths = pd.DataFrame({"path": [f"r{row}.hea" for row in range(6)]})
    with pytest.raises(DatasetError, match=r"\(6 recordings then, 5 now\)"):
        build(stopped, labels=paths)


@pytest.mark.parametrize("place", ["file/dataset", pytest.param("/proc/x/dataset", marks=LINUX)])
def test_a_place_that_cannot_be_written_is_named(folder, place):
    (folder.parent / "file").write_text("")
    dest = folder.parent / place
    with pytest.raises(DatasetError, match=rf"{dest.name}\.partial cannot be written"):
        EcgDataset.build(folder, dest, labels=pd.DataFrame({"path": ["r0.hea"]}), progress=False)


def test_a_folder_without_permission_is_named(tmp_path, monkeypatch):
    def refuse(self, **options):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)  # whoever runs the tests may be allowed everything
    with (
        pytest.raises(DatasetError, match=r"work cannot be written \(Permission denied\); choose"),
        alone_in(tmp_path / "work"),
    ):
        pass


def test_patients_with_zeros_before_their_numbers_come_back_as_they_were(folder):
    patients = ["007", "7", "008", "8", "9", "10"]
    labels = pd.DataFrame({"path": [f"r{row}" for row in range(6)], "patient_id": patients, "record_id": range(6)})
    dataset = build(folder, labels=labels)
    assert dataset.patient_ids.tolist() == patients
    assert dataset.table["record_id"].tolist() == list(range(6))
    report = pd.read_csv(folder.with_name("dataset") / "report.csv")
    merged = report.merge(labels, on="path")
    assert len(merged) == 6  # path is what the person wrote, file what was found
    assert merged["file"].tolist() == [f"r{row}.hea" for row in range(6)]


def test_what_a_file_does_not_say_the_table_may(folder, simulated):
    signal_mv = simulated[0][0] / 1000
    for name, scale in (("bare", 1000), ("half", 500)):
        pd.DataFrame((signal_mv * scale).T, columns=list(LEADS)).to_csv(folder / f"{name}.csv", index=False)
    labels = pd.DataFrame(
        {"path": ["r1", "bare.csv", "half.csv"], "gain": [None, 1000, 500], "sampling_rate_hz": [None, 100, 100]}
    )
    dataset = build(folder, labels=labels)
    np.testing.assert_array_equal(dataset.signals, simulated[0][[1, 0, 0]])
    shutil.rmtree(folder.with_name("dataset"))
    assert len(build(folder, labels=labels.drop(columns="gain"))) == 1
    assert "gain" in report_of(folder)["reason"]["bare.csv"]


def test_the_summary_counts_refusals_by_kind_and_is_short(folder, simulated):
    for row in range(1, 5):
        write_wfdb(folder / f"r{row}", simulated[0][row, :, : 900 + row] / 1000, 100)
    write_wfdb(folder / "r5", simulated[0][5, :2] / 1000, 100, ("PLETH", "RESP"))
    build(folder)
    summary = sd.build_summary(folder.with_name("dataset"))
    assert summary.startswith("1 of 6 recordings are used. Not used: r1.hea: ")
    assert "(4 of this kind); r5.hea: " in summary
    assert len(summary) < 450


def test_the_method_has_the_signature_of_the_function():
    method, function = inspect.signature(EcgDataset.build).parameters, inspect.signature(build_module.build).parameters
    assert {name: one.default for name, one in method.items()} == {name: one.default for name, one in function.items()}
    assert "selfdana_lite.build.build" in EcgDataset.build.__doc__


def test_a_folder_of_recordings_is_no_dataset_but_can_become_one(folder):
    with pytest.raises(DatasetError, match=r"lacks dataset\.json.*EcgDataset\.build"):
        EcgDataset.open(folder)
    dataset = build(folder)
    with pytest.raises(DatasetError, match=r"No recording in folds \[11\]; this dataset"):
        dataset.where(folds=11)
