"""The pooling view says what the pooling does: held against a loop over its bounds, and against its own formulas."""

import itertools
import json
import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import selfdana_lite as sd
from selfdana_lite import explore
from selfdana_lite.adapter import slot_bounds
from selfdana_lite.explore import LEAD_COLOURS, LEAD_DASHES, PoolingChoice, pooling_view
from selfdana_lite.explore.live_figure import as_plain
from selfdana_lite.explore.pooling_view import EXAMPLE, describe, draw, flow_of, table_of

some_leads = st.sets(st.sampled_from(sd.LEADS), min_size=1).map(lambda leads: tuple(sorted(leads, key=sd.LEADS.index)))
choices = st.builds(
    PoolingChoice, some_leads, st.integers(1, 6), st.sampled_from(["max", "mean"]), st.sampled_from(["repeat", "tile"])
)


def entering(choice):
    """Which leads reach each slot, by hand: neighbours within the bounds; or tiled, one after the other."""
    leads = choice.leads
    if choice.fill == "tile" and len(leads) < choice.slots:
        return [[leads[slot % len(leads)]] for slot in range(choice.slots)]
    return [list(leads[low:high]) for low, high in slot_bounds(len(leads), choice.slots)]


def drawn_links(figure):
    return [trace for trace in figure.data if trace.mode == "lines"]


# The flow


@given(choices)
def test_the_flow_is_that_of_the_bounds_and_the_formula(choice):
    flow, by_hand = flow_of(choice), entering(choice)
    shown = [[lead for lead, enters in zip(choice.leads, row, strict=True) if enters] for row in flow.open]
    assert shown == by_hand
    numbers = [[EXAMPLE[lead] for lead in leads] for leads in by_hand]
    np.testing.assert_allclose(flow.pooled, [max(row) if choice.op == "max" else np.mean(row) for row in numbers])


@given(choices)
def test_shares_add_up_and_tell_the_slot(choice):
    flow, values = flow_of(choice), np.array([EXAMPLE[lead] for lead in choice.leads])
    np.testing.assert_allclose(flow.share.sum(axis=1), 1)
    np.testing.assert_allclose(flow.share @ values, flow.pooled, atol=1e-12)
    assert not flow.share[~flow.open].any()
    if choice.op == "max":
        assert set(np.unique(flow.share)) <= {0, 1}
    else:
        assert (flow.share[flow.open] > 0).all()


def test_the_flow_is_asked_of_the_pooling_itself(monkeypatch):
    class Backwards(sd.DimensionAdaptivePooling):
        def forward(self, maps):
            return super().forward(maps.flip(2))

    monkeypatch.setattr(pooling_view, "DimensionAdaptivePooling", Backwards)
    assert table_of(PoolingChoice(("I", "II", "V1", "V2"), 2))["pools"].tolist() == ["max of V1, V2", "max of I, II"]


def test_the_example_obeys_the_limb_leads_and_has_no_ties():
    assert len(set(EXAMPLE.values())) == 12
    i_ii = np.array([[EXAMPLE["I"]], [EXAMPLE["II"]]])
    limb = sd.leads.derive_limb_leads(*i_ii)[:, 0]
    np.testing.assert_allclose(limb, [EXAMPLE[lead] for lead in sd.LEAD_SETS["6-lead"]], atol=1e-6)


# Words and table


def test_the_table_of_an_example():
    table = table_of(PoolingChoice(("I", "II", "V2"), 4, "mean"))
    assert table.values.tolist() == [
        [1, "I", "0.6", "I"],
        [2, "mean of I, II", "mean(0.6, 1) = 0.8", "I, II"],
        [3, "mean of II, V2", "mean(1, 0.2) = 0.6", "II, V2"],
        [4, "V2", "0.2", "V2"],
    ]


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        (
            PoolingChoice(("I", "II", "III"), 1),
            "3 leads into 1 slot by max: more leads than slots, so neighbours merge; how to fill slots makes no difference. "
            "Slot 1: max of I, II, III. In the example the slots take II; nothing of I, III gets through.",
        ),
        (
            PoolingChoice(("I", "V2"), 3, fill="tile"),
            "2 leads into 3 slots by max: fewer leads than slots, so leads repeat, all in turn (tile). "
            "Slot 1: I. Slot 2: V2. Slot 3: I. More than once: I in slots 1, 3.",
        ),
        (
            PoolingChoice(("V1",), 2, "mean"),
            "1 lead into 2 slots by mean: fewer leads than slots, so leads repeat, beside themselves (repeat). "
            "Slot 1: V1. Slot 2: V1. More than once: V1 in slots 1, 2.",
        ),
        (
            PoolingChoice(("V1", "V2"), 2),
            "2 leads into 2 slots by max: each has a slot of its own; how to fill slots makes no difference. "
            "Slot 1: V1. Slot 2: V2.",
        ),
    ],
)
def test_the_flow_in_words(choice, words):
    assert describe(choice) == words


@given(choices)
def test_words_table_and_drawing_agree(choice):
    words, table = describe(choice), table_of(choice)
    for row in table.itertuples():
        assert f"Slot {row.slot}: {row.pools}." in words
    repeated = words.partition("More than once: ")[2].partition(".")[0]
    counts = {lead: sum(lead in leads for leads in entering(choice)) for lead in choice.leads}
    assert {lead for lead in choice.leads if re.search(rf"\b{lead} in slots", repeated)} == {
        lead for lead, count in counts.items() if count > 1
    }
    slots = draw(choice).data[-1].text
    assert [text.partition("<br>")[2] for text in slots] == table["pools"].tolist()


@pytest.mark.parametrize("fill", ["repeat", "tile"])
@pytest.mark.parametrize(("leads", "slots"), list(itertools.product([1, 4, 12], [1, 4, 6])))
def test_fill_makes_no_difference_exactly_where_the_words_say_so(leads, slots, fill):
    choice = PoolingChoice(sd.LEADS[:leads], slots, fill=fill)
    maps = torch.randn(2, 3, leads, 5, generator=torch.Generator().manual_seed(0))
    pooled = [sd.DimensionAdaptivePooling(slots, fill=other)(maps) for other in ("repeat", "tile")]
    if "makes no difference" in describe(choice):
        assert torch.equal(*pooled)
    else:
        assert leads == 1 or not torch.equal(*pooled)


# The drawing


@given(choices)
def test_a_line_for_every_way_in_wide_by_its_share(choice):
    flow, figure = flow_of(choice), draw(choice)
    leads, slots = figure.data[-2:]
    assert (len(leads.y), len(slots.y)) == (len(choice.leads), choice.slots)
    links = drawn_links(figure)
    assert len(links) == flow.open.sum()
    for link in links:
        column, slot = list(leads.y).index(link.y[0]), list(slots.y).index(link.y[1])
        lead = choice.leads[column]
        assert flow.open[slot, column]
        assert link.line.width == pytest.approx(1 + 5 * flow.share[slot, column])
        assert (link.line.color, link.line.dash) == (LEAD_COLOURS[lead], LEAD_DASHES[lead])


@given(choices)
def test_the_page_keeps_its_size_and_its_text_does_not_touch(choice):
    figure = draw(choice)
    assert (figure.layout.width, figure.layout.height) == (910, 362)
    leads, slots = figure.data[-2:]
    assert (np.abs(np.diff(leads.y)) >= 20).all()  # px: one line of text
    assert (np.abs(np.diff(slots.y)) >= 40).all()  # two lines
    (left, right), width = figure.layout.xaxis.range, 910 - 20
    room = (right - 1) / (right - left) * width - 20
    assert max(len(text.partition("<br>")[2]) for text in slots.text) * 8 < room  # px a letter
    assert len(json.dumps(as_plain(figure))) < 20_000


# The widget


def assert_shows(view, choice):
    assert view.choice == choice
    assert (view.figure.figure, view.figure.text) == (as_plain(draw(choice)), describe(choice))
    assert view.table.value in view.static_html()
    assert describe(choice) in view.static_html()
    for example in table_of(choice)["example"]:
        assert f"<td>{example}</td>" in view.table.value


def test_every_control_changes_what_is_shown():
    view = explore.PoolingView()
    assert_shows(view, PoolingChoice())
    view.slots.value = 2
    assert_shows(view, PoolingChoice(slots=2))
    view.op.value = "mean"
    assert_shows(view, PoolingChoice(slots=2, op="mean"))
    view.fill.value = "tile"
    view.lead_set.value = "1-lead"
    assert_shows(view, PoolingChoice(("I",), 2, "mean", "tile"))


def test_the_view_follows_a_picker():
    picker = explore.LeadPicker("I, V2")
    view = explore.PoolingView(slots=6, picker=picker)
    assert_shows(view, PoolingChoice(("I", "V2"), 6))
    picker.presets.value = "6-lead"
    assert_shows(view, PoolingChoice(sd.LEAD_SETS["6-lead"], 6))


def test_an_error_is_shown_beside_the_controls_and_raised(monkeypatch):
    view = explore.PoolingView()
    with monkeypatch.context() as patch:
        patch.setattr(pooling_view, "draw", lambda choice: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            view.slots.value = 3
    assert "ZeroDivisionError: division by zero" in view.error.value
    view.slots.value = 2
    assert view.error.value == ""
