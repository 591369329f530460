"""What the three layouts say about their recordings, before any signal is read."""

import hashlib
import re
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_archives import CLASS_OF, SNOMED_OF, write_challenge_pair, write_challenge_tree, write_ptbxl_tree

from selfdana_lite.building.challenge_layout import header_comments
from selfdana_lite.building.listing import fold_of
from selfdana_lite.building.superclasses import SNOMED_SUPERCLASSES, SUPERCLASSES, label_columns, snomed_superclasses
from selfdana_lite.building.superclasses import scp_superclasses as superclasses_of
from selfdana_lite.parts import DatasetError
from selfdana_lite.sources import list_recordings

CODES = [code for codes in SNOMED_SUPERCLASSES.values() for code in codes]


def listed(folder, layout=None, labels=None, label_names=None, rate_hz=100):
    return list_recordings(folder, layout, labels, label_names, rate_hz)


def reason_of(listing, path):
    return listing.reasons[listing.rows["path"].tolist().index(path)]


@pytest.fixture(scope="module")
def ptbxl(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ptbxl")
    return folder, write_ptbxl_tree(folder, 12)


@pytest.fixture(scope="module")
def challenge(tmp_path_factory):
    folder = tmp_path_factory.mktemp("challenge")
    return folder, write_challenge_tree(folder, 12)


@pytest.fixture
def folder(tmp_path):
    """Four files and a table; nothing here looks into them."""
    for name in ("a/1.edf", "a/2.edf", "b/1.edf", "b/2.hea"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    return tmp_path


def table(**columns):
    return pd.DataFrame({"path": ["a/1.edf", "a/2.edf", "b/1.edf", "b/2.hea"]} | columns)


def test_ptbxl_keeps_official_folds_patients_age_sex_and_the_simulated_labels(ptbxl):
    folder, truth = ptbxl
    listing = listed(folder)
    for column in ("fold", "patient_id", "age", "sex"):
        assert listing.rows[column].tolist() == truth[column].tolist()
    assert listing.rows["record_id"].tolist() == list(range(1, 13))
    assert listing.label_names == SUPERCLASSES
    codes = [set(text.split()) for text in truth["statements"]]
    expected = [[int(any(CLASS_OF[code] == name for code in found)) for name in SUPERCLASSES] for found in codes]
    assert listing.rows[list(SUPERCLASSES)].to_numpy().tolist() == expected
    assert not listing.reasons.any()
    assert listing.unlisted == ()
    assert listing.licence == "CC BY 4.0"


def test_ptbxl_names_what_is_not_downloaded_what_is_not_in_its_table_and_what_cannot_be_parsed(tmp_path):
    write_ptbxl_tree(tmp_path, 5)
    (tmp_path / "records100/00000/00002_lr.hea").rename(tmp_path / "records100/00000/00099_lr.hea")
    database = pd.read_csv(tmp_path / "ptbxl_database.csv")
    database["scp_codes"] = database["scp_codes"].where(database["ecg_id"] != 3, "__import__('os').getcwd()")
    database.to_csv(tmp_path / "ptbxl_database.csv", index=False)
    listing = listed(tmp_path)
    assert reason_of(listing, "records100/00000/00002_lr.hea") == "there is no such file"
    assert reason_of(listing, "records100/00000/00003_lr.hea") == "its scp_codes cannot be read"
    assert listing.unlisted == ("records100/00000/00099_lr.hea",)
    assert listing.sought.tolist() == [0, 3, 4]


@pytest.mark.parametrize(
    ("folders", "rate_hz", "expected"),
    [(("100", "500"), 100, "lr"), (("100", "500"), 500, "hr"), (("100",), 500, "lr"), (("500",), 100, "hr")],
)
def test_ptbxl_takes_the_version_that_fits_the_rate_of_those_that_are_there(tmp_path, folders, rate_hz, expected):
    write_ptbxl_tree(tmp_path, 1, rates_hz=tuple(map(int, folders)))
    assert listed(tmp_path, rate_hz=rate_hz).rows["path"][0].endswith(f"{expected}.hea")


def test_ptbxl_with_labels_of_ones_own(ptbxl):
    folder, _ = ptbxl
    listing = listed(folder, labels={"sinus": ["SR"], "infarct": ["IMI", "AMI", "XYZ"]})
    assert listing.rows["sinus"].all()
    assert 0 < listing.rows["infarct"].sum() < 12


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "\x00\xff"])
def test_a_damaged_ptbxl_table_is_named(ptbxl, tmp_path, text):
    (tmp_path / "ptbxl_database.csv").write_text(text)
    with pytest.raises(DatasetError, match=r"ptbxl_database\.csv"):
        listed(tmp_path)


def test_a_ptbxl_table_without_rows_or_columns_says_which(ptbxl, tmp_path):
    database = pd.read_csv(ptbxl[0] / "ptbxl_database.csv")
    database.iloc[:0].to_csv(tmp_path / "ptbxl_database.csv")
    with pytest.raises(DatasetError, match="has no rows; take it anew"):
        listed(tmp_path)
    database.drop(columns="scp_codes").to_csv(tmp_path / "ptbxl_database.csv")
    with pytest.raises(DatasetError, match="lacks the columns scp_codes; take it anew"):
        listed(tmp_path)


def test_every_diagnostic_statement_counts_whatever_its_likelihood(real_archive):
    """An archive made of PTB-XL by others: the same labels from the same statements, in every recording."""
    with np.load(real_archive, allow_pickle=False) as archive:
        if "scp_likelihood" not in archive.files:
            pytest.skip("this archive keeps no statements")
        found, names = archive["scp_likelihood"] >= 0, archive["scp_code_names"]
        expected = pd.DataFrame(archive["y_super"], columns=archive["superclass_names"])
    codes_of = {name: [code for code, its in CLASS_OF.items() if its == name] for name in SUPERCLASSES}
    codes_of["MI"] += ["INJAS", "INJAL", "INJIN", "INJLA", "INJIL", "IPLMI", "IPMI"]
    codes_of["STTC"] += ["ISCLA"]
    labels = label_columns([names[row].tolist() for row in found], codes_of)
    assert (labels.to_numpy() == expected[list(SUPERCLASSES)].to_numpy()).all()


def test_superclasses_come_from_diagnostic_statements_alone():
    statements = pd.DataFrame(
        {"diagnostic": [1, 1, np.nan], "diagnostic_class": ["MI", "CD", "STTC"]}, index=["IMI", "CRBBB", "STD_"]
    )
    assert superclasses_of(statements) == {"NORM": [], "MI": ["IMI"], "STTC": [], "CD": ["CRBBB"], "HYP": []}


def test_challenge_headers_give_codes_age_sex_and_superclasses(challenge):
    folder, truth = challenge
    listing = listed(folder)
    order = [int(path.split("S")[1][:4]) for path in listing.rows["path"]]
    truth = truth.iloc[order].reset_index(drop=True)
    assert listing.rows[list(SUPERCLASSES)].to_numpy().tolist() == truth[list(SUPERCLASSES)].to_numpy().tolist()
    assert listing.rows["age"].tolist() == truth["age"].tolist()
    assert listing.rows["sex"].tolist() == truth["sex"].tolist()
    assert listing.rows["dx_codes"][0] == " ".join(SNOMED_OF[name] for name in SUPERCLASSES if truth[name][0])
    assert set(listing.remarks) == {"taken for a patient of its own"}


def test_challenge_codes_without_a_class_are_remarked_upon_and_no_diagnosis_is_a_reason(tmp_path):
    signal = np.zeros((12, 10), np.int16)
    write_challenge_pair(tmp_path / "A1", signal, 500, ["426783006", "164889003"], age="NaN", sex=None)
    write_challenge_pair(tmp_path / "A2", signal, 500, [])
    listing = listed(tmp_path, "challenge")
    assert "code 164889003 is in no class" in listing.remarks[0]
    assert listing.rows["NORM"][0] == 0  # fibrillation stands beside it
    assert pd.isna(listing.rows["age"][0])
    assert pd.isna(listing.rows["sex"][0])
    assert "# Dx:" in listing.reasons[1]


@pytest.mark.parametrize("text", ["\n" * 300_000, " " * 300_000, "#" * 300_000, "# " * 150_000, "\x00\xff" * 1000])
def test_a_header_of_rubbish_is_no_diagnosis_and_takes_no_time(tmp_path, text):
    (tmp_path / "x.hea").write_text(text)
    begin = time.process_time()
    assert header_comments(tmp_path / "x.hea") == {}
    assert time.process_time() - begin < 5  # milliseconds; tried in every way, minutes


def test_challenge_with_codes_of_ones_own(challenge):
    folder, truth = challenge
    listing = listed(folder, labels={"infarct": [164865005], "block": ["59118001", "6374002"]})
    assert listing.label_names == ("infarct", "block")
    assert listing.rows["infarct"].sum() == truth["MI"].sum()


@given(st.lists(st.sampled_from([*CODES, "164889003", "427084000"]), min_size=1, max_size=6, unique=True))
def test_a_snomed_superclass_is_there_where_any_of_its_codes_is(codes):
    labels = snomed_superclasses([codes]).iloc[0]
    for name in ("MI", "STTC", "CD", "HYP"):
        assert labels[name] == int(any(code in SNOMED_SUPERCLASSES[name] for code in codes))
    assert labels["NORM"] == int(codes == ["426783006"])


def test_no_snomed_code_is_in_two_superclasses_and_all_look_like_codes():
    assert len(set(CODES)) == len(CODES)
    assert all(re.fullmatch(r"\d{6,18}", code) for code in CODES)


def test_a_table_with_ids_folds_labels_and_more(folder):
    labels = table(
        record_id=[5, 6, 7, 8], patient_id=["x", "x", "y", "z"], fold=[1, 1, 2, 3], AF=[0, 1, 0, 1], age=[1, 2, 3, 4]
    )
    listing = listed(folder, labels=labels, label_names=["AF"])
    assert list(listing.rows.columns) == ["record_id", "patient_id", "fold", "AF", "age", "path", "file"]
    pd.testing.assert_frame_equal(listing.rows[labels.columns], labels)
    assert not listing.reasons.any()
    assert not listing.remarks.any()


def test_without_ids_a_recording_is_its_path_and_its_own_patient(folder):
    listing = listed(folder, labels=table())
    assert listing.rows["record_id"].tolist() == ["a/1", "a/2", "b/1", "b/2"]
    assert listing.rows["patient_id"].tolist() == listing.rows["record_id"].tolist()
    assert set(listing.remarks) == {"taken for a patient of its own"}
    assert listing.rows["fold"].tolist() == [fold_of(name) for name in listing.rows["record_id"]]


def test_a_csv_file_in_the_folder_is_a_table_not_a_recording(folder):
    table().iloc[:2].to_csv(folder / "labels.csv", index=False)
    listing = listed(folder, labels=folder / "labels.csv")
    assert listing.rows["path"].tolist() == ["a/1.edf", "a/2.edf"]
    assert listing.unlisted == ("b/1.edf", "b/2.hea")  # files without a row


def test_wfdb_records_may_be_named_without_hea(folder):
    listing = listed(folder, labels=pd.DataFrame({"path": ["b/2"]}))
    assert listing.rows["path"].tolist() == ["b/2"]  # so that a report can be merged with the table
    assert listing.rows["file"].tolist() == ["b/2.hea"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"path": "c/9.edf"}, "no such file"),
        ({"path": None}, "names no file"),
        ({"path": "../secret.edf"}, "out of the folder"),
        ({"path": "/etc/passwd"}, "out of the folder"),
        ({"path": "a/1.edf"}, "same file"),
        ({"path": "a/../a/1.edf"}, "same file"),
        ({"record_id": 5}, "same record_id"),
        ({"record_id": None}, "no record_id"),
        ({"patient_id": None}, "no patient_id"),
        ({"fold": 1.5}, "fold"),
        ({"fold": None}, "fold"),
        ({"AF": 2}, "label AF"),
        ({"AF": None}, "label AF"),
    ],
)
def test_a_row_that_cannot_be_used_is_refused_alone_with_its_reason(folder, change, reason):
    labels = table(record_id=[5, 6, 7, 8], patient_id=[1, 1, 2, 3], fold=[1, 1, 2, 3], AF=[0, 1, 0, 1]).astype(object)
    for column, value in change.items():
        labels.loc[1, column] = value
    listing = listed(folder, labels=labels, label_names=["AF"])
    assert reason in listing.reasons[1]
    assert listing.sought.tolist() == [0, 2, 3]
    assert listing.rows["patient_id"].dropna().astype(str).tolist()[-1] == "3"  # not 3.0, whatever is missing elsewhere


def test_a_patient_spread_over_folds_is_named_with_the_folds(folder):
    labels = table(record_id=[5, 6, 7, 8], patient_id=["x", "y", "y", "x"], fold=[1, 2, 10, 3])
    with pytest.raises(
        DatasetError, match=r"^Patient x has recordings in folds 1, 3 \(2 of 2 patients .* leave the column fold out"
    ):
        listed(folder, labels=labels)
    assert listed(folder, labels=labels.drop(columns="fold")).rows.groupby("patient_id")["fold"].nunique().max() == 1


def test_a_row_that_is_refused_spreads_nobody(folder):
    labels = table(record_id=[5, 6, 7, 8], patient_id=["x", "y", "z", "x"], fold=[1, 2, 3, 3])
    labels.loc[3, "path"] = "gone.edf"
    assert listed(folder, labels=labels).sought.tolist() == [0, 1, 2]


def test_texts_that_look_like_numbers_are_numbers_unless_that_makes_two_of_them_one(folder):
    listing = listed(folder, labels=table(record_id=["1", "2", "3", "3"], patient_id=["007", "7", "8", " 8 "]))
    assert listing.rows["record_id"].tolist() == [1, 2, 3, 3]
    assert "same record_id" in listing.reasons[3]
    assert listing.rows["patient_id"].tolist() == ["007", "7", "8", "8"]


def test_which_columns_are_labels_must_be_said(folder):
    with pytest.raises(DatasetError, match="0/1 columns AF, sex"):
        listed(folder, labels=table(AF=[0, 1, 0, 1], sex=[0, 0, 1, 1]))
    assert listed(folder, labels=table(AF=[0, 1, 0, 1]), label_names=()).label_names == ()
    with pytest.raises(DatasetError, match="must name columns"):
        listed(folder, labels=table(AF=[0, 1, 0, 1]), label_names=["VF"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "neither ptbxl_database.csv nor"),
        ({"layout": "zip"}, "known are table, ptbxl, challenge"),
        ({"layout": "table"}, "needs labels="),
        ({"layout": "challenge", "labels": {"AF": "164889003"}}, r"must be \{name: \[codes\]\}"),
        ({"layout": "challenge", "labels": {"fold": ["1"]}}, r"must be \{name: \[codes\]\}"),
        ({"layout": "challenge", "label_names": ["AF"]}, "goes with a label table"),
        ({"labels": pd.DataFrame({"file": ["a"]})}, "no column path"),
        ({"labels": "absent.csv"}, r"There is no absent\.csv \(looked in "),
        ({"labels": "."}, "cannot be read as CSV"),
        ({"labels": pd.DataFrame({"path": ["a/1.edf"], "file": ["mine"]})}, "has a column file"),
        ({"labels": pd.DataFrame({"path": ["x.edf"]})}, "None of the 1 recordings"),
    ],
)
def test_what_is_wrong_with_a_source_is_said_in_a_sentence(folder, arguments, message):
    with pytest.raises(DatasetError, match=message):
        listed(folder, **arguments)


def test_no_folder_is_said(tmp_path):
    with pytest.raises(DatasetError, match="is no folder"):
        listed(tmp_path / "absent")


@given(st.one_of(st.integers(), st.text()))
def test_folds_depend_on_the_patient_alone(patient):
    expected = int(hashlib.sha256(str(patient).encode()).hexdigest()[:16], 16) % 10 + 1
    assert fold_of(patient) == expected


def test_folds_are_about_even():
    counts = np.bincount([fold_of(number) for number in range(10_000)], minlength=11)
    assert counts[0] == 0
    assert counts[1:].min() > 900  # three standard deviations below 1,000
    assert counts[1:].max() < 1100


def test_the_digest_changes_with_labels_sizes_and_times_and_with_nothing_else(folder):
    first = listed(folder, labels=table(age=[1, 2, 3, 4])).digest()
    assert listed(folder, labels=table(age=[1, 2, 3, 4])).digest() == first
    assert listed(folder, labels=table(age=[1, 2, 3, 5])).digest() != first
    (folder / "b/2.dat").write_text("the signals of b/2.hea")
    assert listed(folder, labels=table(age=[1, 2, 3, 4])).digest() != first


@pytest.mark.parametrize(("layout", "code", "alike"), [("ptbxl", "IMJ", "IMI"), ("challenge", "164865006", "164865005")])
def test_a_mistyped_code_is_no_label_of_zeros(layout, code, alike, request):
    folder, _ = request.getfixturevalue(layout)
    with pytest.raises(DatasetError, match=rf"No recording has the code {code} \(mine\); similar ones are .*{alike}"):
        listed(folder, labels={"mine": [code]})
    with pytest.raises(DatasetError, match=r"has the code AF or 1 \(mine\); found are "):
        listed(folder, labels={"mine": ["AF", 1]})


def test_a_file_may_be_named_in_any_way_that_leads_to_it(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    names = [str(folder / "a/1.edf"), "a\\2.edf", " b/1.edf ", f"../{folder.name}/b/2"]
    for source in (folder, Path(folder.name)):
        listing = listed(source, labels=pd.DataFrame({"path": names}))
        assert listing.rows["file"].tolist() == ["a/1.edf", "a/2.edf", "b/1.edf", "b/2.hea"]
        assert listing.rows["path"].tolist() == names
        assert not listing.reasons.any()
        assert listing.unlisted == ()


def test_an_absolute_name_through_a_link_is_within(folder, tmp_path_factory):
    link = tmp_path_factory.mktemp("elsewhere") / "link"
    try:
        link.symlink_to(folder, target_is_directory=True)
    except OSError:
        pytest.skip("no links on this system")
    assert listed(folder, labels=pd.DataFrame({"path": [str(link / "a/1.edf")]})).rows["file"].tolist() == ["a/1.edf"]


def test_paths_from_one_folder_too_high_are_explained(folder):
    listing = listed(folder, labels=pd.DataFrame({"path": ["a/1.edf", f"{folder.name}/a/2.edf"]}))
    assert listing.reasons[1] == f"there is no such file; paths are relative to {folder.name}"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_label_tables_of_any_office_program(folder, encoding, separator):
    weight = "70,5" if separator == ";" else "70.5"
    rows = [("path", "patient_id", "Größe; Gewicht"), ("a/1.edf", "007", weight), ("b/1.edf", "7", weight)]
    lines = [separator.join(f'"{cell}"' for cell in row) for row in rows]
    (folder / "labels.csv").write_bytes("\r\n".join(lines).encode(encoding))
    listing = listed(folder, labels=folder / "labels.csv")
    assert listing.rows["patient_id"].tolist() == ["007", "7"]
    assert listing.rows["Größe; Gewicht"].tolist() == [70.5, 70.5]
    assert listing.rows["file"].tolist() == ["a/1.edf", "b/1.edf"]


def test_a_label_of_words_is_told_how_to_become_labels(folder):
    with pytest.raises(DatasetError, match=r"its label AF is neither 0 nor 1; make .*pandas\.get_dummies"):
        listed(folder, labels=table(AF=["yes", "no", "no", "yes"]), label_names=["AF"])


def test_gain_and_rate_are_taken_from_the_table_where_it_has_them(folder):
    labels = table(gain=[1000, "x", "", None], sampling_rate_hz=["250", 500, -1, float("nan")])
    listing = listed(folder, labels=labels)
    assert "gain is no number above 0" in listing.reasons[1]
    assert "sampling_rate_hz is no number above 0" in listing.reasons[2]
    assert listing.files(listing.sought) == [("a/1.edf", {"gain": 1000, "sampling_rate_hz": 250}), ("b/2.hea", {})]
    assert listing.digest() != listed(folder, labels=labels.assign(gain=2000)).digest()
    ones = table(gain=1, AF=[0, 1, 0, 1])
    with pytest.raises(DatasetError, match="the 0/1 columns AF; say"):  # a gain of 1 is no label
        listed(folder, labels=ones)
