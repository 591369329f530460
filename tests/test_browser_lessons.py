"""The views of lessons 01 and 02 in a real browser: every control is operated, and the figure and its words answer."""

from test_browser import everywhere
from test_browser_views import choose, open_views, said, slide  # noqa: F401 - open_views is a fixture

HEART = """
import numpy as np
time_ms = np.arange(5) * 100.0
beat_mv = np.array([[0, 0, 0], [0.2, 0.1, 0], [1, 0, 0], [0.3, 0.3, 0.1], [0, 0, 0]], float)
heart = explore.TurningHeart(time_ms, beat_mv)
"""


@everywhere
def test_the_turning_heart(open_views, place):  # noqa: F811
    screen = open_views(place, "turning-heart", 1, HEART, "heart")
    said(screen, "Turned by 0° in the frontal plane and 0° round the long axis; 200 ms after the beat began.")
    slide(screen, "Frontal °")
    said(screen, "Turned by 5° in the frontal plane and 0°")
    slide(screen, "Horizontal °")
    said(screen, "and 5° round the long axis")
    slide(screen, "Moment")
    said(screen, "300 ms after the beat began")
    choose(screen, "Lead", "aVR")
    said(screen, "The shadow drawn is on aVR.")
    screen.settle()
    screen.screenshot()
    assert screen.errors() == []


@everywhere
def test_the_padding_view(open_views, place):  # noqa: F811
    screen = open_views(place, "padding", 1, "explore.PaddingView(recordings)")
    said(screen, "With 3 of 12 leads")
    for lead_set, leads in (("1-lead", 1), ("12-lead", 12)):
        choose(screen, "Leads", lead_set)
        said(screen, f"With {leads} of 12 leads")
        screen.settle()
        screen.screenshot(lead_set)
    assert screen.errors() == []
