"""Plots as part of a page: its fonts, and colours that follow its light or dark scheme."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from wavenetmv.bench.plots import Plot
from wavenetmv.bench.plots.style import DARK

_SVG = "http://www.w3.org/2000/svg"
_LINK = "{http://www.w3.org/1999/xlink}href"
_REFERENCE = re.compile(r"url\(#")
_FONT = re.compile(r"font-family: [^;]+;? ?|(font: [^;]*?px) [^;]+")
_VARIABLES = {colour: f"--plot-{place}" for place, colour in enumerate(DARK)}
_COLOUR = re.compile("|".join(map(re.escape, DARK)))


def colour_rules() -> tuple[str, str]:
    """CSS declarations of the plots' colours, for light and for dark pages."""
    light = "".join(f"{name}:{colour};" for colour, name in _VARIABLES.items())
    dark = "".join(f"{name}:{DARK[colour]};" for colour, name in _VARIABLES.items())
    return light, dark


def inline_svg(plot: Plot) -> str:
    """The plot as an <svg> element: ids of its own, as wide as there is room, labelled."""
    root = ElementTree.fromstring(plot.svg())
    prefix = f"{plot.name}-"
    for element in root.iter():
        for key, value in element.attrib.items():
            element.set(key, _adapted(key, value, prefix))
    for definitions in root.findall(f"{{{_SVG}}}defs"):
        for sheet in definitions.findall(f"{{{_SVG}}}style"):
            definitions.remove(sheet)  # it would apply to the whole page
    for key in ("width", "height", "version"):
        root.attrib.pop(key, None)
    root.set("role", "img")
    root.set("aria-label", f"{plot.title}. {plot.caption}")
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")
    return ElementTree.tostring(root, encoding="unicode")


def _adapted(key: str, value: str, prefix: str) -> str:
    if key == "id":
        return prefix + value
    if key == _LINK:
        return "#" + prefix + value.removeprefix("#")
    value = _REFERENCE.sub(f"url(#{prefix}", value)
    if key == "style":
        value = _FONT.sub(lambda m: f"{m[1]} sans-serif" if m[1] else "", value)
        value = _COLOUR.sub(lambda m: f"var({_VARIABLES[m[0]]})", value)
    return value
