"""What a classifier says of some recordings with any of their leads, soon enough for a control: the work on each lead is kept.

Of the encoders that treat leads one by one, most of the work does not depend on which other leads there are
(shared_leads.py). It is done once and kept, 145 kB a recording of ten seconds; then a lead set costs the rest of the network.
"""

import copy
from collections.abc import Iterable
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from torch.nn import functional as F

from selfdana_lite.adapter import LeadAttentionPooling
from selfdana_lite.dataset import EcgDataset
from selfdana_lite.downstream import Classifier, evaluate
from selfdana_lite.encoders import PerLead, as_lead_ids, check_samples, pool_time
from selfdana_lite.leads import LEADS, LeadError, parse_leads
from selfdana_lite.meter import count_work
from selfdana_lite.scores import Scores, score
from selfdana_lite.shared_leads import can_share
from selfdana_lite.what_if import extremes, next_lead, what_if

COUNTED = 8  # recordings in the training step that is counted
BATCH = 64
MOST_RECORDINGS = 3000  # 0.4 GB of kept work, and as many as a map shows


class LeadAnswers:
    """A classifier and recordings that have all leads of their dataset; each question is answered once and remembered.

    table: of what_if, "all" or some lead sets, perhaps of other patients; where None, of all subsets, with a progress bar.
    """

    def __init__(self, clf: Classifier, dataset: EcgDataset, table: pd.DataFrame | None = None, bootstrap: int = 1000):
        if len(dataset) > MOST_RECORDINGS:
            raise ValueError(
                f"A what-if panel answers for at most {MOST_RECORDINGS:,} recordings; this dataset has {len(dataset):,}. "
                f"Choose some, as with dataset.where(folds=9)."
            )
        evaluate(clf, dataset, dataset.leads, bootstrap=0)  # whatever is wrong, it says so before the long work
        self.clf, self.dataset, self.bootstrap = clf, dataset, bootstrap
        self.leads = tuple(sorted(dataset.leads, key=LEADS.index))
        self.table = what_if(clf, dataset, "all", progress=True) if table is None else table
        if absent := [name for name in ("lead_set", "macro_auroc", *dataset.label_names) if name not in self.table]:
            raise ValueError(f"The table lacks the column {absent[0]!r}; make it with what_if(clf, dataset, ...).")
        if strange := set(", ".join(self.table["lead_set"]).split(", ")) - set(self.leads):
            raise LeadError(
                f"The table has lead sets with {sorted(strange)[0]}, which this dataset lacks; make one of its leads."
            )
        self._predicted: dict[tuple[str, ...], np.ndarray] = {}
        self._scored: dict[tuple[str, ...], Scores] = {}
        self._maps = self._work_of_each_lead()
        for names in self._best.values():  # each choice is compared with one of these
            self.scores(names)

    def predict(self, leads: str | Iterable[str]) -> np.ndarray:
        """Probabilities float32 [records, classes], as clf.predict_proba gives them."""
        names = self.in_order(leads)
        if names not in self._predicted:
            whole = self._maps is None
            self._predicted[names] = self.clf.predict_proba(self.dataset, names) if whole else self._from_maps(names)
        return self._predicted[names]

    def scores(self, leads: str | Iterable[str]) -> Scores:
        """Macro AUROC and each class's, with intervals, as evaluate gives them."""
        names = self.in_order(leads)
        if names not in self._scored:
            facts = self.dataset.label_names, self.dataset.patient_ids, self.bootstrap
            self._scored[names] = score(self.dataset.labels, self.predict(names), *facts)
        return self._scored[names]

    def best(self, n_leads: int) -> tuple[str, ...] | None:
        """The lead set of that size that scores highest in the table; None where the table has none of that size."""
        return self._best.get(n_leads)

    def next_leads(self, leads: str | Iterable[str]) -> pd.DataFrame:
        """Of next_lead, best first: lead and gain. Empty where none is left, or the table lacks a lead set that this takes."""
        try:
            return next_lead(self.table, self.in_order(leads))[["lead", "gain"]]
        except LeadError:
            return pd.DataFrame({"lead": [], "gain": []})

    @cached_property
    def costs(self) -> pd.DataFrame:
        """Of one step of fine-tuning, counted here, for each n_leads: gflop and kept_mb, each for one recording."""
        model = copy.deepcopy(self.clf)
        model.frozen = False
        model.requires_grad_(True).train()
        rows = np.arange(min(COUNTED, len(self.dataset)))
        work = [count_work(_training_step(model, self.dataset, self.leads[:n]), rows) for n in range(1, len(self.leads) + 1)]
        facts = {"gflop": [w["gflop_per_recording"] for w in work], "kept_mb": [w["tensor_mb"] / len(rows) for w in work]}
        return pd.DataFrame(facts, index=pd.RangeIndex(1, len(self.leads) + 1, name="n_leads"))

    def in_order(self, leads: str | Iterable[str]) -> tuple[str, ...]:
        """Names in the order of LEADS; LeadError for one that the dataset does not have."""
        names = tuple(sorted(parse_leads(leads), key=LEADS.index))
        if absent := [name for name in names if name not in self.leads]:
            raise LeadError(f"This dataset lacks {', '.join(absent)}; choose among {', '.join(self.leads)}.")
        return names

    @cached_property
    def _best(self) -> dict[int, tuple[str, ...]]:
        return {row.n_leads: tuple(row.best.split(", ")) for row in extremes(self.table).itertuples()}

    @torch.no_grad()
    def _work_of_each_lead(self) -> torch.Tensor | None:
        """[records, C, leads, T / 16] before the leads meet; None for an encoder that mixes leads at once, or is unknown."""
        if not (can_share(self.clf) and isinstance(self.clf.encoder.join_leads, PerLead)):
            return None
        self.clf.eval()
        return torch.cat([self._maps_of(rows) for rows in _batches(len(self.dataset))])

    def _maps_of(self, rows: np.ndarray) -> torch.Tensor:
        signals_mv = self.dataset.batch(rows, self.leads).to(self.clf.head.weight.device)
        check_samples(signals_mv)
        return self.clf.encoder.join_leads.lead_maps(signals_mv, as_lead_ids(signals_mv, self.leads))

    @torch.no_grad()
    def _from_maps(self, names: tuple[str, ...]) -> np.ndarray:
        join, trunk = self.clf.eval().encoder.join_leads, self.clf.encoder.trunk
        inside = [self.leads.index(name) for name in names]
        ids = torch.tensor([LEADS.index(name) for name in names], device=self._maps.device)
        parts = []
        for rows in _batches(len(self.dataset)):
            maps = self._maps[rows[0] : rows[-1] + 1, :, inside]  # [B, C, k, T / 16]
            by_name = isinstance(join.pooling, LeadAttentionPooling)
            pooled = join.pooling(maps, ids.expand(len(maps), -1)) if by_name else join.pooling(maps)  # [B, C, slots, T / 16]
            parts.append(self.clf.head(pool_time(trunk(join.merge(pooled.flatten(1, 2))))))
        return torch.sigmoid(torch.cat(parts)).cpu().numpy()


def _training_step(model: Classifier, dataset: EcgDataset, leads: tuple[str, ...]):
    def step(rows: np.ndarray) -> None:
        signals_mv, labels = dataset.batch(rows, leads), torch.from_numpy(dataset.labels[rows]).float()
        device = model.head.weight.device
        F.binary_cross_entropy_with_logits(model(signals_mv.to(device), leads), labels.to(device)).backward()

    return step


def _batches(count: int) -> list[np.ndarray]:
    return np.split(np.arange(count), range(BATCH, count, BATCH))
