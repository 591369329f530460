"""A file of one's own: what an upload becomes, what names may be chosen, and where a recording lies among samples."""

import datetime
import gc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small import seeded_encoder, small_dataset

import selfdana_lite as sd
from selfdana_lite import explore
from selfdana_lite.explore import own_file
from selfdana_lite.explore.crowd import Crowds
from selfdana_lite.explore.crowd_figures import FAR, MIXED
from selfdana_lite.explore.lead_mapper import AS_IT_IS, COMPUTED, renamed
from selfdana_lite.explore.own_file import save_uploads
from selfdana_lite.faults import LARGEST_OFFSET_MV
from selfdana_lite.recording import RecordingError

LIMB = sd.LEAD_SETS["6-lead"]


@pytest.fixture(scope="module")
def samples():
    return small_dataset(folds=[9, 10], records=80, samples=1000)


@pytest.fixture(scope="module")
def clf(samples):
    torch.manual_seed(0)
    return sd.Classifier(seeded_encoder(), samples.label_names, "any").eval()


@pytest.fixture(scope="module")
def crowds(clf, samples):
    return Crowds(clf, samples)


def sample(samples, row, leads=sd.LEADS):
    """One of the samples as a recording."""
    return sd.Recording(samples.batch([row], leads)[0].numpy(), samples.sampling_rate_hz, leads, f"sample {row}")


def write_table(path, recording, header):
    """A CSV file with a column of time."""
    time_s = np.arange(recording.signal_mv.shape[1]) / recording.sampling_rate_hz
    columns = dict(zip(header, recording.signal_mv.astype(float), strict=True))
    pd.DataFrame({"time (s)": time_s} | columns).to_csv(path, index=False)
    return path


def uploaded(*files):
    """What FileUpload hands over for (name, bytes)."""
    now = datetime.datetime.now(datetime.UTC)
    return tuple(
        {"name": name, "type": "", "size": len(content), "content": memoryview(content), "last_modified": now}
        for name, content in files
    )


# Uploads


@given(st.text(max_size=300))
def test_no_name_leads_out_of_the_folder(tmp_path_factory, name):
    folder = tmp_path_factory.mktemp("up") / "new"
    path = save_uploads(uploaded((name, b"x")), folder)
    assert path.parent == folder
    assert path.read_bytes() == b"x"
    assert [child.name for child in folder.iterdir()] == [path.name]
    assert set(path.name) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
    assert not path.name.startswith(".")


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "passwd"),
        (r"C:\ecg\mine.csv", "mine.csv"),
        ("/", "file"),
        (".bashrc", "bashrc"),
        ("a b.edf", "a_b.edf"),
    ],
)
def test_names_become_plain(tmp_path, name, safe):
    assert save_uploads(uploaded((name, b"x")), tmp_path / "new").name == safe


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["rec.dat"], "rec.dat holds numbers alone; drop it together with its .hea"),
        (["a.csv", "b.csv"], "Found a.csv, b.csv; drop one recording at a time"),
        (["a.hea", "b.hea", "a.dat"], "Found a.hea, b.hea, a.dat; drop one recording"),
        (["x/a.csv", "y/a.csv"], "Two of the files would be called a.csv"),
    ],
)
def test_uploads_that_leave_a_doubt_are_refused(tmp_path, names, said):
    with pytest.raises(sd.RecordingError, match=said):
        save_uploads(uploaded(*((name, b"x") for name in names)), tmp_path / "new")


def test_of_a_record_the_header_is_read(tmp_path):
    assert save_uploads(uploaded(("a.dat", b"x"), ("a.hea", b"y")), tmp_path / "new").name == "a.hea"


# From a path to what an encoder takes


def test_what_is_said_fills_in_and_the_folder_stays_private(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("I\n" + "\n".join(str(int(1000 * np.sin(n / 5))) for n in range(300)))
    with pytest.raises(sd.RecordingError, match=r"^mine.csv"):
        explore.read_as_asked(explore.Asked(path))
    recording = explore.read_as_asked(explore.Asked(path, gain="1000", sampling_rate_hz=" 100,0"))
    assert (recording.source, recording.sampling_rate_hz) == ("mine.csv", 100)
    assert np.ptp(recording.signal_mv) == pytest.approx(2, abs=0.02)
    with pytest.raises(sd.RecordingError, match="The gain is 'many'; write one number"):
        explore.read_as_asked(explore.Asked(path, gain="many"))
    with pytest.raises(FileNotFoundError, match="no file none"):
        explore.read_as_asked(explore.Asked(tmp_path / "none"))


@given(st.sampled_from([100, 128, 250, 360, 500, 512, 1000]), st.floats(2, 35), st.floats(0, 1))
def test_ten_seconds_or_all_of_it_at_the_samples_rate(rate_hz, seconds, share):
    count = round(seconds * rate_hz)
    quarter = 0.25 * np.sin(np.arange(count) / rate_hz)  # mV; a whole one has a median that would be taken for an offset
    recording = sd.Recording(quarter[None].astype(np.float32), rate_hz, "II")
    start_s = share * max(0, recording.seconds - 10)
    part, words = explore.for_encoder(recording, start_s)
    assert part.sampling_rate_hz == 100
    assert part.signal_mv.shape[1] == pytest.approx(100 * min(10, recording.seconds), abs=1)
    assert ("resampled" in words) == (rate_hz != 100)
    assert ("nothing is padded" in words) == (recording.seconds < 10)
    middle = slice(10, -10)
    expected = 0.25 * np.sin(start_s + np.arange(part.signal_mv.shape[1]) / 100)
    assert np.abs(part.signal_mv[0] - expected)[middle].max() < 0.005


@pytest.mark.parametrize("offset_mv", [5.0, -0.4, 0.05])
def test_an_offset_of_the_amplifier_is_taken_away_and_said(clf, samples, offset_mv):
    plain = sample(samples, 0)
    lifted = replace(plain, signal_mv=plain.signal_mv + np.float32(offset_mv))
    part, words = explore.for_encoder(lifted, 0)
    if abs(offset_mv) > LARGEST_OFFSET_MV:
        np.testing.assert_allclose(part.signal_mv, plain.without_offset().signal_mv, atol=1e-5)
        assert "offset of " in words
        assert "each lead less its median" in words
        away = np.linalg.norm(sd.embed(clf.encoder, part) - sd.embed(clf.encoder, plain))
        assert away < 0.2 * np.linalg.norm(sd.embed(clf.encoder, lifted) - sd.embed(clf.encoder, plain))
    else:
        np.testing.assert_array_equal(part.signal_mv, lifted.signal_mv)
        assert "offset" not in words


def test_the_window_is_where_it_was_asked_for(samples):
    thirty = replace(sample(samples, 0), signal_mv=np.concatenate([sample(samples, row).signal_mv for row in range(3)], axis=1))
    part, words = explore.for_encoder(thirty, 10)
    np.testing.assert_array_equal(part.signal_mv, sample(samples, 1).signal_mv)
    assert words == "Used: 10 to 20 of 30 s."
    with pytest.raises(sd.RecordingError, match="does not fit"):
        explore.for_encoder(thirty, 25)


def test_what_no_encoder_can_take_is_refused(samples):
    with pytest.raises(sd.LeadError, match="None of ch1 is one of the twelve"):
        explore.for_encoder(replace(sample(samples, 0, ("I",)), leads=("ch1",)), 0)
    with pytest.raises(sd.RecordingError, match=r"1\.5 s long; 2 s or more"):
        explore.for_encoder(sample(samples, 0).window(0, 1.5), 0)


# Names


def test_names_are_given_and_kept(samples):
    foreign = replace(sample(samples, 0, ("I", "II", "V2")), leads=("I", "ch1", "ch2"))
    assert renamed(foreign, {"ch1": "II", "ch2": AS_IT_IS}).leads == ("I", "II", "ch2")
    swapped = renamed(foreign, {"I": "V2", "ch1": "I", "ch2": "II"})
    np.testing.assert_array_equal(swapped.select("I").signal_mv[0], foreign.signal_mv[1])
    with pytest.raises(sd.LeadError, match="I and ch2 would both be lead I; a lead is one row"):
        renamed(foreign, {"ch2": "I"})


@pytest.mark.parametrize("pair", [("I", "II"), ("II", "aVL"), ("III", "aVF"), ("aVR", "I")], ids=", ".join)
def test_the_limb_leads_tell_of_exchanged_names(samples, pair):
    sound = sample(samples, 0)
    one, other = pair
    mislabelled = sound.rename({one: other, other: one})
    words = explore.describe_limb_leads(mislabelled)
    assert f"{' and '.join(sorted(pair, key=sd.LEADS.index))} bear each other's label" in words
    assert "Nothing is suspected" in explore.describe_limb_leads(sound)
    recorded, computed = explore.limb_figure(mislabelled).data
    assert np.abs(recorded.y - computed.y).max() > 0.05
    recorded, computed = explore.limb_figure(sound).data
    assert np.abs(recorded.y - computed.y).max() < 0.005
    assert computed.line.color == COMPUTED


def test_what_the_limb_leads_cannot_tell(samples):
    """With three limb leads the exchange of I and III leaves II = I + III; exchanged chest leads break no law."""
    sound = sample(samples, 0)
    unseen = sound.select("I, II, III").rename({"I": "III", "III": "I"})
    assert explore.limb_check(unseen).residual_mv < 0.005
    assert explore.limb_check(sound.rename({"V1": "V2", "V2": "V1"})).residual_mv < 0.005
    assert "cannot be checked: that takes I, II and one more" in explore.describe_limb_leads(sound.select("I, V1"))
    assert all(len(trace.y) == 0 for trace in explore.limb_figure(sound.select("I, V1")).data)


def test_the_mapper_refuses_and_recovers(samples):
    mapper = explore.LeadMapper(sample(samples, 0).rename({"I": "II", "II": "I"}))
    assert "I and II bear each other" in mapper.limb.text
    heard = []
    mapper.observe(lambda change: heard.append(change.new.leads), "mapped")
    mapper.lists["I"].value = "II"
    assert "II and I would both be lead II" in mapper.notice.value
    assert heard == []
    mapper.lists["II"].value = "I"
    assert mapper.notice.value == mapper.error.value == ""
    assert heard[-1][:2] == ("I", "II")
    assert "Nothing is suspected" in mapper.limb.text
    for words in ("<td>II</td><td>I</td>", "Nothing is suspected"):
        assert words in mapper.static_html()


def test_the_mapper_refuses_a_channel_without_millivolt(samples):
    foreign = replace(sample(samples, 0, ("I", "II")), leads=("ch1", "<b>"), notes={"units ch1": "counts"})
    mapper = explore.LeadMapper(foreign)
    mapper.lists["<b>"].value = "V1"
    assert "&lt;b&gt;" in mapper.static_html()
    mapper.lists["ch1"].value = "II"
    assert "not in millivolt" in mapper.notice.value
    assert mapper.mapped.leads == ("ch1", "V1")


def test_the_mapper_keeps_its_lists_and_their_choices_for_another_reading(samples):
    def reading(*names, **notes):
        return replace(sample(samples, 0, ("I", "II")), leads=names, notes=notes)

    mapper = explore.LeadMapper(reading("ch1", "ch2", **{"units ch1": "counts", "units ch2": "counts"}))
    lists = dict(mapper.lists)
    lists["ch1"].value = "II"
    again = reading("ch1", "ch2")
    mapper.show(again)
    assert mapper.lists == lists
    assert mapper.mapped.leads == ("II", "ch2")
    lists["ch2"].value = "II"  # refused, and then refused for another reading: nothing of the one before is left
    third = replace(again, sampling_rate_hz=50)
    mapper.show(third)
    assert mapper.mapped is third
    mapper.show(reading("ch2", "ch3"))
    assert (mapper.lists["ch2"], mapper.mapped.leads) == (lists["ch2"], ("II", "ch3"))
    assert mapper.grid.children == tuple(mapper.lists.values())


# Among the samples


@pytest.mark.parametrize("leads", ["I", "I, II, V2", "12-lead"])
def test_a_sample_lands_on_itself(clf, samples, crowds, leads):
    crowd = crowds.through(leads)
    answer = explore.answer_for(clf, sample(samples, 7), crowd)
    assert answer.distances.argmin() == 7
    assert answer.distances[7] < 0.01
    np.testing.assert_allclose(answer.place, crowd.embeddings[7] @ crowd.axes.T, atol=0.01)
    np.testing.assert_allclose(answer.probabilities, clf.predict_proba(samples.where(rows=[7]), leads)[0], atol=1e-5)
    np.testing.assert_allclose(crowd.probabilities, clf.predict_proba(samples, leads), atol=1e-5)
    first = explore.nearest_samples(answer, crowd).iloc[0]
    assert first["record_id"] == samples.table["record_id"][7]
    assert explore.strangeness(answer, crowd) == 0


def test_distances_and_axes_are_those_of_the_definition(samples, crowds):
    crowd = crowds.through("II")
    standard = crowd.embeddings
    np.testing.assert_allclose(standard.mean(axis=0), 0, atol=1e-4)
    covariance = np.cov(standard.T)
    sizes, directions = np.linalg.eigh(covariance)
    assert crowd.explained == pytest.approx(sizes[-2:].sum() / sizes.sum(), rel=1e-3)
    for axis, direction in zip(crowd.axes, directions.T[::-1], strict=False):
        assert abs(axis @ direction) == pytest.approx(1, abs=1e-3)
        assert axis[np.abs(axis).argmax()] > 0
    for row in range(3):
        strangers = [
            np.sqrt(((standard[row] - standard[other]) ** 2).sum())
            for other in range(len(standard))
            if samples.patient_ids[other] != samples.patient_ids[row]
        ]
        assert crowd.loneliness[row] == pytest.approx(min(strangers), rel=1e-4)


def test_leads_are_embedded_once_in_any_order(crowds, samples):
    assert crowds.through("V2, I") is crowds.through(("I", "V2"))
    assert crowds.through("V2, I").leads == ("I", "V2")


def test_what_is_no_heart_is_far_and_said_to_be(clf, samples, crowds):
    crowd = crowds.through("I, II")
    noise = np.random.default_rng(0).normal(0, 3, (2, 1000)).astype(np.float32)
    answer = explore.answer_for(clf, sd.Recording(noise, 100, ("I", "II")), crowd)
    assert explore.strangeness(answer, crowd) > FAR
    assert "far from all of them" in explore.describe_crowd(answer, crowd)
    assert "far from all of them" not in explore.describe_crowd(explore.answer_for(clf, sample(samples, 0), crowd), crowd)


def test_an_answer_needs_the_leads_and_the_rate(clf, samples, crowds):
    with pytest.raises(sd.LeadError, match="no lead 'II'"):
        explore.answer_for(clf, sample(samples, 0, ("I",)), crowds.through("I, II"))
    with pytest.raises(ValueError, match="512 Hz"):
        explore.answer_for(clf, sample(samples, 0).resample(512), crowds.through("I"))


def test_a_file_is_asked_with_each_lead_set_that_it_has(clf, samples):
    table = explore.what_if_file(clf, sample(samples, 3, ("I", "II", "V2")))
    assert table["lead_set"].tolist() == ["all there are", "3-lead", "2-lead", "1-lead"]
    for row in table.itertuples():
        expected = clf.predict_proba(samples.where(rows=[3]), row.leads)[0]
        np.testing.assert_allclose([getattr(row, name) for name in clf.label_names], expected, atol=1e-5)
    with pytest.raises(sd.LeadError, match="ch1"):
        explore.what_if_file(clf, replace(sample(samples, 3, ("I",)), leads=("ch1",)))


def test_the_map_shows_every_sample_once_and_the_words_agree(clf, samples, crowds):
    crowd = crowds.through("I, II")
    answer = explore.answer_for(clf, sample(samples, 0), crowd)
    traces = {trace.name: trace for trace in explore.crowd_figure(answer, crowd).data}
    star, ringed = traces.pop("this recording"), traces.pop("five nearest")
    assert sum(len(trace.x) for trace in traces.values()) == len(samples)
    assert len(traces[MIXED].x) == (samples.labels.sum(axis=1) > 1).sum()
    assert (star.x[0], star.y[0]) == pytest.approx(tuple(answer.place))
    assert len(ringed.x) == 5
    words = explore.describe_crowd(answer, crowd)
    assert all(f"{record_id} (" in words for record_id in explore.nearest_samples(answer, crowd)["record_id"])


def test_probabilities_are_ranked_among_samples_with_and_without(clf, samples, crowds):
    crowd = crowds.through("I")
    answer = explore.answer_for(clf, sample(samples, 0), crowd)
    words = explore.describe_probabilities(answer, crowd)
    has = samples.labels[:, 1] == 1
    below = [(crowd.probabilities[of, 1] < answer.probabilities[1]).mean() for of in (~has, has)]
    expected = (
        f"MI {answer.probabilities[1]:.2f}: above {below[0]:.0%} of those without it and {below[1]:.0%} of those with it."
    )
    assert expected in words
    figure = explore.probability_figure(answer, crowd)
    boxes = [trace for trace in figure.data if trace.type == "box"]
    assert sum(len(box.x) for box in boxes) == samples.labels.size
    np.testing.assert_array_equal(figure.data[-1].x, answer.probabilities)


# The widget


@pytest.fixture
def files(tmp_path, samples):
    strap = replace(sample(samples, 0, ("II", "V2")), signal_mv=250 * sample(samples, 0, ("II", "V2")).signal_mv)
    clinic = sample(samples, 1)
    names = [{"I": "II", "II": "I"}.get(lead, lead) for lead in clinic.leads]
    long = replace(clinic, signal_mv=np.tile(clinic.signal_mv, 2))
    return {
        "strap": write_table(tmp_path / "strap.csv", strap, ["ch1", "ch2"]),
        "clinic": write_table(tmp_path / "clinic.csv", clinic, [f"{name} (mV)" for name in names]),
        "long": write_table(tmp_path / "long.csv", long, [f"{name} (mV)" for name in long.leads]),
        "unitless": write_table(tmp_path / "unitless.csv", clinic.select("I"), ["I"]),
    }


def shown(widget):
    """How many of the four figures have something to say."""
    figures = (widget.quality, widget.paper, widget.map, widget.probabilities)
    assert all((figure.layout.display == "none") == (figure.text == "") for figure in figures)
    return sum(bool(figure.text) for figure in figures)


def test_from_an_unknown_file_to_an_answer(clf, samples, files):
    widget = explore.OwnEcg(clf, samples, files)
    assert "No answer yet: None of ch1, ch2" in widget.done.value
    assert shown(widget) == 0
    widget.mapper.lists["ch1"].value = "II"
    assert "not in millivolt" in widget.mapper.notice.value
    widget.gain.value = "many"
    assert "The gain is" in widget.notice.value
    widget.gain.value = "250"
    assert widget.mapper.lists["ch1"].value == "II", "what was chosen is kept"
    assert widget.used.leads == ("II",)
    widget.mapper.lists["ch2"].value = "V2"
    assert widget.used.leads == ("II", "V2")
    assert shown(widget) == 4
    assert f"The nearest samples: {samples.table['record_id'][0]} (" in widget.map.text
    assert widget.error.value == widget.notice.value == ""


def test_a_choice_made_while_the_file_is_read_again_is_kept(clf, samples, files):
    """A person says the gain and takes a name at once: the choice arrives when the kernel is through with the gain."""
    widget = explore.OwnEcg(clf, samples, files)
    list_on_the_screen = widget.mapper.lists["ch1"]
    widget.gain.value = "250"
    list_on_the_screen.value = "II"
    assert widget.used.leads == ("II",)
    widget.gain.value = "many"
    list_on_the_screen.value = "I"  # its page has not heard of the refusal
    assert (shown(widget), widget.used, widget.mapping.children) == (0, None, ())
    widget.gain.value = "250"
    assert widget.used.leads == ("I",)


def test_another_file_begins_anew(clf, samples, files):
    widget = explore.OwnEcg(clf, samples, files)
    widget.gain.value = "250"
    widget.files.value = files["clinic"]
    assert widget.gain.value == ""
    assert "bear each other&#x27;s label" in widget.report.value
    for name, lead in (("I", "II"), ("II", "I")):
        widget.mapper.lists[name].value = lead
    assert "Nothing is suspected" in widget.mapper.limb.text
    np.testing.assert_allclose(widget.used.select("I").signal_mv, sample(samples, 1, ("I",)).signal_mv, atol=1e-6)
    for words in (widget.map.text, widget.probabilities.text, widget.paper.text, widget.mapper.limb.text, "clinic.csv"):
        assert words.replace("'", "&#x27;") in widget.static_html().replace("'", "&#x27;")


def test_the_window_is_chosen_where_there_is_a_choice(clf, samples, files):
    widget = explore.OwnEcg(clf, samples, files)
    assert widget.start_s.disabled
    widget.files.value = files["long"]
    assert (widget.start_s.max, widget.start_s.disabled) == (10, False)
    widget.start_s.value = 10
    assert "Used: 10 to 20 of 20 s." in widget.done.value
    widget.files.value = files["clinic"]
    assert (widget.start_s.value, widget.start_s.disabled) == (0, True)
    assert "Used: 0 to 10 of 10 s." in widget.done.value


def test_a_refusal_leaves_nothing_of_the_file_before(clf, samples, files):
    widget = explore.OwnEcg(clf, samples, {"clinic": files["clinic"]} | files)
    assert shown(widget) == 4
    widget.files.value = files["unitless"]
    assert "Refused:</b> unitless.csv: the unit" in widget.notice.value
    assert (shown(widget), widget.used, widget.report.value, widget.mapping.children) == (0, None, "", ())
    widget.gain.value = "one"
    assert "The gain is &#x27;one&#x27;" in widget.notice.value
    widget.gain.value = "1"
    assert (widget.notice.value, shown(widget)) == ("", 4)


def test_uploads_are_read_and_go_with_the_widget(clf, samples, files):
    widget = explore.OwnEcg(clf, samples, files)
    widget.upload.value = uploaded(("../my heart.csv", files["clinic"].read_bytes()))
    assert widget.files.value == ""
    assert "my_heart.csv: look at it" in widget.report.value
    assert shown(widget) == 4
    folder = widget.folder
    assert len(list(folder.rglob("my_heart.csv"))) == 1
    widget.upload.value = uploaded(("a.dat", b"x"))
    assert "holds numbers alone" in widget.notice.value
    widget.gain.value = "3"
    assert shown(widget) == 0, "the file before is not taken up again"
    widget.upload.value = ()
    widget.close_all()
    del widget
    gc.collect()
    assert not folder.exists()


def test_an_error_of_the_program_is_shown_and_raised(clf, samples, files, monkeypatch):
    widget = explore.OwnEcg(clf, samples, files)
    monkeypatch.setattr("selfdana_lite.explore.own_ecg.quality_report", lambda recording: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        widget.files.value = files["clinic"]
    assert "ZeroDivisionError" in widget.error.value


def test_no_file_no_answer(clf, samples):
    widget = explore.OwnEcg(clf, samples)
    widget.gain.value = "1000"
    assert shown(widget) == 0
    assert widget.static_html() == ""


@pytest.mark.parametrize("separator", ["/", "\\"])
def test_a_refusal_names_the_file_and_not_where_an_upload_lies(monkeypatch, separator):
    def refuse(path, **stated):
        raise RecordingError(f"{path.parent}{separator}{path.name} is empty.")

    monkeypatch.setattr(own_file, "read_recording", refuse)
    monkeypatch.setattr(own_file.os, "sep", separator)
    with pytest.raises(RecordingError, match=r"^mine\.csv is empty"):
        own_file.read_as_asked(own_file.Asked(Path("uploads") / "mine.csv"))
