"""All lead sets of some samples, in a process of its own: within 2 GB, exact, and worth what they should be in sum.

A thread works on one recording at a time, so a few show what any number takes.
"""

import json
import subprocess
import sys

import pytest

from selfdana_lite.lead_values import CHANCE

resource = pytest.importorskip("resource", reason="this system does not tell how much memory a process took")
MOST_GB = 2.0
SOME = ("I", "V6", "I, II", "III, aVF, V3", "I, II, III, aVR, aVL, aVF", "12-lead")
CHILD = f"""
import json, resource, sys
import torch
import selfdana_lite as sd

torch.manual_seed(0)
recordings = sd.EcgDataset.open().where(folds=[9, 10]).where(rows=range(24))
clf = sd.Classifier(sd.load_encoder(), recordings.label_names, "any").eval()
table = sd.what_if(clf, recordings, "all")
unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kibibytes elsewhere
found = {{
    "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9,
    "table": table[["lead_set", "macro_auroc"]].to_dict("list"),
    "worth": float(sd.lead_values(table)["macro_auroc"].sum()),
    "directly": {{", ".join(sd.parse_leads(leads)): sd.evaluate(clf, recordings, leads, bootstrap=0).macro_auroc
                 for leads in {SOME}}},
}}
print(json.dumps(found))
"""


def test_all_lead_sets_of_the_samples_in_little_memory():
    found = json.loads(subprocess.run([sys.executable, "-c", CHILD], check=True, capture_output=True, text=True).stdout)
    assert 0.1 < found["peak_gb"] < MOST_GB
    scores = dict(zip(*found["table"].values(), strict=True))
    assert len(scores) == 2**12 - 1
    for leads, score in found["directly"].items():
        assert scores[leads] == pytest.approx(score, abs=4e-3)  # a pair of so few recordings may change places
    everything = max(scores, key=len)
    assert found["worth"] == pytest.approx(scores[everything] - CHANCE, abs=1e-6)
