"""make doctor: nothing to mend here; each fault put in is found, with what to do; it speaks where packages are missing."""

import collections
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import webbrowser

import psutil
import pytest
from course import doctor

import selfdana_lite as sd


def found_by(check):
    """What a check finds, as (verdict, words and fix)."""
    return [(finding.verdict, f"{finding.found}: {finding.fix}") for finding in doctor.examine((check,))]


def only(check, verdict, *words):
    """The check has one finding, of this verdict and with these words."""
    ((found, text),) = found_by(check)
    assert found == verdict
    for word in words:
        assert word in text
    return True


def test_this_machine_is_ready(capsys):
    assert doctor.main() == 0, "what runs the tests can run the lessons"
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "Ready."
    assert [line.split()[1] for line in lines[:-1]] == [
        "Python", "packages", "kernel", "widgets", "data", "browser", "memory", "disk", "temporary", "cores",
    ]  # fmt: skip


def test_something_to_mend_shows_in_the_exit_status(monkeypatch, capsys):
    monkeypatch.setattr(sys, "version_info", (3, 9, 18, "final", 0))
    monkeypatch.setattr(doctor, "examine", lambda: [*doctor.python(), doctor.Finding("ok", "cores", "2")])
    assert doctor.main() == 1
    assert capsys.readouterr().out.splitlines() == [
        "MEND Python      3.9.18 is too old: install 3.11 or newer, then `make install PYTHON=/path/to/it`",
        "ok   cores       2",
        "1 to mend",
    ]


@pytest.fixture
def versions(monkeypatch):
    """The installed versions, to be changed."""
    real, changed = importlib.metadata.version, {}

    def version(name):
        if changed.get(name, "") is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return changed.get(name) or real(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    return changed


def test_a_missing_package_is_named(versions):
    versions["wfdb"] = None
    assert only(doctor.packages, "MEND", "wfdb is missing", "make install")


@pytest.mark.parametrize("version", ["5.9", "8.0.0"])
def test_a_version_out_of_range_is_to_mend(versions, version):
    versions["plotly"] = version
    assert only(doctor.packages, "MEND", f"plotly {version} is not within 6 and 8")


def test_a_version_that_was_not_tested_is_a_note(versions):
    versions["plotly"] = "6.0.1"
    assert only(doctor.packages, "note", "plotly 6.0.1 (tested: 7.")


def test_a_build_of_torch_for_this_machine_is_as_tested(versions):
    tested = dict(line.split("==") for line in (doctor.ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    versions["torch"] = f"{tested['torch']}+cu130"
    assert only(doctor.packages, "ok", "as tested")


def test_every_run_time_package_is_looked_at(versions):
    for package in ("anywidget", "torch", "numpy", "voila", "pandas", "jupyterlab"):
        versions[package] = "0.0.1"
    assert [verdict for verdict, _ in found_by(doctor.packages)] == ["MEND"] * 6


def put_kernel(folder, argv):
    (folder / "kernels/python3").mkdir(parents=True)
    (folder / "kernels/python3/kernel.json").write_text(
        json.dumps({"argv": argv, "display_name": "Mine", "language": "python"})
    )


def test_a_kernel_of_another_python_is_found(monkeypatch, tmp_path):
    """The trap of a second installation: a kernel python3 that an earlier course left behind."""
    put_kernel(tmp_path, ["/opt/old/bin/python", "-m", "ipykernel_launcher"])
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    assert only(doctor.kernel, "MEND", f"python3 runs /opt/old/bin/python, not {sys.executable}", "jupyter kernelspec remove")


def test_no_kernel_at_all_is_found(monkeypatch):
    from jupyter_client import kernelspec

    monkeypatch.setattr(kernelspec.KernelSpecManager, "kernel_dirs", [])
    monkeypatch.setitem(sys.modules, "ipykernel.kernelspec", None)  # where the last one would come from
    assert only(doctor.kernel, "MEND", "no kernel python3", "make install")


@pytest.fixture
def environment(monkeypatch, tmp_path):
    """A copy of what JupyterLab knows about widgets, to be damaged."""
    for extension in doctor.FRONT_ENDS:
        folder = tmp_path / "share/jupyter/labextensions" / extension
        folder.mkdir(parents=True)
        folder.joinpath("package.json").write_text("{}")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


def test_blank_widgets_are_foreseen(environment):
    assert only(doctor.widgets, "ok", "anywidget")
    shutil.rmtree(environment / "share/jupyter/labextensions/anywidget")
    assert only(doctor.widgets, "MEND", "anywidget is missing", "pip install --force-reinstall anywidget")


@pytest.mark.parametrize("place", ["etc/jupyter/labconfig", "share/jupyter/lab/settings", "home/.jupyter/labconfig"])
@pytest.mark.parametrize("form", [{"jupyterlab-plotly": True}, ["jupyterlab-plotly"]])
def test_widgets_switched_off_are_found(environment, place, form):
    (environment / place).mkdir(parents=True)
    (environment / place / "page_config.json").write_text(json.dumps({"disabledExtensions": form}))
    assert only(doctor.widgets, "MEND", "jupyterlab-plotly is switched off", "jupyter labextension enable jupyterlab-plotly")


def test_another_extension_switched_off_does_not_matter(environment):
    (environment / "etc/jupyter/labconfig").mkdir(parents=True)
    disabled = {"@jupyterlab/apputils-extension:announcements": True, "anywidget": False}
    (environment / "etc/jupyter/labconfig/page_config.json").write_text(json.dumps({"disabledExtensions": disabled}))
    assert only(doctor.widgets, "ok")


def test_missing_recordings_are_found(monkeypatch, tmp_path):
    monkeypatch.setattr(sd, "SAMPLES", tmp_path / "data_samples")
    assert only(doctor.data, "MEND", "data_samples")


def test_no_browser_is_a_note(monkeypatch):
    def get():
        raise webbrowser.Error("could not locate runnable browser")

    monkeypatch.setattr(webbrowser, "get", get)
    assert only(doctor.browser, "note", "none found here", "make lab")


Memory, Usage = collections.namedtuple("Memory", "available"), collections.namedtuple("Usage", "free")


def test_little_memory_is_found(monkeypatch):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: Memory(0.7e9))
    assert only(doctor.memory, "MEND", "0.7 GB free, 2 wanted", "close other programs")


def test_a_full_disk_is_found(monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(0.2e9))
    assert [verdict for verdict, text in found_by(doctor.disk) if "0.2 GB free" in text] == ["MEND", "MEND"]


def test_a_folder_that_cannot_be_written_to_is_found(monkeypatch):
    monkeypatch.setattr(os, "access", lambda folder, mode: "notebooks" not in str(folder))
    (disk, text), (temporary, _) = found_by(doctor.disk)
    assert (disk, temporary) == ("MEND", "ok")
    assert "cannot be written to" in text


def test_a_single_core_is_a_note(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0}, raising=False)
    assert only(doctor.cores, "note", "1; lessons take longer")


def test_a_check_that_breaks_is_reported_and_the_others_go_on():
    def broken():
        raise ImportError("libgomp.so.1: cannot open shared object file\nand more")

    findings = list(doctor.examine((broken, doctor.cores)))
    assert findings[0].found == "ImportError: libgomp.so.1: cannot open shared object file"
    assert [finding.verdict for finding in findings] == ["MEND", "ok"]


def test_it_speaks_where_no_package_is_installed():
    """As with a fresh Python: without site-packages."""
    bare = [sys.executable, "-I", "-S", str(doctor.ROOT / "notebooks/course/doctor.py")]
    done = subprocess.run(bare, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "MEND packages    torch is missing" in done.stdout
    assert "ModuleNotFoundError" in done.stdout
    assert done.stderr == ""


def test_make_doctor_speaks_before_the_set_up():
    command = ["make", "--silent", "doctor", "VENV=not-made-yet", f"PYTHON={sys.executable} -I -S"]
    done = subprocess.run(command, cwd=doctor.ROOT, capture_output=True, text=True, check=False)
    assert "MEND packages    torch is missing" in done.stdout
    assert done.returncode != 0
