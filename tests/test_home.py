"""The project's home: what is written down twice agrees, and a newcomer's first commands answer well."""

import os
import re
import shutil
import subprocess
import sys
import time
import tomllib

import pytest
import yaml
from conftest import ROOT
from packaging.requirements import Requirement
from packaging.version import Version

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
REQUIREMENTS = [Requirement(line) for line in [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["test"]]]
CONSTRAINTS = dict(re.findall(r"^([^#\s]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
CONDA_NAMES = {"playwright": "playwright-python", "torch": "pytorch"}


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def range_of(text):
    return frozenset(text.split(",")) - {""}


def test_conda_environment_asks_for_the_same_versions():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    *conda, by_pip = environment["dependencies"]
    assert by_pip == {"pip": ["-e ."]}  # everything compiled comes from one place
    specs = {name: range_of(rest[0] if rest else "") for name, *rest in map(str.split, conda)}
    wanted = {CONDA_NAMES.get(wish.name, wish.name): range_of(str(wish.specifier)) for wish in REQUIREMENTS}
    assert specs == wanted | {"python": range_of(PROJECT["requires-python"]), "pip": frozenset()}
    assert [spec for spec in conda if len(spec.split()) > 2] == ["pytorch >=2.6,<3 cpu_*"]  # no CUDA unasked


def test_constraints_lie_within_the_ranges():
    pinned = {normal(name): Version(version) for name, version in CONSTRAINTS.items()}
    outside = [str(wish) for wish in REQUIREMENTS if pinned[normal(wish.name)] not in wish.specifier]
    assert outside == []


def test_constraints_bring_no_cuda_and_name_no_source():
    assert CONSTRAINTS["torch"] == "2.13.0"
    assert [name for name in CONSTRAINTS if name.startswith(("nvidia", "triton", "selfdana"))] == []
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert len(lines) == len(CONSTRAINTS)  # each line is name==version, none a file, a repository or an index


def test_citation_agrees_with_the_package():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert (citation["version"], citation["license"]) == (PROJECT["version"], PROJECT["license"])
    assert citation["references"][0]["identifiers"][0]["value"] == "arXiv:2507.14151"


def test_commit_hooks_need_no_network():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    assert [repo["repo"] for repo in config["repos"]] == ["local"]
    assert {hook["language"] for repo in config["repos"] for hook in repo["hooks"]} == {"system"}


def test_readme_opens_with_the_two_commands():
    commands = re.findall(r"^    (make \w+)", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert commands == ["make lab", "make test"]


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_documents_name_only_commands_that_exist(document):
    targets = re.findall(r"^([a-z%-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    commands = re.findall(r"(?:^    |`)make ([a-z -]+?)(?: *#|`|$)", (ROOT / document).read_text(), re.MULTILINE)
    assert commands
    for name in " ".join(commands).split():
        assert name in targets or re.sub("-.*", "-%", name) in targets, f"{document} speaks of make {name}"


def test_help_lists_every_command():
    targets = set(re.findall(r"^([a-z%-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    listed = subprocess.run(["make", "-C", str(ROOT), "help"], capture_output=True, text=True, check=True, env=environment())
    assert set(re.findall(r"^  make (\S+)", listed.stdout, re.MULTILINE)) == targets


# From here on: the Makefile in an empty folder, where shell scripts stand in for Python and pip.


def environment():
    """Ours, without the settings of a make that perhaps runs these tests."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}


def make_install(folder, *arguments):
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy2(ROOT / name, folder)
    command = ["make", "-C", str(folder), "install", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment())


def stand_in(folder, name, *lines):
    """A program that a shell script plays."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["#!/bin/sh", *lines]))
    path.chmod(0o755)
    return path


def test_an_old_python_is_told_so_in_one_sentence(tmp_path):
    old = stand_in(tmp_path, "python3", '[ "$1" = --version ] && echo Python 3.9.1 || exit 1')
    answer = make_install(tmp_path, f"PYTHON={old}")
    assert answer.returncode != 0
    assert answer.stderr.startswith("Python 3.11 or newer is needed; found Python 3.9.1. Install one, or name it: make")


def test_installing_uses_the_constraints_and_a_second_time_does_nothing(tmp_path):
    stand_in(tmp_path, ".venv/bin/python")
    stand_in(tmp_path, ".venv/bin/pip", f'echo "$@" >> {tmp_path}/called')
    first = make_install(tmp_path)
    called = (tmp_path / "called").read_text()
    assert "--constraint constraints.txt --editable .[test]" in called
    assert "CUDA" not in first.stdout.splitlines()[-1]
    assert make_install(tmp_path).returncode == 0
    assert (tmp_path / "called").read_text() == called


def test_a_failed_installation_is_tried_again(tmp_path):
    stand_in(tmp_path, ".venv/bin/python")
    stand_in(tmp_path, ".venv/bin/pip", "exit 1")
    assert make_install(tmp_path).returncode != 0
    assert make_install(tmp_path).returncode != 0


def test_cuda_that_came_unasked_is_reported_in_one_line(tmp_path):
    stand_in(tmp_path, ".venv/bin/python")
    stand_in(tmp_path, ".venv/bin/pip", '[ "$1" = list ] && printf "numpy 2\\nnvidia-cublas 13\\nnvidia-cudnn 9\\n"; true')
    told = [line for line in make_install(tmp_path).stdout.splitlines() if line.startswith("Note: torch brought")]
    assert told == ["Note: torch brought 2 CUDA packages. Without them: rm -r .venv && make torch-cpu install"]


def test_the_library_is_imported_within_two_and_a_half_seconds():
    seconds = []
    for _ in range(3):  # the best of three: this machine may have other work to do
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import selfdana_lite"], check=True)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 2.5, "`python -X importtime -c 'import selfdana_lite'` says what takes so long."


def test_the_lines_of_code_in_the_readme_do_what_they_say(capsys):
    names = {}
    for block in re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL):
        exec(block, names)
    *scores, shape, facts, _, quality = capsys.readouterr().out.splitlines()
    assert [line.split(" macro AUROC ")[0] for line in scores] == ["12-lead", "I, II, V2", "I, II, III", "I, II", "I"]
    assert shape == "torch.Size([8, 32])"
    assert facts.endswith("'V6') 100.0 68")
    assert "usable" in quality
    assert names["mine"].leads == ("I", "II")
