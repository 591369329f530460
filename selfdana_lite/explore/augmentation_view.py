"""Random Lead Selection beside Random Lead Masking: two views of one recording, and how many leads many draws keep.

`AugmentationChoice` is all the state there is. What is drawn comes from the augmentations themselves, two views as in
pre-training, from one generator with the seed that is shown.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import ipywidgets
import numpy as np
import plotly.graph_objects as go
import torch

from selfdana_lite.augment import RandomLeadMasking, RandomLeadSelection
from selfdana_lite.dataset import EcgDataset
from selfdana_lite.explore.augmentation_figures import Drawn, count_figure, view_figure
from selfdana_lite.explore.ecg_viewer import recording_at
from selfdana_lite.explore.group import named
from selfdana_lite.explore.lead_picker import LeadPicker
from selfdana_lite.explore.lead_view import LeadView
from selfdana_lite.explore.live_figure import LiveFigure
from selfdana_lite.explore.over_original import describe_over, draw_over
from selfdana_lite.leads import LEADS, LeadError
from selfdana_lite.recording import Recording

DRAWS = (10, 30, 100, 300, 1000, 3000, 10_000)
FEW = 3  # leads: what is asked of a watch or a monitor
SHOWN_S, PAPER_S = 2.5, 10.0  # beside each other; over the original
NAMES = "Random Lead Selection", "Random Lead Masking"
OVER = {"nothing": ()} | {f"{name}, view {n}": (name, n) for name in NAMES for n in (1, 2)}


@dataclass(frozen=True)
class AugmentationChoice:
    """What has been chosen: a row of the dataset, the leads there are to choose from, the law of selection, seed, draws, and
    which view, if any, is drawn over the original, as (name, 1 or 2)."""

    row: int = 0
    leads: tuple[str, ...] = LEADS
    law: str = "uniform"
    seed: int = 0
    draws: int = 1000
    over: tuple[str, int] | tuple[()] = ()

    @property
    def augmentations(self) -> dict[str, RandomLeadSelection | RandomLeadMasking]:
        return dict(zip(NAMES, (RandomLeadSelection(law=self.law), RandomLeadMasking()), strict=True))


def twelve_of(choice: AugmentationChoice, recording: Recording, most_s: float = SHOWN_S) -> tuple[torch.Tensor, torch.Tensor]:
    """The first seconds: float32 [1, 12, samples] in the order of LEADS, NaN where a lead is absent, and present bool [1, 12].

    Raises LeadError where the recording has none of the chosen leads.
    """
    here = [lead in recording.leads and lead in choice.leads for lead in LEADS]
    if not any(here):
        raise LeadError(
            f"{recording.source or 'This recording'} has none of {', '.join(choice.leads)}; it has "
            f"{', '.join(recording.leads)}. Choose one of those."
        )
    samples = round(min(most_s, recording.seconds) * recording.sampling_rate_hz)
    signals_mv = torch.full((1, len(LEADS), samples), torch.nan)
    for place, lead in enumerate(LEADS):
        if here[place]:
            signals_mv[0, place] = torch.tensor(recording.signal_mv[recording.leads.index(lead), :samples])
    return signals_mv, torch.tensor([here])


def views_of(choice: AugmentationChoice, recording: Recording, most_s: float = SHOWN_S) -> dict[str, list[Drawn]]:
    """Two views by each augmentation: what comes out, and whose it is. A seed draws the same leads for any time."""
    signals_mv, present = twelve_of(choice, recording, most_s)
    views = {}
    for name, augmentation in choice.augmentations.items():
        generator = torch.Generator().manual_seed(choice.seed)
        drawn = [augmentation(signals_mv, generator, present) for _ in range(2)]  # ([1, k, samples], [1, k]) each
        views[name] = [Drawn(view[0].numpy(), tuple(LEADS[i] for i in ids[0])) for view, ids in drawn]
    return views


def draw_views(choice: AugmentationChoice, recording: Recording) -> go.Figure:
    """Four columns of leads: two views by selection, two by masking."""
    title = f"{recording.source or 'A recording'}, seed {choice.seed}"
    return view_figure(views_of(choice, recording), recording.sampling_rate_hz, title)


def describe_views(choice: AugmentationChoice, recording: Recording) -> str:
    """Which leads each view kept, and what became of the others."""
    (selection, selected), (masking, masked) = views_of(choice, recording).items()
    shapes = " and ".join(f"[{len(view.leads)}, samples]" for view in selected)
    return (
        f"{selection} keeps {_kept(selected)}: the tensors shrink to {shapes}. {masking} keeps {_kept(masked)}: what else "
        f"there was became zeros, and the tensors stay [{len(LEADS)}, samples]. Seed {choice.seed}."
    )


def _kept(views: Sequence[Drawn]) -> str:
    kept = [[lead for lead in LEADS if view.keeps(lead)] for view in views]
    return "; ".join(f"in view {number} {', '.join(leads) or 'no lead'}" for number, leads in enumerate(kept, start=1))


def laws(choice: AugmentationChoice, n_present: int) -> dict[str, np.ndarray]:
    """Of each augmentation, the probability of keeping 0, 1, ... n_present leads, float64 [n_present + 1]."""
    selection, masking = choice.augmentations.values()
    counts = torch.arange(n_present + 1, dtype=torch.float64)
    binomial = torch.distributions.Binomial(n_present, torch.tensor(1 - masking.p, dtype=torch.float64))
    both = selection.count_probabilities(n_present), binomial.log_prob(counts).exp()
    return dict(zip(choice.augmentations, (law.numpy() for law in both), strict=True))


@lru_cache(maxsize=32)  # the drawing and its words ask for the same
def kept_counts(choice: AugmentationChoice, n_present: int) -> dict[str, np.ndarray]:
    """How many leads each of choice.draws views keeps, int64 [draws]; selection draws its count once a batch, so one by one."""
    selection, masking = choice.augmentations.values()
    present = torch.arange(len(LEADS))[None] < n_present  # [1, 12]
    generators = [torch.Generator().manual_seed(choice.seed) for _ in range(2)]
    one, many = torch.zeros(1, len(LEADS), 1), torch.zeros(choice.draws, len(LEADS), 1)
    selected = [selection.draw(one, generators[0], present).shape[1] for _ in range(choice.draws)]
    masked = masking.draw(many, generators[1], present.expand(choice.draws, -1)).sum(dim=1)
    return dict(zip(choice.augmentations, (np.array(selected), masked.numpy()), strict=True))


def draw_counts(choice: AugmentationChoice, n_present: int) -> go.Figure:
    """Bars: the shares of the draws that kept 0, 1, ... leads; diamonds: the law."""
    counts = {name: np.bincount(kept, minlength=n_present + 1) for name, kept in kept_counts(choice, n_present).items()}
    return count_figure(counts, laws(choice, n_present), f"Leads kept in {choice.draws:,} draws; selection: {choice.law}")


def describe_counts(choice: AugmentationChoice, n_present: int) -> str:
    """How often few leads are left, by law and as drawn, and how often none."""
    words, counts, most = [], np.arange(n_present + 1), min(FEW, n_present)
    for (name, law), kept in zip(laws(choice, n_present).items(), kept_counts(choice, n_present).values(), strict=True):
        few, drawn = _percent(law[: most + 1].sum()), _percent((kept <= most).mean())
        none = f"none with probability {_percent(law[0])}" if law[0] else "never none"
        words.append(
            f"{name} leaves at most {most} of {n_present} leads with probability {few} ({drawn} of {choice.draws:,} draws), "
            f"{law @ counts:.1f} on average, and {none}."
        )
    return " ".join(words)


def _percent(share: float) -> str:
    return f"{share:.1%}" if share >= 0.01 or share == 0 else f"{share:.2%}"


class AugmentationView(LeadView):
    """Controls over the functions above: AugmentationView(dataset); with a picker, its leads are those there are to lose."""

    def __init__(
        self, source: EcgDataset | Recording, leads: str | Iterable[str] = "12-lead", picker: LeadPicker | None = None
    ) -> None:
        super().__init__(leads, picker)
        self.source, self.choice = source, AugmentationChoice(leads=self.leads)
        last = 0 if isinstance(source, Recording) else len(source) - 1
        self.recording = ipywidgets.IntSlider(0, 0, last, description="Recording", layout={"width": "320px"})
        self.recording.layout.display = None if last else "none"
        self.law = ipywidgets.ToggleButtons(
            options=["uniform", "binomial"],
            style={"button_width": "76px"},
            tooltips=["Every count of leads equally often", "As if each lead were kept with probability 1/2"],
        )
        self.draws = ipywidgets.SelectionSlider(options=DRAWS, value=1000, description="Draws", layout={"width": "300px"})
        self.seed = ipywidgets.BoundedIntText(0, 0, 2**31 - 1, description="Seed", layout={"width": "190px"})
        self.again = ipywidgets.Button(description="Draw again", tooltip="Draw with the next seed")
        self.again.on_click(self._draw_again)
        self.over = ipywidgets.Dropdown(options=OVER, description="Over the original", layout={"width": "380px"})
        self.over.style.description_width = "120px"
        self.paper = LiveFigure(go.Figure())
        self.views, self.counts = LiveFigure(*self._views(self.choice)), LiveFigure(*self._counts(self.choice))
        for control in (self.recording, self.law, self.draws, self.seed, self.over):
            control.observe(self.redraw, "value")
        wrap = ipywidgets.Layout(flex_flow="row wrap", width="910px")
        law = named(ipywidgets.HBox([ipywidgets.Label("Selection"), self.law]), "Law of selection")
        controls = [self.again, self.seed, self.recording, self.lead_set, law, self.draws, self.over]
        self.always = ipywidgets.HBox(controls, layout=wrap), self.error, self.views, self.counts
        self.children = self.always

    def redraw(self, _change: object = None) -> None:
        with self.errors_shown():
            chosen = self.recording.value, self.leads, self.law.value, self.seed.value, self.draws.value, self.over.value
            choice = AugmentationChoice(*chosen)
            views, counts = self._views(choice), self._counts(choice)  # either may refuse, before anything changes
            self.choice = choice
            self.views.show(*views)
            self.counts.show(*counts)
            if choice.over:
                self.paper.show(*self._over(choice))
            self.children = (*self.always, self.paper) if choice.over else self.always

    def static_html(self) -> str:
        paper = self.paper.static_html() if self.choice.over else ""
        return self.views.static_html() + self.counts.static_html() + paper

    def _draw_again(self, _button: object) -> None:
        self.seed.value += 1

    def _views(self, choice: AugmentationChoice) -> tuple[go.Figure, str]:
        recording = recording_at(self.source, choice.row)
        return draw_views(choice, recording), describe_views(choice, recording)

    def _counts(self, choice: AugmentationChoice) -> tuple[go.Figure, str]:
        _, present = twelve_of(choice, recording_at(self.source, choice.row))
        return draw_counts(choice, int(present.sum())), describe_counts(choice, int(present.sum()))

    def _over(self, choice: AugmentationChoice) -> tuple[go.Figure, str]:
        recording, (name, number) = recording_at(self.source, choice.row), choice.over
        view = views_of(choice, recording, PAPER_S)[name][number - 1]
        original = recording.select([lead for lead in recording.standard_leads if lead in choice.leads])
        return draw_over(view, original, f"{name}, view {number}, seed {choice.seed}"), describe_over(view, original)
