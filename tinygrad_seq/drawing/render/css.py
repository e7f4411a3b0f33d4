"""The style sheet of the SVG: a class for every role, in light and dark colours.

On a page, `data-theme="light"` or `"dark"` at its root element decides which; without that, the reader's system does.
"""

import re

from tinygrad_seq.drawing.render import colours as palette


def sheet() -> str:
    """Return the rules as CSS."""
    light = {
        ".paper": f"fill:{palette.paper}",
        "text": f"fill:{palette.ink};font-family:Inter,Helvetica,Arial,sans-serif",
        ".quiet": f"fill:{palette.quiet}",
        ".title": "font-weight:600",
        ".cluster rect": f"fill:{palette.ground};stroke:{palette.frame}",
        ".cluster.step rect": f"fill:{palette.card};stroke:{palette.card_edge}",
        ".cluster.gap rect": f"fill:{palette.paper};stroke:{palette.card_edge};stroke-dasharray:5 5",
        ".line": f"fill:none;stroke:{palette.line};stroke-width:1.2",
        ".head": f"fill:{palette.line}",
        ".mark": f"fill:none;stroke:{palette.quiet};stroke-width:1.5",
        ".hole": f"fill:none;stroke:{palette.paper};stroke-width:7",
    }
    for role, colour in palette.edges.items():
        light |= {f".edge.{role} .line": f"stroke:{colour};stroke-width:1.9", f".edge.{role} .head": f"fill:{colour}"}
    light |= {
        ".pill.cut rect": f"fill:{palette.cut}",
        ".pill.cut text": f"fill:{palette.paper}",
        ".edge.cut .mark": f"stroke:{palette.cut}",
        ".edge.cut text": f"fill:{palette.cut}",
        ".edge.cut .line": f"stroke:{palette.cut};stroke-width:1.9;stroke-dasharray:6 4",
    }
    light |= {f".w{row} rect": f"fill:{fill}" for row, fill in enumerate(palette.weights)}
    light[".node.weight text,.pill.weight text"] = f"fill:{palette.texts['weight']}"
    for role, fill in palette.fills.items():
        stroke = palette.quiet if fill == palette.paper else fill
        stroke = f"{palette.state};stroke-dasharray:4 3" if role == "passing" else stroke  # it stands elsewhere, too
        light[f".node.{role} rect,.pill.{role} rect"] = f"fill:{fill};stroke:{stroke}"
        if role in palette.texts:
            light[f".node.{role} text,.pill.{role} text"] = f"fill:{palette.texts[role]}"
    light[".node.shown text"] = f"fill:{palette.paper}"
    light[".node.shown rect"] = "stroke-dasharray:none"
    dark = {selector: darkened(rule, selector) for selector, rule in light.items()}
    for role, colour in palette.dark_edges.items():
        dark |= {f".edge.{role} .line": f"stroke:{colour}", f".edge.{role} .head": f"fill:{colour}"}
    bright = palette.dark_edges["cut"]
    dark |= {".edge.cut .mark": f"stroke:{bright}", ".edge.cut text": f"fill:{bright}"}
    dashed = ".node.passing rect,.pill.passing rect"
    dark[dashed] = dark[dashed].replace(palette.state, palette.dark_edges["state"])
    for role in ("op", "named"):
        dark[f".node.{role} rect,.pill.{role} rect"] = f"fill:{palette.raised};stroke:{palette.dark[palette.line]}"
    dark[".node.output text,.pill.output text"] = f"fill:{palette.dark[palette.paper]}"

    def rules(table: dict[str, str], root: str = "") -> str:
        said = ((selector.replace(",", "," + root), rule) for selector, rule in table.items() if rule)
        return "".join(f"{root}{selectors}{{{rule}}}" for selectors, rule in said)

    return (
        rules(light)
        + f"@media (prefers-color-scheme:dark){{{rules(dark, ':root:not([data-theme=light]) ')}}}"
        + rules(dark, ":root[data-theme=dark] ")
    )


def darkened(rule: str, selector: str) -> str:
    """Return what is to be said of colours on a dark page: where it is what is said on a light one, nothing, except
    for texts and edges, of which a more general rule would hold otherwise.
    """
    if "#FFFFFF" in rule and "text" in selector:  # white on a colour that stays
        return rule
    kept = [part for part in rule.split(";") if "#" in part]
    said = re.sub("#[0-9A-F]{6}", lambda found: palette.dark.get(found[0], found[0]), ";".join(kept))
    return said if said != rule or "text" in selector or ".edge." in selector else ""
