"""The view of a pair shows the scores of evaluate and the difference of compare; a difference figure, each interval."""

import numpy as np
import pandas as pd
import pytest
from small import seeded_encoder, small_dataset

import selfdana_lite as sd
from selfdana_lite import explore
from selfdana_lite.explore.paired_view import describe_pair, pair_of, paired_figure
from selfdana_lite.scores import Difference, Scores

GAPS = pd.DataFrame(
    {"comparison": ["12-lead", "2-lead", "1-lead"], "macro_auroc": [0.02, -0.03, 0.01], "low": [0.01, -0.05, -0.02]}
).assign(high=[0.03, -0.01, 0.04])


@pytest.fixture(scope="module")
def recordings():
    return small_dataset(folds=[9, 10], records=100)


@pytest.fixture(scope="module")
def answers(recordings):
    one, other = (sd.Classifier(seeded_encoder(seed), recordings.label_names, "any").eval() for seed in (0, 1))
    return {"one, 12-lead": (one, "12-lead"), "one, I": (one, "I"), "other, I": (other, ("I",))}


@pytest.fixture
def view(answers, recordings):
    return explore.PairedView(answers, recordings)


def test_it_says_what_evaluate_and_compare_say(view, answers, recordings):
    (one, twelve), (other, lead) = answers["one, 12-lead"], answers["other, I"]
    first, second = sd.evaluate(one, recordings, twelve), sd.evaluate(other, recordings, lead)
    gap = sd.compare(one, other, recordings, twelve, lead)
    said = view.figure.text
    assert f"First, one, 12-lead: {first.macro_auroc:.3f} [{first.interval[0]:.3f}, {first.interval[1]:.3f}]" in said
    assert f"Second, other, I: {second.macro_auroc:.3f} [{second.interval[0]:.3f}" in said
    assert f"is {gap.macro_auroc:+.3f} [{gap.interval[0]:+.3f}, {gap.interval[1]:+.3f}]" in said


def test_both_menus_change_the_figure_and_its_words(view):
    before = view.figure.text
    view.first.value = "one, I"
    middle = view.figure.text
    view.second.value = "one, I"
    assert len({before, middle, view.figure.text}) == 3
    assert "These intervals overlap. The difference, on the same patients, is +0.000 [+0.000, +0.000]" in view.figure.text
    assert "which holds zero" in view.static_html()


def test_a_prediction_is_made_once(view, monkeypatch):
    made = []
    monkeypatch.setattr("selfdana_lite.explore.paired_view.predict_labels", lambda *_: made.append(1))
    monkeypatch.setattr(view, "_shown", lambda: (view._predict("one, I"), view._predict("one, I")))
    for name in view.answers:
        view._predict(name)
    view._predict("other, I")
    assert len(made) == 1, "two were made for the first figure"


def test_an_error_stands_beside_the_menus(view):
    view.answers["one, I"] = (view.answers["one, I"][0], "V9")
    view.first.value = "one, I"  # a LeadError is said, not raised
    assert "Unknown lead &#x27;V9&#x27;" in view.error.value
    view.first.value = "other, I"
    assert view.error.value == ""


def scores_of(kind, value, low, high):
    return kind(value, (low, high), {"MI": value}, {"MI": (low, high)}, 10, 8)


@pytest.mark.parametrize(
    ("second", "gap", "words"),
    [
        ((0.70, 0.66, 0.76), (0.05, 0.01, 0.09), "overlap. The difference, on the same patients, is +0.050"),
        ((0.60, 0.55, 0.65), (0.15, 0.1, 0.2), "do not overlap"),
        ((0.74, 0.70, 0.78), (0.01, -0.02, 0.03), "which holds zero"),
        ((0.85, 0.80, 0.90), (-0.1, -0.14, -0.05), "which leaves zero out"),
    ],
)
def test_a_pair_in_words_and_pictures(second, gap, words):
    resamples = np.linspace(gap[1], gap[2], 50)
    first = scores_of(Scores, 0.75, 0.70, 0.79)
    pair = explore.paired_view.Pair(("a", "b"), (first, scores_of(Scores, *second)), scores_of(Difference, *gap), resamples)
    assert words in describe_pair(pair)
    one, other, histogram = paired_figure(pair).data
    assert (one.x, other.x) == ((0.75,), (second[0],))
    assert other.error_x.array == pytest.approx([second[2] - second[0]])
    assert other.error_x.arrayminus == pytest.approx([second[0] - second[1]])
    assert one.marker.color != other.marker.color
    assert one.marker.symbol != other.marker.symbol  # not by colour alone
    np.testing.assert_array_equal(histogram.x, resamples)
    assert [shape.x0 for shape in paired_figure(pair).layout.shapes] == [0, *gap[1:]]


def test_the_resamples_are_those_behind_the_interval(recordings, answers):
    predictions = tuple(clf.predict_proba(recordings, leads) for clf, leads in list(answers.values())[1:])
    pair = pair_of(("a", "b"), predictions, recordings)
    assert pair.difference.interval == pytest.approx(tuple(np.nanpercentile(pair.resamples, [2.5, 97.5])))


def test_each_difference_stands_in_its_line_with_its_whisker():
    sure, unsure = explore.difference_figure(GAPS, "Gaps").data
    assert list(sure.y) == ["12-lead", "2-lead"]
    assert list(sure.x) == [0.02, -0.03]
    assert list(unsure.y) == ["1-lead"]
    np.testing.assert_allclose(unsure.error_x.array, [0.03])
    np.testing.assert_allclose(unsure.error_x.arrayminus, [0.03])
    assert sure.marker.color != unsure.marker.color
    assert sure.marker.symbol != unsure.marker.symbol
    layout = explore.difference_figure(GAPS, "Gaps").layout
    assert list(layout.yaxis.categoryarray) == ["1-lead", "2-lead", "12-lead"]  # plotly draws from the bottom


def test_differences_in_words():
    said = explore.describe_differences(GAPS)
    assert said.startswith("12-lead +0.020 [+0.010, +0.030]; 2-lead -0.030 [-0.050, -0.010]; 1-lead +0.010 [-0.020, +0.040].")
    assert "2 of 3 intervals leave zero out" in said
