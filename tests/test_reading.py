"""Which reader a file goes to, and that nothing but the documented errors comes out, whatever the bytes."""

import random

import numpy as np
import pytest

import selfdana_lite as sd
from selfdana_lite import reading

T = np.arange(500) / 250
SIGNAL_MV = np.stack([np.sin(9 * T), np.cos(9 * T)]).astype(np.float32)


def write_npz(folder):
    np.savez(folder / "a.npz", signal_mv=SIGNAL_MV, sampling_rate_hz=250, leads=["I", "II"])
    return folder / "a.npz"


def write_csv(folder):
    rows = "\n".join(f"{t:.3f},{one:.6f},{two:.6f}" for t, one, two in zip(T, *SIGNAL_MV, strict=True))
    (folder / "a.csv").write_text(f"time (s),I (mV),II (mV)\n{rows}\n")
    return folder / "a.csv"


def write_wfdb(folder):
    (folder / "a.dat").write_bytes(np.round(SIGNAL_MV * 1000).astype("<i2").T.tobytes())
    lines = "".join(f"a.dat 16 1000/mV 16 0 0 0 0 {name}\n" for name in ("I", "II"))
    (folder / "a.hea").write_text(f"a 2 250 500\n{lines}")
    return folder / "a.hea"


def write_edf(folder):
    edfio = pytest.importorskip("edfio")
    signals = [
        edfio.EdfSignal(row.astype(float), 250, label=name, physical_dimension="mV")
        for name, row in zip(("I", "II"), SIGNAL_MV, strict=True)
    ]
    edfio.Edf(signals).write(folder / "a.edf")
    return folder / "a.edf"


WRITERS = [write_npz, write_csv, write_wfdb, write_edf]


@pytest.mark.parametrize("write", WRITERS)
def test_each_format_gives_the_same_recording(tmp_path, write):
    path = write(tmp_path)
    for spelling in (path, str(path)):
        recording = sd.read_recording(spelling)
        assert (recording.leads, recording.sampling_rate_hz) == (("I", "II"), 250)
        np.testing.assert_allclose(recording.signal_mv, SIGNAL_MV, atol=0.6e-3)


def test_capitals_in_a_suffix_change_nothing(tmp_path):
    assert sd.read_recording(write_npz(tmp_path).rename(tmp_path / "B.NPZ")).leads == ("I", "II")


@pytest.mark.parametrize("name", ["a", "a.hea", "a.dat"])
def test_a_wfdb_record_by_any_of_its_names(tmp_path, name):
    write_wfdb(tmp_path)
    assert sd.read_recording(tmp_path / name).leads == ("I", "II")


def test_a_suffix_of_its_own_beside_a_header(tmp_path):
    header = write_wfdb(tmp_path)
    (tmp_path / "a.dat").rename(tmp_path / "a.xyz")  # as PTB keeps its Frank leads
    header.write_text(header.read_text().replace(".dat", ".xyz"))
    assert sd.read_recording(tmp_path / "a.xyz").leads == ("I", "II")


def test_an_edf_file_is_known_by_its_first_bytes(tmp_path):
    path = write_edf(tmp_path)
    assert sd.read_recording(path.rename(tmp_path / "export.001")).leads == ("I", "II")


@pytest.mark.parametrize(
    ("suffix", "what"), [(".xml", "XML"), (".dcm", "DICOM"), (".scp", "SCP-ECG"), (".pdf", "a format"), ("", "a format")]
)
def test_what_is_not_read_is_said_with_what_is(tmp_path, suffix, what):
    (tmp_path / f"a{suffix}").write_bytes(b"0       ?" if suffix == ".xml" else b"anything")
    with pytest.raises(sd.RecordingError, match=rf"is of {what}|is {what}.*not read here.*WFDB.*EDF.*csv.*npz"):
        sd.read_recording(tmp_path / f"a{suffix}")


def test_a_folder_is_answered_with_what_is_in_it(tmp_path, samples_path):
    with pytest.raises(sd.RecordingError, match="give one file"):
        sd.read_recording(tmp_path)
    with pytest.raises(sd.RecordingError, match=r"such as sim00000\.hea of the 12"):
        sd.read_recording(samples_path / "wfdb")
    with pytest.raises(sd.RecordingError, match=r"EcgDataset\.open"):
        sd.read_recording(samples_path)


@pytest.mark.parametrize(
    "name", ["a", "a.hea", "a.dat", "a.mat", "a.edf", "a.csv", "a.npz", "a.xml", "http://127.0.0.1:9/a.hea", "s3://a/b"]
)
def test_a_file_that_is_not_there_and_no_url_is_opened(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError):
        sd.read_recording(name)


def test_what_the_caller_states_reaches_every_reader(tmp_path):
    for write in WRITERS:
        path = write(tmp_path)
        assert sd.read_recording(path, leads="II").leads == ("II",)
        with pytest.raises(sd.RecordingError, match="contradicts"):
            sd.read_recording(path, sampling_rate_hz=400)
        with pytest.raises(sd.RecordingError, match="gain"):
            sd.read_recording(path, gain=0)


@pytest.mark.parametrize("suffix", [*reading._READERS, ".xml", ".001", ""])
def test_random_bytes_are_refused_in_one_sentence(tmp_path, suffix):
    draw = random.Random(suffix)
    path = tmp_path / f"a{suffix}"
    for length in (0, 1, 7, 8, 300, 5000):
        path.write_bytes(draw.randbytes(length))
        with pytest.raises((sd.RecordingError, sd.LeadError)) as refusal:
            sd.read_recording(path)
        assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", ["millis", "ms", "t_ms", "time_ms", "time (millis)", "t_millis", "time_msec"])
def test_a_time_in_milliseconds_by_any_of_its_names(tmp_path, name):
    rows = "\n".join(f"{1000 * t:.0f},{value:.6f}" for t, value in zip(T, SIGNAL_MV[0], strict=True))
    (tmp_path / "a.csv").write_text(f"{name},II (mV)\n{rows}\n")
    recording = sd.read_recording(tmp_path / "a.csv")
    assert (recording.leads, recording.sampling_rate_hz) == (("II",), 250)
