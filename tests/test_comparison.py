"""The interval of a difference against DeLong's closed form, a loop, and simulated truth; refusals as for one score."""

import math

import numpy as np
import pytest
from scipy.stats import norm
from small import seeded_encoder, small_dataset

import selfdana_lite as sd
from selfdana_lite.scores import auroc, resampled_macro_auroc, score, score_difference

ILL = ["ill"]


def two_readers(rng, patients=150, shared=0.9, first_d=1.0, second_d=1.0, visits=1):
    """Scores of ill ~ N(d, 1) and healthy ~ N(0, 1) by two readers whose errors correlate: labels, first, second, patients."""
    ill = np.arange(patients) % 2
    common, own = rng.normal(size=patients), rng.normal(size=(2, patients))
    errors = math.sqrt(shared) * common + math.sqrt(1 - shared) * own  # [2, patients], each of variance 1
    first, second = (np.repeat(d * ill + error, visits)[:, None] for d, error in zip((first_d, second_d), errors, strict=True))
    return np.repeat(ill, visits)[:, None], first, second, np.repeat(np.arange(patients), visits)


def difference(labels, first, second, patients, bootstrap=1000):
    return score_difference(labels, first, second, ILL, patients, bootstrap)


def width(found) -> float:
    return found.interval[1] - found.interval[0]


def delong_deviation(labels, first, second) -> float:
    """The standard deviation of a difference of AUROCs of the same recordings (DeLong et al. 1988), by counting all pairs."""
    ill = labels[:, 0] == 1
    wins = [np.sign(s[ill] - s[~ill].T) / 2 + 0.5 for s in (first, second)]  # [ill, healthy] each
    gap = wins[0] - wins[1]
    return math.sqrt(gap.mean(axis=1).var(ddof=1) / ill.sum() + gap.mean(axis=0).var(ddof=1) / (~ill).sum())


@pytest.mark.parametrize("shared", [0.0, 0.5, 0.95])
def test_the_interval_is_as_wide_as_delong_says(shared):
    labels, first, second, patients = two_readers(np.random.default_rng(0), patients=400, shared=shared)
    expected = 2 * norm.ppf(0.975) * delong_deviation(labels, first, second)
    assert width(difference(labels, first, second, patients)) == pytest.approx(expected, rel=0.1)


def test_it_covers_the_truth_in_about_95_of_100_experiments():
    rng, truth = np.random.default_rng(0), norm.cdf(1.2 / math.sqrt(2)) - norm.cdf(0.9 / math.sqrt(2))
    covered = []
    for _ in range(100):
        low, high = difference(*two_readers(rng, patients=120, first_d=1.2, second_d=0.9, visits=2), bootstrap=200).interval
        covered.append(low <= truth <= high)
    assert 0.88 <= np.mean(covered) <= 0.99  # 95 %, give or take three standard errors and the bootstrap's own optimism


def test_it_is_the_bootstrap_written_as_a_loop():
    rng = np.random.default_rng(5)
    labels, first, second, patients = two_readers(rng, patients=60, shared=0.5, visits=2)
    gaps = []
    for _ in range(3000):
        people = rng.choice(60, 60)
        rows = np.concatenate([2 * people, 2 * people + 1])
        gaps.append(auroc(labels[rows, 0], first[rows, 0])[0] - auroc(labels[rows, 0], second[rows, 0])[0])
    found = difference(labels, first, second, patients, bootstrap=3000)
    assert found.interval == pytest.approx(list(np.percentile(gaps, [2.5, 97.5])), abs=0.015)  # three standard errors


def test_overlapping_intervals_may_hide_a_sure_difference():
    labels, first, second, patients = two_readers(np.random.default_rng(1), patients=300, shared=0.97, first_d=1.15)
    one, other = (score(labels, predictions, ILL, patients) for predictions in (first, second))
    paired = difference(labels, first, second, patients)
    assert one.interval[0] < other.interval[1], "each interval holds a part of the other"
    assert paired.excludes_zero
    assert width(paired) < math.hypot(width(one), width(other)) / 2  # what unpaired patients would have given


def test_the_same_seed_draws_the_same_patients_for_both():
    labels, first, second, patients = two_readers(np.random.default_rng(2))
    gaps = resampled_macro_auroc(labels, first, patients, 200) - resampled_macro_auroc(labels, second, patients, 200)
    assert difference(labels, first, second, patients, 200).interval == pytest.approx(np.percentile(gaps, [2.5, 97.5]))


def test_against_itself_nothing_is_left_and_turned_round_the_sign_changes():
    labels, first, second, patients = two_readers(np.random.default_rng(3), first_d=2.0)
    itself = difference(labels, first, first, patients, 100)
    assert (itself.macro_auroc, itself.interval, itself.excludes_zero) == (0, (0, 0), False)
    there, back = difference(labels, first, second, patients, 100), difference(labels, second, first, patients, 100)
    assert there.macro_auroc == -back.macro_auroc
    assert there.interval == pytest.approx((-back.interval[1], -back.interval[0]))
    assert there.excludes_zero
    assert back.excludes_zero
    assert str(there).startswith(f"macro AUROC +{there.macro_auroc:.3f} [+")


def test_without_resamples_there_is_no_interval_and_no_verdict():
    found = difference(*two_readers(np.random.default_rng(4), first_d=3.0), bootstrap=0)
    assert np.isnan(found.interval).all()
    assert not found.excludes_zero


def test_predictions_of_other_recordings_are_refused():
    labels, first, second, patients = two_readers(np.random.default_rng(4))
    with pytest.raises(ValueError, match=r"\(150, 1\); found \(149, 1\)"):
        difference(labels, first, second[1:], patients)
    with pytest.raises(ValueError, match="1 are NaN or infinite"):
        difference(labels, first, np.where(np.arange(150)[:, None] == 3, np.nan, second), patients)


# Classifiers


@pytest.fixture(scope="module")
def recordings():
    return small_dataset(folds=[9, 10], records=100)


@pytest.fixture(scope="module")
def classifiers(recordings):
    return [sd.Classifier(seeded_encoder(seed), recordings.label_names, "any").eval() for seed in (0, 1)]


def test_two_classifiers_with_one_lead_set_and_one_with_two(classifiers, recordings):
    first, second = classifiers
    for found, one, other in (
        (sd.compare(first, second, recordings, "II, I"), (first, "I, II"), (second, "I, II")),
        (sd.compare(first, first, recordings, "6-lead", "2-lead"), (first, "6-lead"), (first, "2-lead")),
    ):
        scores = [sd.evaluate(clf, recordings, leads) for clf, leads in (one, other)]
        assert found.macro_auroc == pytest.approx(scores[0].macro_auroc - scores[1].macro_auroc, abs=1e-6)
        assert found.per_class["MI"] == pytest.approx(scores[0].per_class["MI"] - scores[1].per_class["MI"], abs=1e-6)
        assert (found.n_records, found.n_patients) == (scores[0].n_records, scores[0].n_patients)
        assert found.interval[0] < found.macro_auroc < found.interval[1]


def test_what_evaluate_refuses_is_refused_of_either(classifiers, recordings):
    first, _ = classifiers
    stranger = sd.Classifier(seeded_encoder(), ["AF"], "any")
    for pair in ((first, stranger), (stranger, first)):
        with pytest.raises(ValueError, match="The classifier knows AF; the dataset's labels are NORM"):
            sd.compare(*pair, recordings, "I")
    with pytest.raises(sd.LeadError, match="V7"):
        sd.compare(first, first, recordings, "I", "V7")
