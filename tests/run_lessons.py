"""Run every lesson and keep what it gives: a page to read, its table of results as CSV, its time and its errors.

    python tests/run_lessons.py build/html                            as committed, on the simulated samples: make html
    python tests/run_lessons.py build/lessons --data data/ptbxl       with each lesson's settings for real recordings:
                                                                      make lessons DATA=data/ptbxl

The exit status is 1 if a lesson has an error or is over its budget.
"""

import argparse
import html
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from notebook_runner import LESSONS, ROOT, Run, own_metadata, run_lesson

sys.path.append(str(ROOT / "notebooks"))
from course.website import index, publish

QUICK_BUDGET_S, FULL_BUDGET_S = 60, 300


def main(folder: Path, data: str, lessons: Sequence[Path]) -> int:
    """Run the lessons one after the other; write pages, tables and an index into a folder, which must be new or ours."""
    if folder.exists() and not (folder / "index.html").exists() and any(folder.iterdir()):
        raise SystemExit(f"{folder} holds other files; name a new folder.")
    shutil.rmtree(folder, ignore_errors=True)
    budget_s, rows, failed = FULL_BUDGET_S if data else QUICK_BUDGET_S, {}, False
    print(f"{'lesson':34}{'wall':>7}{'CPU':>7}{'budget':>8}  errors", flush=True)
    for lesson in lessons:
        run = run_and_keep(lesson, folder, data)
        errors = [*run.errors, *([f"over its budget of {budget_s} s"] if run.seconds > budget_s else [])]
        print(f"{lesson.stem:34}{run.wall_s:5.0f} s{run.cpu_s:5.0f} s{budget_s:6} s  {'; '.join(errors) or 'none'}", flush=True)
        rows[lesson.stem] = run.notebook, remark(lesson.stem, run, errors)
        failed = failed or bool(errors)
    caption = f"Data: {html.escape(Path(data).name or 'the simulated samples')}."
    (folder / "index.html").write_text(index(rows, caption), encoding="utf-8")
    print(f"To read: {folder / 'index.html'}")
    return int(failed)


def run_and_keep(lesson: Path, folder: Path, data: str) -> Run:
    """Run one lesson in a folder for temporary files; its page and its table of results are kept."""
    parameters = own_metadata(lesson).get("full", {}) | {"DATA": str(Path(data).resolve())} if data else {}
    with tempfile.TemporaryDirectory() as workspace:
        run = run_lesson(lesson, Path(workspace), **parameters)
    publish(folder, lesson.stem, run.notebook)
    if run.table is not None:
        (folder / "results").mkdir(exist_ok=True)
        run.results.to_csv(folder / "results" / f"{lesson.stem}.csv", index=False)
    return run


def remark(name: str, run: Run, errors: Sequence[str]) -> str:
    """What the index says of a run."""
    table = f', <a href="results/{name}.csv">results</a>' if run.table is not None else ""
    return f"{run.wall_s:.0f} s{table}{''.join(f'<br>{html.escape(error)}' for error in errors)}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--data", default="", help="a dataset folder or an .npz archive; then each lesson's full profile is run"
    )
    parser.add_argument("--only", nargs="*", default=[""], help="numbers of lessons, such as 00 03")
    asked = parser.parse_args()
    sys.exit(main(asked.folder, asked.data, [path for path in LESSONS if path.stem.startswith(tuple(asked.only))]))
