"""The chart of the design search: every design a point, the unbeaten ones joined, and the same in words."""

import pandas as pd
import pytest

import selfdana_lite as sd
from selfdana_lite.explore.design_chart import describe_designs, design_figure

DESIGNS = pd.DataFrame(
    {
        "design": ["default", "wider stem", "narrower", "zero-pad-lean"],
        "tensor_mb, 1-lead": [14.0, 20.0, 9.0, 16.0],
        "tensor_mb, 12-lead": [54.0, 80.0, 35.0, 16.0],
        **{name: [0.85, 0.86, 0.83, 0.84] for name in sd.LEAD_SETS},
    }
)


def test_the_line_joins_what_no_design_beats():
    line, ours, mixing = design_figure(DESIGNS).data
    assert list(line.x) == [9.0, 14.0, 20.0]
    assert list(line.y) == pytest.approx([0.83, 0.85, 0.86])
    assert set(ours.text) == {"default", "wider stem", "narrower"}
    assert list(mixing.text) == ["zero-pad-lean"]
    assert set(ours.customdata) == set(ours.text), "who is named stands there when hovered over, too"
    assert ours.marker.symbol != mixing.marker.symbol, "colour is not all that tells them apart"


def test_a_beaten_design_is_named_when_hovered_over_alone():
    beaten = DESIGNS.assign(**{"tensor_mb, 1-lead": [14.0, 20.0, 30.0, 16.0]})  # now "narrower" costs most and knows least
    ours = design_figure(beaten).data[1]
    assert dict(zip(ours.customdata, ours.text, strict=True))["narrower"] == ""


def test_at_twelve_leads_the_lean_mixing_network_is_the_cheapest():
    assert list(design_figure(DESIGNS, lead_set="12-lead").data[0].x) == [16.0, 54.0, 80.0]


def test_words_say_the_front_and_where_the_default_is():
    assert describe_designs(DESIGNS).endswith(
        "narrower 9, 0.830; default 14, 0.850; wider stem 20, 0.860. The default design is on it."
    )
    worse = DESIGNS.assign(**{"tensor_mb, 1-lead": [21.0, 20.0, 9.0, 16.0]})
    assert describe_designs(worse).endswith("The default design is not on it: 21, 0.850.")


def test_a_cost_that_was_not_counted_is_refused():
    with pytest.raises(ValueError, match="no column 'seconds, 1-lead'; choose a cost of tensor_mb"):
        design_figure(DESIGNS, "seconds")
