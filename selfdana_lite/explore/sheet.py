"""What the figures share: dark on white, one font, the title at the upper left; each says its own size and room."""

from selfdana_lite.explore.colours import INK

FONT = {"size": 14, "color": INK}
GRID = "#dddddd"
WIDTH_PX = 910  # as wide as ten seconds on ECG paper


def sheet(title: str, height: int, room: tuple[int, int, int, int], width: int = WIDTH_PX) -> dict:
    """A layout for plotly, to be joined with axes and legend. Sizes in pixels; room: left, right, above and below the axes."""
    return {
        "title": {"text": title, "font": {"size": 16}, "x": 0.01, "y": 0.99, "yanchor": "top"},
        "width": width,
        "height": height,
        "margin": dict(zip("lrtb", room, strict=True)),
        "plot_bgcolor": "white",
        "paper_bgcolor": "white",
        "font": FONT,
    }
