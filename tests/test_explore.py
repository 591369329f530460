"""What a person sees is what was measured: the ECG paper, the bars, the words, and the widget over them."""

import base64
import re

import numpy as np
import pandas as pd
import pytest
import torch

import selfdana_lite as sd
from selfdana_lite import explore
from selfdana_lite.explore import lead_set_explorer
from selfdana_lite.explore.colours import CHOSEN, FAINT, MODEL_COLOURS, OTHER
from selfdana_lite.explore.ecg_paper import ABSENT, MM_PER_MV, MM_PER_S, PX_PER_MM, ROW_MV, ROWS, SMALL_SQUARE


def told_apart(leads, samples=1000):
    """Signals [leads, samples] in mV in which every sample says which lead and which instant it is."""
    return np.array([[sd.LEADS.index(lead) / 20] for lead in leads]) + np.arange(samples) / 1e5


@pytest.fixture(scope="module")
def recordings(samples_path):
    return sd.EcgDataset.open(samples_path).where(folds=[9])


@pytest.fixture(scope="module")
def clf(recordings):
    torch.manual_seed(0)
    return sd.Classifier(sd.build_encoder(), recordings.label_names, "any").eval()


@pytest.fixture(scope="module")
def table(clf, recordings):
    return explore.score_table(clf, recordings, bootstrap=50)


# ECG paper


@pytest.mark.parametrize("leads", [sd.LEADS, sd.LEADS[::-1], ("V2", "I"), ("aVF",)])
@pytest.mark.parametrize(("sampling_rate_hz", "samples"), [(100, 1000), (500, 5000), (250, 1000)])
def test_every_lead_is_drawn_in_its_row_at_its_time(leads, sampling_rate_hz, samples):
    signals_mv = told_apart(leads, samples)
    figure = explore.ecg_figure(signals_mv, leads, sampling_rate_hz)
    drawn = {trace.name: trace for trace in figure.data[2:]}
    assert tuple(sorted(drawn, key=sd.LEADS.index)) == sd.LEADS
    for row, row_leads in enumerate(ROWS):
        for column, lead in enumerate(row_leads):
            trace = drawn[lead]
            if lead not in leads:
                assert len(trace.x) == len(trace.y) == 0
                continue
            when = np.rint(trace.x * sampling_rate_hz).astype(int)
            assert when[0] == column * samples // 4
            assert len(when) == samples // 4
            np.testing.assert_allclose(trace.y + ROW_MV * row, signals_mv[leads.index(lead), when])


def test_absent_leads_are_grey_and_named():
    figure = explore.ecg_figure(told_apart(["I", "V2"]), "I, V2", 100)
    grey = figure.data[0]
    assert (grey.fill, grey.fillcolor) == ("toself", ABSENT)
    cells = np.split(np.column_stack([grey.x, grey.y]), np.flatnonzero(np.isnan(grey.x)) + 1)[:-1]
    centres = {tuple(np.nanmin(cell, axis=0) + np.array([1.25, ROW_MV / 2])) for cell in cells}
    absent = {(row, column) for row in range(3) for column in range(4)} - {(0, 0), (1, 2)}  # I and V2
    assert centres == {(2.5 * column + 1.25, -ROW_MV * row) for row, column in absent}
    texts = {annotation.text for annotation in figure.layout.annotations}
    assert texts == {"<b>I</b>", "<b>V2</b>"} | {f"{lead} absent" for lead in sd.LEADS if lead not in ("I", "V2")}


@pytest.mark.parametrize("peak_mv", [0.5, -9.0, 6.0])
def test_a_millimetre_is_a_millimetre_and_nothing_is_cut_off(peak_mv):
    signals_mv = np.zeros((12, 1000))
    signals_mv[[0, 2], 10] = peak_mv  # I in the top row, III in the lowest
    layout = explore.ecg_figure(signals_mv, sd.LEADS, 100).layout
    (left, right), (bottom, top) = layout.xaxis.range, layout.yaxis.range
    assert layout.width - layout.margin.l - layout.margin.r == pytest.approx((right - left) * MM_PER_S * PX_PER_MM, abs=1)
    assert layout.height - layout.margin.t - layout.margin.b == pytest.approx((top - bottom) * MM_PER_MV * PX_PER_MM, abs=1)
    assert bottom < min(peak_mv, 0) - 2 * ROW_MV
    assert top > peak_mv
    (squares,) = (shape.path for shape in layout.shapes if shape.line.color == SMALL_SQUARE)
    upright = [float(x) for x in re.findall(r"M([-\d.]+),[-\d.]+V", squares)] + list(layout.xaxis.tickvals)
    level = [float(y) for y in re.findall(r"M[-\d.]+,([-\d.]+)H", squares)]
    level += [value / 2 for value in range(-40, 20) if bottom <= value / 2 <= top]  # the lines of 5 mm
    for lines, mm, ends in ((upright, MM_PER_S, (left, right)), (level, MM_PER_MV, (bottom, top))):
        np.testing.assert_allclose(np.diff(np.sort(lines)) * mm, 1, atol=1e-6)  # one each millimetre, from end to end
        assert min(lines) - ends[0] < 1 / mm
        assert ends[1] - max(lines) < 1 / mm


def test_each_row_has_its_calibration_mark():
    mark = explore.ecg_figure(told_apart(["I"]), "I", 100).data[1]
    heights = [value for value in mark.y if value is not None]
    assert max(heights) == 1
    assert sorted({round(value % ROW_MV, 6) for value in heights}) == [0, 1]  # from each row's zero line to 1 mV above
    upper = [x for x, y in zip(mark.x, mark.y, strict=True) if y == 1]
    assert upper[-1] - upper[0] == pytest.approx(0.2)


def test_a_long_recording_says_that_it_is_cut():
    figure = explore.ecg_figure(told_apart(["I"], 3000), "I", 100, "mine")
    assert figure.layout.title.text == "mine (the first 10 of 30 s)"
    assert figure.layout.xaxis.range[1] == 10
    assert explore.ecg_figure(told_apart(["I"], 400), "I", 100).layout.xaxis.range[1] == 4


@pytest.mark.parametrize("signals_mv", [np.zeros((2, 100)), np.zeros(100), np.zeros((1, 0))])
def test_leads_that_disagree_with_the_signals_are_refused(signals_mv):
    for draw_or_describe in (lambda: explore.ecg_figure(signals_mv, "I", 100), lambda: explore.describe_ecg(signals_mv, "I")):
        with pytest.raises(sd.LeadError, match=r"Leads I need signals \[1, samples\] in mV; found shape"):
            draw_or_describe()


def test_the_ecg_in_words():
    signals_mv = np.zeros((2, 50))
    signals_mv[1, 3:5] = 0.25, -1.5
    assert explore.describe_ecg(signals_mv, "II, V6") == (
        "The ECG shows II and V6; I, III, aVR, aVL, aVF, V1, V2, V3, V4 and V5 are absent. "
        "The largest deflection is in lead V6, which runs from -1.50 to 0.25 mV."
    )
    assert "; no lead is absent." in explore.describe_ecg(told_apart(sd.LEADS), sd.LEADS)
    assert "; V6 is absent." in explore.describe_ecg(told_apart(sd.LEADS[:-1]), sd.LEADS[:-1])


# Scores


def test_the_table_holds_what_evaluate_says(clf, recordings, table):
    assert list(table["lead_set"]) == list(sd.LEAD_SETS)
    scores = sd.evaluate(clf, recordings, "3-lead", bootstrap=50)
    row = table.set_index("lead_set").loc["3-lead"]
    assert (row["leads"], row["n_leads"], row["macro_auroc"]) == ("I, II, V2", 3, scores.macro_auroc)
    assert (row["low"], row["high"]) == scores.interval
    assert {name: row[name] for name in recordings.label_names} == scores.per_class


def test_bars_stand_on_chance_and_the_chosen_one_stands_out(table):
    figure = explore.score_figure(table, "2-lead")
    (bars,) = figure.data
    np.testing.assert_allclose(bars.base + bars.y, table["macro_auroc"])
    np.testing.assert_allclose(bars.base + bars.y + bars.error_y.array, table["high"])
    np.testing.assert_allclose(bars.base + bars.y - bars.error_y.arrayminus, table["low"])
    assert list(bars.marker.color) == [CHOSEN if name == "2-lead" else OTHER for name in table["lead_set"]]
    low, high = figure.layout.yaxis.range
    assert low <= min(0.5, table["low"].min())
    assert high >= table["high"].max()


def test_the_bars_in_words():
    facts = {"lead_set": ["12-lead", "1-lead"], "leads": ["all", "I"], "n_leads": [12, 1]}
    table = pd.DataFrame(facts | {"macro_auroc": [0.9, 0.75], "low": [0.85, 0.7], "high": [0.95, 0.8]})
    assert explore.describe_scores(table, "1-lead") == (
        "With 1-lead (I) the macro AUROC is 0.750, 95 % interval 0.700 to 0.800. "
        "Highest of the 2 lead sets: 12-lead with 0.900; lowest: 1-lead with 0.750. Chance is 0.5."
    )
    with pytest.raises(ValueError, match="No lead set '3-lead' in the table; it has 12-lead, 1-lead"):
        explore.score_figure(table, "3-lead")


def results_of(untrained, trained, half_width):
    """Results of models a, b ... at 12 and 1 leads: untrained and trained have a row a model."""
    rows = [
        (model, stage, lead_set, n, score, score - half_width, score + half_width)
        for stage, scores in (("untrained", untrained), ("pre-trained", trained))
        for model, pair in zip("ba", scores, strict=True)
        for lead_set, n, score in zip(("12-lead", "1-lead"), (12, 1), pair, strict=True)
    ]
    return pd.DataFrame(rows, columns=["model", "stage", "lead_set", "n_leads", "macro_auroc", "low", "high"])


def test_each_model_has_a_panel_with_its_twin():
    results = results_of([(0.7, 0.6), (0.71, 0.61)], [(0.8, 0.7), (0.82, 0.69)], 0.05)
    figure = explore.comparison_figure(results)
    assert [annotation.text for annotation in figure.layout.annotations] == ["b", "a"]
    drawn = [(trace.name, trace.xaxis, tuple(trace.x), tuple(trace.y), trace.line.color) for trace in figure.data]
    assert drawn == [
        ("untrained", "x", ("12", "1"), (0.7, 0.6), FAINT),
        ("pre-trained", "x", ("12", "1"), (0.8, 0.7), MODEL_COLOURS[0]),
        ("untrained", "x2", ("12", "1"), (0.71, 0.61), FAINT),
        ("pre-trained", "x2", ("12", "1"), (0.82, 0.69), MODEL_COLOURS[1]),
    ]
    np.testing.assert_allclose(figure.data[3].error_y.array, 0.05)


@pytest.mark.parametrize(("half_width", "verdict"), [(0.05, "No gap is wider"), (0.005, "deserves a second look")])
def test_the_panels_in_words(half_width, verdict):
    results = results_of([(0.7, 0.6), (0.71, 0.61)], [(0.8, 0.7), (0.82, 0.69)], half_width)
    said = explore.describe_comparison(results)
    assert "The untrained twins score 0.600 to 0.710, the pre-trained models 0.690 to 0.820." in said
    assert "pre-training adds +0.100 (b), +0.095 (a)." in said
    assert "is 0.020, at 12-lead (ahead: a)" in said
    assert f"is {2 * half_width:.3f} wide" in said
    assert verdict in said


def test_scores_as_text_keep_the_order_of_models_and_lead_sets():
    text = explore.format_scores(results_of([(0.7, 0.6), (0.71, 0.61)], [(0.8, 0.7), (0.82, 0.69)], 0.05))
    assert list(text.columns) == ["12-lead", "1-lead"]
    assert list(text.index) == [("b", "untrained"), ("a", "untrained"), ("b", "pre-trained"), ("a", "pre-trained")]
    assert text.loc[("a", "pre-trained"), "1-lead"] == "0.69 [0.64, 0.74]"


# The widget


def arrays(value):
    """An array as plotly sends it to the browser: a list, or its bytes in base64."""
    return np.frombuffer(base64.b64decode(value["bdata"]), value["dtype"]) if isinstance(value, dict) else value


@pytest.fixture
def explorer(clf, recordings, table):
    return explore.LeadSetExplorer(clf, recordings, table)


def test_both_controls_change_what_is_shown(explorer, clf, recordings, table):
    explorer.lead_set.value = "2-lead"
    explorer.recording.value = 3
    assert explorer.choice == explore.Choice("2-lead", 3)
    drawn = [trace for trace in explorer.ecg.figure["data"] if trace["name"] in sd.LEADS and len(arrays(trace["y"]))]
    assert [trace["name"] for trace in drawn] == ["I", "II"]
    np.testing.assert_allclose(arrays(drawn[0]["y"]), recordings.batch([3], "I")[0, 0, :250])
    assert "The ECG shows I and II; III," in explorer.ecg.text
    assert explorer.scores.text == explore.describe_scores(table, "2-lead")
    assert explorer.scores.figure["data"][0]["marker"]["color"].index(CHOSEN) == list(sd.LEAD_SETS).index("2-lead")
    for probability in clf.predict_proba(recordings.where(rows=[3]), "I, II")[0]:
        assert f"<td>{probability:.2f}</td>" in explorer.shown_probabilities.value


def test_nothing_of_an_earlier_choice_is_left(explorer, recordings, table):
    for lead_set in ("1-lead", "4-lead", "12-lead"):
        explorer.lead_set.value = lead_set
        fresh = explore.LeadSetExplorer(explorer.clf, recordings, table, explorer.choice)
        assert (explorer.ecg.figure, explorer.ecg.text) == (fresh.ecg.figure, fresh.ecg.text)
        assert (explorer.scores.figure, explorer.scores.text) == (fresh.scores.figure, fresh.scores.text)
        assert explorer.static_html().count('class="plotly-graph-div"') == 2


def test_a_page_without_widgets_shows_the_same(explorer):
    explorer.lead_set.value = "3-lead"
    (page,) = [text for kind, text in explorer._repr_mimebundle_().items() if kind == "text/html"]
    for said in (explorer.ecg.text, explorer.scores.text, explorer.shown_probabilities.value):
        assert said in page


def test_the_bars_are_as_wide_as_the_ecg(explorer):
    assert explorer.scores.figure["layout"]["width"] == explorer.ecg.figure["layout"]["width"]


def test_probabilities_are_those_of_the_recording(clf, recordings):
    shown = lead_set_explorer.probabilities(explore.Choice("1-lead", 5), clf, recordings)
    assert list(shown.index) == list(recordings.label_names)
    assert list(shown["label"] == "yes") == list(recordings.labels[5] == 1)
    np.testing.assert_allclose(shown["1-lead"], clf.predict_proba(recordings, "I")[5], atol=1e-5)
    np.testing.assert_allclose(shown["12-lead"], clf.predict_proba(recordings, sd.LEADS)[5], atol=1e-5)


def test_an_error_is_shown_and_raised_and_goes_away(explorer, monkeypatch):
    def fail(*_):
        raise ValueError("no lead <V9>")

    with monkeypatch.context() as patch:
        patch.setattr(lead_set_explorer, "ecg_of", fail)
        with pytest.raises(ValueError, match="no lead <V9>"):
            explorer.lead_set.value = "1-lead"
    assert explorer.error.value == '<p role="alert"><b>ValueError: no lead &lt;V9&gt;</b></p>'
    explorer.recording.value = 1
    assert explorer.error.value == ""


def test_leads_that_a_recording_lacks_are_refused_in_words_and_the_page_shows_the_choice_before(explorer, monkeypatch):
    def refuse(*_):
        raise sd.LeadError("no lead <V9>")

    explorer.lead_set.value = "2-lead"
    before = explorer.choice, explorer.ecg.text, explorer.scores.text, explorer.shown_probabilities.value
    with monkeypatch.context() as patch:
        patch.setattr(lead_set_explorer, "ecg_of", refuse)
        explorer.lead_set.value = "1-lead"
        assert all(words in explorer.static_html() for words in before[1:])
    assert (explorer.choice, explorer.ecg.text, explorer.scores.text, explorer.shown_probabilities.value) == before
    assert explorer.error.value.startswith('<p role="status"><b>Not shown:</b> no lead &lt;V9&gt; What you see is still')


def test_a_recording_without_labels_says_so(recordings):
    labels = recordings.labels.copy()
    labels[2] = 0
    titles = []
    for array in (recordings.labels, labels):
        view = recordings.where(rows=np.arange(len(recordings)))
        view.labels = array
        titles.append(lead_set_explorer.ecg_of(explore.Choice("1-lead", 2), view)[0].layout.title.text)
    present = [name for name, label in zip(recordings.label_names, recordings.labels[2], strict=True) if label]
    assert titles == [f"Recording 2 (labelled {', '.join(present)}) with 1-lead", "Recording 2 (no label) with 1-lead"]
