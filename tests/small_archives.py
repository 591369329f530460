"""Public archives in small: the layouts of PTB-XL and of the PhysioNet/CinC Challenges, filled with simulated recordings."""

from pathlib import Path

import numpy as np
import pandas as pd
import wfdb
from scipy.io import savemat
from scipy.signal import resample_poly

from selfdana_lite.leads import LEADS
from selfdana_lite.simulate import simulate_recordings

RATE_HZ = 100  # of the simulation
CLASS_OF = {
    "NORM": "NORM",
    **dict.fromkeys(["IMI", "ASMI", "AMI", "LMI", "ILMI", "ALMI", "PMI"], "MI"),
    **dict.fromkeys(
        ["NDT", "NST_", "ISC_", "ISCAL", "ISCIN", "ISCIL", "ISCAS", "ISCAN", "LNGQT", "DIG", "EL", "ANEUR"], "STTC"
    ),
    **dict.fromkeys(["LAFB", "LPFB", "CRBBB", "IRBBB", "CLBBB", "ILBBB", "IVCD", "1AVB", "2AVB", "3AVB", "WPW"], "CD"),
    **dict.fromkeys(["LVH", "RVH", "SEHYP", "LAO/LAE", "RAO/RAE"], "HYP"),
}
_STATEMENT_COLUMNS = ("diagnostic", "form", "rhythm", "diagnostic_class", "diagnostic_subclass", "Statement Category")
_EMPTY_COLUMNS = ("height", "weight", "nurse", "heart_axis", "infarction_stadium1", "infarction_stadium2", "validated_by")
_NOISE_COLUMNS = ("baseline_drift", "static_noise", "burst_noise", "electrodes_problems", "extra_beats", "pacemaker")
# One SNOMED CT code for each superclass, as the Challenges write them.
SNOMED_OF = {"NORM": "426783006", "MI": "164865005", "STTC": "164934002", "CD": "59118001", "HYP": "164873001"}


def write_ptbxl_tree(folder: Path, records: int = 20, seed: int = 0, rates_hz: tuple[int, ...] = (100,)) -> pd.DataFrame:
    """PTB-XL's own layout: two tables, and a folder of WFDB records for each rate. Returns the simulation's table."""
    signals_uv, table = _simulated(records, seed)
    for rate_hz in rates_hz:
        for row, signal_uv in enumerate(signals_uv):
            path = folder / _ptbxl_path(row + 1, rate_hz)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_wfdb(path, resample_poly(signal_uv / 1000, rate_hz // RATE_HZ, 1, axis=1), rate_hz)
    _ptbxl_database(table).to_csv(folder / "ptbxl_database.csv", index=False)
    _scp_statements().to_csv(folder / "scp_statements.csv")
    return table


def write_challenge_tree(folder: Path, records: int = 20, seed: int = 0) -> pd.DataFrame:
    """A Challenge training set at 500 Hz: pairs of .mat (version 4) and .hea, in two groups. Returns the simulation's table."""
    signals_uv, table = _simulated(records, seed)
    for row, signal_uv in enumerate(signals_uv):
        path = folder / f"g{1 + row % 2}" / f"S{row:04d}"
        path.parent.mkdir(parents=True, exist_ok=True)
        codes = [code for name, code in SNOMED_OF.items() if table[name][row]]
        signal = np.rint(resample_poly(signal_uv.astype(float), 5, 1, axis=1)).astype(np.int16)  # [12, 5000]
        write_challenge_pair(path, signal, 500, codes, table["age"][row], table["sex"][row])
    return table


def write_wfdb(path: Path, signal_mv: np.ndarray, rate_hz: float, leads=LEADS, comments: tuple[str, ...] = ()) -> None:
    """One WFDB record [leads, samples], 16 bits at 1000 steps per millivolt."""
    n = len(leads)
    wfdb.wrsamp(
        path.name,
        fs=rate_hz,
        units=["mV"] * n,
        sig_name=list(leads),
        p_signal=signal_mv.T.astype(float),
        fmt=["16"] * n,
        adc_gain=[1000.0] * n,
        baseline=[0] * n,
        comments=list(comments),
        write_dir=str(path.parent),
    )


def write_challenge_pair(path: Path, signal_uv: np.ndarray, rate_hz: int, codes, age=None, sex=None, leads=LEADS) -> None:
    """path.mat and path.hea; the .mat is a matrix "val" int16 [leads, samples] behind 24 bytes of header."""
    savemat(path.with_suffix(".mat"), {"val": signal_uv}, format="4")
    lines = [f"{path.name} {len(leads)} {rate_hz} {signal_uv.shape[1]} 05-Feb-2020 11:39:16"]
    for lead, row in zip(leads, signal_uv, strict=True):
        lines.append(f"{path.name}.mat 16+24 1000/mV 16 0 {row[0]} {row.sum(dtype=np.int16)} 0 {lead}")
    named_sex = {0: "Male", 1: "Female"}.get(sex, "NaN")
    lines += [f"# Age: {age if age is not None else 'NaN'}", f"# Sex: {named_sex}", f"# Dx: {','.join(codes)}", "# Rx: Unknown"]
    path.with_suffix(".hea").write_text("\n".join(lines) + "\n")


def _simulated(records: int, seed: int) -> tuple[np.ndarray, pd.DataFrame]:
    signals_uv, table = simulate_recordings(records, seed)  # at least one recording a patient
    return signals_uv[:records], table[:records].reset_index(drop=True)


def _ptbxl_path(ecg_id: int, rate_hz: int) -> str:
    return f"records{rate_hz}/{ecg_id // 1000 * 1000:05d}/{ecg_id:05d}_{'lr' if rate_hz == 100 else 'hr'}"


def _ptbxl_database(table: pd.DataFrame) -> pd.DataFrame:
    ids = np.arange(1, len(table) + 1)
    statements = [{code: 100.0 for code in text.split()} | {"SR": 0.0} for text in table["statements"]]
    real = {
        "ecg_id": ids,
        "patient_id": table["patient_id"].astype(float),  # "15709.0", as in the original
        "age": table["age"].astype(float),
        "sex": table["sex"],
        "site": 0.0,
        "device": "simulated",
        "recording_date": "1990-01-01 00:00:00",
        "report": "sinusrhythmus, simuliert\nzweite zeile",
        "scp_codes": [str(codes) for codes in statements],
        "second_opinion": False,
        "initial_autogenerated_report": True,
        "validated_by_human": False,
        "strat_fold": table["fold"],
        "filename_lr": [_ptbxl_path(number, 100) for number in ids],
        "filename_hr": [_ptbxl_path(number, 500) for number in ids],
    }
    order = ["ecg_id", "patient_id", "age", "sex", "height", "weight", "nurse", "site", "device", "recording_date", "report"]
    order += ["scp_codes", "heart_axis", "infarction_stadium1", "infarction_stadium2", "validated_by", "second_opinion"]
    order += ["initial_autogenerated_report", "validated_by_human", *_NOISE_COLUMNS]
    order += ["strat_fold", "filename_lr", "filename_hr"]
    return pd.DataFrame(real | dict.fromkeys((*_EMPTY_COLUMNS, *_NOISE_COLUMNS)))[order]


def _scp_statements() -> pd.DataFrame:
    rows = {code: (1.0, np.nan, np.nan, name, name, "statement") for code, name in CLASS_OF.items()}
    rows |= dict.fromkeys(("STD_", "INVT", "ABQRS"), (np.nan, 1.0, np.nan, np.nan, np.nan, "form"))
    rows |= dict.fromkeys(("SR", "AFIB", "STACH"), (np.nan, np.nan, 1.0, np.nan, np.nan, "rhythm"))
    return pd.DataFrame.from_dict(rows, orient="index", columns=_STATEMENT_COLUMNS)
