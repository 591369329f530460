"""Two classifiers, or one with two lead sets, on the same recordings: which scores higher, and could it be luck?"""

from collections.abc import Iterable

from selfdana_lite.dataset import EcgDataset
from selfdana_lite.downstream import Classifier, predict_labels
from selfdana_lite.scores import Difference, score_difference


def compare(
    first: Classifier,
    second: Classifier,
    dataset: EcgDataset,
    leads: str | Iterable[str],
    second_leads: str | Iterable[str] | None = None,
    bootstrap: int = 1000,
) -> Difference:
    """How much higher the first classifier scores than the second, with a paired 95 % interval over patients.

        compare(ours, rival, test, "2-lead")             # two classifiers
        compare(clf, clf, test, "6-lead", "2-lead")      # one classifier with two lead sets

    leads: of both, or of the first if second_leads are given. Two intervals that overlap do not mean that there is no
    difference: most of their width is luck with patients, which both share and which cancels here (paired bootstrap,
    Efron and Tibshirani 1993). The interval knows nothing of other seeds. Errors are those of evaluate.
    """
    predictions = (
        predict_labels(first, dataset, leads),
        predict_labels(second, dataset, leads if second_leads is None else second_leads),
    )
    return score_difference(dataset.labels, *predictions, dataset.label_names, dataset.patient_ids, bootstrap)
