"""The panel says what the slow and plain way says, for any leads, in the figure and in words, and at once."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small import in_memory, seeded_encoder, small_dataset

import selfdana_lite as sd
from selfdana_lite.explore import LeadAnswers, LeadPicker, WhatIf, WhatIfLab, WhatIfPanel, lead_answers, what_if_panel
from selfdana_lite.explore.what_if_figure import cost_shares, draw
from selfdana_lite.explore.what_if_panel import describe

some_leads = st.sets(st.sampled_from(sd.LEADS), min_size=1).map(lambda leads: tuple(sorted(leads, key=sd.LEADS.index)))
PAIRS = ["12-lead", "I, II", "I, V2", "I", "II, V2", "I, II, V2", "V2"]


def untrained(dataset, kind="lead-attention", **options):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return sd.Classifier(seeded_encoder(kind=kind, **options), dataset.label_names, "any").eval()


@pytest.fixture(scope="module")
def recordings():
    return small_dataset(folds=[9], records=60)


@pytest.fixture(scope="module")
def clf(recordings):
    return untrained(recordings)


@pytest.fixture(scope="module")
def table(clf, recordings):
    return sd.what_if(clf, recordings, PAIRS)


@pytest.fixture(scope="module")
def answers(clf, recordings, table):
    return LeadAnswers(clf, recordings, table, bootstrap=50)


@pytest.fixture
def panel(answers):
    return WhatIfPanel(answers=answers)


# The answers


@settings(max_examples=15)
@given(leads=some_leads)
def test_kept_work_predicts_what_the_classifier_predicts(answers, clf, recordings, leads):
    np.testing.assert_allclose(answers.predict(leads), clf.predict_proba(recordings, leads), atol=1e-6)


@pytest.mark.parametrize("kind", ["dap", "zero-pad", "per-lead-mean"])
def test_every_kind_of_encoder_is_answered_for(recordings, kind):
    options = {"slots": 1, "op": "mean"} if kind == "per-lead-mean" else {}
    clf = untrained(recordings, "dap" if options else kind, **options)
    answers = LeadAnswers(clf, recordings, sd.what_if(clf, recordings, ["I"]), bootstrap=0)
    for leads in ("V6, I, aVF", "II", "12-lead"):
        np.testing.assert_allclose(answers.predict(leads), clf.predict_proba(recordings, sd.parse_leads(leads)), atol=1e-6)


def test_scores_are_those_of_evaluate(answers, clf, recordings):
    assert str(answers.scores("V2, I")) == str(sd.evaluate(clf, recordings, "I, V2", bootstrap=50))
    assert answers.scores("V2, I") is answers.scores(("I", "V2"))  # asked once


def test_the_best_of_a_size_and_the_next_lead_are_the_table_s(answers, table):
    by_set = table.set_index("lead_set")["macro_auroc"]
    assert ", ".join(answers.best(2)) == by_set[["I, II", "I, V2", "II, V2"]].idxmax()
    assert answers.best(5) is None
    assert answers.next_leads("I, II").empty  # the table lacks I, II, III
    small = sd.what_if(answers.clf, answers.dataset, ["II", "I, II", "II, V2", "I", "V2"])
    found = LeadAnswers(answers.clf, answers.dataset, small).next_leads("II").set_index("lead")["gain"]
    by_set = small.set_index("lead_set")["macro_auroc"]
    assert found.to_dict() == pytest.approx({"I": by_set["I, II"] - by_set["II"], "V2": by_set["II, V2"] - by_set["II"]})
    assert found.is_monotonic_decreasing


def test_cost_is_a_straight_line_over_the_leads(answers):
    """Each lead costs its own stem and its own maps; the rest of the network costs the same for all."""
    costs = answers.costs
    assert list(costs.index) == list(range(1, 13))
    for name in ("gflop", "kept_mb"):
        steps = costs[name].diff().dropna()
        assert (steps > 0).all()
        np.testing.assert_allclose(steps[2:], steps[2:].mean(), rtol=0.02)
    assert cost_shares(WhatIf(sd.LEADS), answers) == (1, 1)


def test_counting_the_cost_leaves_the_classifier_as_it_was(answers, clf):
    before = copy.deepcopy(clf.state_dict())
    grad = [parameter.requires_grad for parameter in clf.parameters()]
    LeadAnswers(clf, answers.dataset, answers.table).costs  # noqa: B018 - counted when first asked
    assert all(value.equal(before[name]) for name, value in clf.state_dict().items())
    assert [parameter.requires_grad for parameter in clf.parameters()] == grad
    assert all(parameter.grad is None for parameter in clf.parameters())
    assert not clf.training


def test_what_cannot_be_answered_is_refused(clf, recordings, table):
    with pytest.raises(ValueError, match="The table lacks the column 'HYP'"):
        LeadAnswers(clf, recordings, table.drop(columns="HYP"))
    two = in_memory(recordings.signals[:, :2], recordings.table, sd.LEADS[:2], recordings.label_names)
    with pytest.raises(sd.LeadError, match="The table has lead sets with III, which this dataset lacks"):
        LeadAnswers(clf, two, table)
    few = recordings.where(rows=range(2))
    with pytest.raises(ValueError, match="present in all or in none"):
        LeadAnswers(clf, few, table)


# The figure and the words


def traces(figure):
    return {trace.name: trace for trace in figure.data if trace.type == "scatter"}


def test_more_recordings_than_memory_is_meant_for_are_refused_at_once(clf, recordings, monkeypatch):
    monkeypatch.setattr(lead_answers, "MOST_RECORDINGS", 59)
    with pytest.raises(ValueError, match=r"at most 59 recordings; this dataset has 60. Choose some, as with dataset.where\("):
        LeadAnswers(clf, recordings)


def test_the_figure_shows_the_scores_and_their_intervals(answers):
    asked = WhatIf(("I", "II"), row=3)
    scores = answers.scores(asked.leads)
    shown = traces(draw(asked, answers))
    assert len(shown) == 3
    np.testing.assert_allclose(shown["chosen"].x, [scores.macro_auroc, *scores.per_class.values()])
    low = shown["chosen"].x - shown["chosen"].error_x.arrayminus
    np.testing.assert_allclose(low, [interval[0] for interval in (scores.interval, *scores.per_class_interval.values())])
    np.testing.assert_allclose(shown["all 12 leads"].x[0], answers.scores("12-lead").macro_auroc)
    best = ", ".join(answers.best(2))
    np.testing.assert_allclose(shown[f"best 2 in the table: {best}"].x[0], answers.scores(best).macro_auroc)


def test_the_figure_shows_one_recording_and_its_label(answers):
    for row in (0, 7):
        figure = draw(WhatIf(("V2",), row), answers)
        outlined, filled = (trace for trace in figure.data if trace.xaxis == "x3")
        np.testing.assert_allclose(outlined.y, answers.predict("12-lead")[row])
        np.testing.assert_allclose(filled.y, answers.predict("V2")[row])
        marked = [tick for tick in filled.x if "✓" in tick]
        assert len(marked) == answers.dataset.labels[row].sum()
        assert f"Recording {row}," in figure.layout.annotations[2].text


def test_the_words_say_what_the_figure_shows(answers):
    said = describe(WhatIf(("I", "II"), row=3), answers)
    scores = answers.scores("I, II")
    p = answers.predict("I, II")[3]
    operations, memory = cost_shares(WhatIf(("I", "II")), answers)
    for words in (
        f"With I, II the macro AUROC is {scores.macro_auroc:.3f} [{scores.interval[0]:.3f},",
        f"with all 12 leads {answers.scores('12-lead').macro_auroc:.3f}",
        f"set of 2, {', '.join(answers.best(2))}, scores",
        "The table lacks the lead sets that would tell which lead to add next.",
        "The cost is counted, not timed",
        f"billion multiplications and additions ({operations:.0%})",
        f"MB in memory for the backward pass ({memory:.0%})",
        f"to {p[-1]:.2f}.",
    ):
        assert words in said
    assert "No lead is left to add." in describe(WhatIf(), answers)
    assert "The table has no lead set of 5 to compare with." in describe(WhatIf(sd.LEADS[:5]), answers)


def test_small_words_are_large_enough(answers):
    layout = draw(WhatIf(("I", "II")), answers).layout
    sizes = [layout.font.size, layout.legend.font.size, layout.xaxis4.tickfont.size, *(a.font.size for a in layout.annotations)]
    assert min(sizes) >= 12


# The widgets


def test_leads_come_from_the_picker_and_go_to_it(panel):
    panel.picker.toggle("V6")
    assert panel.leads == tuple(lead for lead in sd.LEADS if lead != "V6")
    panel.leads = "V2, I"
    assert panel.picker.leads == panel.leads == panel.asked.leads == ("I", "V2")
    assert panel.figure.text.startswith("With I, V2 the macro AUROC is")
    panel.recording.value = 5
    assert "Recording 5, labelled" in panel.figure.text
    assert panel.figure.text == describe(panel.asked, panel.answers)
    assert panel.figure.text.split(" ")[0] in panel.static_html()


def test_a_picker_that_is_there_is_used_and_not_shown_again(answers):
    picker = LeadPicker("V1")
    panel = WhatIfPanel(picker=picker, answers=answers)
    assert panel.leads == ("V1",)
    assert picker not in panel.children
    picker.leads = "V1, V2"
    assert panel.figure.text.startswith("With V1, V2 ")


def test_one_line_is_enough(clf, recordings):
    """On a dataset of three leads, so that all subsets are seven."""
    three = in_memory(recordings.signals[:, :3], recordings.table, sd.LEADS[:3], recordings.label_names)
    panel = WhatIfPanel(clf, three)
    assert len(panel.answers.table) == 7
    panel.leads = "I, III"
    assert "To add next: II" in panel.figure.text
    assert [lead for lead, button in panel.picker.buttons.items() if not button.disabled] == ["I", "II", "III"]
    with pytest.raises(sd.LeadError, match="This dataset lacks V2; choose among I, II, III"):
        panel.leads = "V2"
    assert panel.picker.leads == panel.leads == ("I", "III")


def test_a_picker_that_offers_leads_which_the_dataset_lacks_stops_no_other_view(clf, recordings):
    three = in_memory(recordings.signals[:, :3], recordings.table, sd.LEADS[:3], recordings.label_names)
    picker, heard = LeadPicker("I, II"), []
    panel = WhatIfPanel(clf, three, picker=picker)
    picker.observe(lambda change: heard.append(change.new), "leads")
    picker.toggle("V6")
    assert heard == [("I", "II", "V6")]
    assert "Not shown:</b> This dataset lacks V6; choose among I, II, III." in panel.error.value
    assert panel.figure.text.startswith("With I, II ")
    assert panel.figure.text.split(" ", 1)[0] in panel.static_html()
    picker.toggle("V6")
    assert panel.error.value == ""


def test_an_error_stands_beside_the_controls(panel, monkeypatch):
    def broken(asked, answers):
        raise RuntimeError("the cable is <loose>")

    monkeypatch.setattr(what_if_panel, "draw", broken)
    with pytest.raises(RuntimeError, match="loose"):
        panel.recording.value = 9
    assert "RuntimeError: the cable is &lt;loose&gt;" in panel.error.value
    monkeypatch.undo()
    panel.recording.value = 8
    assert panel.error.value == ""


def test_the_lab_of_a_dataset_with_fewer_leads_offers_those(clf, recordings):
    three = in_memory(recordings.signals[:, :3], recordings.table, sd.LEADS[:3], recordings.label_names)
    lab = WhatIfLab(clf, three, leads="I, II")
    for tab in range(3):
        lab.tabs.selected_index = tab
        lab.picker.torso._handle_custom_msg({"lead": "V6"}, [])  # a click in the drawing
        assert lab.picker.leads == lab.panel.leads == ("I", "II")
        assert "V6: not there to choose; these recordings lack it." in lab.picker.notice.value
    lab.picker.toggle("III")
    assert "Chosen: I, II, III, " in lab.lattice.text


def test_the_lab_is_one_choice_in_three_tabs(clf, recordings, table):
    lab = WhatIfLab(clf, recordings, table, leads="I, V2")
    before = lab.ecg.serial
    lab.picker.leads = "I, II"
    assert lab.panel.figure.text.startswith("With I, II ")
    assert lab.ecg.serial == before, "a closed tab is not drawn"
    lab.tabs.selected_index = 1
    assert lab.ecg.text.startswith("The ECG shows I and II")
    lab.panel.recording.value = 4
    assert "Recording 4" in lab.ecg.figure["layout"]["title"]["text"]
    lab.tabs.selected_index = 2
    assert "Chosen: I, II, " in lab.lattice.text
    lab.lattice.clicked = {"click": 1, "curve": 5, "point": 0}  # the star of what is chosen already
    assert lab.picker.leads == ("I", "II")
    point = list(table["lead_set"]).index("II, V2")
    lab.lattice.clicked = {"click": 2, "curve": 0, "point": point}
    assert lab.picker.leads == lab.panel.leads == ("II", "V2")
    assert "Chosen: II, V2, " in lab.lattice.text
    for click, curve in enumerate(range(5), start=3):  # a mark names its lead set to the mouse, and a click chooses that
        last = len(lab.lattice.figure["data"][curve]["y"]) - 1
        lab.lattice.clicked = {"click": click, "curve": curve, "point": last}
        assert lab.lattice.figure["data"][curve]["hovertext"][last].startswith(f"{', '.join(lab.picker.leads)}<br>")
    lab.picker.leads = "V5, V6"  # not in this table
    assert "Chosen" not in lab.lattice.text
    assert "With V5, V6" in lab.static_html()
