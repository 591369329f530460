"""The AUROC against scikit-learn and against counting pairs; intervals against simulated truth."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from selfdana_lite.scores import auroc, refuse_constant_labels, score

many_ties = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 4), st.integers(0, 3)), min_size=2, max_size=40)
few_examples = settings(max_examples=100, deadline=None, derandomize=True)


def by_counting_pairs(labels, scores) -> float:
    """The definition: how often a recording with the diagnosis beats one without, a draw counting half."""
    pairs = [(p, n) for p, y in zip(scores, labels, strict=True) if y for n, z in zip(scores, labels, strict=True) if not z]
    return sum(1.0 if p > n else 0.5 if p == n else 0.0 for p, n in pairs) / len(pairs)


@few_examples
@given(many_ties)
def test_auroc_is_scikit_learns_and_counts_pairs(recordings):
    labels, scores, _ = np.array(recordings).T
    assume(0 < labels.sum() < len(labels))
    expected = by_counting_pairs(labels, scores)
    assert auroc(labels, scores)[0] == pytest.approx(expected, abs=1e-12)
    assert roc_auc_score(labels, scores) == pytest.approx(expected, abs=1e-12)


@few_examples
@given(many_ties)
def test_a_weight_is_a_number_of_copies(recordings):
    labels, scores, copies = np.array(recordings).T
    repeated = np.repeat(labels, copies)
    weighted = auroc(labels, scores, copies[None])[0]
    if 0 < repeated.sum() < len(repeated):
        assert weighted == pytest.approx(auroc(repeated, np.repeat(scores, copies))[0], abs=1e-12)
        assert weighted == pytest.approx(roc_auc_score(labels, scores, sample_weight=copies), abs=1e-12)
    else:
        assert math.isnan(weighted), "a resample that lacks an outcome has no AUROC"


@few_examples
@given(many_ties, st.integers(0, 2**31))
def test_only_the_ranking_counts(recordings, seed):
    labels, scores, _ = np.array(recordings).T
    assume(0 < labels.sum() < len(labels))
    order = np.random.default_rng(seed).permutation(len(labels))
    value = auroc(labels, scores)[0]
    assert auroc(labels, np.exp(scores / 3) - 7)[0] == pytest.approx(value, abs=1e-12)
    assert auroc(labels[order], scores[order])[0] == pytest.approx(value, abs=1e-12)
    assert auroc(labels, -scores)[0] == pytest.approx(1 - value, abs=1e-12)
    assert auroc(1 - labels, scores)[0] == pytest.approx(1 - value, abs=1e-12)


def test_perfect_useless_and_reversed():
    labels = np.array([0, 0, 1, 1])
    assert [auroc(labels, np.array(scores))[0] for scores in ([1, 2, 3, 4], [5, 5, 5, 5], [4, 3, 2, 1])] == [1, 0.5, 0]


def binormal(rng, patients: int, visits: int = 1, d: float = 1.0):
    """Recordings of patients, healthy ~ N(0, 1) and ill ~ N(d, 1), every visit alike: AUROC = Phi(d / sqrt(2))."""
    ill = np.arange(patients) % 2
    scores = rng.normal(d * ill)
    return np.repeat(ill, visits)[:, None], np.repeat(scores, visits)[:, None], np.repeat(np.arange(patients), visits)


def test_intervals_cover_the_truth_in_about_95_of_100_experiments():
    rng = np.random.default_rng(0)
    truth = norm.cdf(1 / math.sqrt(2))
    covered = []
    for _ in range(200):
        labels, scores, patients = binormal(rng, patients=120, visits=2)
        low, high = score(labels, scores, ["ill"], patients, bootstrap=200).interval
        covered.append(low <= truth <= high)
    assert 0.90 <= np.mean(covered) <= 0.985  # 95 %, give or take three standard errors and the bootstrap's own optimism


def width(labels, scores, patients) -> float:
    low, high = score(labels, scores, ["ill"], patients, bootstrap=500).interval
    return high - low


def test_four_recordings_of_one_person_are_one_piece_of_news():
    rng = np.random.default_rng(1)
    labels, scores, patients = binormal(rng, patients=100, visits=4)
    clustered, naive = width(labels, scores, patients), width(labels, scores, np.arange(400))
    assert clustered == pytest.approx(2 * naive, rel=0.25)  # a quarter of the people: twice as wide
    one_visit = slice(None, None, 4)
    assert clustered == pytest.approx(width(labels[one_visit], scores[one_visit], patients[one_visit]), rel=0.15)


def test_more_patients_narrow_the_interval():
    rng = np.random.default_rng(2)
    assert width(*binormal(rng, patients=400)) == pytest.approx(width(*binormal(rng, patients=100)) / 2, rel=0.3)


@pytest.fixture
def two_classes():
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 2, (60, 2))
    return labels, labels * 0.5 + rng.normal(size=(60, 2)), ["MI", "HYP"], rng.integers(0, 30, 60)


def test_the_same_seed_gives_the_same_interval_and_another_seed_another(two_classes):
    first, again, other = (score(*two_classes, bootstrap=100, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first.interval != other.interval
    assert first.macro_auroc == other.macro_auroc


def test_intervals_are_those_of_a_bootstrap_written_as_a_loop(two_classes):
    labels, scores, names, patients = two_classes
    people = np.unique(patients)
    rng = np.random.default_rng(5)
    macro = []
    for _ in range(4000):
        rows = np.concatenate([np.flatnonzero(patients == one) for one in rng.choice(people, len(people))])
        macro.append(np.mean([auroc(labels[rows, c], scores[rows, c])[0] for c in range(2)]))
    expected = np.percentile(macro, [2.5, 97.5])
    assert score(labels, scores, names, patients, bootstrap=4000).interval == pytest.approx(expected, abs=0.01)


def test_scores_name_their_parts(two_classes):
    labels, scores, names, patients = two_classes
    found = score(labels, scores, names, patients, bootstrap=100)
    assert found.per_class == pytest.approx({name: roc_auc_score(labels[:, c], scores[:, c]) for c, name in enumerate(names)})
    assert found.macro_auroc == pytest.approx(roc_auc_score(labels, scores, average="macro"))
    assert found.interval[0] < found.macro_auroc < found.interval[1]
    assert all(low < found.per_class[name] < high for name, (low, high) in found.per_class_interval.items())
    assert (found.n_records, found.n_patients) == (60, len(np.unique(patients)))
    assert str(found).startswith(f"macro AUROC {found.macro_auroc:.3f} [{found.interval[0]:.3f}, ")
    assert f"MI {found.per_class['MI']:.3f}" in str(found)


def test_no_interval_where_none_is_asked_for(two_classes):
    assert np.isnan(score(*two_classes, bootstrap=0).interval).all()


def test_a_class_that_is_everywhere_or_nowhere_is_named(two_classes):
    labels, scores, names, patients = two_classes
    for value in (0, 1):
        constant = labels.copy()
        constant[:, 1] = value
        with pytest.raises(ValueError, match=r"60 recordings HYP is present in all or in none.*take more") as refusal:
            score(constant, scores, names, patients)
        assert "MI" not in str(refusal.value)
    with pytest.raises(ValueError, match="MI, HYP"):
        refuse_constant_labels(labels[:1], names)
    with pytest.raises(ValueError, match="0 recordings MI, HYP"):
        refuse_constant_labels(labels[:0], names)


def test_predictions_that_are_missing_or_not_finite_are_refused(two_classes):
    labels, scores, names, patients = two_classes
    scores[3, 0] = np.nan  # would rank above every other score
    with pytest.raises(ValueError, match="1 are NaN or infinite"):
        score(labels, scores, names, patients)
    with pytest.raises(ValueError, match=r"\(60, 2\); found \(60, 1\)"):
        score(labels, scores[:, 1:], names, patients)
