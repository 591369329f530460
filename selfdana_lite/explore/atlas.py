"""What an embedding map shows, computed once: embeddings a lead set, a map a method, places, drift and neighbours."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from selfdana_lite.dataset import EcgDataset
from selfdana_lite.downstream import embed
from selfdana_lite.encoders import Encoder
from selfdana_lite.explore.neighbours import Drift, Neighbours, agreement, chance_agreement, drift_of, kept_share
from selfdana_lite.explore.neighbours import nearest_neighbours as nearest
from selfdana_lite.explore.projection import WAIT, FlatMap, check_embeddings, make_map
from selfdana_lite.leads import LeadError

NEAREST = 5  # neighbours of a recording that are listed and counted
MOST_RECORDINGS = 3000  # more dots than a browser draws at once without WebGL, and than one tells apart
BLOCK = 100  # recordings embedded between two words of progress


@dataclass(frozen=True, eq=False)
class Scene:
    """A dataset through some leads (now) beside the same through the reference leads (before)."""

    dataset: EcgDataset
    leads: tuple[str, ...]
    reference: tuple[str, ...]
    size: int  # of an embedding
    flat_map: FlatMap  # made of the embeddings before
    before: np.ndarray  # [records, 2], places on the map
    now: np.ndarray  # [records, 2]
    metric: str
    near_before: Neighbours
    near_now: Neighbours
    drift: Drift
    kept: np.ndarray  # [records], the share of the neighbours before that still are
    agreed_before: np.ndarray  # [records], the share of the neighbours with a label in common
    agreed_now: np.ndarray
    agreed_by_chance: np.ndarray

    @property
    def moved(self) -> bool:
        """Whether these are other leads than the reference."""
        return set(self.leads) != set(self.reference)


class Atlas:
    """Scenes of one encoder and one dataset, which must not change meanwhile; each part is computed once and kept.

    The reference leads, which fix the map, are those that every recording has: all twelve, as a rule.
    """

    def __init__(self, encoder: Encoder, dataset: EcgDataset) -> None:
        if len(dataset) > MOST_RECORDINGS:
            raise ValueError(
                f"An embedding map shows at most {MOST_RECORDINGS:,} recordings; this dataset has {len(dataset):,}. "
                f"Choose some, as with dataset.where(folds=9)."
            )
        everywhere = dataset.present.all(axis=0)
        self.encoder, self.dataset = encoder, dataset
        self.reference = tuple(lead for lead, there in zip(dataset.leads, everywhere, strict=True) if there)
        if not self.reference:
            raise LeadError(
                "No lead is in every recording; choose recordings that share leads, as with dataset.where(has='I')."
            )
        self._kept: dict[tuple, object] = {}

    def knows(self, leads: tuple[str, ...], method: str, metric: str) -> bool:
        """Whether this scene can be shown at once."""
        return (leads, method, metric) in self._kept

    def scene(
        self, leads: tuple[str, ...], method: str, metric: str, tell: Callable[[str], None] = lambda words: None
    ) -> Scene:
        """Where the recordings lie through these leads. tell: hears what is being done while that takes time.

        Raises LeadError where a recording lacks one of the leads, and what make_map and nearest_neighbours raise.
        """
        return self._once((leads, method, metric), lambda: self._scene(leads, method, metric, tell))

    def _scene(self, leads: tuple[str, ...], method: str, metric: str, tell: Callable[[str], None]) -> Scene:
        before, now = self._embeddings(self.reference, tell), self._embeddings(leads, tell)
        count, labels, patient_ids = len(before), self.dataset.labels, self.dataset.patient_ids
        if ("map", method) not in self._kept and method != "PCA":
            tell(f"Making the {method} map of {count} recordings; this takes {WAIT[method]}, and longer the more there are.")
        flat_map = self._once(("map", method), lambda: make_map(method, before))
        moved = set(leads) != set(self.reference)
        if moved and method != "PCA":
            tell(f"Placing {count} recordings in the {method} map; this takes seconds.")
        near_before, near_now = self._near(before, self.reference, metric), self._near(now, leads, metric)
        return Scene(
            self.dataset,
            leads,
            self.reference,
            before.shape[1],
            flat_map,
            before=flat_map.places,
            now=self._once((method, leads), lambda: flat_map.place(now)) if moved else flat_map.places,
            metric=metric,
            near_before=near_before,
            near_now=near_now,
            drift=drift_of(before, now),
            kept=kept_share(near_before, near_now),
            agreed_before=agreement(near_before, labels),
            agreed_now=agreement(near_now, labels),
            agreed_by_chance=chance_agreement(labels, patient_ids),
        )

    def _embeddings(self, leads: tuple[str, ...], tell: Callable[[str], None]) -> np.ndarray:
        """[records, D]; leads in another order are the same leads."""
        return self._once(frozenset(leads), lambda: self._embed(leads, tell))

    def _embed(self, leads: tuple[str, ...], tell: Callable[[str], None]) -> np.ndarray:
        self.dataset.require(leads)  # before the first block, which may have them
        parts, count = [], len(self.dataset)
        for start in range(0, count, BLOCK):
            tell(f"Embedding recordings through {len(leads)} of 12 leads: {start} of {count} done.")
            block = self.dataset.where(rows=range(start, min(start + BLOCK, count)))
            parts.append(embed(self.encoder, block, leads))
        embeddings = np.concatenate(parts)  # [records, D]
        check_embeddings(embeddings)
        return embeddings

    def _near(self, embeddings: np.ndarray, leads: tuple[str, ...], metric: str) -> Neighbours:
        key = ("near", frozenset(leads), metric)
        return self._once(key, lambda: nearest(embeddings, self.dataset.patient_ids, NEAREST, metric))

    def _once(self, key: object, make: Callable[[], object]) -> object:
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]
