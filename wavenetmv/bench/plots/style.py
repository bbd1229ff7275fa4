"""One look for every plot: a codec keeps its colour and marker from plot to plot.

Colours are from Okabe and Ito's and Paul Tol's sets for colour-blind readers; as there are
more codecs than colours that everybody can tell apart, markers differ too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from wavenetmv.bench.results import Results
from wavenetmv.bench.wording import OWN

INK, MUTED, GRID, PAPER = "#1f2328", "#59636e", "#d8dee4", "#ffffff"

# By the beginning of a codec's name, longest first where one begins another:
# colour on white, colour on black, marker.
_KNOWN: tuple[tuple[str, str, str, str], ...] = (
    ("wmv-human-intra", "#c9b037", "#e8d579", "v"),
    ("wmv-no-focus", "#b5651d", "#d99a5b", "X"),
    ("wmv-trials", "#7a2e00", "#ffb47a", "D"),
    ("wmv-human", "#a63603", "#e8793b", "^"),
    ("wmv-intra", "#f0a070", "#ffc79c", "p"),
    ("wmv", "#d55e00", "#ff8c42", "o"),
    ("x264", "#7a7f87", "#a3a9b2", "s"),
    ("x265", "#0072b4", "#4aa8e2", "P"),
    ("svt-av1", "#aa4498", "#da84cc", "X"),
    ("jpeg2000", "#8a8a2b", "#c2c24f", "v"),
    ("jpegxl", "#2a9d8f", "#5cd6c6", "D"),
    ("jpeg", "#7a7f86", "#a3a9b1", "s"),
    ("webp", "#117733", "#4dbd74", "^"),
    ("hevc", "#0072b2", "#4aa8e0", "P"),
    ("hm", "#0072b3", "#4aa8e1", "P"),
    ("bpg", "#4c6f91", "#86a9cb", "H"),
    ("av1", "#aa4499", "#da84cb", "X"),
    ("avif", "#e69f00", "#f0b93a", "h"),
    ("vvc", "#332288", "#9d8df1", "*"),
    ("vtm", "#31302f", "#d0d0cf", "d"),
    ("bmshj2018", "#56b4e9", "#8fd0f5", "<"),
    ("mbt2018", "#cc6677", "#ec93a2", "p"),
    ("cheng2020", "#882255", "#d4669f", ">"),
)
_OTHERS: tuple[tuple[str, str, str], ...] = (
    ("#997700", "#d9b23c", "8"),
    ("#994455", "#d98796", "s"),
    ("#225555", "#6fb0b0", "^"),
    ("#663333", "#b98080", "D"),
)
# Colours in a plot for dark pages, by the colour on white.
DARK = {
    INK: "#e6edf3",
    MUTED: "#9198a1",
    GRID: "#30363d",
    PAPER: "#161b22",
    **{light: dark for _, light, dark, _ in _KNOWN},
    **{light: dark for light, dark, _ in _OTHERS},
}


@dataclass(frozen=True)
class Style:
    """How one codec is drawn."""

    colour: str
    marker: str
    width: float = 1.4
    order: int = 3


def style_of(codec: str, results: Results) -> Style:
    """The same for a known codec everywhere; others get theirs by position in `results`."""
    for name, colour, _, marker in _KNOWN:
        if codec.startswith(name):
            own = codec == OWN  # drawn on top and thicker
            return Style(colour, marker, 2.4 if own else 1.4, 5 if own else 3)
    strangers = [name for name in (*results.titles, *results.published) if not _is_known(name)]
    place = strangers.index(codec) if codec in strangers else len(strangers)
    colour, _, marker = _OTHERS[place % len(_OTHERS)]
    return Style(colour, marker)


def _is_known(codec: str) -> bool:
    return codec.startswith(tuple(name for name, *_ in _KNOWN))


def rc() -> dict[Any, Any]:
    """Settings of matplotlib under which figures are made and saved."""
    return {
        "font.size": 9,
        "text.parse_math": False,  # titles may hold a dollar sign
        "svg.fonttype": "none",  # text stays text: searchable, and small
        "svg.hashsalt": "wavenetmv",  # the same ids every time
        "text.color": INK,
        "axes.edgecolor": MUTED,
        "axes.labelcolor": INK,
        "axes.titlesize": 10,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "axes.grid": True,
        "axes.facecolor": PAPER,
        "figure.facecolor": PAPER,
        "grid.color": GRID,
        "grid.linewidth": 0.6,
        "xtick.color": MUTED,
        "ytick.color": MUTED,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "legend.frameon": False,
        "legend.fontsize": 8,
    }
