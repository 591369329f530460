"""Controls that belong together, under a name that a screen reader says before the first of them.

HBox([named(ipywidgets.HBox([op]), "Merge by"), ...])
"""

from pathlib import Path

import anywidget
import ipywidgets
import traitlets


class GroupName(anywidget.AnyWidget):
    """Names the box that it lies in, and takes no room; also says which of the toggle buttons there is pressed."""

    _esm = Path(__file__).with_name("group.js")
    name = traitlets.Unicode().tag(sync=True)


def named(box: ipywidgets.Box, name: str) -> ipywidgets.Box:
    """The same box, as a group of that name."""
    box.children = (*box.children, GroupName(name=name))
    return box
