"""The style sheet of the built-in picture: a class for every role, light and dark.

In a page, `data-theme="light"` or `"dark"` on its root element decides; else the reader's system does.
"""

import re

from tinygrad_seq.drawing import palette


def sheet() -> str:
    """The rules as CSS."""
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
    for role, colour in (("state", palette.state), ("delay", palette.state), ("gradient", palette.gradient)):
        light[f".edge.{role} .line"] = f"stroke:{colour};stroke-width:1.9"
        light[f".edge.{role} .head"] = f"fill:{colour}"
    light[".pill.gradient rect"] = f"fill:{palette.gradient}"
    light[".pill.gradient text"] = f"fill:{palette.paper}"
    light[".edge.cut .line"] = "stroke-dasharray:6 4"
    for role, fill in palette.fills.items():
        light[f".node.{role} rect,.pill.{role} rect"] = (
            f"fill:{fill};stroke:{palette.quiet if fill == palette.paper else fill}"
        )
        if role in palette.texts:
            light[f".node.{role} text,.pill.{role} text"] = f"fill:{palette.texts[role]}"
    for row, fill in enumerate(palette.weights):
        light[f".w{row} rect"] = f"fill:{fill}"
    light[".node.weight text,.pill.weight text"] = f"fill:{palette.texts['weight']}"
    dark = {selector: darkened(rule, selector) for selector, rule in light.items()}
    dark[".node.output text,.pill.output text"] = f"fill:{palette.dark[palette.paper]}"
    stays = ("text", ".edge.")  # must be said again, or what is said of all texts, lines and heads would hold
    dark = {
        selector: rule
        for selector, rule in dark.items()
        if rule and (rule != light[selector] or any(part in selector for part in stays))
    }

    def rules(table: dict[str, str], root: str = "") -> str:
        return "".join(f"{root}{selector.replace(',', ',' + root)}{{{rule}}}" for selector, rule in table.items())

    return (
        rules(light)
        + f"@media (prefers-color-scheme:dark){{{rules(dark, ':root:not([data-theme=light]) ')}}}"
        + rules(dark, ":root[data-theme=dark] ")
    )


def darkened(rule: str, selector: str) -> str:
    """The part of a rule that is another on a dark page."""
    if "#FFFFFF" in rule and "text" in selector:  # on a colour that stays
        return rule
    kept = [part for part in rule.split(";") if "#" in part]
    return ";".join(re.sub("#[0-9A-F]{6}", lambda found: palette.dark.get(found[0], found[0]), part) for part in kept)
