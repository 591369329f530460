"""The torso says what is true of the leads, and the picker is one choice seen in four places."""

import itertools
import math
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
import traitlets
from hypothesis import given
from hypothesis import strategies as st

import selfdana_lite as sd
from selfdana_lite.explore import LEAD_COLOURS, LeadPicker, describe_choice, redundant, torso_svg
from selfdana_lite.explore.torso import FRONT, LIMB_ANGLES, computed_from, tip
from selfdana_lite.leads import LIMB_FROM_I_II, derive_limb_leads

LIMB = sd.LEAD_SETS["6-lead"]
some_leads = st.sets(st.sampled_from(sd.LEADS), min_size=1).map(lambda leads: tuple(sorted(leads, key=sd.LEADS.index)))


def groups(leads):
    """The lead groups of the drawing, by lead, parsed as XML."""
    drawing = ElementTree.fromstring(torso_svg(leads))
    return {group.get("data-lead"): group for group in drawing.iter() if group.get("data-lead")}


def visible_line(group):
    return [part for part in group if part.tag.endswith("line")][1]


# The algebra


@pytest.mark.parametrize("pair", list(itertools.combinations(LIMB, 2)), ids=", ".join)
def test_what_is_called_computable_can_be_computed(pair):
    rng = np.random.default_rng(0)
    signals_mv = dict(zip(LIMB, derive_limb_leads(*rng.normal(size=(2, 50))), strict=True))
    others = redundant(pair)
    assert set(others) == set(LIMB) - set(pair)
    for lead in others:
        known = np.stack([signals_mv[name] for name in pair])
        _, residual, *_ = np.linalg.lstsq(known.T, signals_mv[lead], rcond=None)
        assert residual < 1e-10


@given(some_leads)
def test_redundant_leads_add_no_rank_and_chest_leads_always_do(leads):
    limb = [lead for lead in leads if lead in LIMB]
    said = redundant(leads)
    assert bool(said) == (len(limb) >= 2)
    assert not set(said) & set(sd.LEADS[6:])
    weights = LIMB_FROM_I_II[[LIMB.index(lead) for lead in (*computed_from(leads), *said)]]
    assert not said or np.linalg.matrix_rank(weights) == 2


@pytest.mark.parametrize(
    ("leads", "words"),
    [
        ("I, II, V2", "Chosen: I, II, V2. III, aVR, aVL, aVF can be computed from I and II."),
        ("V2 aVF III", "Chosen: III, aVF, V2. I, II, aVR, aVL can be computed from III and aVF."),
        ("12-lead", "Chosen: all twelve leads. III, aVR, aVL, aVF can be computed from I and II."),
        ("aVL", "Chosen: aVL. No other lead can be computed from it."),
        ("I V1", "Chosen: I, V1. No other lead can be computed from them."),
    ],
)
def test_the_choice_in_words(leads, words):
    assert describe_choice(leads) == words


# The drawing


@pytest.mark.parametrize("lead", LIMB)
def test_a_limb_lead_points_where_its_weights_say(lead):
    """An angle follows from the weights on I and II: a dipole (cos, sin) shows in a lead as its projection on it."""
    i, ii = np.array([1, 0]), np.array([0.5, math.sqrt(3) / 2])
    x, y = LIMB_FROM_I_II[LIMB.index(lead)] @ np.stack([i, ii])
    assert math.degrees(math.atan2(y, x)) == pytest.approx(LIMB_ANGLES[lead], abs=1e-4)
    dx, dy = np.subtract(tip(lead), FRONT)  # y grows downwards, as the angles do
    assert math.degrees(math.atan2(dy, dx)) == pytest.approx(LIMB_ANGLES[lead])


def test_chest_leads_go_round_from_the_right_of_the_breastbone_to_the_left_side():
    x, y = np.transpose([tip(lead) for lead in sd.LEADS[6:]])
    assert (np.diff(x) > 0).all()
    assert (np.diff(y[1:]) > 0).all()  # V1 and V2 lie level at the front, V6 at the side
    assert y[0] == pytest.approx(y[1])


@given(some_leads)
def test_chosen_leads_are_strong_and_what_adds_nothing_is_dashed(leads):
    drawn = groups(leads)
    assert set(drawn) == set(sd.LEADS)
    for lead, group in drawn.items():
        line = visible_line(group)
        assert (line.get("stroke") == LEAD_COLOURS[lead]) == (lead in leads)
        assert (float(line.get("stroke-width")) > 2) == (lead in leads)
        assert (line.get("stroke-dasharray") is not None) == (lead in redundant(leads))
        (title,) = [part.text for part in group if part.tag.endswith("title")]
        assert title.startswith(f"{lead}: {'chosen' if lead in leads else 'not chosen'}")
        assert ("adds nothing new" in title) == (lead in redundant(leads))


def test_a_screen_reader_is_told_what_is_drawn():
    drawing = ElementTree.fromstring(torso_svg("I, II"))
    assert drawing.get("role") == "img"
    texts = {part.tag.rpartition("}")[2]: part.text for part in drawing if part.tag.endswith(("title", "desc"))}
    assert texts == {"title": "The leads on the body", "desc": describe_choice("I, II")}


def test_names_do_not_touch():
    names = [part for group in groups("12-lead").values() for part in group if part.tag.endswith("text")]
    places = [[float(name.get(axis)) for axis in "xy"] for name in names]
    gaps = [np.abs(np.subtract(one, other)) for one, other in itertools.combinations(places, 2)]
    assert all(dx > 24 or dy > 13 for dx, dy in gaps)


# The picker


@pytest.fixture
def picker():
    return LeadPicker("V2, i")


def assert_all_agree(picker, leads):
    assert picker.leads == leads
    assert tuple(lead for lead, button in picker.buttons.items() if button.value) == leads
    assert tuple(lead for lead, button in picker.buttons.items() if button.description.startswith("✓")) == leads
    assert picker.torso.svg == torso_svg(leads)
    assert picker.torso.text == describe_choice(leads)
    assert picker.presets.value == next((name for name, preset in sd.LEAD_SETS.items() if preset == leads), None)
    assert describe_choice(leads) in picker.static_html()
    assert torso_svg(leads) in picker._repr_mimebundle_()["text/html"]


def test_every_way_to_choose_shows_everywhere(picker):
    assert_all_agree(picker, ("I", "V2"))
    picker.buttons["aVF"].value = True
    assert_all_agree(picker, ("I", "aVF", "V2"))
    picker.presets.value = "3-lead"
    assert_all_agree(picker, ("I", "II", "V2"))
    picker.torso._handle_custom_msg({"lead": "V2"}, [])  # a click in the drawing
    assert_all_agree(picker, ("I", "II"))
    picker.leads = "V6, V5"
    assert_all_agree(picker, ("V5", "V6"))


def test_the_last_lead_stays_and_a_notice_says_so(picker):
    picker.leads = ("V3",)
    picker.buttons["V3"].value = False
    assert_all_agree(picker, ("V3",))
    assert picker.notice.value == '<p role="status">At least one lead stays chosen: V3.</p>'
    picker.buttons["V4"].value = True
    assert picker.notice.value == ""


def test_subscribers_hear_of_each_choice_once(picker):
    class Other(traitlets.HasTraits):
        leads = traitlets.Any()

    heard, other = [], Other()
    picker.observe(lambda change: heard.append(change.new), "leads")
    traitlets.dlink((picker, "leads"), (other, "leads"))
    picker.presets.value = "12-lead"
    picker.presets.value = "1-lead"
    picker.buttons["I"].value = False  # refused
    assert heard == [sd.LEADS, ("I",)]
    assert other.leads == ("I",)


@pytest.mark.parametrize(
    ("leads", "words"), [((), "No lead found"), ("V7", "Unknown lead 'V7'"), (("I", "I"), "more than once")]
)
def test_leads_that_cannot_be_chosen_are_refused(picker, leads, words):
    with pytest.raises(sd.LeadError, match=words):
        picker.leads = leads
    assert_all_agree(picker, ("I", "V2"))


def test_an_error_of_a_subscriber_is_shown_and_raised(picker):
    def fail(_change):
        raise ValueError("no <such> score")

    picker.observe(fail, "leads")
    with pytest.raises(ValueError, match="no <such> score"):
        picker.buttons["V5"].value = True
    assert picker.error.value == '<p role="alert"><b>ValueError: no &lt;such&gt; score</b></p>'
    picker.unobserve(fail, "leads")
    picker.buttons["V4"].value = True
    assert picker.error.value == ""


# A picker of fewer leads


@pytest.fixture
def picker_of_four():
    return LeadPicker(among="V2, II, I, III")


def test_only_the_leads_that_are_there_are_offered(picker_of_four):
    assert picker_of_four.leads == ("I", "II", "III", "V2")
    assert {lead for lead, button in picker_of_four.buttons.items() if not button.disabled} == {"I", "II", "III", "V2"}
    assert picker_of_four.presets.options == ("4-lead", "3-lead", "2-lead", "1-lead")
    assert picker_of_four.torso.text.endswith("Not there to choose: aVR, aVL, aVF, V1, V3, V4, V5, V6.")
    assert picker_of_four.buttons["V6"].tooltip == "V6: not there to choose; these recordings lack it"
    drawing = ElementTree.fromstring(picker_of_four.torso.svg)
    hands = {group.get("data-lead") for group in drawing.iter() if "pointer" in group.get("style", "")}
    assert hands == {"I", "II", "III", "V2"}


def test_the_arrow_of_a_lead_that_is_not_there_says_so_and_does_nothing(picker_of_four):
    picker_of_four.torso._handle_custom_msg({"lead": "V6"}, [])
    assert picker_of_four.leads == ("I", "II", "III", "V2")
    assert picker_of_four.notice.value == '<p role="status">V6: not there to choose; these recordings lack it.</p>'
    assert picker_of_four.error.value == ""
    picker_of_four.torso._handle_custom_msg({"lead": "V2"}, [])
    assert picker_of_four.leads == ("I", "II", "III")
    assert picker_of_four.notice.value == ""


def test_a_lead_that_is_not_there_cannot_be_set(picker_of_four):
    with pytest.raises(sd.LeadError, match="There is no V6 here; choose among I, II, III, V2"):
        picker_of_four.leads = "I, V6"
    with pytest.raises(sd.LeadError, match="There is no V6 here"):
        LeadPicker("V6", among="I, II")


def test_a_subscriber_that_refuses_leads_is_heard_in_words(picker):
    def refuse(_change):
        raise sd.LeadError("no <V5> here")

    picker.observe(refuse, "leads")
    picker.buttons["V5"].value = True
    assert picker.error.value.startswith('<p role="status"><b>Not shown:</b> no &lt;V5&gt; here ')
