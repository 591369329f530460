"""The augmentation view shows what the augmentations draw, and its laws are the binomial and the uniform in closed form."""

import base64
import json
import math

import numpy as np
import pytest
import torch
from small import in_memory

import selfdana_lite as sd
from selfdana_lite import explore
from selfdana_lite.explore import AugmentationChoice, augmentation_view
from selfdana_lite.explore.augmentation_figures import Drawn
from selfdana_lite.explore.augmentation_view import (
    describe_counts,
    describe_views,
    draw_counts,
    draw_views,
    kept_counts,
    laws,
    twelve_of,
    views_of,
)
from selfdana_lite.explore.ecg_viewer import recording_at
from selfdana_lite.explore.live_figure import as_plain

SELECTION, MASKING = "Random Lead Selection", "Random Lead Masking"


@pytest.fixture(scope="module")
def dataset(samples_path):
    return sd.EcgDataset.open(samples_path)


@pytest.fixture(scope="module")
def recording(dataset):
    return recording_at(dataset, 5)


def trace_of(figure, name):
    (trace,) = [trace for trace in figure.data if trace.name == name]
    return trace


def stretches(trace):
    """How many lines, parted by gaps, a trace holds."""
    return int(np.isnan(np.array(trace.x, float)).sum())


# What is drawn


def test_the_views_are_those_of_the_augmentations_themselves(dataset, recording):
    choice = AugmentationChoice(5, law="binomial", seed=3)
    signals_mv = dataset.batch([5], sd.LEADS)[:, :, :250]
    for name, augmentation in {SELECTION: sd.RandomLeadSelection(law="binomial"), MASKING: sd.RandomLeadMasking()}.items():
        generator = torch.Generator().manual_seed(3)
        for view in views_of(choice, recording)[name]:
            drawn, ids = augmentation(signals_mv, generator)
            np.testing.assert_array_equal(view.signals_mv, drawn[0])
            assert view.leads == tuple(sd.LEADS[i] for i in ids[0])


def test_the_same_seed_draws_the_same_and_another_something_else(recording):
    texts = [describe_views(AugmentationChoice(5, seed=seed), recording) for seed in (1, 1, 2)]
    assert texts[0] == texts[1]
    assert texts[0].removesuffix("Seed 1.") != texts[2].removesuffix("Seed 2.")


@pytest.mark.parametrize("seed", range(5))
def test_words_and_drawing_tell_what_was_kept(recording, seed):
    choice = AugmentationChoice(5, seed=seed)
    views, words = views_of(choice, recording), describe_views(choice, recording)
    figure = draw_views(choice, recording)
    kept = {name: [[lead for lead in sd.LEADS if view.keeps(lead)] for view in both] for name, both in views.items()}
    for both in kept.values():
        for number, leads in enumerate(both, start=1):
            assert f"in view {number} {', '.join(leads) or 'no lead'}" in words
    masked = 24 - sum(map(len, kept[MASKING]))
    assert stretches(trace_of(figure, "kept")) == sum(len(leads) for both in kept.values() for leads in both)
    assert stretches(trace_of(figure, "zeros")) == masked
    assert stretches(trace_of(figure, "not in the tensor")) == 24 - sum(map(len, kept[SELECTION]))
    titles = [annotation.text for annotation in figure.layout.annotations]
    for title, leads in zip(titles, [*kept[SELECTION], *kept[MASKING]], strict=True):
        sent = len(leads) if SELECTION in title else 12
        assert title.endswith(f"{len(leads)} kept, {sent} sent")


def test_a_masked_lead_is_drawn_at_zero_and_a_kept_one_as_it_is(recording):
    choice = AugmentationChoice(5, seed=0)
    figure, views = draw_views(choice, recording), views_of(choice, recording)
    zeros = np.array(trace_of(figure, "zeros").y, float)
    assert {round(float(y), 4) for y in zeros[~np.isnan(zeros)]} <= {-1.5 * row for row in range(12)}
    (first, _), kept = views[SELECTION], trace_of(figure, "kept")
    lead = next(lead for lead in sd.LEADS if first.keeps(lead))  # rows are drawn from the top
    drawn_mv = np.array(kept.y[:250]) + 1.5 * sd.LEADS.index(lead)
    np.testing.assert_allclose(drawn_mv, first.signals_mv[first.leads.index(lead)], atol=1e-5)


def test_views_of_a_few_leads_choose_among_those(recording):
    choice = AugmentationChoice(5, ("I", "V2"), seed=1)
    signals_mv, present = twelve_of(choice, recording)
    assert present[0].nonzero()[:, 0].tolist() == [0, 7]
    assert torch.isnan(signals_mv[0, ~present[0]]).all()
    for both in views_of(choice, recording).values():
        for view in both:
            assert {lead for lead in sd.LEADS if view.keeps(lead)} <= {"I", "V2"}
            assert not np.isnan(view.signals_mv).any()  # neither ever looks at what is absent


def test_a_recording_without_the_chosen_leads_is_refused(recording):
    with pytest.raises(sd.LeadError, match=r"Recording 5 \(.*\) has none of V1, V2; it has I, II. Choose one of those"):
        twelve_of(AugmentationChoice(leads=("V1", "V2")), recording.select("I, II"))


def test_zeros_are_not_kept():
    view = Drawn(np.array([[0.0, 0.0], [0.0, 0.1]]), ("I", "II"))
    assert [view.keeps(lead) for lead in ("I", "II", "III")] == [False, True, False]


# How many leads are kept


@pytest.mark.parametrize("n_present", [1, 2, 5, 12])
def test_the_laws_in_closed_form(n_present):
    found = laws(AugmentationChoice(), n_present)
    np.testing.assert_allclose(found[SELECTION], [0] + [1 / n_present] * n_present)
    np.testing.assert_allclose(found[MASKING], [math.comb(n_present, k) / 2**n_present for k in range(n_present + 1)])
    binomial = laws(AugmentationChoice(law="binomial"), n_present)[SELECTION]
    np.testing.assert_allclose(binomial[1:], found[MASKING][1:] / (1 - found[MASKING][0]))
    assert binomial[0] == 0


@pytest.mark.parametrize("law", ["uniform", "binomial"])
@pytest.mark.parametrize("n_present", [3, 12])
def test_many_draws_follow_the_law(law, n_present):
    """Chi squared with at most 12 degrees of freedom exceeds 45 once in 100,000 seeds; this seed is fixed."""
    choice = AugmentationChoice(law=law, draws=3000, seed=4)
    for name, expected in laws(choice, n_present).items():
        counts = np.bincount(kept_counts(choice, n_present)[name], minlength=n_present + 1)
        assert counts.sum() == 3000
        assert not counts[expected == 0].any()
        likely = expected > 0
        assert ((counts - 3000 * expected)[likely] ** 2 / (3000 * expected[likely])).sum() < 45


def test_more_draws_go_on_from_the_same_ones():
    few, many = (kept_counts(AugmentationChoice(draws=draws, seed=1), 12)[SELECTION] for draws in (10, 100))
    np.testing.assert_array_equal(many[:10], few)


def test_bars_are_shares_of_the_draws_and_diamonds_the_law():
    choice = AugmentationChoice(draws=100, seed=2)
    figure = draw_counts(choice, 12)
    for panel, (name, kept) in enumerate(kept_counts(choice, 12).items()):
        bars, diamonds = figure.data[2 * panel : 2 * panel + 2]
        np.testing.assert_allclose(bars.y, [(kept == k).mean() for k in range(13)])
        np.testing.assert_allclose(diamonds.y, laws(choice, 12)[name])
        axis = figure.layout[f"xaxis{panel + 1 if panel else ''}"]
        assert axis.title.text == f"leads kept by {name}"
        assert bars.xaxis == diamonds.xaxis == f"x{panel + 1 if panel else ''}"
    assert figure.layout.yaxis.range[1] > max(max(trace.y) for trace in figure.data)


def test_the_probability_of_few_leads_in_words():
    words = describe_counts(AugmentationChoice(draws=1000), 12)
    assert f"{SELECTION} leaves at most 3 of 12 leads with probability 25.0% (" in words
    assert f"{MASKING} leaves at most 3 of 12 leads with probability 7.3% (" in words  # 299 of 4096
    assert "6.5 on average, and never none." in words
    assert "6.0 on average, and none with probability 0.02%." in words
    assert "leaves at most 1 of 1 leads with probability 100.0%" in describe_counts(AugmentationChoice(draws=10), 1)
    assert f"{SELECTION} leaves at most 3 of 12 leads with probability 7.3%" in describe_counts(
        AugmentationChoice(law="binomial", draws=10), 12
    )


# The widget


@pytest.fixture
def view(dataset):
    return explore.AugmentationView(dataset)


def assert_shows(view, choice, n_present):
    recording = recording_at(view.source, choice.row)
    assert view.choice == choice
    assert (view.views.figure, view.views.text) == (as_plain(draw_views(choice, recording)), describe_views(choice, recording))
    assert (view.counts.figure, view.counts.text) == (
        as_plain(draw_counts(choice, n_present)),
        describe_counts(choice, n_present),
    )
    assert describe_views(choice, recording) in view.static_html()
    assert describe_counts(choice, n_present) in view.static_html()


def test_every_control_changes_what_is_shown(view):
    assert_shows(view, AugmentationChoice(), 12)
    view.again.click()
    view.again.click()
    assert view.seed.value == 2
    view.law.value = "binomial"
    view.draws.value = 100
    view.recording.value = 4
    assert_shows(view, AugmentationChoice(4, law="binomial", seed=2, draws=100), 12)
    view.seed.value = 0
    view.lead_set.value = "3-lead"
    assert_shows(view, AugmentationChoice(4, ("I", "II", "V2"), "binomial", 0, 100), 3)


@pytest.mark.parametrize(("name", "number"), [(SELECTION, 1), (SELECTION, 2), (MASKING, 1), (MASKING, 2)])
def test_a_view_lies_over_the_original_where_that_is_asked(dataset, name, number):
    view = explore.AugmentationView(dataset)
    small = len(view.children)
    view.seed.value = 5
    view.over.value = (name, number)
    assert view.children[small:] == (view.paper,)
    drawn = views_of(AugmentationChoice(seed=5), recording_at(dataset, 0))[name][number - 1]  # of 2.5 s, the same leads
    kept = [lead for lead in sd.LEADS if drawn.keeps(lead)]
    lost = [lead for lead in sd.LEADS if lead not in kept]
    assert kept
    assert lost
    fate = "not in the tensor" if name == SELECTION else "zeros"
    assert f"as it was: {', '.join(kept)}; {fate}: {', '.join(lost)}." in view.paper.text
    before, after = (
        {trace["name"]: trace for trace in view.paper.figure["data"] if trace["line"]["width"] == width} for width in (4, 1.3)
    )
    for lead in kept:
        assert after[lead]["y"] == before[lead]["y"]
    for lead in lost:
        y = after[lead]["y"]
        flat = y and np.frombuffer(base64.b64decode(y["bdata"]), y["dtype"])
        assert y == [] if name == SELECTION else len(set(flat)) == 1
    assert view.paper.text in view.static_html()
    view.over.value = ()
    assert len(view.children) == small
    assert view.paper.text not in view.static_html()


def test_the_view_follows_a_picker_and_takes_one_recording(recording):
    picker = explore.LeadPicker("I, II")
    view = explore.AugmentationView(recording, picker=picker)
    assert view.recording.layout.display == "none"
    picker.leads = "I, II, V6"
    assert_shows(view, AugmentationChoice(leads=("I", "II", "V6")), 3)


def test_a_recording_that_lacks_leads_loses_only_what_it_has(dataset):
    signals_uv, present = dataset.signals[:2].copy(), np.ones((12, 2), bool)
    present[2:, 1] = False
    signals_uv[1, 2:] = 0
    mixed = sd.EcgDataset(
        signals_uv.transpose(1, 0, 2), dataset.table.iloc[:2], sd.LEADS, 100, dataset.label_names, present=present
    )
    view = explore.AugmentationView(mixed)
    view.recording.value = 1
    assert "at most 2 of 2 leads" in view.counts.text
    view.leads = "V1"
    assert "has none of V1; it has I, II" in view.error.value
    assert "at most 2 of 2 leads" in view.counts.text  # still
    assert view.counts.text in view.static_html()
    view.leads = "I, V1"
    assert view.error.value == ""


def test_a_short_recording_will_do(dataset):
    short = in_memory(dataset.signals[:1, :, :80], dataset.table.iloc[:1], sd.LEADS, dataset.label_names)
    assert explore.AugmentationView(short).views.text


def test_the_figures_are_small_enough_to_be_sent_at_each_click(view):
    assert len(json.dumps(view.views.figure)) < 150_000
    assert len(json.dumps(view.counts.figure)) < 15_000


def test_an_error_is_shown_beside_the_controls_and_raised(view, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(augmentation_view, "draw_views", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            view.seed.value = 1
    assert "ZeroDivisionError: division by zero" in view.error.value
    view.again.click()
    assert view.error.value == ""
