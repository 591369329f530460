"""ECG paper is true to scale in every print, says what is absent, and marks waves where simulated hearts have them."""

import itertools
import json
import re

import numpy as np
import pytest
import traitlets
from hypothesis import given
from hypothesis import strategies as st
from small import in_memory

import selfdana_lite as sd
from selfdana_lite import explore
from selfdana_lite.explore import ecg_marks, ecg_viewer
from selfdana_lite.explore.ecg_layout import ONLY_PRESENT, RHYTHM_STRIP, cells_of, rhythm_lead, row_height_mv, rows_of
from selfdana_lite.explore.ecg_paper import ABSENT, MM_PER_MV, MM_PER_S, PX_PER_MM, SHOWN_S
from selfdana_lite.explore.live_figure import as_plain

some_leads = st.sets(st.sampled_from(sd.LEADS), min_size=1).map(lambda leads: tuple(sorted(leads, key=sd.LEADS.index)))
layouts = st.sampled_from(explore.LAYOUTS)


@pytest.fixture(scope="module")
def dataset(samples_path):
    return sd.EcgDataset.open(samples_path)


@pytest.fixture(scope="module")
def recording(dataset):
    """A healthy one, with R waves that point up in lead II."""
    return ecg_viewer.recording_at(dataset, int(dataset.labels[:, dataset.label_names.index("NORM")].argmax()))


def told_apart(leads, samples=1000, rate_hz=100):
    """A recording in which every sample says which lead it is of, and when."""
    signal_mv = [[sd.LEADS.index(lead) / 20] for lead in leads] + np.arange(samples) / samples / 100
    return sd.Recording(signal_mv.astype(np.float32), rate_hz, tuple(leads))


def paper(recording, layout=RHYTHM_STRIP, **options):
    return explore.ecg_figure(recording.signal_mv, recording.leads, recording.sampling_rate_hz, layout=layout, **options)


def traces_of(figure, names=sd.LEADS):
    return [trace for trace in figure.data if trace.name in names]


# The prints


@given(layouts, some_leads)
def test_every_lead_has_a_cell_and_every_row_the_whole_time(layout, present):
    rows = rows_of(layout, present)
    cells = cells_of(rows, 8.0)
    assert {cell.lead for cell in cells} == set(present if layout == ONLY_PRESENT else sd.LEADS)
    for number in range(len(rows)):
        spans = [(cell.start_s, cell.end_s) for cell in cells if cell.row == number]
        assert spans[0][0] == 0
        assert spans[-1][1] == 8
        assert all(end == start for (_, end), (start, _) in itertools.pairwise(spans))


def test_the_prints_have_their_rows():
    shapes = {layout: [len(row) for row in rows_of(layout, ("I", "V2"))] for layout in explore.LAYOUTS}
    assert shapes == {RHYTHM_STRIP: [4, 4, 4, 1], "3x4": [4] * 3, "6x2": [2] * 6, "12x1": [1] * 12, ONLY_PRESENT: [1, 1]}
    assert rows_of("6x2", ())[0] == ("I", "V1")
    assert rows_of(ONLY_PRESENT, ()) == rows_of("12x1", ())  # nothing there: all absent rather than an empty page
    with pytest.raises(ValueError, match=r"Unknown layout '4x3'; choose one of 3x4 [+] rhythm strip, 3x4"):
        rows_of("4x3", ("I",))


@pytest.mark.parametrize(("present", "strip"), [(sd.LEADS, "II"), (("V6", "V2"), "V2"), ((), "II"), (("aVR", "II"), "II")])
def test_the_rhythm_strip_is_lead_ii_or_the_first_there_is(present, strip):
    assert rhythm_lead(present) == strip
    assert rows_of(RHYTHM_STRIP, present)[-1] == (strip,)


@given(layouts, some_leads, st.sampled_from([(100, 1000), (500, 5000), (128, 300), (257, 1000)]))
def test_each_cell_shows_its_part_of_its_lead_and_nothing_is_lost(layout, leads, rate_and_samples):
    rate_hz, samples = rate_and_samples
    recording = told_apart(leads, samples, rate_hz)
    rows = rows_of(layout, leads)
    cells = cells_of(rows, samples / rate_hz)
    drawn = traces_of(paper(recording, layout))
    assert [trace.name for trace in drawn] == [cell.lead for cell in cells]
    for cell, trace in zip(cells, drawn, strict=True):
        if cell.lead not in leads:
            assert len(trace.x) == len(trace.y) == 0
            continue
        when = np.rint(trace.x * rate_hz).astype(int)
        np.testing.assert_array_equal(np.diff(when), 1)
        assert when[0] == pytest.approx(cell.start_s * rate_hz, abs=0.51)
        assert when[-1] + 1 == pytest.approx(cell.end_s * rate_hz, abs=0.51)
        signal_mv = recording.signal_mv[recording.leads.index(cell.lead), when]
        np.testing.assert_allclose(trace.y + row_height_mv(rows) * cell.row, signal_mv, atol=1e-5)
    for row in range(len(rows)):  # end to end, a row of present leads has every sample once
        parts = [trace.x for cell, trace in zip(cells, drawn, strict=True) if cell.row == row]
        assert not all(map(len, parts)) or sum(map(len, parts)) == samples


@pytest.mark.parametrize("layout", explore.LAYOUTS)
@pytest.mark.parametrize(("rate_hz", "samples"), [(100, 1000), (500, 1000), (250, 25_000), (100, 90)])
def test_squares_are_square_in_every_print_of_every_length(layout, rate_hz, samples):
    figure = paper(told_apart(("I", "V5"), samples, rate_hz), layout)
    page, margin = figure.layout, figure.layout.margin
    (left, right), (bottom, top) = page.xaxis.range, page.yaxis.range
    width = (page.width - margin.l - margin.r) * np.ptp(page.xaxis.domain)
    assert width / (right - left) == pytest.approx(MM_PER_S * PX_PER_MM, rel=0.01)
    assert (page.height - margin.t - margin.b) / (top - bottom) == pytest.approx(MM_PER_MV * PX_PER_MM, rel=0.01)
    assert right == min(SHOWN_S, samples / rate_hz)
    assert (page.width, page.height < 600) == (910, True)  # a small laptop shows it beneath the controls


def test_all_calibration_marks_are_on_the_page():
    for layout in explore.LAYOUTS:
        figure = paper(told_apart(sd.LEADS), layout)
        heights = np.array(figure.data[1].y, float)
        bottom, top = figure.layout.yaxis.range
        assert bottom < np.nanmin(heights)
        assert np.nanmax(heights) < top
        times = np.array(figure.data[1].x, float)
        assert figure.layout.xaxis.range[0] <= np.nanmin(times) < np.nanmax(times) <= 0


def labels_of(figure):
    return {annotation.text for annotation in figure.layout.annotations if annotation.text}


@pytest.mark.parametrize(("layout", "extra"), [("6x2", set()), ("12x1", {"<b>aVR</b>"}), (ONLY_PRESENT, set())])
def test_what_is_absent_says_so(layout, extra):
    absent = {"aVR absent"} if layout != ONLY_PRESENT else set()
    there = {f"<b>{lead}</b>" for lead in sd.LEADS if lead != "aVR"}
    figure = paper(told_apart([lead for lead in sd.LEADS if lead != "aVR"]), layout)
    assert labels_of(figure) == there | absent | extra
    assert bool(len(figure.data[0].x)) == bool(absent)


def test_narrow_cells_have_shorter_labels():
    found = [labels_of(paper(told_apart(("II",), samples), "3x4")) for samples in (1000, 400, 200, 100)]
    assert ["V6 absent" in found[0], "V6<br>absent" in found[1], "V6" in found[2], len(found[3])] == [True, True, True, 1]


def test_strokes_between_leads_are_upright_and_stand_between_columns():
    _squares, shape = paper(told_apart(sd.LEADS), "6x2").layout.shapes
    strokes = [[point.split(",") for point in stroke.split("L")] for stroke in shape.path.removeprefix("M").split("M")]
    assert len(strokes) == 6
    assert all((x0, x1) == ("5.0", "5.0") and float(y1) - float(y0) == pytest.approx(0.8) for (x0, y0), (x1, y1) in strokes)
    assert paper(told_apart(sd.LEADS), "12x1").layout.shapes[1:] == ()


def test_missing_samples_are_gaps_and_are_told(recording):
    signal_mv = recording.signal_mv.copy()
    signal_mv[3, 100:150] = np.nan
    figure = explore.ecg_figure(signal_mv, sd.LEADS, 100, layout="12x1")
    assert np.isnan(traces_of(figure)[3].y).sum() == 50
    assert np.isfinite(figure.layout.yaxis.range).all()
    assert explore.describe_ecg(signal_mv, sd.LEADS).endswith("50 samples are missing, in aVR.")
    nothing = np.full((1, 500), np.nan)
    assert explore.describe_ecg(nothing, "V1").endswith("are absent. 500 samples are missing, in V1.")
    assert np.isfinite(explore.ecg_figure(nothing, "V1", 100).layout.yaxis.range).all()


def test_no_lead_at_all_is_a_grey_page():
    figure = explore.ecg_figure(np.empty((0, 1000)), (), 100)
    assert labels_of(figure) == {f"{lead} absent" for lead in sd.LEADS}
    assert figure.data[0].fillcolor == ABSENT
    assert explore.describe_ecg(np.empty((0, 1000)), ()).startswith("The ECG shows no lead; I, II,")


def test_a_figure_is_small_enough_to_be_sent_at_each_click(recording):
    sizes = {layout: len(json.dumps(as_plain(paper(recording, layout)))) for layout in explore.LAYOUTS}
    samples = 12_000 * 4 * 2 * 4 / 3  # twelve leads, float32 times and voltages, base64
    assert max(sizes.values()) < samples + 30_000
    assert sizes["3x4"] < samples / 4 + 30_000


# A second view


def test_an_overlay_lies_over_its_leads_and_says_which_view_has_what():
    before, after = told_apart(("I", "II", "V1")), told_apart(("II", "aVR"), 500, 50)
    figure = paper(before, "3x4", overlay=after)
    drawn = traces_of(figure)
    first, second = drawn[:12], drawn[12:]
    assert {trace.name for trace in first if len(trace.x)} == {"I", "II", "V1"}
    assert {trace.name for trace in second if len(trace.x)} == {"II", "aVR"}
    assert {trace.line.color for trace in first} != {trace.line.color for trace in second}
    assert first[0].line.width > 2 * second[0].line.width  # told apart without colours
    assert {"<b>II</b>", "<b>I</b>, before only", "<b>aVR</b>, after only", "V2 absent"} <= labels_of(figure)
    assert [trace.name for trace in figure.data if trace.showlegend] == ["before", "after"]
    assert "<b>aVR</b><br>after" in labels_of(paper(before, "12x1", overlay=after))
    assert not paper(before, "3x4").layout.showlegend


# Marks


def test_waves_lie_where_the_simulated_heart_has_them(dataset):
    """The truth is in the table: marks of a beat come in order, T within QT, P before R by about PR."""
    ordered = near = beats = 0
    for row in np.flatnonzero(dataset.labels[:, dataset.label_names.index("NORM")])[:15]:
        truth, marks = dataset.table.loc[row], explore.find_marks(ecg_viewer.recording_at(dataset, row))
        assert marks.heart_rate_bpm == pytest.approx(truth["heart_rate_bpm"], rel=0.1)
        for beat_s in marks.waves["R"][1:-1]:
            p, q = (marks.waves[wave][marks.waves[wave] < beat_s].max(initial=-9) for wave in "PQ")
            s, t = (marks.waves[wave][marks.waves[wave] > beat_s].min(initial=99) for wave in "ST")
            ordered += beat_s - 0.4 < p < q < beat_s < s < t < beat_s + 0.6
            near += beat_s - p < truth["pr_ms"] / 1000 + 0.05 and t - q < truth["qt_ms"] / 1000 + 0.02
            beats += 1
    assert beats > 100
    assert ordered > 0.9 * beats
    assert near > 0.9 * beats


def test_marks_are_drawn_on_their_lead_wherever_it_is_shown(recording):
    marks = explore.find_marks(recording)
    assert marks.lead == "II"
    figure = paper(recording, marks=marks)
    for wave in ecg_marks.WAVES:
        (trace,) = traces_of(figure, [f"{wave} wave"])
        assert set(trace.text) == {wave}
        strip = np.array(trace.y) < -2.5 * 2.5
        np.testing.assert_allclose(np.array(trace.x)[strip], marks.waves[wave])
        at = np.rint(marks.waves[wave] * 100).astype(int)
        np.testing.assert_allclose(np.array(trace.y)[strip] + 7.5, recording.signal_mv[1, at], atol=1e-4)
        assert (np.array(trace.x)[~strip] <= 2.5).all()  # the cell of lead II in its row
    symbols = [trace.marker.symbol for trace in traces_of(figure, [f"{wave} wave" for wave in "PQRST"])]
    assert len(set(symbols)) == 5


def test_a_lead_with_r_waves_that_point_down_is_not_marked_where_another_is_there(recording):
    lead_ii = recording.select("II").signal_mv[0]
    swapped = sd.Recording(np.stack([-lead_ii - 1, lead_ii]), 100, ("II", "V5"))
    assert explore.find_marks(swapped).lead == "V5"


NOISE = np.random.default_rng(0).normal(size=(1, 1000)).astype(np.float32) / 10


@pytest.mark.parametrize(
    ("signal_mv", "rate_hz", "why"),
    [
        (np.zeros((2, 1000), np.float32), 100, "no lead is whole and alive"),
        (np.full((2, 1000), np.nan, np.float32), 100, "no lead is whole and alive"),
        (NOISE[:, :399], 100, "shorter than 4 s"),
        (NOISE[:, :400], 40, "sampled below 50 Hz"),
    ],
)
def test_where_there_is_nothing_to_mark_the_reason_is_said(signal_mv, rate_hz, why):
    marks = explore.find_marks(sd.Recording(signal_mv, rate_hz, sd.LEADS[: len(signal_mv)]))
    assert (marks.lead, marks.why_none) == ("", why)
    assert explore.describe_marks(marks) == f"No waves are marked: {why}."


def test_a_failure_of_neurokit_is_told_with_the_rate_that_was_found(recording, monkeypatch):
    import neurokit2

    def fail(*_args, **_kwargs):
        raise IndexError("index 0 is out of bounds")

    monkeypatch.setattr(neurokit2, "ecg_delineate", fail)
    said = explore.describe_marks(explore.find_marks(recording))
    told = r"The heart beats \d+ times a minute. No waves are marked: the waves of lead II cannot be told apart \(index 0 .*\)."
    assert re.fullmatch(told, said)


@pytest.mark.parametrize("seed", range(15))
def test_noise_spikes_and_gaps_never_break_the_marks(seed):
    rng = np.random.default_rng(seed)
    rate_hz, samples = int(rng.choice([50, 100, 257, 500])), int(rng.integers(300, 3000))
    signal_mv = rng.normal(size=(3, samples)).cumsum(axis=1) / 20 * rng.integers(0, 2, size=(3, 1))
    signal_mv[:, rng.integers(0, samples, 8)] += 3
    signal_mv[0, : rng.integers(0, samples)] = np.nan
    recording = sd.Recording(signal_mv.astype(np.float32), rate_hz, ("I", "II", "V1"))
    marks = explore.find_marks(recording)
    assert bool(marks.lead) != bool(marks.why_none)
    assert all(((0 <= at) & (at <= recording.seconds)).all() for at in marks.waves.values())
    paper(recording, marks=marks)


# The widget


@pytest.fixture
def viewer(dataset):
    return explore.ECGViewer(dataset)


def names_shown(viewer):
    return {trace["name"] for trace in viewer.figure.figure["data"] if trace["name"] in sd.LEADS and trace["x"]}


def test_every_control_changes_what_is_shown(viewer, dataset):
    viewer.recording.value = 3
    assert viewer.figure.figure["layout"]["title"]["text"].startswith("Recording 3 (")
    viewer.layout_menu.value = "12x1"
    assert len(viewer.figure.figure["data"]) == 14
    viewer.lead_set.value = "2-lead"
    assert names_shown(viewer) == {"I", "II"}
    assert "The ECG shows I and II; III," in viewer.figure.text
    viewer.marked.value = True
    assert "by neurokit2, by rule and not by a physician" in viewer.figure.text
    view = explore.ECGView(3, ("I", "II"), "12x1", True)
    assert viewer.view == view
    recording = ecg_viewer.recording_at(dataset, 3)
    marks = ecg_viewer.marks_of(view, recording)
    assert viewer.figure.figure == as_plain(ecg_viewer.draw(view, recording, marks))
    assert ecg_viewer.describe(view, recording, marks) in viewer.static_html()


def test_the_viewer_follows_a_picker(dataset):
    picker = explore.LeadPicker("I, V2")
    viewer = explore.ECGViewer(dataset, picker=picker)
    assert viewer.lead_set.layout.display == "none"
    assert names_shown(viewer) == {"I", "V2"}
    picker.buttons["V6"].value = True
    assert viewer.leads == ("I", "V2", "V6")
    assert names_shown(viewer) == {"I", "V2", "V6"}


def test_leads_may_be_set_by_name_and_nonsense_is_refused(viewer):
    viewer.leads = "v1 II"
    assert (viewer.leads, viewer.lead_set.value) == (("II", "V1"), None)
    viewer.leads = "6-lead"
    assert viewer.lead_set.value == "6-lead"
    for nonsense in ("V9", ()):
        with pytest.raises(sd.LeadError):
            viewer.leads = nonsense
    with pytest.raises(traitlets.TraitError):
        viewer.layout_menu.value = "4x3"


def test_leads_that_a_recording_lacks_are_absent_and_told(dataset):
    table = dataset.table.iloc[:2]
    present = np.ones((12, 2), bool)
    present[6:, 1] = False
    signals_uv = dataset.signals[:2].copy()
    signals_uv[1, 6:] = 0
    mixed = sd.EcgDataset(signals_uv.transpose(1, 0, 2), table, sd.LEADS, 100, dataset.label_names, present=present)
    viewer = explore.ECGViewer(mixed, "II, V2")
    viewer.recording.value = 1
    assert names_shown(viewer) == {"II"}
    assert "Chosen, but not in this recording: V2." in viewer.figure.text
    viewer.leads = "V2"
    assert names_shown(viewer) == set()
    viewer.marked.value = True
    assert "No waves are marked: none of the chosen leads is there." in viewer.figure.text


def test_one_recording_of_any_file_and_length_will_do(recording):
    long_mv = np.tile(recording.signal_mv, 3)[:3]
    mine = sd.Recording(long_mv, 100, ("I", "vx", "V1"), source="mine.dat")
    viewer = explore.ECGViewer(mine)
    assert viewer.recording.layout.display == "none"
    assert viewer.figure.figure["layout"]["title"]["text"] == "mine.dat (the first 10 of 30 s)"
    assert viewer.figure.text.endswith("Not drawn: vx. Shown are the first 10 of 30 s.")
    viewer.marked.value = True
    assert viewer.error.value == ""


def test_a_flat_lead_is_looked_at_without_a_warning(dataset):
    flat = in_memory(np.zeros_like(dataset.signals[:1]), dataset.table.iloc[:1], sd.LEADS, dataset.label_names)
    assert "runs from 0.00 to 0.00 mV" in explore.ECGViewer(flat).figure.text


def test_an_error_is_shown_and_raised_and_goes_away(viewer, monkeypatch):
    def fail(*_):
        raise ValueError("no lead <V9>")

    with monkeypatch.context() as patch:
        patch.setattr(ecg_viewer, "draw", fail)
        with pytest.raises(ValueError, match="no lead <V9>"):
            viewer.recording.value = 2
    assert viewer.error.value == '<p role="alert"><b>ValueError: no lead &lt;V9&gt;</b></p>'
    viewer.recording.value = 4
    assert viewer.error.value == ""
