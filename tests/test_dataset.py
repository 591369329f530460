"""The dataset: numbers as stored, only what was asked for is read, and damage is named before anything is trusted."""

import hashlib
import json
import pickle
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import selfdana_lite.storage
from selfdana_lite import LEADS, DatasetError, EcgDataset, FlatLeadWarning, LeadError, write_dataset

RECORDS, SAMPLES = 30, 40
LABELS = ("NORM", "MI")
rng = np.random.default_rng(0)
SIGNALS_UV = rng.integers(-2000, 2000, (RECORDS, 12, SAMPLES), dtype=np.int16)
SIGNALS_UV[0, 0, :2] = np.iinfo(np.int16).min, np.iinfo(np.int16).max  # the ends of the scale survive too


def a_table():
    table = pd.DataFrame({"record_id": np.arange(RECORDS) + 100, "patient_id": np.arange(RECORDS) // 2})
    table["fold"] = table["patient_id"] % 5 + 1  # no patient is in two folds
    table["NORM"], table["MI"] = np.arange(RECORDS) % 2, np.arange(RECORDS) % 3 == 0
    return table.assign(MI=lambda t: t["MI"].astype(int))


FACTS = {"leads": LEADS, "sampling_rate_hz": 100, "label_names": LABELS, "source": "made up", "licence": "none"}
NPZ = {
    "signals": SIGNALS_UV,
    "units": np.array("uV"),
    "lead_names": np.array(LEADS),
    "fs": np.array(100),
    "superclass_names": np.array(LABELS),
    "y_super": a_table()[list(LABELS)].to_numpy(np.uint8),
    "record_id": a_table()["record_id"].to_numpy(),
    "patient_id": a_table()["patient_id"].to_numpy(),
    "strat_fold": a_table()["fold"].to_numpy(np.int8),
}


def in_memory(signals_uv=SIGNALS_UV, table=None, leads=LEADS, rate=100, labels=LABELS):
    return EcgDataset(signals_uv.transpose(1, 0, 2), a_table() if table is None else table, leads, rate, labels)


WHOLE = in_memory()


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store") / "ecgs"
    write_dataset(folder, SIGNALS_UV, a_table(), **FACTS)
    return folder


@pytest.fixture
def folder(pristine, tmp_path):
    return shutil.copytree(pristine, tmp_path / "ecgs")


def save_npz(path, without=(), **instead):
    np.savez_compressed(path, **{name: array for name, array in (NPZ | instead).items() if name not in without})
    return path


def digest(folder):
    """Every name and every byte under a folder."""
    files = sorted(folder.rglob("*"))
    return hashlib.sha256(b"".join(str(f).encode() + (f.read_bytes() if f.is_file() else b"") for f in files)).hexdigest()


# --- the same recordings, however they are kept --------------------------------------


@pytest.fixture(params=["folder", "archive", "memory"])
def dataset(request, pristine, tmp_path):
    if request.param == "memory":
        return in_memory()
    return EcgDataset.open(pristine if request.param == "folder" else save_npz(tmp_path / "ecgs.npz"))


def test_what_was_written_is_what_is_read(dataset):
    table = a_table()
    assert (len(dataset), dataset.leads, dataset.label_names, dataset.sampling_rate_hz) == (RECORDS, LEADS, LABELS, 100.0)
    assert dataset.n_samples == SAMPLES
    assert dataset.signals.dtype == np.int16
    np.testing.assert_array_equal(dataset.signals, SIGNALS_UV)
    np.testing.assert_array_equal(dataset.labels, table[list(LABELS)])
    np.testing.assert_array_equal(dataset.folds, table["fold"])
    np.testing.assert_array_equal(dataset.patient_ids, table["patient_id"])
    assert (dataset.labels.dtype, dataset.folds.dtype) == (np.uint8, np.int64)
    pd.testing.assert_frame_equal(dataset.table[list(table)], table, check_dtype=False)


def test_it_says_what_it_is(dataset):
    text = repr(dataset)
    assert text == "EcgDataset(30 recordings of 15 patients, 12 leads, 0.4 s at 100 Hz, labels NORM, MI)"


def test_age_and_sex_come_along(tmp_path):
    path = save_npz(tmp_path / "ecgs.npz", age=np.full(RECORDS, 50), sex=np.zeros(RECORDS), another=np.zeros(3))
    assert EcgDataset.open(path).table[["age", "sex"]].iloc[0].tolist() == [50, 0]


def test_the_embedded_samples_open_without_a_path(samples_path):
    samples = EcgDataset.open()
    assert samples.leads == LEADS
    np.testing.assert_array_equal(samples.signals[:3], EcgDataset.open(samples_path).signals[:3])


def test_the_real_archive_opens(real_archive):
    dataset = EcgDataset.open(real_archive)
    folds_of = pd.DataFrame({"patient": dataset.patient_ids, "fold": dataset.folds}).groupby("patient")["fold"]
    assert dataset.leads == LEADS
    assert (folds_of.nunique() == 1).all()
    assert dataset.batch([0, 1], "V2, I").shape == (2, 2, dataset.n_samples)


def test_leads_may_be_written_as_text_and_under_aliases(tmp_path):
    written = write_dataset(tmp_path / "two", SIGNALS_UV[:, :2], a_table(), **FACTS | {"leads": "MLII, ECG v1"})
    assert written.leads == ("II", "V1")
    assert json.loads((tmp_path / "two/dataset.json").read_text())["leads"] == ["II", "V1"]


# --- batches: millivolt, the rows and leads asked for, and nothing else --------------

ROWS = st.lists(st.integers(0, RECORDS - 1), min_size=1, max_size=8)
SUBSETS = st.lists(st.sampled_from(LEADS), min_size=1, unique=True)


@given(ROWS, SUBSETS)
@settings(deadline=None)
def test_a_batch_is_the_stored_microvolts_divided_by_a_thousand(rows, leads):
    batch = WHOLE.batch(rows, leads)
    expected = SIGNALS_UV[rows][:, [LEADS.index(lead) for lead in leads]] / 1000
    assert (batch.dtype, batch.shape) == (torch.float32, (len(rows), len(leads), SAMPLES))
    np.testing.assert_allclose(batch, expected, rtol=1e-6)


@given(st.permutations(LEADS), SUBSETS)
@settings(deadline=None)
def test_the_order_in_the_file_never_matters(order, leads):
    shuffled = in_memory(SIGNALS_UV[:, [LEADS.index(lead) for lead in order]], leads=order)
    assert torch.equal(shuffled.batch([3, 1], leads), WHOLE.batch([3, 1], leads))


def test_without_leads_a_batch_has_them_all_in_the_order_of_the_dataset():
    dataset = in_memory(SIGNALS_UV[:, :3], leads=("V2", "I", "aVF"))
    assert torch.equal(dataset.batch([4]), dataset.batch([4], "V2, I, aVF"))
    assert torch.equal(dataset.batch([4], "I")[:, 0], dataset.batch([4])[:, 1])


@given(ROWS, SUBSETS.filter(lambda leads: len(leads) < 12))
@settings(deadline=None)
def test_what_was_not_asked_for_changes_nothing(rows, leads):
    poisoned = np.full_like(SIGNALS_UV, 31_000)
    wanted = np.ix_(rows, [LEADS.index(lead) for lead in leads])
    poisoned[wanted] = SIGNALS_UV[wanted]
    assert torch.equal(in_memory(poisoned).batch(rows, leads), WHOLE.batch(rows, leads))


class Watched(np.ndarray):
    """A store that notes which numbers an index takes out of it."""

    def __getitem__(self, index):
        touched = np.zeros(self.shape, bool)
        touched[index] = True
        Watched.touched |= touched
        return np.asarray(self)[index]


def test_only_the_leads_and_rows_asked_for_are_read():
    stored = SIGNALS_UV.transpose(1, 0, 2).view(Watched)
    Watched.touched = np.zeros(stored.shape, bool)
    dataset = EcgDataset(stored, a_table(), LEADS, 100, LABELS).where(folds=[2, 3])
    assert not Watched.touched.any()  # making a dataset and a view of it reads no signal at all
    dataset.batch([0, 2], "V2, I")
    expected = np.zeros_like(Watched.touched)
    expected[np.ix_([0, 7], [2, 4])] = True  # leads I and V2 of the view's rows 0 and 2, which are rows 2 and 4
    np.testing.assert_array_equal(Watched.touched, expected)


def test_a_batch_is_the_callers_own(dataset):
    batch = dataset.batch([0, 1])
    batch.zero_()
    np.testing.assert_array_equal(dataset.signals, SIGNALS_UV)


def test_a_folder_is_mapped_not_loaded(pristine):
    signals = EcgDataset.open(pristine).signals
    assert isinstance(signals, np.memmap)
    with pytest.raises(ValueError, match=r"read-only"):
        signals[0, 0, 0] = 1


@pytest.mark.parametrize("rows", [[30], [-1], [0.5], ["0"], [[0, 1]], [True, False], []])
def test_rows_that_are_not_there_are_refused(rows):
    with pytest.raises(DatasetError, match=r"whole numbers from 0 to 29, or a mask of 30 booleans; found "):
        WHOLE.batch(rows)


def test_leads_that_the_dataset_lacks_are_refused():
    dataset = in_memory(SIGNALS_UV[:, :2], leads=("I", "V2"))
    with pytest.raises(LeadError, match=r"has no lead II, V6; it has I, V2"):
        dataset.batch([0], "I, II, V6")
    with pytest.raises(LeadError, match=r"Unknown lead 'V9'"):
        dataset.batch([0], "V9")


def test_a_flat_lead_is_warned_of_with_its_row_and_name():
    signals = SIGNALS_UV.copy()
    signals[7, LEADS.index("V3")] = 12
    signals[9, LEADS.index("aVR")] = 0
    with pytest.warns(
        FlatLeadWarning, match=r"1 of 3 recordings .*row 7, lead V3, always 12 microvolt.*where\(rows="
    ) as caught:
        in_memory(signals).batch([2, 7, 9], "I, V3")
    assert caught[0].filename == __file__  # it points at the caller's line
    in_memory(signals).batch([7, 9], "I, II")  # no warning: nobody asked for those leads


def test_a_flat_lead_is_warned_of_once_not_once_an_epoch():
    signals = SIGNALS_UV.copy()
    signals[[7, 9], LEADS.index("V3")] = 12
    dataset = in_memory(signals)
    with pytest.warns(FlatLeadWarning, match="1 of 2 recordings"):
        dataset.batch([2, 7])
    dataset.batch([2, 7])
    dataset.where(rows=[7, 2]).batch([0, 1])  # a view knows what its whole knows
    with pytest.warns(FlatLeadWarning, match="2 of 2 recordings"):
        dataset.batch([7, 9])


# --- views ------------------------------------------------------------------------------

FOLDS = st.sets(st.integers(1, 5), min_size=1)


@given(FOLDS, FOLDS)
@settings(deadline=None)
def test_a_view_of_a_view_is_the_view_of_both(first, second):
    both = sorted(first & second)
    if not both:
        with pytest.raises(DatasetError, match=r"No recording in folds .*this dataset has folds"):
            WHOLE.where(folds=first).where(folds=second)
        return
    view, direct = WHOLE.where(folds=first).where(folds=second), WHOLE.where(folds=both)
    assert set(view.folds) == set(both)
    np.testing.assert_array_equal(view.table["record_id"], direct.table["record_id"])
    np.testing.assert_array_equal(view.signals, direct.signals)


@given(ROWS, st.data())
@settings(deadline=None)
def test_rows_of_a_view_are_rows_of_its_rows(rows, data):
    view = WHOLE.where(rows=rows)  # in any order, and more than once: a bootstrap sample is a view too
    inner = data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=1))
    expected = np.array(rows)[inner]
    nested = view.where(rows=inner)
    np.testing.assert_array_equal(nested.signals, SIGNALS_UV[expected])
    np.testing.assert_array_equal(nested.patient_ids, a_table()["patient_id"].to_numpy()[expected])
    np.testing.assert_array_equal(nested.labels, a_table()[list(LABELS)].to_numpy()[expected])
    assert torch.equal(view.batch(inner), WHOLE.batch(expected))


def test_a_reordering_of_all_rows_is_not_the_dataset_itself():
    backwards = np.arange(RECORDS)[::-1]
    np.testing.assert_array_equal(WHOLE.where(rows=backwards).signals, SIGNALS_UV[::-1])


def test_one_fold_needs_no_list():
    np.testing.assert_array_equal(WHOLE.where(folds=2).signals, WHOLE.where(folds=[2]).signals)


def test_a_view_has_labels_folds_and_patients_of_its_own():
    """They are computed once and kept; a view must not keep those of the whole."""
    assert len(WHOLE.labels) == len(WHOLE.folds) == len(WHOLE.patient_ids) == len(WHOLE)
    view = WHOLE.where(rows=[3, 1])
    np.testing.assert_array_equal(view.labels, WHOLE.labels[[3, 1]])
    np.testing.assert_array_equal(view.folds, WHOLE.folds[[3, 1]])
    np.testing.assert_array_equal(view.patient_ids, WHOLE.patient_ids[[3, 1]])


def test_rows_may_be_a_mask_and_meet_folds():
    dataset = WHOLE
    view = dataset.where(folds=[1, 2], rows=dataset.labels[:, 0] == 1)
    assert set(view.folds) == {1, 2}
    assert (view.labels[:, 0] == 1).all()
    assert len(view) == ((a_table()["fold"] <= 2) & (a_table()["NORM"] == 1)).sum()


def test_views_copy_nothing(pristine):
    dataset = EcgDataset.open(pristine)
    view = dataset.where(folds=[1, 2]).where(rows=[0, 1])
    assert view._store is dataset._store
    assert np.shares_memory(dataset.signals, dataset._store.array)
    assert view._table is dataset._table


# --- parts that disagree ------------------------------------------------------------------


def without_column(name):
    return a_table().drop(columns=name)


def with_value(column, value):
    table = a_table().astype({column: object})
    table.loc[4, column] = value
    return table


BAD_PARTS = {
    "float signals": ({"signals_uv": SIGNALS_UV / 1000}, r"Signals are float64 \(12, 30, 40\); with 12 leads.*int16 microvolt"),
    "a lead too few": ({"signals_uv": SIGNALS_UV[:, :11]}, r"int16 \(11, 30, 40\); with 12 leads"),
    "a row too many": ({"signals_uv": SIGNALS_UV[:29]}, r"\(12, 29, 40\); with 12 leads and 30 rows"),
    "no samples": ({"signals_uv": SIGNALS_UV[..., :0]}, r"\(12, 30, 0\).*with at least one sample"),
    "rate zero": ({"rate": 0}, r"sampling rate is 0\.0; give a positive number of hertz"),
    "rate unknown": ({"rate": float("nan")}, r"sampling rate is nan"),
    "no fold": (
        {"table": without_column("fold")},
        r"lacks the columns fold; found record_id.*deal patients \(not recordings\)",
    ),
    "no label": ({"table": without_column("MI")}, r"lacks the columns MI"),
    "a fold left blank": (
        {"table": with_value("fold", None)},
        r"fold of the table .* whole number .*row 4 holds None \(1 of 30",
    ),
    "half a fold": ({"table": with_value("fold", 1.5)}, r"fold .*row 4 holds 1\.5"),
    "a patient in two folds": (
        {"table": with_value("fold", 4)},
        r"Patient 2 has recordings in folds 3, 4 \(1 of 15 patients.*Deal patients, not recordings, into folds\.$",
    ),
    "a likelihood": ({"table": with_value("MI", 80)}, r"MI of the table must hold 0 or 1 in every row; row 4 holds 80"),
    "a label left blank": ({"table": with_value("MI", None)}, r"MI .*row 4 holds None.*Mend the table"),
    "nobody's": ({"table": with_value("patient_id", None)}, r"patient_id .*a name or number.*row 4 holds None"),
}


@pytest.mark.parametrize(("parts", "message"), list(BAD_PARTS.values()), ids=list(BAD_PARTS))
def test_parts_that_disagree_are_refused(parts, message):
    with pytest.raises(DatasetError, match=message):
        in_memory(**parts)


@pytest.mark.parametrize(
    ("leads", "message"), [(("I", "V9"), r"Unknown lead 'V9'"), (("II", "MLII"), r"II is named more than")]
)
def test_unknown_and_repeated_leads_are_refused(leads, message):
    with pytest.raises(LeadError, match=message):
        in_memory(SIGNALS_UV[:, :2], leads=leads)


# --- a folder that is damaged ------------------------------------------------------------


def edit_facts(**changes):
    def edit(folder):
        facts = json.loads((folder / "dataset.json").read_text()) | changes
        (folder / "dataset.json").write_text(json.dumps({name: fact for name, fact in facts.items() if fact is not None}))

    return edit


def replace(name, content):
    return lambda folder: (folder / name).write_bytes(content)


def shorten(name, to):
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:to])


def save_signals(array):
    return lambda folder: np.save(folder / "signals.npy", array)


STORED = SIGNALS_UV.transpose(1, 0, 2)
FOLDER_FAULTS = {
    "no facts": (lambda folder: (folder / "dataset.json").unlink(), r"lacks dataset\.json; a dataset folder holds"),
    "no signals": (lambda folder: (folder / "signals.npy").unlink(), r"lacks signals\.npy"),
    "no table": (lambda folder: (folder / "table.csv").unlink(), r"lacks table\.csv"),
    "signals cut short": (shorten("signals.npy", -2), r"damaged or truncated file .*write or download it again"),
    "signals cut in the header": (shorten("signals.npy", 20), r"damaged or truncated"),
    "signals empty": (shorten("signals.npy", 0), r"damaged or truncated"),
    "signals of zeros": (replace("signals.npy", bytes(5000)), r"damaged or truncated"),
    "pickled objects": (save_signals(np.array([{"a": 1}], object)), r"damaged or truncated .*[Oo]bject"),
    "a bare pickle": (replace("signals.npy", pickle.dumps([1, 2])), r"damaged or truncated"),
    "float signals": (save_signals(STORED / 1000), r"Signals are float64 .*must be int16 microvolt"),
    "records first": (
        save_signals(SIGNALS_UV),
        r"disagrees with itself: .*12 leads, 30 records.*signals\.npy is \(30, 12, 40\)",
    ),
    "table cut short": (shorten("table.csv", 200), r"disagrees with itself.*table\.csv has \d+ rows"),
    "table cut within its last row": (shorten("table.csv", -4), r"NORM|MI|fold"),
    "table empty": (shorten("table.csv", 0), r"damaged or truncated"),
    "table not text": (replace("table.csv", b"\xff\xfe\x00\x01"), r"damaged or truncated"),
    "facts cut short": (shorten("dataset.json", 40), r"damaged or truncated"),
    "facts not text": (replace("dataset.json", b"\xff\xfe"), r"damaged or truncated"),
    "facts a list": (replace("dataset.json", b"[1, 2]"), r"dataset\.json holds a list, not a JSON object; write it again"),
    "a later format": (edit_facts(format=2), r"is written in format 2; this version of the kit reads 1"),
    "facts lacking": (edit_facts(leads=None, records=None), r"dataset\.json lacks or garbles leads \(None\), records \(None\)"),
    "facts of other kinds": (edit_facts(leads=12, sampling_rate_hz="fast"), r"leads \(12\), sampling_rate_hz \('fast'\)"),
    "unknown lead": (edit_facts(leads=[*LEADS[:11], "V9"]), r"lead names in .*ecgs.* Unknown lead 'V9'; known leads are"),
    "repeated lead": (edit_facts(leads=[*LEADS[:11], "V5"]), r"lead names in .*V5 is named more than once"),
    "labels unknown to the table": (edit_facts(label_names=["AFIB"]), r"table lacks the columns AFIB; found record_id"),
}


@pytest.mark.parametrize(("injure", "message"), list(FOLDER_FAULTS.values()), ids=list(FOLDER_FAULTS))
def test_a_damaged_folder_is_named_and_not_touched(folder, injure, message):
    injure(folder)
    before = digest(folder)
    with pytest.raises(DatasetError, match=message):
        EcgDataset.open(folder)
    assert digest(folder) == before


@pytest.mark.parametrize("path", ["nowhere", "ecgs/signals.npy", "nowhere.npz"])
def test_what_is_no_dataset_is_refused(folder, path):
    with pytest.raises(
        DatasetError, match=r"No dataset at .*expected a folder with dataset\.json, signals\.npy and table\.csv"
    ):
        EcgDataset.open(folder.parent / path)


# --- an archive that is damaged -----------------------------------------------------------

NPZ_FAULTS = {
    "millivolt": ({"units": np.array("mV")}, r"ecgs\.npz is in mV; expected microvolt \(uV\): convert it"),
    "pickled signals": (
        {"signals": SIGNALS_UV.astype(object)},
        r"damaged or truncated, or holds .*Python objects \(a pickle\)",
    ),
    "labels of another number": ({"y_super": NPZ["y_super"][:, :1]}, r"damaged .*Columns must be same length"),
    "folds too few": ({"strat_fold": NPZ["strat_fold"][:9]}, r"damaged .*same length"),
    "signals in two dimensions": ({"signals": SIGNALS_UV[0]}, r"damaged .*axes"),
    "signals of another number": ({"signals": SIGNALS_UV[:9]}, r"Signals are int16 \(12, 9, 40\); with 12 leads and 30 rows"),
    "float signals": ({"signals": SIGNALS_UV / 1000}, r"Signals are float64"),
    "a rate in words": ({"fs": np.array("fast")}, r"damaged .*'fast'"),
    "two rates": ({"fs": np.array([100, 500])}, r"damaged"),
    "unknown lead": ({"lead_names": np.array([*LEADS[:11], "V9"])}, r"lead names in .*ecgs\.npz .*Unknown lead 'V9'"),
}


@pytest.mark.parametrize(("instead", "message"), list(NPZ_FAULTS.values()), ids=list(NPZ_FAULTS))
def test_an_archive_of_something_else_is_refused(tmp_path, instead, message):
    with pytest.raises(DatasetError, match=message):
        EcgDataset.open(save_npz(tmp_path / "ecgs.npz", **instead))


@pytest.mark.parametrize("name", list(NPZ))
def test_an_archive_lacking_an_array_is_refused(tmp_path, name):
    with pytest.raises(DatasetError, match=rf"lacks the arrays {name}; it is not an archive of ECGs"):
        EcgDataset.open(save_npz(tmp_path / "ecgs.npz", without=[name]))


def test_another_file_named_npz_is_refused(tmp_path):
    path = tmp_path / "ecgs.npz"
    for content in (b"", b"not a zip", pickle.dumps({"signals": SIGNALS_UV}), b"\x93NUMPY" + bytes(200)):
        path.write_bytes(content)
        with pytest.raises(DatasetError, match=r"ecgs\.npz is no \.npz archive, or is truncated.*copy or download it again"):
            EcgDataset.open(path)


@given(st.floats(0, 1, exclude_max=True))
@settings(deadline=None, max_examples=50)
def test_an_archive_cut_anywhere_is_refused(tmp_path_factory, where):
    path = save_npz(tmp_path_factory.mktemp("cut") / "ecgs.npz")
    content = path.read_bytes()
    path.write_bytes(content[: int(where * len(content))])
    with pytest.raises(DatasetError, match=r"truncated"):
        EcgDataset.open(path)


@given(st.floats(0, 1, exclude_max=True), st.integers(1, 255))
@settings(deadline=None, max_examples=100)
def test_an_archive_with_a_wrong_byte_is_refused_or_harmless(tmp_path_factory, where, flip):
    path = save_npz(tmp_path_factory.mktemp("flip") / "ecgs.npz")
    content = bytearray(path.read_bytes())
    content[int(where * len(content))] ^= flip
    path.write_bytes(content)
    try:
        dataset = EcgDataset.open(path)
    except DatasetError:
        return
    np.testing.assert_array_equal(dataset.signals, SIGNALS_UV)  # dates, for one, are not checked


# --- writing --------------------------------------------------------------------------------


def test_nothing_is_overwritten(folder):
    before = digest(folder.parent)
    with pytest.raises(FileExistsError, match=r"ecgs exists already; choose another place, or move it away first"):
        write_dataset(folder, SIGNALS_UV[:5], a_table()[:5], **FACTS)
    assert digest(folder.parent) == before


BAD_WRITES = {
    "float signals": ({"signals_uv": SIGNALS_UV / 1000}, r"Signals are float64"),
    "NaN": ({"signals_uv": np.full(SIGNALS_UV.shape, np.nan)}, r"must be int16 microvolt"),
    "one recording": ({"signals_uv": SIGNALS_UV[0]}, r"shape \(12, 40\); expected int16 microvolt \[records, leads, samples\]"),
    "table short": ({"table": a_table()[:7]}, r"7 rows in the table and 12 leads"),
    "lead unknown": ({"leads": (*LEADS[:11], "V9")}, r"Unknown lead 'V9'"),
    "fold missing": ({"table": without_column("fold")}, r"lacks the columns fold"),
}


@pytest.mark.parametrize(("instead", "message"), list(BAD_WRITES.values()), ids=list(BAD_WRITES))
def test_what_could_not_be_opened_is_not_written(tmp_path, instead, message):
    with pytest.raises(ValueError, match=message):
        write_dataset(tmp_path / "new/ecgs", **{"signals_uv": SIGNALS_UV, "table": a_table(), **FACTS, **instead})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("step", ["np.save", "json.dumps"])
def test_a_disk_that_fills_up_leaves_nothing_behind(tmp_path, monkeypatch, step):
    def full(*_, **__):
        raise OSError("No space left on device")

    module, function = step.split(".")
    monkeypatch.setattr(getattr(selfdana_lite.storage, module), function, full)
    with pytest.raises(OSError, match=r"No space left"):
        write_dataset(tmp_path / "ecgs", SIGNALS_UV, a_table(), **FACTS)
    assert list(tmp_path.iterdir()) == []
