"""A heart that a hand turns: its arrow seen from the front and from the feet, and what the twelve leads make of it.

`Pose` is all the state there is. Axes as in the simulator: x to the left arm, y to the feet, z to the front. A lead reads the
dot product of the heart's arrow (its dipole) with the lead's vector: the arrow's shadow on the lead.
"""

from dataclasses import dataclass

import ipywidgets
import numpy as np
import plotly.graph_objects as go

from selfdana_lite.explore.explorer import Explorer
from selfdana_lite.explore.live_figure import LiveFigure
from selfdana_lite.explore.turning_heart_figure import heart_figure
from selfdana_lite.leads import LEAD_SETS, LEADS
from selfdana_lite.simulation.dipole import lead_vectors, rotation


@dataclass(frozen=True)
class Pose:
    """How the heart lies, which sample of the beat is looked at (the one of the longest arrow where None), and which lead."""

    frontal_deg: int = 0  # as seen from the front: from the left arm towards the feet
    horizontal_deg: int = 0  # round the body's long axis: from the front towards the left arm
    sample: int | None = None
    lead: str = "II"


def turned(beat_mv: np.ndarray, pose: Pose) -> np.ndarray:
    """The beat [samples, 3] of the heart after both turns, the frontal one first."""
    turn = rotation(np.array([0, pose.horizontal_deg, 0])) @ rotation(np.array([0, 0, pose.frontal_deg]))
    return beat_mv @ turn.T  # [samples, 3]


def frontal_angle(arrow_mv: np.ndarray) -> float:
    """Where an arrow [3] points as seen from the front, in degrees: 0 to the left arm, 90 to the feet."""
    return float(np.degrees(np.arctan2(arrow_mv[1], arrow_mv[0])))


def sample_of(pose: Pose, beat_mv: np.ndarray) -> int:
    """The sample of the beat that is looked at."""
    return int(np.linalg.norm(beat_mv, axis=1).argmax()) if pose.sample is None else pose.sample


def draw_heart(pose: Pose, time_ms: np.ndarray, beat_mv: np.ndarray) -> go.Figure:
    """The turned heart's loop and arrow in two planes, and its twelve leads."""
    return heart_figure(time_ms, turned(beat_mv, pose), sample_of(pose, beat_mv), pose.lead)


def describe_heart(pose: Pose, time_ms: np.ndarray, beat_mv: np.ndarray) -> str:
    """The figure in words: where the arrow points, and what every lead reads at that moment."""
    sample = sample_of(pose, beat_mv)
    arrow_mv = turned(beat_mv, pose)[sample]
    read_mv = dict(zip(LEADS, lead_vectors() @ arrow_mv, strict=True))
    size_mv = {lead: abs(read_mv[lead]) for lead in LEAD_SETS["6-lead"]}
    most, least = max(size_mv, key=size_mv.get), min(size_mv, key=size_mv.get)
    return (
        f"Turned by {pose.frontal_deg}° in the frontal plane and {pose.horizontal_deg}° round the long axis; "
        f"{time_ms[sample]:.0f} ms after the beat began. From the front the arrow points to {frontal_angle(arrow_mv):.0f}°. "
        f"Of the limb leads {most} reads most ({read_mv[most]:.2f} mV), {least} least ({read_mv[least]:.2f} mV). "
        f"The shadow drawn is on {pose.lead}. In mV: "
        f"{', '.join(f'{lead} {value:.2f}' for lead, value in read_mv.items())}."
    )


class TurningHeart(Explorer):
    """Sliders over `draw_heart` and `describe_heart`. time_ms [samples] and beat_mv [samples, 3]: one beat of a dipole."""

    def __init__(self, time_ms: np.ndarray, beat_mv: np.ndarray, pose: Pose | None = None) -> None:
        super().__init__()
        self.time_ms, self.beat_mv, self.pose = time_ms, beat_mv, pose or Pose()
        self.frontal = _turn(self.pose.frontal_deg, "Frontal °")
        self.horizontal = _turn(self.pose.horizontal_deg, "Horizontal °")
        self.sample = ipywidgets.SelectionSlider(
            options=[(f"{ms:.0f} ms", sample) for sample, ms in enumerate(time_ms)],
            value=sample_of(self.pose, beat_mv),
            description="Moment",
            layout={"width": "440px"},
        )
        self.lead = ipywidgets.Dropdown(options=LEADS, value=self.pose.lead, description="Lead", layout={"width": "180px"})
        self.figure = LiveFigure(*self._shown())
        for control in (self.frontal, self.horizontal, self.sample, self.lead):
            control.observe(self._moved, "value")
        rows = [[self.frontal, self.horizontal], [self.sample, self.lead]]
        self.children = [*(ipywidgets.HBox(row) for row in rows), self.error, self.figure]

    def static_html(self) -> str:
        return self.figure.static_html()

    def _moved(self, _change: object) -> None:
        with self.errors_shown():
            self.pose = Pose(self.frontal.value, self.horizontal.value, self.sample.value, self.lead.value)
            self.figure.show(*self._shown())

    def _shown(self) -> tuple[go.Figure, str]:
        return draw_heart(self.pose, self.time_ms, self.beat_mv), describe_heart(self.pose, self.time_ms, self.beat_mv)


def _turn(degrees: int, name: str) -> ipywidgets.IntSlider:
    return ipywidgets.IntSlider(degrees, -180, 180, step=5, description=name, layout={"width": "440px"})
