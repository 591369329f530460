"""Groups of controls have names; test_browser_views.py sees that a page says them."""

import ipywidgets
import pytest
from small import seeded_encoder, small_dataset

import selfdana_lite as sd
from selfdana_lite import explore
from selfdana_lite.explore.group import GroupName, named


def boxes(widget):
    """All boxes in a tree of widgets."""
    if children := getattr(widget, "children", ()):
        yield widget
    for child in children:
        yield from boxes(child)


def name_of(box):
    """What a group is called; None for a box that is none."""
    return box.children[-1].name if isinstance(box.children[-1], GroupName) else None


def test_a_box_keeps_its_controls_and_gets_a_name():
    button = ipywidgets.Button()
    box = ipywidgets.HBox([button])
    assert named(box, "Things") is box
    assert box.children[0] is button
    assert name_of(box) == box.children[-1].get_state()["name"] == "Things"


@pytest.mark.parametrize(
    ("show", "names"),
    [
        (lambda samples, clf: explore.LeadPicker(), {"Usual lead sets", "Single leads"}),
        (lambda samples, clf: explore.PoolingView(), {"Merge by", "Fill by"}),
        (lambda samples, clf: explore.AugmentationView(samples), {"Law of selection"}),
        (lambda samples, clf: explore.OwnEcg(clf, samples), {"File", "What the file does not say"}),
        (
            lambda samples, clf: explore.LeadSetExplorer(clf, samples, explore.score_table(clf, samples, bootstrap=2)),
            {"Lead set"},
        ),
        (lambda samples, clf: explore.LeadMapper(explore.ecg_viewer.recording_at(samples, 0)), {"Which lead each name means"}),
    ],
    ids=["picker", "pooling", "augmentation", "own ECG", "lead sets", "mapper"],
)
def test_toggle_buttons_and_what_belongs_together_are_in_groups(show, names):
    samples = small_dataset(folds=[9, 10], records=40, samples=300)
    clf = sd.Classifier(seeded_encoder(), samples.label_names, "any").eval()
    every = list(boxes(show(samples, clf)))
    assert {name_of(box) for box in every} - {None} == names
    for box in every:
        assert name_of(box) or not any(isinstance(child, ipywidgets.ToggleButtons) for child in box.children)
