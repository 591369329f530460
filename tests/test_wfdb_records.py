"""WFDB records: every format and layout there and back, and every way in which a header can lie."""

import os

import numpy as np
import pytest
import wfdb

import selfdana_lite as sd
from selfdana_lite.leads import _ALIASES, LEADS
from selfdana_lite.readers.wfdb_records import read

GAIN = 500.0  # steps per millivolt
NAMES_IN_WFDB = ("80", "212", "16", "24", "32", "508", "516", "524")  # the formats that wfdb can write
LARGEST = {"80": 127, "508": 127, "212": 2047, "310": 511, "311": 511, "8": 127}


def ecg_mv(leads=2, samples=300, swing_mv=0.2):
    """[leads, samples]: slow enough for format 8, which stores differences of one byte, and small enough for all."""
    phase = np.linspace(0, 12, samples)[None] + np.arange(leads)[:, None]
    return swing_mv / 2 * np.sin(phase)


def write(folder, signal_mv, *, names=None, fmt="16", gain=GAIN, units="mV", name="rec", **others):
    n = len(signal_mv)
    wfdb.wrsamp(
        name,
        fs=others.pop("fs", 250),
        units=[units] * n,
        sig_name=list(names or LEADS[:n]),
        p_signal=signal_mv.T.astype(float),  # [leads, samples] -> [samples, leads]
        fmt=[fmt] * n,
        adc_gain=[gain] * n,
        baseline=[0] * n,
        write_dir=str(folder),
        **others,
    )
    return folder / name


def by_hand(folder, header, data=b"", suffix=".dat", name="rec"):
    (folder / f"{name}.hea").write_bytes(header if isinstance(header, bytes) else header.encode())
    if data:
        (folder / f"{name}{suffix}").write_bytes(data)
    return folder / name


def two_leads(first="rec 2 250 300", one="rec.dat 16 500/mV 16 0 0 0 0 I", two="rec.dat 16 500/mV 16 0 0 0 0 II"):
    return f"{first}\n{one}\n{two}\n"


def steps(samples=300, leads=2, dtype="<i2"):
    return np.round(ecg_mv(leads, samples) * GAIN).astype(dtype)  # [leads, samples]


def frames(samples=300, leads=2, dtype="<i2"):
    return steps(samples, leads, dtype).T.tobytes()


# There and back


@pytest.mark.parametrize("fmt", NAMES_IN_WFDB)
def test_every_format_that_wfdb_writes_comes_back_within_half_a_step(tmp_path, fmt):
    recording = read(write(tmp_path, ecg_mv(), fmt=fmt))
    assert (recording.sampling_rate_hz, recording.leads) == (250, ("I", "II"))
    assert recording.signal_mv.dtype == np.float32
    assert np.abs(recording.signal_mv - ecg_mv()).max() <= 0.5 / GAIN * 1.001


def pack_8(rows):
    return np.diff(rows, axis=0, prepend=0).astype("i1").tobytes()


def pack_310(rows):
    """Three samples in four bytes: eleven low bits of each half word, and five bits of the third in the rest of each."""
    a, b, c = (rows.ravel() & 0x3FF).reshape(-1, 3).T.astype(np.uint16)
    return np.stack([a << 1 | (c & 0x1F) << 11, b << 1 | (c >> 5) << 11], axis=1).astype("<u2").tobytes()


def pack_311(rows):
    """Three samples of ten bits each in a word of 32."""
    a, b, c = (rows.ravel() & 0x3FF).reshape(-1, 3).T.astype(np.uint32)
    return (a | b << 10 | c << 20).astype("<u4").tobytes()


PACKERS = {
    "8": pack_8,
    "61": lambda rows: rows.astype(">i2").tobytes(),
    "160": lambda rows: (rows + 32768).astype("<u2").tobytes(),
    "310": pack_310,
    "311": pack_311,
}


@pytest.mark.parametrize("fmt", PACKERS)
def test_formats_that_wfdb_only_reads(tmp_path, fmt):
    rows = steps(dtype=int).T  # [samples, leads]
    lines = [f"rec.dat {fmt} 500/mV 10 0 0 0 0 {name}" for name in ("I", "II")]
    recording = read(by_hand(tmp_path, two_leads("rec 2 250 300", *lines), PACKERS[fmt](rows)))
    np.testing.assert_allclose(recording.signal_mv, rows.T / GAIN, atol=1e-6)


@pytest.mark.parametrize("fmt", ["16", "61", "32"])
def test_plain_integers_are_read_as_wfdb_reads_them(tmp_path, fmt):
    data = np.random.default_rng(3).integers(0, 256, 4000, dtype=np.uint8).tobytes()
    lines = [f"rec.dat {fmt}x2+12 77.7(-13)/mV 16 0 0 0 0 {name}" for name in ("vx", "vy")]
    path = by_hand(tmp_path, two_leads("rec 2 250 120", *lines), data)
    theirs = wfdb.rdrecord(str(path), smooth_frames=False).e_p_signal
    np.testing.assert_array_equal(read(path).signal_mv, np.array(theirs, dtype=np.float32))


@pytest.mark.parametrize("fmt", ["80", "212", "16", "24", "32", "508", "516", "524"])
def test_missing_samples_are_nan(tmp_path, fmt):
    signal = ecg_mv()
    signal[1, 7:9] = np.nan
    found = read(write(tmp_path, signal, fmt=fmt)).signal_mv
    np.testing.assert_array_equal(np.isnan(found), np.isnan(signal))


def test_the_shipped_records_are_the_rows_of_the_shipped_samples(samples_path):
    samples = sd.EcgDataset.open(samples_path)
    record_ids = samples.table["record_id"].tolist()
    headers = sorted((samples_path / "wfdb").glob("*.hea"))
    assert len(headers) == 12
    for header in headers:
        recording = read(header)
        row = record_ids.index(int(header.stem.removeprefix("sim")))
        np.testing.assert_allclose(recording.signal_mv, samples.signals[row] / 1000, atol=1e-6)
        assert recording.leads == samples.leads
        assert recording.sampling_rate_hz == samples.sampling_rate_hz
        assert {"age", "sex", "labels", "comments"} <= recording.notes.keys()


# Names, units and gains


@pytest.mark.parametrize(("spelling", "name"), [*_ALIASES.items(), ("ECG lead V1", "V1"), ("aVR", "aVR")])
def test_every_alias(tmp_path, spelling, name):
    assert read(by_hand(tmp_path, f"rec 1 250 300\nrec.dat 16 500/mV 16 0 0 0 0 {spelling}\n", frames(leads=1))).leads == (
        name,
    )


def test_frank_leads_are_kept_by_name(tmp_path):
    names = [*(lead.lower() for lead in LEADS), "vx", "vy", "vz"]  # as in PTB
    recording = read(write(tmp_path, ecg_mv(15), names=names))
    assert recording.leads == (*LEADS, "vx", "vy", "vz")
    np.testing.assert_allclose(recording.signal_mv[12:], ecg_mv(15)[12:], atol=1.001 / GAIN)


def test_two_spellings_of_one_lead_keep_their_rows(tmp_path):
    recording = read(write(tmp_path, ecg_mv(2), names=["MLII", "II"]))
    assert recording.leads == ("MLII", "II")
    np.testing.assert_allclose(recording.select("II").signal_mv[0], ecg_mv(2)[1], atol=1.001 / GAIN)


@pytest.mark.parametrize(
    ("unit", "factor"),
    [(b"mV", 1), (b"uV", 1e3), (b"\xb5V", 1e3), ("µV".encode(), 1e3), ("μV".encode(), 1e3), (b"nV", 1e6), (b"V", 1e-3)],
)
def test_units_also_those_that_wfdb_cannot_spell(tmp_path, unit, factor):
    header = f"rec 1 250 300\nrec.dat 16 {GAIN / factor}/".encode() + unit + b" 16 0 0 0 0 I\n"
    np.testing.assert_allclose(read(by_hand(tmp_path, header, frames(leads=1))).signal_mv, steps(leads=1) / GAIN, rtol=1e-5)


def test_a_gain_without_a_unit_is_per_millivolt_and_the_baseline_defaults_to_the_zero(tmp_path):
    header = "rec 1 250 300\nrec.dat 16 500 11 1024 995 0 0 MLII\n"  # as MIT-BIH writes it
    recording = read(by_hand(tmp_path, header, (steps(leads=1) + 1024).astype("<i2").tobytes()))
    np.testing.assert_allclose(recording.signal_mv, steps(leads=1) / GAIN, rtol=1e-6)


@pytest.mark.parametrize("line", ["rec.dat 16", "rec.dat 16 0 16 0 0 0 0 I", "rec.dat 16 0/mV 16 0 0 0 0 I"])
def test_wfdbs_guess_of_a_gain_is_not_taken(tmp_path, line):
    path = by_hand(tmp_path, f"rec 1 250 300\n{line}\n", frames(leads=1))
    name = None if line.endswith("I") else ["I"]
    with pytest.raises(sd.RecordingError, match=r"'uncalibrated' of lead I .* swing over 100;.*gain="):
        read(path, leads=name)
    np.testing.assert_allclose(read(path, leads=name, gain=GAIN).signal_mv, steps(leads=1) / GAIN, rtol=1e-6)


def test_a_stated_gain_replaces_the_headers_but_not_that_of_a_pressure(tmp_path):
    lines = ["rec.dat 16 7(10)/NU 16 0 0 0 0 I", "rec.dat 16 2/mmHg 16 0 0 0 0 ABP"]
    path = by_hand(tmp_path, two_leads("rec 2 250 300", *lines), frames())
    recording = read(path, gain=100)
    np.testing.assert_allclose(recording.signal_mv[0], (steps()[0] - 10) / 100, rtol=1e-6)
    np.testing.assert_allclose(recording.signal_mv[1], steps()[1] / 2, rtol=1e-6)
    assert recording.notes["units ABP"] == "mmHg"


# Rates, skew, several files


def several_rates(folder, counts, names, **changes):
    """One frame holds counts[i] samples of signal i; each sample is its own number."""
    signals = [np.round(100 * np.sin(np.arange(60 * count) / 5)).astype(int) for count in counts]
    blocks = [signal.reshape(60, count) for signal, count in zip(signals, counts, strict=True)]  # [frames, samples a frame]
    lines = [f"rec.dat 16x{count} 500/mV 16 0 0 0 0 {name}" for count, name in zip(counts, names, strict=True)]
    header = "\n".join([f"rec {len(counts)} 62.5 60", *lines])
    return by_hand(folder, header, np.hstack(blocks).astype("<i2").tobytes()), signals


def test_several_samples_a_frame_are_a_higher_rate(tmp_path):
    path, signals = several_rates(tmp_path, [4, 4], ["I", "II"])
    recording = read(path)
    assert recording.sampling_rate_hz == 250
    np.testing.assert_allclose(recording.signal_mv, np.array(signals) / GAIN, atol=1e-6)


def test_signals_of_several_rates_are_read_one_rate_at_a_time(tmp_path):
    path, signals = several_rates(tmp_path, [4, 4, 1], ["I", "II", "vx"])
    with pytest.raises(sd.RecordingError, match=r"several rates \(I 4, II 4, vx 1 samples a frame\).*leads='I, II'"):
        read(path)
    np.testing.assert_allclose(read(path, leads="II, I").signal_mv, np.array([signals[1], signals[0]]) / GAIN, atol=1e-6)
    assert read(path, leads=["vx"]).sampling_rate_hz == 62.5


@pytest.mark.parametrize("fmt", ["16", "212", "8"])
def test_a_skewed_signal_is_shifted_and_its_end_missing(tmp_path, fmt):
    rows = np.round(ecg_mv() * GAIN).astype(int).T
    pack = {"16": lambda rows: rows.astype("<i2").tobytes(), "8": pack_8, "212": pack_212}[fmt]
    lines = [f"rec.dat {fmt}:{skew} 500/mV 12 0 0 0 0 {name}" for skew, name in ((0, "I"), (5, "II"))]
    found = read(by_hand(tmp_path, two_leads("rec 2 250 300", *lines), pack(rows))).signal_mv
    np.testing.assert_allclose(found[0], rows[:, 0] / GAIN, atol=1e-6)
    np.testing.assert_allclose(found[1, :-5], rows[5:, 1] / GAIN, atol=1e-6)
    assert np.isnan(found[1, -5:]).all()


def test_a_skew_counts_frames_and_not_samples(tmp_path):
    rows = steps(leads=1).reshape(150, 2)  # [leads, samples] -> [frames, samples a frame]
    path = by_hand(tmp_path, "rec 1 125 150\nrec.dat 16x2:3 500/mV 12 0 0 0 0 I\n", rows.astype("<i2").tobytes())
    found = read(path).signal_mv
    np.testing.assert_allclose(found[0, :-6], rows.ravel()[6:] / GAIN, atol=1e-6)
    assert np.isnan(found[0, -6:]).all()


def pack_212(rows):
    a, b = (rows.ravel() & 0xFFF).reshape(-1, 2).T
    return np.stack([a & 0xFF, a >> 8 | b >> 8 << 4, b & 0xFF], axis=1).astype(np.uint8).tobytes()


def test_several_signal_files_offsets_and_bytes_left_over(tmp_path):
    (tmp_path / "a.dat").write_bytes(bytes(6) + frames(leads=1) + bytes(10))
    (tmp_path / "b.bin").write_bytes(frames(leads=2, dtype=">i2"))
    lines = ["a.dat 16+6 500/mV 16 0 0 0 0 I", "b.bin 61 500/mV 16 0 0 0 0 II", "b.bin 61 500/mV 16 0 0 0 0 III"]
    recording = read(by_hand(tmp_path, "\n".join(["rec 3 250 300", *lines])))
    np.testing.assert_allclose(recording.signal_mv, np.vstack([steps(leads=1), steps()]) / GAIN, atol=1e-6)
    assert recording.notes == {"not read of a.dat": "10 bytes after the 300 frames that the header states"}


def test_the_length_may_be_left_to_the_file(tmp_path):
    assert read(by_hand(tmp_path, two_leads("rec 2 250"), frames(277))).signal_mv.shape == (2, 277)


# The Challenges' pairs of .mat and .hea


def challenge(folder, comments="#Age: 74\n#Sex: Male\n#Dx: 59118001,426783006\n"):
    lines = [f"A0001.mat 16+24 1000/mV 16 0 28 -1716 0 {name}\n" for name in LEADS]
    mat = np.array([30, 12, 500, 0, 4], "<i4").tobytes() + b"val\0"  # MATLAB 4: type, rows, columns, real, length of the name
    by_hand(folder, "A0001 12 500 500 05-Feb-2020 11:39:16\n" + "".join(lines) + comments, name="A0001")
    (folder / "A0001.mat").write_bytes(mat + frames(500, 12))
    return folder / "A0001"


@pytest.mark.parametrize("suffix", ["", ".mat", ".hea"])
def test_a_challenge_record_from_any_of_its_names(tmp_path, suffix):
    recording = read(challenge(tmp_path).with_suffix(suffix))
    np.testing.assert_allclose(recording.signal_mv, steps(500, 12) / 1000, atol=1e-6)
    assert recording.leads == LEADS
    expected = {"start": "05-Feb-2020 11:39:16", "age": "74", "sex": "Male", "dx": "59118001,426783006"}
    assert recording.notes == expected


def test_comments_of_every_kind_are_kept(tmp_path):
    comments = "# Reason for admission: chest pain: severe\n#\n# 69 M 1085\n#Dx: 1\n# two\n#Dx: 2\n"
    notes = read(challenge(tmp_path, comments)).notes
    assert notes["reason for admission"] == "chest pain: severe"
    assert (notes["comments"], notes["dx"]) == ("69 M 1085\ntwo", "1\n2")


def test_samples_without_their_header(tmp_path):
    challenge(tmp_path).with_suffix(".hea").unlink()
    with pytest.raises(sd.RecordingError, match=r"stands in its header A0001\.hea, which is not beside it"):
        read(tmp_path / "A0001.mat")
    with pytest.raises(FileNotFoundError, match=r"no .*A0002\.hea"):
        read(tmp_path / "A0002.hea")


def test_a_later_matlab_format_is_not_read_as_samples(tmp_path):
    challenge(tmp_path).with_suffix(".mat").write_bytes(b"MATLAB 5.0 MAT-file" + bytes(20_000))
    with pytest.raises(sd.RecordingError, match="version 5"):
        read(tmp_path / "A0001")


# Several segments


def segment(folder, name, leads, samples, fmt="16", gain=GAIN):
    signal = ecg_mv(len(leads), samples)
    write(folder, signal, names=leads, fmt=fmt, gain=gain, name=name)
    return np.round(signal * gain) / gain


def test_a_fixed_layout_with_a_gap(tmp_path):
    first = segment(tmp_path, "s1", ["I", "II"], 100, "212")
    last = segment(tmp_path, "s2", ["I", "II"], 150, "16", gain=300.0)
    recording = read(by_hand(tmp_path, "rec/3 2 250 300\ns1 100\n~ 50\ns2 150\n# age: 50\n"))
    expected = np.hstack([first, np.full((2, 50), np.nan), last])
    np.testing.assert_allclose(recording.signal_mv, expected, atol=1e-6)
    assert recording.notes == {"age": "50"}


def test_segments_of_several_samples_a_frame(tmp_path):
    signal = steps(leads=1)[0]
    for name, part in (("s1", signal[:100]), ("s2", signal[100:])):
        header = f"{name} 1 125 {len(part) // 2}\n{name}.dat 16x2 500/mV 16 0 0 0 0 I\n"
        by_hand(tmp_path, header, part.tobytes(), name=name)
    recording = read(by_hand(tmp_path, "rec/3 1 125 160\ns1 50\n~ 10\ns2 100\n"))
    assert recording.sampling_rate_hz == 250
    np.testing.assert_allclose(recording.signal_mv[0], np.r_[signal[:100], np.full(20, np.nan), signal[100:]] / GAIN, atol=1e-6)


def variable(folder):
    """A list of three leads, then segments with some of them in another order."""
    listed = "\n".join(f"~ 0 500/mV 0 0 0 0 0 {name}" for name in ("I", "II", "vx"))
    by_hand(folder, f"list 3 250 0\n{listed}\n", name="list")
    one, two = segment(folder, "s1", ["II"], 100), segment(folder, "s2", ["II", "I"], 200, "516")
    return by_hand(folder, "rec/3 3 250 300\nlist 0\ns1 100\ns2 200\n"), one, two


def test_a_variable_layout_puts_leads_by_name_and_what_is_absent_is_missing(tmp_path):
    path, one, two = variable(tmp_path)
    recording = read(path)
    assert recording.leads == ("I", "II", "vx")
    expected = np.full((3, 300), np.nan)
    expected[1] = np.hstack([one[0], two[0]])
    expected[0, 100:] = two[1]
    np.testing.assert_allclose(recording.signal_mv, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("rec/1 2 250 100\nrec 100\n", "such levels"),  # itself
        ("rec/1 2 250 100\nloop 100\n", "such levels"),
        ("rec/2 2 250 200\ns1 100\ns1 100\n", "segment twice"),
        ("rec/1 2 250 100\n../s1 100\n", "no segment line"),
        ("rec/1 2 250 100\ns3 100\n", "not beside it"),
        ("rec/1 2 250 99\ns1 99\n", "promises 99 frames"),
        ("rec/1 2 250 300\ns1 100\n", "promises 2 signals of 300 frames"),
        ("rec/1 3 250 100\ns1 100\n", "promises 3 signals"),
        ("rec/1 2 125 100\ns1 100\n", r"\[125.0, 250.0\]"),
        ("rec/2 2 250 250\ns1 100\nother 150\n", "other signals"),
        ("rec/2 2 250 250\ns1 100\nmicro 150\n", "differ in the unit"),
        ("rec/2 2 250 100\ns1 100\n~ 0\n", "no length"),
        ("rec/1 2 250 100\n~ 100\n", "no segment with samples"),
        ("rec/1 2 250 0\nlist 0\n", "no segment with samples"),
        ("rec/2 2 250 1000000100\ns1 100\n~ 1000000000\n", "200 samples are stored"),  # 8 GB out of 40 bytes
        ("rec/5 2 250 100\ns1 100\n", "promises 5 segments and has lines for 1"),
        ("rec/0 2 250 100\n", "promises 0 segments"),
    ],
)
def test_segments_that_contradict_the_record(tmp_path, header, found):
    segment(tmp_path, "s1", ["I", "II"], 100)
    segment(tmp_path, "other", ["I", "V1"], 150)
    write(tmp_path, ecg_mv(2, 150) * 1000, units="uV", gain=GAIN / 1000, name="micro")
    by_hand(tmp_path, "loop/1 2 250 100\nrec 100\n", name="loop")
    by_hand(tmp_path, "list 2 250 0\n~ 0 500/mV 0 0 0 0 0 I\n~ 0 500/mV 0 0 0 0 0 II\n", name="list")
    with pytest.raises(sd.RecordingError, match=found):
        read(by_hand(tmp_path, header))


# What a header may not claim


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("", "no record line"),
        ("rec", "no record line"),
        ("rec 2 abc 300", "no record line"),
        ("rec 0 250 300", "promises 0 signals"),
        ("rec 1000000 250 300\nrec.dat 16 500/mV 16 0 0 0 0 I\n", "promises 1000000 signals and has lines for 1"),
        ("rec 1000 250 1\n" + 1000 * "rec.dat 16 500/mV 16 0 0 0 0 I\n", "no more than 512 signals"),
        (two_leads("rec 2 250 1000000000"), "claims 1000000000 frames of 2 samples in rec.dat, which has 1200 bytes"),
        (two_leads("rec 2 250 301"), "claims 301 frames"),
        (two_leads("rec 2 250 0"), "says none"),
        (two_leads("rec 2 0 300"), "0 frames a second"),
        (two_leads(one="rec.dat 16x1000000000 500/mV 16 0 0 0 0 I"), "claims 300 frames of 1000000001 samples"),
        (two_leads(one="rec.dat 16x0 500/mV 16 0 0 0 0 I"), "no samples a frame"),
        (two_leads(one="rec.dat 16+1 500/mV 16 0 0 0 0 I", two="rec.dat 16+1 500/mV 16 0 0 0 0 II"), "claims"),
        (two_leads(one="rec.dat 16+2 500/mV 16 0 0 0 0 I"), "one format and offset|byte offset"),
        (two_leads(one="rec.dat 212 500/mV 16 0 0 0 0 I"), "one format"),
        (two_leads(one="rec.dat 16:300 500/mV 16 0 0 0 0 I"), "claims"),
        (two_leads(one="rec.dat 16:-3 500/mV 16 0 0 0 0 I"), "no signal line"),  # wfdb would take the -3 for the gain
        (two_leads(one="rec.dat 99 500/mV 16 0 0 0 0 I"), "unknown format"),
        (two_leads(one="rec.dat 0 500/mV 16 0 0 0 0 I"), "unknown format"),
        (two_leads(one="rec.dat 16 1e999/mV 16 0 0 0 0 I"), "finite gain"),
        (two_leads(one="rec.dat 16 500/mV sixteen 0 0 0 0 I"), "no signal line"),
        (two_leads(one="rec.dat 16 500/mV 16 0 0 0 0 " + 1000 * "I"), "no signal line"),
        ("#" + 1_000_001 * "x", "longer than 1000000 bytes"),
    ],
)
def test_a_header_that_cannot_be_so(tmp_path, header, found):
    with pytest.raises(sd.RecordingError, match=found):
        read(by_hand(tmp_path, header, frames()))


@pytest.mark.parametrize("fmt", NAMES_IN_WFDB)
def test_a_truncated_signal_file_is_an_error_and_never_zeros(tmp_path, fmt):
    path = write(tmp_path, ecg_mv(), fmt=fmt)
    whole = path.with_suffix(".dat").read_bytes()
    for length in (0, 1, 50, len(whole) // 2, len(whole) - 1):
        path.with_suffix(".dat").write_bytes(whole[:length])
        with pytest.raises(sd.RecordingError):
            read(path)


def test_a_flac_file_that_claims_too_much_is_refused_before_memory_is_taken(tmp_path):
    path = write(tmp_path, ecg_mv(), fmt="516")
    header = path.with_suffix(".hea")
    header.write_text(header.read_text().replace(" 300", " 1000000000", 1))
    with pytest.raises(sd.RecordingError, match="claims 1000000000 frames"):
        read(path)
    header.write_text(header.read_text().replace(" 1000000000", " 301", 1))  # little enough to try
    with pytest.raises(sd.RecordingError, match="damaged"):
        read(path)


@pytest.mark.parametrize("init", ["9999999999", "-9999999999"])
def test_first_values_beyond_32_bit(tmp_path, init):
    lines = [f"rec.dat 8 500/mV 10 0 {init} 0 0 {name}" for name in ("I", "II")]
    with pytest.raises(sd.RecordingError, match="damaged"):
        read(by_hand(tmp_path, two_leads("rec 2 250 300", *lines), bytes(600)))


# Paths


@pytest.mark.parametrize(
    "name",
    ["../secret.dat", "/etc/passwd", "sub/rec.dat", "http://127.0.0.1/rec.dat", "s3://bucket/rec.dat", "file:///etc/passwd",
     "simplecache::rec.dat", "~", "~root", ".", "..", "a.b.dat", "é.dat", 300 * "x", "C:\\rec.dat", "rec.dat\x00"],
)  # fmt: skip
def test_no_file_outside_the_folder_is_named(tmp_path, name):
    (tmp_path / "secret.dat").write_bytes(frames())
    folder = tmp_path / "in"
    folder.mkdir()
    lines = [f"{name} 16 500/mV 16 0 0 0 0 {lead}" for lead in ("I", "II")]
    with pytest.raises(sd.RecordingError, match="no plain name in its own folder"):
        read(by_hand(folder, two_leads("rec 2 250 300", *lines), frames()))


def test_links_that_lead_out_are_not_followed(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (tmp_path / "secret.dat").write_bytes(frames())
    os.symlink(tmp_path / "secret.dat", folder / "rec.dat")
    with pytest.raises(sd.RecordingError, match="its own folder"):
        read(by_hand(folder, two_leads()))
    (folder / "rec.dat").unlink()
    (folder / "inside.dat").write_bytes(frames())
    os.symlink("inside.dat", folder / "rec.dat")
    assert read(folder / "rec").leads == ("I", "II")
    (folder / "rec.dat").unlink()
    os.mkfifo(folder / "rec.dat")  # opening it would wait for ever
    with pytest.raises(sd.RecordingError, match="not beside it"):
        read(folder / "rec")


def test_wfdb_is_asked_for_nothing_in_a_folder_whose_name_it_would_take_for_a_protocol(tmp_path):
    folder = tmp_path / "simplecache::x"
    folder.mkdir()
    with pytest.raises(sd.RecordingError, match="rename that folder"):
        read(write(folder, ecg_mv(), fmt="212"))


def test_wfdb_and_the_strict_reading_must_agree(tmp_path, monkeypatch):
    path = by_hand(tmp_path, two_leads().replace("16 500", "212 500"), pack_212(steps(dtype=int).T))
    assert read(path).leads == ("I", "II")
    monkeypatch.setattr(wfdb, "rdheader", lambda name: wfdb.Record(
        file_name=["other.dat"] * 2, fmt=["212"] * 2, samps_per_frame=[1] * 2, byte_offset=[None] * 2, init_value=[0] * 2,
        sig_len=300,
    ))  # fmt: skip
    with pytest.raises(sd.RecordingError, match="in two ways"):
        read(path)


# What the caller states


def test_a_stated_rate_fills_in_and_may_not_contradict(tmp_path):
    path = by_hand(tmp_path, "rec 1\nrec.dat 16 500/mV 16 0 0 0 0 I\n", frames(leads=1))
    with pytest.raises(sd.RecordingError, match="sampling_rate_hz="):  # wfdb would say 250
        read(path)
    assert read(path, sampling_rate_hz=360).sampling_rate_hz == 360
    path = by_hand(tmp_path, two_leads(), frames())
    assert read(path, sampling_rate_hz=250).sampling_rate_hz == 250
    with pytest.raises(sd.RecordingError, match="contradicts"):
        read(path, sampling_rate_hz=500)


def test_stated_leads_name_nameless_signals_or_choose(tmp_path):
    path = by_hand(tmp_path, "rec 2 250 300\nrec.dat 16 500/mV\nrec.dat 16 500/mV\n", frames())
    assert read(path).leads == ("channel 1", "channel 2")
    assert read(path, leads="aVR, ii").leads == ("aVR", "II")
    path = by_hand(tmp_path, two_leads(), frames())
    np.testing.assert_allclose(read(path, leads="MLII").signal_mv, steps()[1:] / GAIN, rtol=1e-6)
    with pytest.raises(sd.LeadError, match="V1"):  # wfdb would drop it without a word
        read(path, leads="II, V1")
