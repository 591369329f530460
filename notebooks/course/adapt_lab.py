"""Lesson 11's widget: choose what to train, on how many labels and how fast; each training leaves a star in the chart."""

from collections.abc import Mapping

import ipywidgets
import pandas as pd
import plotly.graph_objects as go

import selfdana_lite as sd
from course.lesson_11 import adapt
from selfdana_lite.encoders import Encoder
from selfdana_lite.explore import Explorer, LiveFigure, figure_html
from selfdana_lite.fine_tuning import LEARNING_RATES, STRATEGIES

LOOKS = {
    "full": ("#D55E00", "square", "solid"),
    "head alone": ("#0072B2", "circle", "dash"),
    "from scratch": ("#5f5f5f", "x", "dot"),
    "untrained, head alone": ("#A3568A", "cross", "dashdot"),
}
FACTORS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)  # times the kit's own learning rate for the strategy


def few_figure(few: pd.DataFrame, trials: pd.DataFrame, score: str = "macro_auroc") -> go.Figure:
    """Score over the number of labelled recordings: a line through the means, a point a draw, a star a trial."""
    figure = go.Figure()
    for contender, (colour, symbol, dash) in LOOKS.items():
        rows = few[few["contender"] == contender]
        mean = rows.groupby("share")[["recordings", score]].mean()
        line = {"color": colour, "dash": dash, "width": 2}
        figure.add_scatter(x=mean["recordings"], y=mean[score], name=contender, mode="lines", line=line)
        marker = {"color": colour, "symbol": symbol, "size": 8, "opacity": 0.7}
        figure.add_scatter(x=rows["recordings"], y=rows[score], mode="markers", marker=marker, showlegend=False)
    if len(trials):
        marker = {"color": "#000000", "symbol": "star", "size": 14}
        words = [str(number) for number in range(1, len(trials) + 1)]
        figure.add_scatter(
            x=trials["recordings"], y=trials[score], mode="markers+text", text=words, textposition="top center",
            marker=marker, name="your trials",
        )  # fmt: skip
    figure.update_xaxes(
        title="recordings with labels (logarithmic)",
        type="log",
        tickvals=[10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000],
        fixedrange=True,
    )
    figure.update_yaxes(title="AUROC on other patients", gridcolor="#dddddd", fixedrange=True)
    margin, legend = {"l": 60, "r": 10, "t": 10, "b": 50}, {"orientation": "h", "y": -0.25}
    return figure.update_layout(width=880, height=360, plot_bgcolor="white", margin=margin, legend=legend)


def describe_few(few: pd.DataFrame, trials: pd.DataFrame, score: str = "macro_auroc") -> str:
    """The chart in words."""
    mean = few.groupby(["share", "contender"])[score].mean()
    what = "Macro AUROC" if score == "macro_auroc" else f"AUROC of {score}"
    parts = [
        f"with {few.loc[few['share'] == share, 'recordings'].median():.0f} labelled recordings "
        + ", ".join(f"{contender} {mean[share, contender]:.3f}" for contender in LOOKS)
        for share in sorted(few["share"].unique())
    ]
    lines = [
        f"Trial {i}: {t.start}, {t.strategy}, rate {t.learning_rate:g}, {t.recordings} recordings: {getattr(t, score):.3f}."
        for i, t in enumerate(trials.itertuples(), 1)
    ]
    return " ".join([f"{what}: {'; '.join(parts)}.", *lines])


class AdaptLab(Explorer):
    """Train live. starts: names and what is trained from ("pre-trained": a probe or an encoder). asked: the test's lead set."""

    def __init__(
        self,
        starts: Mapping[str, Encoder | sd.Classifier],
        train: sd.EcgDataset,
        test: sd.EcgDataset,
        asked: str,
        few: pd.DataFrame,
        steps: int,
        batch_size: int,
    ):
        super().__init__()
        self.starts, self.train, self.test, self.asked, self.few = starts, train, test, asked, few
        self.steps, self.batch_size = steps, batch_size
        self.trials = pd.DataFrame(
            columns=["start", "strategy", "learning_rate", "recordings", "macro_auroc", *test.label_names]
        )
        wide = {"style": {"description_width": "110px"}, "layout": {"width": "430px"}}
        shares = [(f"{share:.0%}", share) for share in (0.01, 0.03, 0.1, 0.3, 1.0)]
        rates = [(f"{factor:g} times the usual", factor) for factor in FACTORS]
        scores = [("macro", "macro_auroc"), *((name, name) for name in test.label_names)]
        self.start = ipywidgets.Dropdown(options=list(starts), description="Start", **wide)
        self.strategy = ipywidgets.Dropdown(options=list(STRATEGIES), description="Train", **wide)
        self.share = ipywidgets.SelectionSlider(options=shares, value=0.1, description="Labels", **wide)
        self.rate = ipywidgets.SelectionSlider(options=rates, value=1.0, description="Learning rate", **wide)
        self.score = ipywidgets.Dropdown(options=scores, description="Show", **wide)
        self.button = ipywidgets.Button(description=f"Train {steps} steps", tooltip="takes a few seconds")
        self.button.on_click(self._train)
        self.score.observe(self._show, "value")
        self.figure = LiveFigure(*self._shown())
        rows = [ipywidgets.HBox([self.start, self.strategy]), ipywidgets.HBox([self.share, self.rate])]
        self.children = [*rows, ipywidgets.HBox([self.score, self.button]), self.error, self.figure]

    def static_html(self) -> str:
        return figure_html(*self._shown())

    def _shown(self) -> tuple[go.Figure, str]:
        shown = self.few, self.trials, self.score.value
        return few_figure(*shown), describe_few(*shown)

    def _show(self, _change: object = None) -> None:
        with self.errors_shown():
            self.figure.show(*self._shown())

    def _train(self, _button: object = None) -> None:
        with self.errors_shown():
            self.button.disabled = True
            try:
                number = len(self.trials)
                some = sd.few_labels(self.train, self.share.value, seed=1000 + number)
                rate = LEARNING_RATES[self.strategy.value] * self.rate.value
                start = self.starts[self.start.value]
                clf = adapt(start, some, self.strategy.value, rate, self.steps, self.batch_size, seed=number)
                scores = sd.evaluate(clf, self.test, sd.LEAD_SETS[self.asked], bootstrap=0)
                told = [self.start.value, self.strategy.value, rate, len(some), scores.macro_auroc, *scores.per_class.values()]
                self.trials.loc[number] = told
            finally:
                self.button.disabled = False
        self._show()
