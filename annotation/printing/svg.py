"""What Vega drew, made fit for our pages: no style of its own, colours by class, a text alternative.

The drawing keeps its light colours as attributes, so that it stands alone as a file and on paper; each
coloured shape also has a class for its colour's role, by which a page's stylesheet takes over in the dark.
"""

import re
from xml.etree import ElementTree

SVG = "http://www.w3.org/2000/svg"
ElementTree.register_namespace("", SVG)

ROLES = {
    "ink": "#1d1b18",
    "muted": "#5b564e",
    "line": "#d8d3c9",
    "edge": "#857e73",
    "paper": "#f6f4ef",
    "sunken": "#ebe8e1",
    "on-accent": "#ffffff",
    "series-1": "#1a5a78",
    "series-2": "#b58a45",
    "series-3": "#5d5a88",
    "series-4": "#94502f",
    "severity-1": "#ead9b4",
    "severity-2": "#d3aa62",
    "severity-3": "#986824",
    "severity-4": "#6a4311",
    "on-series-2": "#1d1b17",
    "on-light": "#1d1b19",
    "on-dark": "#fefefe",
    "hatched": "#ebe8e2",
}
"""The roles of colours and their light values, as in tokens.css; each value stands for one role."""

ROLE_OF = {colour: role for role, colour in ROLES.items()}
KEPT = {
    "d", "fill", "fill-opacity", "font-size", "font-style", "font-weight", "height",
    "id", "opacity", "stroke", "stroke-dasharray", "stroke-opacity", "stroke-width",
    "text-anchor", "transform", "width", "x", "x1", "x2", "y", "y1", "y2",
}  # fmt: skip
SHAPES = {"g", "path", "rect", "line", "text", "circle", "tspan"}
FAMILY = "system-ui, sans-serif"
NUMBER = re.compile(r"-?\d+\.\d{3,}|-?\d+(?:\.\d+)?e-\d+")


def cleaned(drawn: str, name: str, alternative: str) -> str:
    """`drawn` as an element for a page or a file. `name` begins its ids; `alternative` is what is read out.

    Only shapes, text and what places and colours them stay: no script, style, link or picture can.
    """
    root = ElementTree.fromstring(drawn)
    size = {key: root.get(key, "") for key in ("width", "height", "viewBox")}
    body = [kept for child in root if (kept := _kept(child, name)) is not None]
    root.clear()
    root.attrib.update(
        size, **{"class": "drawing", "role": "img", "aria-label": alternative, "font-family": FAMILY}
    )
    if any(child.get("fill") == f"url(#{name}-hatch)" for part in body for child in part.iter()):
        root.append(_hatch(name))
    root.extend(body)
    return ElementTree.tostring(root, encoding="unicode")


def _kept(element: ElementTree.Element, name: str) -> ElementTree.Element | None:
    """A copy with what is needed, or None where nothing of it is seen."""
    tag = element.tag.removeprefix(f"{{{SVG}}}") if isinstance(element.tag, str) else ""
    if tag not in SHAPES or element.get("display") == "none":
        return None
    copy = ElementTree.Element(f"{{{SVG}}}{tag}", _attributes(element, name))
    copy.text = element.text
    copy.extend(kept for child in element if (kept := _kept(child, name)) is not None)
    return copy if _is_seen(copy, tag) else None


def _is_seen(element: ElementTree.Element, tag: str) -> bool:
    if tag in {"g", "text", "tspan"}:
        return len(element) > 0 or bool(element.text)
    painted = {element.get("fill"), element.get("stroke")} - {None, "none", "transparent"}
    return bool(painted) and element.get("fill") != "white"


def _attributes(element: ElementTree.Element, name: str) -> dict[str, str]:
    kept = {key: NUMBER.sub(_rounded, value) for key, value in element.attrib.items() if key in KEPT}
    classes = [f"{kind[0]}-{ROLE_OF[kept[kind]]}" for kind in ("fill", "stroke") if kept.get(kind) in ROLE_OF]
    if "f-hatched" in classes:
        classes.remove("f-hatched")
        kept["fill"] = f"url(#{name}-hatch)"
    if classes:
        kept["class"] = " ".join(classes)
    if kept.get("opacity") == "1":
        del kept["opacity"]
    return kept


def _rounded(found: re.Match) -> str:
    text = f"{float(found.group()):.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _hatch(name: str) -> ElementTree.Element:
    defs = ElementTree.Element(f"{{{SVG}}}defs")
    pattern = ElementTree.SubElement(
        defs,
        f"{{{SVG}}}pattern",
        id=f"{name}-hatch",
        width="6",
        height="6",
        patternUnits="userSpaceOnUse",
        patternTransform="rotate(45)",
    )
    ElementTree.SubElement(
        pattern, f"{{{SVG}}}rect", {"class": "f-sunken", "width": "6", "height": "6", "fill": ROLES["sunken"]}
    )
    stripe = {"class": "f-edge", "width": "1.5", "height": "6", "fill": ROLES["edge"]}
    ElementTree.SubElement(pattern, f"{{{SVG}}}rect", stripe)
    return defs
