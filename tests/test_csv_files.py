"""Tables of text: whatever the delimiter, decimal mark, encoding and spelling, the same millivolt; and bad cells by line."""

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import selfdana_lite.readers.text
from selfdana_lite.leads import LEADS, LeadError, parse_leads
from selfdana_lite.readers import csv_files
from selfdana_lite.readers.stated import stated_names
from selfdana_lite.recording import Recording, RecordingError

RATE_HZ, ROWS = 250, 500
TIME_S = np.arange(ROWS) / RATE_HZ
WAVE_MV = 0.8 * np.sin(2 * np.pi * 1.3 * TIME_S) + 0.1
HALF_MV = 0.5e-4  # of the last of four digits
PER_MILLIVOLT = {"mV": 1, "uV": 1e3, "µV": 1e3, "μV": 1e3, "microvolt": 1e3, "nV": 1e6, "V": 1e-3}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "mine.csv"


def table(header, *columns, delimiter=",", decimal=".", digits=4):
    rows = [delimiter.join(f"{cell:.{digits}f}" for cell in row).replace(".", decimal) for row in zip(*columns, strict=True)]
    return "\n".join([header.replace(",", delimiter), *rows]) + "\n"


PLAIN = table("time (s),II (mV)", TIME_S, WAVE_MV)


def read(path, text, encoding="utf-8", **stated):
    path.write_bytes(text.encode(encoding))
    return csv_files.read(path, **stated)


def with_line(text, number, line):
    lines = text.split("\n")
    lines[number - 1] = line
    return "\n".join(lines)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(("delimiter", "decimal"), [(",", "."), (";", "."), (";", ","), ("\t", "."), ("\t", ",")])
def test_the_ways_to_write_a_table(path, encoding, end, delimiter, decimal):
    text = table("time (s),II (mV),V1 [µV]", TIME_S, WAVE_MV, -1000 * WAVE_MV, delimiter=delimiter, decimal=decimal)
    recording = read(path, text.replace("\n", end), encoding)
    assert (recording.leads, recording.sampling_rate_hz, recording.notes) == (("II", "V1"), RATE_HZ, {})
    np.testing.assert_allclose(recording.signal_mv, [WAVE_MV, -WAVE_MV], rtol=0, atol=HALF_MV)


@pytest.mark.parametrize(
    ("header", "lead", "unit"),
    [
        ("II (mV)", "II", "mV"),
        ("V1 [uV]", "V1", "uV"),
        ("lead_ii_uV", "II", "uV"),
        ("ECG aVR, mV", "aVR", "mV"),
        ("avl/µV", "aVL", "µV"),
        ("MLII (μV)", "II", "μV"),
        ("DI mV", "I", "mV"),
        ('"aVF (nV)"', "aVF", "nV"),
        ("v6 (microvolt)", "V6", "microvolt"),
        ("ekg v3_V", "V3", "V"),
    ],
)
def test_a_header_names_lead_and_unit(path, header, lead, unit):
    digits = 4 + round(-np.log10(PER_MILLIVOLT[unit]))
    lines = [header, *(f"{value * PER_MILLIVOLT[unit]:.{max(digits, 0)}f}" for value in WAVE_MV)]
    if "," in header:
        lines = [f"t;{header}", *(f"{at};{line}" for at, line in zip(TIME_S, lines[1:], strict=True))]
    recording = read(path, "\n".join(lines), sampling_rate_hz=RATE_HZ)
    assert (recording.leads, recording.sampling_rate_hz) == ((lead,), RATE_HZ)
    np.testing.assert_allclose(recording.signal_mv[0], WAVE_MV, rtol=0, atol=HALF_MV + 1e-7)


@given(st.permutations(LEADS), st.sampled_from(["{} (mV)", "Lead {} [mV]", "ecg_{}_mV"]))
@settings(max_examples=20)
def test_any_order_of_twelve_leads(tmp_path_factory, order, spelling):
    path = tmp_path_factory.mktemp("csv") / "mine.csv"
    scales = 1 + np.arange(12) / 10
    text = table(",".join(spelling.format(name) for name in order), *np.outer(scales, WAVE_MV))
    recording = read(path, text, sampling_rate_hz=RATE_HZ)
    assert recording.leads == tuple(order)
    np.testing.assert_allclose(recording.signal_mv, np.outer(scales, WAVE_MV), rtol=0, atol=HALF_MV + 1e-7)


def test_physionets_export_has_quotes_a_line_of_units_and_clock_times(path):
    lines = ["'Elapsed time','MLII','V1'", "'hh:mm:ss.mmm','mV','uV'"]
    lines += [
        f"'{int(at // 60)}:{at % 60:06.3f}',{mv:.4f},{mv * 1000:.1f}" for at, mv in zip(TIME_S + 59, WAVE_MV, strict=True)
    ]
    recording = read(path, "\n".join(lines))
    assert (recording.leads, recording.sampling_rate_hz) == (("II", "V1"), RATE_HZ)
    np.testing.assert_allclose(recording.signal_mv, [WAVE_MV, WAVE_MV], rtol=0, atol=HALF_MV)


def test_stamps_of_date_and_time(path):
    stamps = np.datetime64("2026-03-29T01:59:59") + (TIME_S * 1e6).astype("timedelta64[us]")  # over a change of the clocks
    lines = ["Timestamp,I (mV)"] + [f"{str(at).replace('T', ' ')},{mv:.4f}" for at, mv in zip(stamps, WAVE_MV, strict=True)]
    assert read(path, "\n".join(lines)).sampling_rate_hz == RATE_HZ


@pytest.mark.parametrize(
    ("name", "per_second"), [("time", 1), ("t [s]", 1), ("seconds", 1), ("ms", 1e3), ("time_ms", 1e3), ("Time (us)", 1e6)]
)
def test_a_column_of_time_gives_the_rate(path, name, per_second):
    recording = read(path, table(f"II (mV),{name}", WAVE_MV, TIME_S * per_second))
    assert (recording.leads, recording.sampling_rate_hz) == (("II",), RATE_HZ)
    assert read(path, table(f"II (mV),{name}", WAVE_MV, TIME_S * per_second), sampling_rate_hz=250).leads == ("II",)
    with pytest.raises(RecordingError, match="says 250 Hz, and sampling_rate_hz=500"):
        csv_files.read(path, sampling_rate_hz=500)


@pytest.mark.parametrize("rate_hz", [100, 128, 257, 360, 500, 512, 250.4])
def test_time_stamps_rounded_to_milliseconds_still_mean_their_rate(path, rate_hz):
    recording = read(path, table("t (ms),II (mV)", np.round(np.arange(3000) / rate_hz * 1000), np.resize(WAVE_MV, 3000)))
    assert recording.sampling_rate_hz == pytest.approx(rate_hz, abs=0 if rate_hz % 1 == 0 else 1)


@pytest.mark.parametrize("lost", [1, 2, 200, 498])
def test_a_lost_row_is_said_with_its_line(path, lost):
    kept = np.delete(np.arange(ROWS), lost)
    with pytest.raises(RecordingError, match=rf"line {lost + 2}: the time leaps by 0.008 s where 0.004 s are usual \(1 such"):
        read(path, table("time (s),II (mV)", TIME_S[kept], WAVE_MV[kept]))
    with pytest.raises(RecordingError, match=rf"line {lost + 2}: column sample should count the rows"):
        read(path, table("sample,II (mV)", kept, WAVE_MV[kept], digits=3), sampling_rate_hz=RATE_HZ)


@pytest.mark.parametrize(
    ("time", "said"),
    [
        (TIME_S[::-1], "line 3: the time does not increase"),
        (TIME_S * 0, "line 3: the time does not increase"),
        (np.where(TIME_S == TIME_S[5], np.nan, TIME_S), "line 7: the time does not increase"),
        (TIME_S * 1000, r"0.25 rows a second if its time is in seconds, and no ECG has fewer than 20; say the unit"),
        (TIME_S / 3600, r"900000 rows a second if its time is in seconds, and no ECG has more than 50000; say the unit"),
        (TIME_S / 86400 + 46000, r"2.16\d*e\+07 rows a second if .* no ECG has more than 50000"),  # a spreadsheet's days
        (np.round(TIME_S, 1), "too unevenly for one sampling rate; write the time with more digits"),
    ],
)
def test_time_that_is_no_even_time_is_refused(path, time, said):
    with pytest.raises(RecordingError, match=said):
        read(path, table("time,II (mV)", time, WAVE_MV, digits=12).replace("nan", ""))


@pytest.mark.parametrize("rate_hz", [20, 2000, 50_000])
def test_the_slowest_and_the_fastest_rates_are_read(path, rate_hz):
    assert read(path, table("time,II (mV)", np.arange(ROWS) / rate_hz, WAVE_MV, digits=6)).sampling_rate_hz == rate_hz


def test_a_column_that_counts_rows_is_no_lead(path):
    recording = read(path, table(",II (mV)", np.arange(ROWS), WAVE_MV), sampling_rate_hz=RATE_HZ)
    assert recording.leads == ("II",)


def test_empty_cells_are_missing_samples(path):
    text = with_line(with_line(PLAIN, 5, "0.012,"), 6, "0.016,nan")
    assert np.flatnonzero(np.isnan(read(path, text).signal_mv[0])).tolist() == [3, 4]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("0.012,abc", "line 5: 'abc' in column II is not a number"),
        ("0.012,inf", "line 5: 'inf' in column II is not a number"),
        ("0.012,1e999", "line 5: '1e999' in column II is not a number"),
        ("0.012,True", "line 5: 'True' in column II is not a number"),
        ("0.012,1_0", "line 5: '1_0' in column II is not a number"),
        ("0.012,NA", "line 5: 'NA' in column II is not a number"),
        ("0.012,0.1,0.2", "line 5: found 3 cells where there should be 2"),
        ("0.012", "line 5: found 1 cells where there should be 2"),
        ("", "line 5: found no cells"),
        ("0,012,0,1", "line 5: found 4 cells where there should be 2"),
    ],
)
def test_a_cell_or_line_that_is_no_number_is_named_by_its_line(path, line, said):
    with pytest.raises(RecordingError, match=said):
        read(path, with_line(PLAIN, 5, line))


def test_commas_and_points_in_one_table_are_named_with_their_columns(path):
    text = table("time (s),II (mV)", TIME_S, WAVE_MV, delimiter=";", decimal=",")
    mixed = "\n".join(line if at == 0 else line[:7].replace(",", ".") + line[7:] for at, line in enumerate(text.split("\n")))
    with pytest.raises(RecordingError, match="line 2: decimal comma in column II, decimal point in column time; write all"):
        read(path, mixed)
    with pytest.raises(RecordingError, match="line 2: decimal comma in column time, decimal point in column II; write all"):
        read(path, "\n".join(["time (s);II (mV)", *(f"0,{at:03};0.5" for at in range(0, 400, 4))]))
    with pytest.raises(RecordingError, match=r"line 9: '1\.234,5' in column II is not a number"):
        read(path, with_line(text, 9, "0,028;1.234,5"))


@pytest.mark.parametrize("decimal", [",", "."])
@pytest.mark.parametrize("clock_mark", [",", "."])
def test_clock_times_go_with_either_decimal_mark(path, decimal, clock_mark):
    clock = [f"0:{at:06.3f}".replace(".", clock_mark) for at in TIME_S]
    cells = [f"{value:.4f}".replace(".", decimal) for value in WAVE_MV]
    recording = read(path, "\n".join(["time;II (mV)", *map(";".join, zip(clock, cells, strict=True))]))
    assert recording.sampling_rate_hz == RATE_HZ
    np.testing.assert_allclose(recording.signal_mv[0], WAVE_MV, rtol=0, atol=HALF_MV)


def test_without_a_header_the_leads_must_be_named(path):
    text = table("", WAVE_MV, -WAVE_MV).removeprefix("\n")
    with pytest.raises(RecordingError, match="line 1: numbers where the names of the columns should be"):
        read(path, text, sampling_rate_hz=RATE_HZ, gain=1)
    with pytest.raises(RecordingError, match="2 columns without a header, and leads= names 3"):
        csv_files.read(path, leads="I, II, V2", sampling_rate_hz=RATE_HZ, gain=1)
    with pytest.raises(RecordingError, match="give sampling_rate_hz="):
        csv_files.read(path, leads="I, V2", gain=1)
    recording = csv_files.read(path, leads="I, V2", sampling_rate_hz=RATE_HZ, gain=0.5)
    assert recording.leads == ("I", "V2")
    np.testing.assert_allclose(recording.signal_mv, [2 * WAVE_MV, -2 * WAVE_MV], rtol=0, atol=2 * HALF_MV)


@given(st.permutations(LEADS), st.integers(1, 12), st.sampled_from([", ", ",", " ", "; ", "  ,\t"]))
def test_leads_are_split_as_everywhere_else(order, n_leads, between):
    text = between.join(order[:n_leads])
    assert stated_names(text) == parse_leads(text) == tuple(order[:n_leads])
    recording = Recording(np.ones((12, 2), np.float32), 100, LEADS)
    assert recording.select(text).leads == tuple(order[:n_leads])


@pytest.mark.parametrize(
    ("text", "found", "names"),
    [
        ("I II", (), ("I", "II")),
        ("ECG II, Resp rate", (), ("II", "Resp rate")),
        ("lead_ii v1;PLETH", (), ("II", "V1", "PLETH")),
        ("V1 raw, I II", ("V1 raw", "I", "II"), ("V1 raw", "I", "II")),
        ("3-Lead", (), ("I", "II", "V2")),
    ],
)
def test_a_name_may_have_spaces_unless_they_part_leads(text, found, names):
    assert stated_names(text, found) == names


def test_columns_without_a_header_are_named_with_spaces_between(path):
    text = table("", WAVE_MV, -WAVE_MV).removeprefix("\n")
    assert read(path, text, leads="I V2", sampling_rate_hz=RATE_HZ, gain=1).leads == ("I", "V2")
    assert read(path, table("I (mV),II (mV)", WAVE_MV, WAVE_MV), leads="II I", sampling_rate_hz=RATE_HZ).leads == ("II", "I")


def test_one_lead_and_two_numbers_a_line_is_a_decimal_comma(path):
    text = "\n".join(f"{value:.4f}".replace(".", ",") for value in WAVE_MV)
    recording = read(path, text, leads="II", sampling_rate_hz=RATE_HZ, gain=1)
    np.testing.assert_allclose(recording.signal_mv[0], WAVE_MV, rtol=0, atol=HALF_MV)


def test_a_header_that_only_counts_is_not_taken_for_samples(path):
    with pytest.raises(RecordingError, match="numbers where the names"):
        read(path, table("0,1", WAVE_MV, WAVE_MV), leads="I, II", sampling_rate_hz=RATE_HZ, gain=1)


def test_numbers_without_a_unit_need_a_gain(path):
    with pytest.raises(RecordingError, match=r"swing over 319.8; known units are mV, uV, nV and V. If .* give gain="):
        read(path, table("II", WAVE_MV * 200, digits=2), sampling_rate_hz=RATE_HZ)
    recording = csv_files.read(path, sampling_rate_hz=RATE_HZ, gain=200)
    np.testing.assert_allclose(recording.signal_mv[0], WAVE_MV, rtol=0, atol=1e-4)


def test_a_unit_that_no_heart_fits_is_refused(path):
    with pytest.raises(RecordingError, match=r"no lead swings over more than 0.0016 mV"):
        read(path, table("II (uV)", WAVE_MV), sampling_rate_hz=RATE_HZ)


def test_other_columns_are_kept_unless_leads_are_chosen(path):
    text = table("time (s),II (mV),pulse,V1 (mV)", TIME_S, WAVE_MV, 60 + TIME_S, -WAVE_MV)
    recording = read(path, text)
    assert (recording.leads, recording.notes) == (("II", "pulse", "V1"), {"units pulse": "not stated"})
    assert csv_files.read(path, leads="V1, II").leads == ("V1", "II")
    with pytest.raises(LeadError, match="names its own leads, II, pulse, V1, and aVR is not among them"):
        csv_files.read(path, leads="aVR")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("time,II (mV)\n", "no rows of numbers"),
        ("time,timestamp,II (mV)\n0,0,1\n", "2 of time"),
        ("time\n0\n", "0 leads"),
        ("II (mV)\0\n1\n", "is no text"),
        ("time,II (mV)\nnow:then,1\n", "line 2: no time of day is found"),
    ],
)
def test_what_is_no_table_is_refused(path, text, said):
    with pytest.raises(RecordingError, match=said):
        read(path, text)


def test_text_that_is_too_long_is_refused_unread(path, monkeypatch):
    monkeypatch.setattr(selfdana_lite.readers.text, "MAX_MEGABYTES", 0.001)
    with pytest.raises(RecordingError, match=r"more than 0.001; cut it into parts"):
        read(path, PLAIN)


# The export of a watch, as its public format has it, in three languages.

ENGLISH = """Name,{name}
Date of Birth,"Jan 1, 1980"
Recorded Date,2026-01-31 10:00:00 +0100
Classification,Sinus Rhythm
Symptoms,
Software Version,1.90
Device,"Watch6,2"
Sample Rate,512 hertz


Lead,Lead I
Unit,µV

"""
GERMAN = """Name;{name}
Geburtsdatum;01.01.1980
Aufzeichnungsdatum;2026-01-31 10:00:00 +0100
Klassifizierung;Sinusrhythmus
Symptome;
Softwareversion;2,0
Gerät;Watch6,2
Messrate;511,5 Hertz

Ableitung;Ableitung I
Einheit;µV

"""
FRENCH = """Nom,{name}
Date de naissance,1 janv. 1980
Classification,Rythme sinusal
Appareil,"Watch4,4"
Fréquence d’échantillonnage,512 hertz


Dérivation,Dérivation I
Unité,μV

"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(
    ("preamble", "decimal", "rate_hz", "classification"),
    [
        (ENGLISH, ".", 512, "Sinus Rhythm"),
        (GERMAN, ",", 511.5, "Sinusrhythmus"),
        (FRENCH, ",", 512, "Rythme sinusal"),
    ],
)
def test_the_export_of_a_watch(path, preamble, decimal, rate_hz, classification, encoding):
    values = "\n".join(f"{value * 1000:.1f}".replace(".", decimal) for value in WAVE_MV)
    recording = read(path, preamble.format(name="Anna V1") + values + "\n", encoding)
    assert (recording.leads, recording.sampling_rate_hz) == (("I",), rate_hz)
    np.testing.assert_allclose(recording.signal_mv[0], WAVE_MV, rtol=0, atol=HALF_MV + 1e-7)
    assert recording.notes["classification"] == classification
    assert recording.notes["device"].startswith("Watch")
    assert not any(private in str(recording.notes) for private in ("Anna", "1980", "2026"))


@pytest.mark.parametrize(
    ("line", "instead", "stated", "said"),
    [
        ("Unit,µV\n", "", {}, "says nothing about volts"),
        ("Lead,Lead I\n", "", {}, "does not say which lead it is"),
        ("", "", {"sampling_rate_hz": 500}, "says 512 Hz"),
        ("", "", {"leads": "II"}, "names its own leads, I, and II is not"),
    ],
)
def test_a_watch_that_says_too_little_or_is_contradicted(path, line, instead, stated, said):
    values = "\n".join(f"{value * 1000:.1f}" for value in WAVE_MV)
    with pytest.raises((RecordingError, LeadError), match=said):
        read(path, ENGLISH.replace(line, instead) + values, **stated)


def test_a_watch_with_a_bad_line_or_none(path):
    with pytest.raises(RecordingError, match="line 16: 'oops' in column I is not a number"):
        read(path, ENGLISH + "1.0\n2.0\noops\n4.0\n")
    with pytest.raises(RecordingError, match="no values after them"):
        read(path, ENGLISH)


@given(
    st.lists(st.tuples(st.integers(0, 260), st.binary(max_size=3)), min_size=1, max_size=5), st.sampled_from([PLAIN, ENGLISH])
)
@settings(max_examples=200)
def test_whatever_the_bytes_only_the_documented_errors_come_out(tmp_path_factory, changes, text):
    path = tmp_path_factory.mktemp("csv") / "mine.csv"
    content = (text[:250] + "\n1.0\n2.0\n").encode()
    for at, piece in changes:
        content = content[:at] + piece + content[at + len(piece) // 2 :]
    path.write_bytes(content)
    with contextlib.suppress(RecordingError, LeadError):
        assert csv_files.read(path).signal_mv.size
