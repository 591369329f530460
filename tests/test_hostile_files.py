"""What the fuzzer of fuzz_readers.py has found, one by one: files that once hung, ate memory, or ended in a stray error."""

import json
import os
import socket
import time
import warnings
import zipfile
from pathlib import Path

import edfio
import fuzz_csv
import fuzz_edf
import fuzz_npz
import numpy as np
import pandas as pd
import pytest
from fuzz_datasets import _archive, _folders
from fuzz_npz import archived, packed, zeros
from small_archives import write_challenge_tree, write_ptbxl_tree, write_wfdb

from selfdana_lite import DatasetError, EcgDataset, LeadError, Recording, RecordingError, read_recording
from selfdana_lite.building.challenge_layout import header_comments
from selfdana_lite.readers import text, wfdb_files
from selfdana_lite.recording import name_leads
from selfdana_lite.storage import read_parts

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has neither pipes nor odd names")


@pytest.fixture(autouse=True)
def within_five_seconds():
    begin = time.process_time()
    yield
    assert time.process_time() - begin < 5


# What is no file


def socket_at(path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


NO_FILES = {
    "pipe": (os.mkfifo, "is a pipe"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "is a pipe, a socket or a device"),
    "socket": (socket_at, "is a pipe, a socket"),
    "circle": (lambda path: path.symlink_to(path.name), "Too many levels of symbolic links"),
}


@pytest.mark.parametrize("suffix", [".csv", ".edf", ".npz", ".txt", ".hea", ""])
@pytest.mark.parametrize("what", NO_FILES)
def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path, monkeypatch, what, suffix):
    monkeypatch.chdir(tmp_path)  # the name of a socket must be short
    make, found = NO_FILES[what]
    make(Path(f"rec{suffix}"))
    with pytest.raises(RecordingError, match=found):
        read_recording(f"rec{suffix}")


@pytest.mark.parametrize("name", ["a\0b.csv", "x" * 300 + ".edf", "file/rec.csv"])
def test_names_that_no_file_has(tmp_path, name):
    (tmp_path / "file").touch()
    with pytest.raises(RecordingError, match=r"zero byte|too long|Not a directory"):
        read_recording(tmp_path / name)


def test_a_file_that_may_not_be_read_is_said_to_be_so(tmp_path, monkeypatch):
    (tmp_path / "rec.csv").touch()

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)  # root may read everything
    with pytest.raises(RecordingError, match=r"rec\.csv cannot be read: Permission denied"):
        read_recording(tmp_path / "rec.csv")


# Small files that promise much


def test_gaps_flac_and_sparse_files_are_bounded_before_memory_is_taken(tmp_path, monkeypatch):
    header = "rec 1 250 1000000000\nrec.dat 16 500/mV 16 0 0 0 0 I\n"
    (tmp_path / "rec.dat").touch()
    os.truncate(tmp_path / "rec.dat", 2_000_000_000)
    (tmp_path / "rec.hea").write_text(header)
    with pytest.raises(RecordingError, match="has 1000000000 samples in 1 leads; one recording may have 25000000"):
        read_recording(tmp_path / "rec")
    (tmp_path / "s1.dat").write_bytes(bytes(1_200_000))
    (tmp_path / "s1.hea").write_text("s1 1 250 600000\ns1.dat 16 500/mV 16 0 0 0 0 I\n")
    (tmp_path / "gaps.hea").write_text("gaps/2 1 250 60000000\ns1 600000\n~ 59400000\n")
    with pytest.raises(RecordingError, match="has 60000000 samples"):
        read_recording(tmp_path / "gaps")
    monkeypatch.setattr(wfdb_files, "_stored_bytes", lambda fmt, samples: 0)
    (tmp_path / "rec.hea").write_text(header.replace(" 16 500", " 516 500").replace("1000000000", "30000000"))
    with pytest.raises(RecordingError, match="has 30000000 samples"):  # FLAC of 2 GB could hold as many
        read_recording(tmp_path / "rec")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("a," * 20_000 + "b\n1,2", "line 1: 40001 bytes in one line"),
        ("II (mV)\n" + "1" * 20_001, "line 2: 20001 bytes in one line"),
        ("a," + "_" * 300 + "\n1,2\n", "300 letters"),
        ("II (mV)\n1.0\t2.0\n3.0\t4.0\n", "line 2: found 2 cells where there should be 1"),
    ],
)
def test_lines_that_no_table_has(tmp_path, content, found):
    (tmp_path / "rec.csv").write_text(content)
    with pytest.raises(RecordingError, match=found):
        read_recording(tmp_path / "rec.csv", sampling_rate_hz=100)


def test_a_table_of_too_many_lines(tmp_path, monkeypatch):
    (tmp_path / "rec.csv").write_text("II (mV)\n" + "0.1\n0.4\n" * 50)
    assert read_recording(tmp_path / "rec.csv", sampling_rate_hz=100).signal_mv.shape == (1, 100)
    monkeypatch.setattr(text, "_MAX_LINES", 99)
    with pytest.raises(RecordingError, match="more than 99 lines"):
        read_recording(tmp_path / "rec.csv", sampling_rate_hz=100)


def test_thousands_of_signals_of_one_name(tmp_path):
    (tmp_path / "rec.edf").write_bytes(fuzz_edf._tiled(4096, b"ECG"))
    assert read_recording(tmp_path / "rec.edf").leads[::4095] == ("ECG", "ECG (4096)")
    assert name_leads(["x"] * 20_000)[-1] == "x (20000)"
    assert name_leads(["x", "x (2)", "x"]) == ("x", "x (2)", "x (3)")


def test_annotations_without_end(tmp_path):
    with pytest.raises(RecordingError, match=r"holds 2666667 texts of annotations"):
        read_recording(fuzz_edf._annotations(tmp_path))
    (tmp_path / "some.edf").write_bytes(next(seed for seed in fuzz_edf.seeds() if b"EDF+C" in seed))
    assert "hi" in read_recording(tmp_path / "some.edf").notes["annotations"]
    assert isinstance(edfio.read_edf(tmp_path / "some.edf"), edfio.Edf)


TWO = {"signal_mv": packed(fuzz_npz.seeds()[0]["signal_mv"]), "fs": packed(100), "leads": packed(np.array(["II", "V1"]))}


@pytest.mark.parametrize(
    ("instead", "found"),
    [
        ({"signal_mv": zeros("|i1", (2, 90_000_000), 180_000_000)}, "180000000 samples"),
        ({"signal_mv": zeros("|i1", (100_000, 2), 200_000)}, "in 100000 leads"),
        ({"leads": zeros("<U2", (2,), 0).header + b"\xff" * 16}, "no letters"),
        ({"leads": zeros("<U2000000", (2,), 16_000_000)}, "at most 4 MB"),
        ({"fs": zeros("<f8", (20_000_000,), 160_000_000)}, "at most 4 MB"),
        ({"leads": zeros("<U0", (10**12,), 0)}, "declares <U0"),
    ],
)
def test_archives_that_unpack_to_too_much(tmp_path, instead, found):
    (tmp_path / "rec.npz").write_bytes(archived([(f"{name}.npy", content) for name, content in (TWO | instead).items()]))
    with pytest.raises(RecordingError, match=found):
        read_recording(tmp_path / "rec.npz")


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_packings_that_numpy_never_takes(tmp_path, packing):
    (tmp_path / "rec.npz").write_bytes(archived([(f"{name}.npy", content) for name, content in TWO.items()], packing))
    with pytest.raises(RecordingError, match=r"save it with np\.savez_compressed"):
        read_recording(tmp_path / "rec.npz")


def test_an_array_that_python_2_wrote_is_read_without_a_warning(tmp_path):
    old = TWO["signal_mv"].replace(b"(2, 60), }  ", b"(2L, 60L), }")
    (tmp_path / "rec.npz").write_bytes(
        archived([(f"{name}.npy", content) for name, content in (TWO | {"signal_mv": old}).items()])
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_recording(tmp_path / "rec.npz").signal_mv.shape == (2, 60)


# Numbers and names at the edge


def test_a_window_at_a_rate_that_is_nearly_infinite():
    with pytest.raises(RecordingError, match="does not fit"):
        Recording(np.ones((1, 5), np.float32), 1e308, ("I",)).window(0, 10)


def test_a_name_of_a_million_letters_is_no_name(tmp_path):
    with pytest.raises(RecordingError, match="1000000 letters"):
        name_leads(["I", "x" * 1_000_000])


def test_a_header_that_wfdb_parts_into_other_lines(tmp_path):
    lines = ["rec 2 250 120", *(f"rec.dat 212 500/mV 12 0 0 0 0 {name}" for name in ("I", "II"))]
    (tmp_path / "rec.dat").write_bytes(bytes(360))
    (tmp_path / "rec.hea").write_bytes("\x85".join(lines).encode("latin-1"))
    with pytest.raises(RecordingError, match="in two ways"):
        read_recording(tmp_path / "rec")


@pytest.mark.parametrize("place", range(len(fuzz_csv.seeds())))
def test_the_tables_that_the_fuzzer_starts_from_are_sound(tmp_path, place):
    (tmp_path / "rec.csv").write_text("\n".join(fuzz_csv.seeds()[place]))
    options = (
        {} if place < 6 else {"sampling_rate_hz": 100, "gain": 1, "leads": "I, II"} if place == 6 else {"sampling_rate_hz": 100}
    )
    assert read_recording(tmp_path / "rec.csv", **options).signal_mv.shape[1] == 60


# Datasets


def dataset(folder, **instead):
    folder.mkdir()
    for name, content in (_folders()[1] | {name.replace("_", "."): content for name, content in instead.items()}).items():
        (folder / name).write_bytes(content)
    return folder


def facts(**changes):
    return json.dumps(json.loads(_folders()[1]["dataset.json"]) | changes).encode()


def table(old, new):
    return _folders()[1]["table.csv"].replace(old, new)


HUGE = zeros("|b1", (3, 10**12), 0).header + bytes(100)
PARTS = {
    "presence that is only declared": {"present_npy": HUGE},
    "presence in a zip": {"present_npy": archived([("present.npy", b"")])},
    "a header of 4 GB": {"signals_npy": b"\x93NUMPY\x02\x00" + b"\xff" * 200},
    "a header of 4 GB in a version of its own": {"signals_npy": b"\x93NUMPY\x01\x07" + b"\xff" * 200},
    "numbers of no bytes": {"signals_npy": zeros("<U0", (3, 6, 20), 0).header},
    "JSON without end": {"dataset_json": b"[" * 200_000},
    "labels that are no text": {"dataset_json": facts(label_names=[["NORM"]])},
    "a rate of 400 digits": {"dataset_json": facts(sampling_rate_hz=10**400)},
    "a fold that no integer holds": {"table_csv": table(b"\n1,1,1,", b"\n1,1,1e300,")},
    "rows longer than the header": {"table_csv": _folders()[1]["table.csv"].replace(b"\n", b",0\n").replace(b",0\n", b"\n", 1)},
}


@pytest.mark.parametrize("what", PARTS)
def test_parts_of_a_dataset_that_once_ended_in_a_stray_error(tmp_path, what):
    EcgDataset.open(dataset(tmp_path / "sound"))
    with pytest.raises(DatasetError):
        EcgDataset.open(dataset(tmp_path / "spoilt", **PARTS[what]))


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("nothing")])
def test_presence_that_is_no_file(tmp_path, make):
    path = dataset(tmp_path / "spoilt") / "present.npy"
    path.unlink()
    make(path)
    with pytest.raises(DatasetError, match="is no file"):
        EcgDataset.open(path.parent)


def test_a_folder_that_is_called_like_a_protocol_is_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    dataset(Path("file:"))
    assert len(EcgDataset.open("file:")) == 6


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("signals", zeros("<i2", (6, 3, 10_000_000), 360_000_000)),
        ("record_id", zeros("<i8", (10**11,), 1000)),
        ("lead_names", packed(3)),
        ("superclass_names", packed(np.array([b"NORM", b"MI"]))),
        ("strat_fold", packed(np.arange(6) + 1j)),
        ("age", packed(np.zeros(6, "V4"))),
    ],
)
def test_archives_whose_arrays_are_of_another_kind(tmp_path, name, values):
    members = {key: packed(array) for key, array in _archive().items()}
    for path, instead in ((tmp_path / "sound.npz", {}), (tmp_path / "spoilt.npz", {name: values})):
        path.write_bytes(archived([(f"{key}.npy", content) for key, content in (members | instead).items()]))
    assert len(read_parts(tmp_path / "sound.npz")["table"]) == 6
    with pytest.raises(DatasetError):
        EcgDataset.open(tmp_path / "spoilt.npz")


def test_an_archive_of_another_byte_order_is_turned(tmp_path):
    arrays = _archive() | {"signals": _archive()["signals"].astype(">i2"), "age": _archive()["age"].astype(">f4")}
    (tmp_path / "big.npz").write_bytes(archived([(f"{name}.npy", packed(array)) for name, array in arrays.items()]))
    opened = EcgDataset.open(tmp_path / "big.npz")
    np.testing.assert_array_equal(opened.signals, _archive()["signals"])
    assert opened.where(folds=1).table["age"].tolist() == [50.5, 50.5]


# Builds


@pytest.fixture
def source(tmp_path):
    """Two sound recordings."""
    (tmp_path / "source").mkdir()
    signal = 0.5 * np.sin(np.linspace(0, 20, 100)[None] + np.arange(12)[:, None])  # [leads, samples]
    for name in ("good1", "good2"):
        write_wfdb(tmp_path / "source" / name, signal, 100)
    return tmp_path / "source"


def built(source, **options):
    dest = source.with_name("dest")
    opened = EcgDataset.build(source, dest, sampling_rate_hz=100, seconds=1, workers=1, progress=False, **options)
    return opened, pd.read_csv(dest / "report.csv", keep_default_na=False).set_index("path")


@pytest.mark.parametrize("path", [".", "/", "..", "x" * 300, "a\0b", "a\rb.csv", "\udcff.csv", "~", "pipe.csv", "circle.csv"])
def test_a_row_that_names_no_file_costs_only_itself(source, path):
    os.mkfifo(source / "pipe.csv")
    (source / "circle.csv").symlink_to("circle.csv")
    opened, report = built(source, labels=pd.DataFrame({"path": ["good1", "good2", path]}))
    assert opened.table["record_id"].tolist() == ["good1", "good2"]
    assert (report["reason"] != "").sum() == len(report) - 2


def test_files_of_odd_names_are_listed(source):
    for name in ("a\rb.csv", "a\nb.csv", "\udcff.csv", "é.csv"):
        (source / name).touch()
    _, report = built(source, labels=pd.DataFrame({"path": ["good1", "good2"]}))
    assert {"a\\x0db.csv", "a\\x0ab.csv", "\\xff.csv", "é.csv"} <= set(report.index)


def test_ids_of_odd_letters_and_size(source):
    ids = ["a\rb", 1e300]
    opened, _ = built(source, labels=pd.DataFrame({"path": ["good1", "good2"], "record_id": ids, "note": ["a\rb", "\udcff"]}))
    assert opened.table["record_id"].tolist() == ["a\\x0db", "1e+300"]
    assert opened.table["note"].tolist() == ["a\nb", "\\udcff"]


def test_headers_that_are_pipes_or_endless_blanks(tmp_path):
    write_challenge_tree(tmp_path / "source", 2)
    os.mkfifo(tmp_path / "source" / "a.hea")
    (tmp_path / "source" / "b.hea").mkdir()
    (tmp_path / "source" / "c.hea").symlink_to("nothing")
    (tmp_path / "source" / "d.hea").write_bytes(b"\n" * 900_000)
    assert header_comments(tmp_path / "source" / "d.hea") == {}
    opened, _ = built(tmp_path / "source", layout="challenge")
    assert len(opened) == 2


@pytest.mark.parametrize("codes", ["{[1]: 2}", "{{}: 1}", "(" * 500, "9" * 5000])
def test_codes_that_are_no_literal_of_a_table(tmp_path, codes):
    write_ptbxl_tree(tmp_path / "source", 4)
    path = tmp_path / "source" / "ptbxl_database.csv"
    database = pd.read_csv(path)
    database.loc[1, "scp_codes"] = codes
    database.to_csv(path, index=False)
    opened, report = built(tmp_path / "source")
    assert len(opened) == 3
    assert "scp_codes cannot be read" in report["reason"].iloc[1]


def test_a_label_table_whose_rows_are_longer_than_its_header(source):
    (source / "labels.csv").write_text("path,MI\ngood1,1,1\ngood2,0,0\n")
    with pytest.raises(DatasetError, match="more cells than its first line"):
        built(source, labels=source / "labels.csv", label_names="MI")


def test_leads_that_are_asked_for_and_absent_are_still_a_lead_error(tmp_path):
    (tmp_path / "rec.edf").write_bytes(fuzz_edf.seeds()[0])
    with pytest.raises(LeadError, match="V6"):
        read_recording(tmp_path / "rec.edf", leads="V6")
