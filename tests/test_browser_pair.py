"""The view of a pair in a real browser: both menus are operated, and the figure and its words answer."""

from test_browser import everywhere
from test_browser_views import RECORDINGS, choose, open_views, said  # noqa: F401 - open_views is a fixture

ANSWERS = """
clf = sd.Classifier(sd.load_encoder(), recordings.label_names, "any").eval()
answers = {"twelve": (clf, "12-lead"), "two": (clf, "I, II"), "one": (clf, "I")}
"""


@everywhere
def test_the_view_of_a_pair(open_views, place):  # noqa: F811
    screen = open_views(place, "paired-view", 1, ANSWERS, "explore.PairedView(answers, recordings)")
    said(screen, "First, twelve:")
    said(screen, "Second, one:")
    screen.screenshot("twelve-and-one")
    choose(screen, "Second", "two")
    said(screen, "Second, two:")
    choose(screen, "First", "two")
    said(screen, "is +0.000 [+0.000, +0.000], which holds zero")
    screen.screenshot("two-and-two")
    assert screen.errors() == []
