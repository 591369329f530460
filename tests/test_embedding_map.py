"""What the embedding map shows is what was computed: places, colours, drift, neighbours and words; and the widget over them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist
from small import in_memory, seeded_encoder
from test_colours import contrast_on_white
from torch import nn

import selfdana_lite as sd
from selfdana_lite.explore import ECGViewer, EmbeddingMap, LeadPicker
from selfdana_lite.explore import atlas as atlas_module
from selfdana_lite.explore.atlas import NEAREST, Atlas
from selfdana_lite.explore.embedding_map import ecg_of
from selfdana_lite.explore.map_figure import MapView, describe, describe_neighbours, draw, neighbour_table
from selfdana_lite.explore.map_groups import GROUPINGS, PATIENTS, RULES, highlighted_patients, lead_words
from selfdana_lite.explore.neighbours import METRICS, nearest_neighbours

RECORDS = 120
PCA = ("PCA", "euclidean")


@pytest.fixture(scope="module")
def recordings():
    """Some of the simulated recordings, several of some patients, with six seconds each."""
    few = sd.EcgDataset.open().where(rows=range(RECORDS))
    return in_memory(few.signals[:, :, :600], few.table, few.leads, few.label_names)


@pytest.fixture(scope="module")
def atlas(recordings):
    return Atlas(seeded_encoder(), recordings)


@pytest.fixture(scope="module")
def scene(atlas):
    return atlas.scene(("I", "V2"), *PCA)


class ShiftPerMissingLead(nn.Module):
    """Embeds a recording as eight samples of the first lead that it is given; each lead that is missing adds `shift`."""

    def __init__(self, shift=0.0):
        super().__init__()
        self.shift, self.seen = nn.Parameter(torch.tensor(shift)), []

    def refuse_other_rate(self, sampling_rate_hz):
        assert sampling_rate_hz == 100

    def forward(self, signals_mv, leads):
        self.seen.append((len(signals_mv), tuple(leads)))
        return signals_mv[:, 0, 100:180:10] + self.shift * (12 - len(leads))  # [B, 8]


@pytest.fixture(scope="module")
def alike(recordings):
    """Recordings whose twelve leads are all the same, so that an encoder cannot tell which it is given."""
    return in_memory(np.repeat(recordings.signals[:, 1:2], 12, axis=1), recordings.table, sd.LEADS, recordings.label_names)


def trace(figure, name):
    (found,) = (trace for trace in figure.data if trace.name == name)
    return found


def lines(figure):
    return [trace for trace in figure.data if trace.mode == "lines"]


def places_of(trace):
    return np.stack([trace.x, trace.y], axis=1)


# The atlas


def test_an_encoder_that_ignores_leads_moves_nobody(alike):
    scene = Atlas(ShiftPerMissingLead(), alike).scene(("V5",), *PCA)
    assert scene.moved
    np.testing.assert_array_equal(scene.now, scene.before)
    assert not scene.drift.relative.any()
    assert (scene.kept == 1).all()
    assert "drifts by 0.00 on average" in describe(MapView(), scene)
    assert "100% of the 5 nearest stay the same" in describe(MapView(), scene)


def test_an_encoder_that_shifts_all_alike_moves_the_map_and_no_neighbour(alike):
    scene = Atlas(ShiftPerMissingLead(0.1), alike).scene(("I", "V5"), *PCA)
    shift = 10 * 0.1 * np.sqrt(8)  # ten leads are missing, eight numbers shift
    before = alike.batch(range(RECORDS), ("I",))[:, 0, 100:180:10]
    np.testing.assert_allclose(scene.drift.relative, shift / pdist(before).mean(), rtol=1e-4)
    assert scene.drift.common == pytest.approx(1)
    assert (scene.kept == 1).all()
    moves = scene.now - scene.before
    np.testing.assert_allclose(moves, np.tile(moves[0], (RECORDS, 1)), atol=1e-5)
    assert np.linalg.norm(moves[0]) <= shift + 1e-6  # what the plane sees of the whole shift
    assert "100% of the squared drift is a shift of all alike" in describe(MapView(), scene)


def test_the_places_with_the_reference_leads_stay_exactly(atlas):
    there = atlas.scene(sd.LEADS, *PCA)
    assert not there.moved
    for leads in (("I",), ("V6", "I"), sd.LEADS[::-1]):
        scene = atlas.scene(leads, *PCA)
        np.testing.assert_array_equal(scene.before, there.now)
        assert scene.flat_map is there.flat_map
    np.testing.assert_array_equal(atlas.scene(sd.LEADS[::-1], *PCA).now, there.now)


def test_a_scene_holds_what_embed_says_of_all_recordings_at_once(atlas, recordings):
    scene = atlas.scene(("I", "V2"), *PCA)
    whole = sd.embed(atlas.encoder, recordings, ("I", "V2"))
    np.testing.assert_allclose(scene.now, scene.flat_map.place(whole), atol=1e-4)
    assert scene.size == whole.shape[1]
    before = sd.embed(atlas.encoder, recordings, sd.LEADS)
    np.testing.assert_allclose(scene.flat_map.places, scene.flat_map.place(before), atol=1e-4)
    for metric in METRICS:
        scene = atlas.scene(("I", "V2"), "PCA", metric)
        for near, embeddings in ((scene.near_before, before), (scene.near_now, whole)):
            expected = nearest_neighbours(embeddings, recordings.patient_ids, NEAREST, metric)
            np.testing.assert_allclose(near.distances, expected.distances, rtol=1e-3)
            assert (near.rows == expected.rows).mean() > 0.99  # other batches, other roundings: ties may swap


def test_each_part_is_computed_once_and_progress_is_told(alike):
    encoder, told = ShiftPerMissingLead(0.1), []
    atlas = Atlas(encoder, alike)
    assert not atlas.knows(("I",), *PCA)
    first = atlas.scene(("I",), *PCA, tell=told.append)
    assert [count for count, _leads in encoder.seen] == [100, 20, 100, 20]  # twelve leads, then one
    assert told == [f"Embedding recordings through {k} of 12 leads: {done} of 120 done." for k in (12, 1) for done in (0, 100)]
    assert atlas.knows(("I",), *PCA)
    assert atlas.scene(("I",), *PCA, tell=told.append) is first
    atlas.scene(("I",), "PCA", "cosine", tell=told.append)
    atlas.scene(sd.LEADS, *PCA, tell=told.append)
    assert (len(encoder.seen), len(told)) == (4, 4)
    atlas.scene(("I",), "t-SNE", "cosine", tell=told.append)
    assert told[4:] == [
        "Making the t-SNE map of 120 recordings; this takes some seconds, and longer the more there are.",
        "Placing 120 recordings in the t-SNE map; this takes seconds.",
    ]


def test_t_sne_has_a_frame_of_its_own_and_says_what_it_is_worth(atlas):
    scene = atlas.scene(("I",), "t-SNE", "euclidean")
    np.testing.assert_array_equal(scene.before, atlas.scene(sd.LEADS, "t-SNE", "euclidean").now)
    assert scene.now.shape == (RECORDS, 2)
    assert np.isfinite(scene.now).all()
    said = describe(MapView(), scene)
    assert "in t-SNE distances, gaps and the size of a cloud mean little" in said
    assert "variance" not in said
    assert draw(MapView(), scene).layout.xaxis.title.text == "t-SNE, first axis (no unit)"


def test_recordings_that_lack_leads_have_the_reference_that_they_share(recordings):
    table, signals = recordings.table, recordings.signals.copy()
    present = np.ones((RECORDS, 12), bool)
    present[5, 6:] = False
    signals[5, 6:] = 0
    stored, there = signals.transpose(1, 0, 2), present.T
    mixed = sd.EcgDataset(stored, table, sd.LEADS, 100, recordings.label_names, present=there)
    explorer = EmbeddingMap(seeded_encoder(), mixed)
    assert explorer.atlas.reference == explorer.leads == sd.LEADS[:6]
    assert "PCA map of 120 recordings through I, II, III, aVR, aVL, aVF." in explorer.map.text
    explorer.leads = "I, V1"
    assert '<p role="status"><b>Not shown:</b> Row 5 lacks V1' in explorer.error.value
    assert "through I, II, III, aVR, aVL, aVF." in explorer.map.text
    assert explorer.map.text.replace("'", "&#x27;") in explorer.static_html()
    nothing_shared = np.eye(12, dtype=bool)[:, np.arange(RECORDS) % 12]
    lonely = sd.EcgDataset(
        stored * nothing_shared[..., None], table, sd.LEADS, 100, recordings.label_names, present=nothing_shared
    )
    with pytest.raises(sd.LeadError, match="No lead is in every recording"):
        EmbeddingMap(seeded_encoder(), lonely)


def test_what_cannot_be_mapped_is_refused(recordings, monkeypatch):
    with pytest.raises(ValueError, match="at least 3 recordings"):
        EmbeddingMap(seeded_encoder(), recordings.where(rows=[0, 1]))
    with pytest.raises(ValueError, match="5 neighbours of other patients are wanted"):
        EmbeddingMap(seeded_encoder(), recordings.where(rows=range(5)))
    broken = ShiftPerMissingLead(float("nan"))
    with pytest.raises(ValueError, match="120 of 120 embeddings hold values that are not finite"):
        EmbeddingMap(broken, recordings)
    monkeypatch.setattr(atlas_module, "MOST_RECORDINGS", 100)
    with pytest.raises(ValueError, match=r"at most 100 recordings; this dataset has 120. Choose some, as with dataset.where"):
        EmbeddingMap(seeded_encoder(), recordings)


# The figure


@pytest.mark.parametrize("colour_by", GROUPINGS)
def test_every_recording_is_drawn_once_where_it_lies(scene, colour_by):
    figure = draw(MapView(3, colour_by), scene)
    groups = [trace for trace in figure.data if trace.customdata is not None and trace.name != "reference leads"]
    rows = np.concatenate([group.customdata for group in groups])
    assert sorted(rows) == list(range(RECORDS))
    np.testing.assert_array_equal(np.concatenate([places_of(group) for group in groups]), scene.now[rows])
    looks = [(group.marker.color, group.marker.symbol) for group in groups]
    assert len(set(looks)) == len(groups)
    assert len({symbol for _colour, symbol in looks}) == len(groups)  # nobody needs to see colours
    for group in groups:
        for row, words in zip(group.customdata, group.hovertext, strict=True):
            assert words.startswith(f"Recording {row} (")
            assert words.endswith(f"drift {scene.drift.relative[row]:.2f}")
    assert RULES[colour_by] in describe(MapView(3, colour_by), scene)


def test_labels_one_several_and_none(scene, recordings):
    labels = recordings.labels.copy()
    labels[[4, 9]] = 0
    changed = recordings.where(rows=range(RECORDS))
    changed.__dict__["labels"] = labels
    figure = draw(MapView(), replace(scene, dataset=changed))
    assert trace(figure, "no label").customdata == (4, 9)
    assert trace(figure, "several labels").customdata == tuple(np.flatnonzero(labels.sum(axis=1) > 1))
    only_mi = (labels.sum(axis=1) == 1) & (labels[:, recordings.label_names.index("MI")] == 1)
    assert trace(figure, "MI").customdata == tuple(np.flatnonzero(only_mi))


def test_the_legend_of_labels_stays_where_a_kind_is_empty(scene):
    empty = trace(draw(MapView(), scene), "no label")
    assert np.isnan(places_of(empty)).all()
    assert len(empty.x) == 1  # plotly names only traces with points
    assert empty.showlegend is None


def test_folds_stand_out_from_white(scene):
    for group in draw(MapView(colour_by="fold"), scene).data:
        if (group.name or "").startswith("fold"):
            red, green, blue = (int(part) for part in group.marker.color[4:-1].split(","))
            assert contrast_on_white(f"#{red:02x}{green:02x}{blue:02x}") >= 3


def test_both_lead_sets_in_one_picture(scene):
    figure = draw(MapView(colour_by="lead set"), scene)
    np.testing.assert_array_equal(places_of(trace(figure, "reference leads")), scene.before)
    np.testing.assert_array_equal(places_of(trace(figure, "chosen leads")), scene.now)


def test_patients_are_joined_the_chosen_one_first(scene, recordings):
    patient_ids = recordings.patient_ids
    row = int(np.flatnonzero(patient_ids == 1)[0])
    chosen = highlighted_patients(patient_ids, row)
    assert chosen[0] == 1
    assert len(set(chosen)) == PATIENTS
    counts = [np.sum(patient_ids == patient) for patient in chosen[1:]]
    assert counts == sorted(counts, reverse=True)
    assert min(counts) >= max(np.sum(patient_ids == patient) for patient in set(patient_ids) - set(chosen))
    figure = draw(MapView(row, "patient", drift_lines=False), scene)
    *joining, _own_drift = lines(figure)
    for line, patient in zip(joining, chosen, strict=True):
        np.testing.assert_array_equal(places_of(line), scene.now[patient_ids == patient])
        assert line.line.color == trace(figure, f"patient {patient}").marker.color
    assert highlighted_patients(np.array(["b", "a", "a", "c"]), 3) == ["c", "a", "b"]


def test_drift_lines_run_from_before_to_now(scene):
    everyone, own = lines(draw(MapView(7), scene))
    ends = places_of(everyone).reshape(RECORDS, 3, 2)
    np.testing.assert_array_equal(ends[:, 0], scene.before)
    np.testing.assert_array_equal(ends[:, 1], scene.now)
    assert np.isnan(ends[:, 2]).all()
    np.testing.assert_array_equal(places_of(own)[:2], [scene.before[7], scene.now[7]])
    (only_own,) = lines(draw(MapView(7, drift_lines=False), scene))
    assert (only_own.x == own.x)[:2].all()


def test_the_chosen_recording_and_its_neighbours_are_marked(scene):
    figure = draw(MapView(11), scene)
    np.testing.assert_array_equal(places_of(trace(figure, "chosen recording")), scene.now[[11]])
    np.testing.assert_array_equal(places_of(trace(figure, "5 nearest")), scene.now[scene.near_now.rows[11]])


def test_every_dot_has_room_and_both_axes_one_scale(scene):
    layout = draw(MapView(), scene).layout
    for axis, column in ((layout.xaxis, 0), (layout.yaxis, 1)):
        low, high = axis.range
        values = np.concatenate([scene.before, scene.now])[:, column]
        assert low < values.min() < values.max() < high
    assert layout.yaxis.scaleanchor == "x"
    first, second = (f"{share:.0%} of the variance" for share in scene.flat_map.explained)
    assert layout.xaxis.title.text == f"first principal component: {first}"
    assert layout.yaxis.title.text == f"second principal component: {second}"


# In words


def test_the_words_say_what_the_scene_holds(scene):
    said, drift = describe(MapView(2), scene), scene.drift.relative
    most = int(drift.argmax())
    for words in (
        "PCA map of 120 recordings through I, V2.",
        f"drifts by {drift.mean():.2f} on average",
        f"Recordings {most} (",
        f"2 moves by {drift[2]:.2f}",
        f"{scene.kept.mean():.0%} of the 5 nearest stay the same",
        f"{scene.agreed_now.mean():.0%} of the 5 nearest recordings share a label",
        f"through all twelve leads {scene.agreed_before.mean():.0%} do, by chance {scene.agreed_by_chance.mean():.0%} would",
        f"hold {sum(scene.flat_map.explained):.0%} of the variance",
    ):
        assert words in said
    assert lead_words(sd.LEADS[::-1]) == "all twelve leads"


def test_with_the_reference_leads_there_is_no_word_of_drift(atlas):
    scene = atlas.scene(sd.LEADS, *PCA)
    assert "drift" not in describe(MapView(), scene)
    assert "before" not in describe_neighbours(MapView(), scene)
    assert "near before too" not in neighbour_table(MapView(), scene)


@pytest.mark.parametrize("row", [0, 50, 119])
def test_the_table_lists_the_neighbours(scene, recordings, row):
    table = neighbour_table(MapView(row), scene)
    assert table["recording"].tolist() == scene.near_now.rows[row].tolist()
    shares = [bool((recordings.labels[other] & recordings.labels[row]).any()) for other in table["recording"]]
    assert (table["shares a label"] == "yes").tolist() == shares
    before = [other in scene.near_before.rows[row] for other in table["recording"]]
    assert (table["near before too"] == "yes").tolist() == before
    assert row not in table["recording"].tolist()
    said = describe_neighbours(MapView(row), scene)
    assert f": {sum(shares)} of its {NEAREST} nearest share a label with it (through all twelve leads" in said
    assert f"{sum(before)} of them were among the 5 nearest before." in said


def test_the_ecg_beside_is_the_first_five_seconds_in_true_squares(recordings):
    figure, said = ecg_of(recordings, 3, ("I", "V2"))
    layout = figure.layout
    assert (layout.xaxis.range, layout.xaxis.domain) == ((-0.5, 5), (0, 1))
    width, height = layout.width - layout.margin.l - layout.margin.r, layout.height - layout.margin.t - layout.margin.b
    low, high = layout.yaxis.range
    assert width / (5.5 * 25) == pytest.approx(height / ((high - low) * 10), rel=0.01)  # px a millimetre
    assert layout.title.text.startswith("Recording 3 (labelled ")
    assert said.startswith("The ECG shows I and V2;")
    assert said.endswith("Shown are the first 5 of 6 s.")


# The widget


@pytest.fixture
def explorer(recordings):
    return EmbeddingMap(seeded_encoder(), recordings)


def assert_shows(explorer, leads, view=None, method="PCA", metric="euclidean"):
    view, scene = view or MapView(), explorer.atlas.scene(leads, method, metric)
    assert (explorer.leads, explorer.view) == (leads, view)
    assert explorer.map.text == describe(view, scene)
    assert describe_neighbours(view, scene) in explorer.neighbours.value
    assert explorer.ecg.text == ecg_of(explorer.atlas.dataset, view.row, leads)[1]
    assert explorer.error.value == ""


def test_every_control_does_what_it_says(explorer):
    assert_shows(explorer, sd.LEADS)
    explorer.lead_set.value = "2-lead"
    assert_shows(explorer, ("I", "II"))
    explorer.recording.value = 5
    assert_shows(explorer, ("I", "II"), MapView(5))
    explorer.colour_by.value = "patient"
    assert_shows(explorer, ("I", "II"), MapView(5, "patient"))
    explorer.drift_lines.value = False
    assert_shows(explorer, ("I", "II"), MapView(5, "patient", False))
    explorer.metric.value = "cosine"
    assert_shows(explorer, ("I", "II"), MapView(5, "patient", False), metric="cosine")
    explorer.method.value = "t-SNE"
    assert_shows(explorer, ("I", "II"), MapView(5, "patient", False), "t-SNE", "cosine")
    explorer.leads = "V6, V1"
    assert_shows(explorer, ("V1", "V6"), MapView(5, "patient", False), "t-SNE", "cosine")


def test_a_click_on_a_dot_chooses_its_recording_and_one_beside_does_nothing(explorer):
    explorer.map.clicked = {"curve": 2, "point": 0, "x": 0.0, "y": 0.0, "customdata": 42, "click": 1}
    assert_shows(explorer, sd.LEADS, MapView(42))
    assert explorer.recording.value == 42
    explorer.map.clicked = explorer.map.clicked | {"customdata": 0, "click": 2}
    assert_shows(explorer, sd.LEADS, MapView(0))
    explorer.map.clicked = {"curve": 0, "point": 9, "x": 0.0, "y": 0.0, "customdata": None, "click": 3}
    assert_shows(explorer, sd.LEADS, MapView(0))


def test_a_picker_steers_the_map(recordings):
    picker = LeadPicker("I, V5")
    explorer = EmbeddingMap(seeded_encoder(), recordings, picker=picker)
    assert_shows(explorer, ("I", "V5"))
    picker.buttons["V5"].value = False
    assert_shows(explorer, ("I",))
    assert explorer.lead_set.layout.display == "none"


def lacking_v6_in_one(recordings):
    signals, present = recordings.signals.transpose(1, 0, 2).copy(), np.ones((12, RECORDS), bool)
    present[11, 5], signals[11, 5] = False, 0
    return sd.EcgDataset(signals, recordings.table, sd.LEADS, 100, recordings.label_names, present=present)


def test_a_view_that_refuses_leaves_the_next_one_on_the_same_picker_its_turn(recordings):
    mixed, picker = lacking_v6_in_one(recordings), LeadPicker("I, II")
    explorer, viewer = EmbeddingMap(seeded_encoder(), mixed, picker=picker), ECGViewer(mixed, picker=picker)
    picker.buttons["V6"].value = True
    assert viewer.view.leads == picker.leads == ("I", "II", "V6")
    assert picker.error.value == ""
    assert "Not shown:</b> Row 5 lacks V6" in explorer.error.value
    assert "through I, II." in explorer.map.text
    assert explorer.static_html().count("Plotly.newPlot") == 2
    picker.buttons["V6"].value = False
    assert_shows(explorer, ("I", "II"))


def test_a_label_of_a_stranger_s_dataset_is_words_and_not_html(recordings):
    names = ("<img src=x>", *recordings.label_names[1:])
    table = recordings.table.rename(columns={recordings.label_names[0]: names[0]})
    foreign = in_memory(recordings.signals, table, recordings.leads, names)
    explorer = EmbeddingMap(seeded_encoder(), foreign)
    labelled = int(recordings.labels[:, 0].argmax())
    explorer.recording.value = labelled
    explorer._tell("<img src=x> is embedded")
    assert "<img" not in explorer.neighbours.value + explorer.status.value
    assert f"Recording {labelled} (&lt;img src=x&gt;" in explorer.neighbours.value


def test_while_it_computes_the_controls_wait_and_the_status_says_what_for(explorer):
    waiting, said = [], []
    explorer.status.observe(lambda change: said.append(change.new), "value")
    explorer.status.observe(lambda change: waiting.append(explorer.method.disabled), "value")
    before = explorer.status.value
    explorer.method.value = "t-SNE"
    assert said[0].startswith('<p role="status">Making the t-SNE map of 120 recordings')
    assert waiting[0]
    assert not any(control.disabled for control in (explorer.method, explorer.metric, explorer.lead_set))
    assert explorer.status.value == before
    said.clear()
    explorer.method.value = "PCA"  # known already
    assert said == []


def test_an_error_is_shown_and_raised_and_the_controls_answer_again(explorer, monkeypatch):
    def fail(*_args, **_kwargs):
        raise ValueError("no <such> embedding")

    with monkeypatch.context() as patch:
        patch.setattr(atlas_module, "embed", fail)
        with pytest.raises(ValueError, match="no <such> embedding"):
            explorer.lead_set.value = "1-lead"
    assert explorer.error.value == '<p role="alert"><b>ValueError: no &lt;such&gt; embedding</b></p>'
    assert not explorer.lead_set.disabled
    explorer.lead_set.value = "2-lead"
    assert_shows(explorer, ("I", "II"))


def test_only_methods_that_are_there_are_offered(recordings, monkeypatch):
    monkeypatch.setattr("selfdana_lite.explore.projection.find_spec", lambda name: None)
    explorer = EmbeddingMap(seeded_encoder(), recordings)
    assert explorer.method.options == ("PCA",)
    assert "For t-SNE: pip install opentsne" in explorer.status.value


def test_a_page_without_widgets_shows_the_same(explorer):
    explorer.leads = "I"
    page = explorer._repr_mimebundle_()["text/html"]
    for said in (explorer.map.text, explorer.ecg.text, explorer.neighbours.value):
        assert said.replace("'", "&#x27;") in page or said in page
    assert page.count("Plotly.newPlot") == 2
