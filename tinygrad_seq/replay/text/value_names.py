"""What to call values that have no name in the graph: by what is read of them, or by what they are made of.

gates = ...                             parts of it have names: forget = gates[:, 4:8], output = gates[:, 12:]
tanh_c = tanh(c)
output_all = gates_all[:, :, 12:]       of all steps, what `output` is in one
d_gates = [..., d_output]               beside gates, something is joined in a loop: their gradient
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from tinygrad_seq.replay.passes.loops import Local, Loop, Statement
from tinygrad_seq.replay.passes.rewriting import ELEMENTWISE, is_part
from tinygrad_seq.replay.trace.tape import Equation, read_by


def value_names(statements: Sequence[Statement], labels: Mapping[int, str]) -> dict[int, str]:
    """Return names for values that have none."""
    found: dict[int, str] = {}
    loops = [each for each in statements if isinstance(each, Loop)]
    parts = [part for loop in loops for part in named_parts(loop, labels)]
    count = Counter(whole for whole, _, _ in parts)
    places = {str(index): name for loop in loops for _, index, name in named_parts(loop, labels, after_one_call=True)}
    found.update(dict.fromkeys((n for whole in count if count[whole] > 1 for n in whole), "gates"))
    for loop in loops:
        for equation, made in zip(loop.body, loop.made):
            x = equation.args[0] if equation.args else None
            if equation.function == "concatenate" and "gates" in found.values() and made[0] not in found:
                found.update(dict.fromkeys(made, "d_gates"))
                found.update(pieces(loop, equation, places))
            elif equation.function in ELEMENTWISE and len(equation.args) == 1 and isinstance(x, Local):
                name = next((labels[n] for n in loop.made[x.position] if n in labels), None)
                found.update(dict.fromkeys(made, f"{equation.function}_{name}") if name else ())
    calls = made_by_calls(statements)
    found.update((n, "ones") for n, each in calls.items() if each.function == "full" and each.args[1] == 1.0)
    of_one = {(min(whole), str(index)): name for whole, index, name in parts}
    stacks = {n: min(read_by(each)) for n, each in calls.items() if each.function == "stack"}
    for n, each in calls.items():
        if is_part(each) and each.args[0].number in stacks:
            name = of_one.get((stacks[each.args[0].number], str(each.args[1][1:])))
            found.update({n: f"{name}_all"} if name else {})
    return found


def pieces(loop: Loop, joined: Equation, names: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    """Yield names for what is joined: as for the parts of gates at the same places."""
    end = 0
    for x in joined.args[0]:
        if isinstance(x, Local):
            begin, end = end, end + loop.body[x.position].shape[-1]
            name = names.get(str((slice(None), slice(begin, end))))
            yield from ((n, f"d_{name}") for n in loop.made[x.position] if name)


def made_by_calls(statements: Sequence[Statement]) -> dict[int, Equation]:
    """Return what is computed outside of loops, by its number."""
    return {each.made: each for each in statements if isinstance(each, Equation)}


def named_parts(
    loop: Loop, labels: Mapping[int, str], after_one_call: bool = False
) -> Iterator[tuple[tuple[int, ...], object, str]]:
    """Yield what has a name and is a part of another value in a loop: that value at all steps, the index, the name.

    `after_one_call`: the name may also be that of what one function makes of the part, such as its tanh.
    """
    for equation, made in zip(loop.body, loop.made):
        name = next((labels[n] for n in made if n in labels), None)
        if after_one_call and len(equation.args) == 1 and isinstance(equation.args[0], Local):
            equation = loop.body[equation.args[0].position]
        if name and is_part(equation) and isinstance(equation.args[0], Local):
            yield loop.made[equation.args[0].position], equation.args[1], name
