"""What a docstring says in plain text, as Sphinx wants it.

A docstring of the library is prose with code between single backticks, formulas in paragraphs that are indented, and
examples. Of these the prose becomes prose in which nothing is markup but the code, a formula a block of its own, an
example stays what it is. Code that is the name of something public becomes a link to it.
"""

import inspect
import re

import tinygrad_seq

CODE = re.compile(r"`([^`]+)`")
MARKUP = re.compile(r"([\\*|_])")
RESULTS = ("Batches", "Derivation", "Drawing", "Frame", "Influence", "Items", "Primitive", "Record")  # functions make
ROOMS = ("", "nn.", "optim.", "data.", "flow.")


def linked(code: str) -> str:
    """Return code as a literal, or as a link where it is the name of something public.

    A bare name in lower case is that of an argument.
    """
    name = code.removeprefix("ts.").removesuffix("()")
    if name == code and name.islower() and "." not in name:
        return f"``{code}``"
    for room in ROOMS:
        value = tinygrad_seq
        for part in f"{room}{name}".split("."):
            value = vars(value).get(part) if inspect.ismodule(value) else None
        if value is not None:
            return f":py:obj:`{code} <tinygrad_seq.{room}{name}>`"
    return f"``{code}``"


def prose(line: str) -> str:
    """Return a line in which nothing but code is markup."""
    parts = CODE.split(line)  # text and code in turn
    return "".join(linked(part) if i % 2 else MARKUP.sub(r"\\\1", part) for i, part in enumerate(parts))


def paragraphs(lines: list[str]) -> list[list[str]]:
    """Return the groups of lines between empty lines."""
    groups: list[list[str]] = [[]]
    for line in lines:
        if line.strip():
            groups[-1].append(line)
        elif groups[-1]:
            groups.append([])
    return [group for group in groups if group]


def written(lines: list[str]) -> list[str]:
    """Return a docstring as reStructuredText."""
    out: list[str] = []
    for group in paragraphs(lines):
        if group[0].startswith(" "):
            out += [".. code-block:: text", "", *("    " + line for line in group)]
        elif group[0].startswith(">>>"):
            out += [".. code-block:: pycon", "", *("    " + line for line in group)]
        else:
            out += prose("\n".join(group)).split("\n")
        out.append("")
    return out


def process(app, what, name, value, options, lines: list[str]) -> None:
    """Rewrite a docstring in place."""
    lines[:] = written(lines)


def signature(app, what, name, value, options, arguments, returns):
    """Return the signature of an op as it is called: that of its forward, without the module of arrays.

    What functions return has none: nobody makes it by hand.
    """
    if name.rpartition(".")[2] in RESULTS:
        return "", None
    if hasattr(value, "op"):
        found = inspect.signature(value.op.forward)
        _, *others = found.parameters.values()
        parameters = [parameter.replace(annotation=parameter.empty) for parameter in others]
        return str(found.replace(parameters=parameters, return_annotation=found.empty)), None
    return None


def setup(app):
    app.connect("autodoc-process-docstring", process)
    app.connect("autodoc-process-signature", signature)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
