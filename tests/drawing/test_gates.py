"""What is coloured as a gate: what decides how much of something goes on into a state, and no other named op."""

from collections import Counter
from contextlib import nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import KINDS
from pictures import items, numbers

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.drawing import draw

gates = {"lstm": {"input", "forget", "cell", "output"}, "gru": {"reset", "update", "new"}, "rnn": set()}


def named(output, role, **options):
    """How often something of this role is drawn, by its name."""
    return Counter(item.label for item in items(draw(output, **options).view) if item.role == role and item.label)


@given(kind=st.sampled_from(list(KINDS)), steps=st.integers(1, 5), both=st.booleans(), rolled=st.booleans())
def test_the_gates_of_the_built_in_cells(kind, steps, both, rolled):
    out, _ = KINDS[kind].layer(2, 3, bidirectional=both, **KINDS[kind].options)(ts.tensor(numbers(steps, 2, 2)))
    view = "rolled" if rolled else "unrolled"
    assert named(out.sum(), "gate", view=view).keys() == gates[kind.split()[0]]
    assert not named(out.sum(), "named", view=view)


@pytest.mark.parametrize("cell", [nn.LSTMCell, nn.GRUCell])
def test_the_gates_of_one_cell_that_is_called_by_hand(cell):
    new = cell(2, 3)(ts.tensor(numbers(4, 2)))
    assert named(new if cell is nn.GRUCell else new[0], "gate").keys() == gates[cell.__name__.lower()[:-4]]


@given(name=st.sampled_from(["h", "s", None]), steps=st.integers(2, 5), late=st.booleans())
def test_a_named_op_in_a_step_that_is_no_gate(name, steps, late):
    """A cell of one's own with a gate and a candidate, an attention, a prediction, a loss, and features of x."""
    w, v, memory = nn.Parameter(numbers(3, 3)), nn.Parameter(numbers(3, 3)), ts.tensor(numbers(4, 3))
    h, total = nn.Parameter(numbers(2, 3)).named("h0"), 0.0
    for t in range(steps):
        with ts.scope(step=t):
            features = (ts.tensor(numbers(2, 3, seed=t)) @ w).tanh().named("features")
            attention = (h @ memory.T).softmax(-1).named("attention")
            context = (attention @ memory).named("context")
            gate = ((h + context) @ w).sigmoid().named("gate")
            candidate = (h @ v + features).tanh().named("candidate")
            decayed = (0.5 * h).named("decayed")
            h = gate * candidate + (1 - gate) * decayed
            h = h if name is None else h.named(name)
            logits = (h @ v).named("logits")
            chance = logits.sigmoid().named("chance")
            loss = (chance * chance).mean().named("loss")
        total = loss if late else total + loss
    options = {"steps": (9, 9)}
    assert named(total * 1.0, "gate", **options) == Counter({"gate": steps, "candidate": steps})
    others = {"decayed", "features", "attention", "context", "logits", "chance", "loss"}
    assert named(total * 1.0, "named", **options).keys() >= others


@given(steps=st.integers(3, 6), residual=st.booleans(), scoped=st.booleans())
def test_a_state_that_nobody_named_is_a_state_and_a_sum_of_losses_is_none(steps, residual, scoped):
    w, u, h, loss = nn.Parameter(numbers(3, 3)), nn.Parameter(numbers(3, 3)), ts.zeros(2, 3), 0.0
    for t in range(steps):
        with ts.scope(step=t) if scoped else nullcontext():
            new = (ts.tensor(numbers(2, 3, seed=t)) @ w + h @ u).tanh()
            h = h + new if residual else new
            loss = loss + (h * h).mean()
    view = draw(loss * 1.0, steps=(9, 9)).view
    drawn = items(view)
    between = {(edge.role, edge.target) for edge in view.edges if edge.through_time}
    sums = {item.id for item in drawn if item.symbol == "+" and item.role == "op"}
    assert {role for role, target in between if target not in sums} == {"state"}
    assert {role for role, target in between if target in sums} <= {"data"}
    states = [item for item in drawn if item.role == "state"]
    assert len(states) == steps and {item.symbol for item in states} <= {"tanh", "+"}
    assert sum(item.symbol == "+" for item in states) == steps * residual


@given(
    kinds=st.tuples(*2 * [st.sampled_from(list(KINDS))]),
    form=st.sampled_from(["as it is", "[0]", "[-1]", "[-1:]", "× 1"]),
)
def test_the_way_of_a_thought_to_its_decoder_is_that_of_a_state(kinds, form):
    """From the last step of the encoder to the first of the decoder, whatever puts the state in another form."""
    reader, writer = (KINDS[kind].layer(2, 3, **KINDS[kind].options) for kind in kinds)
    out, thought = reader(ts.tensor(numbers(3, 1, 2)))
    hidden = thought[0] if isinstance(thought, tuple) else thought
    forms = {"as it is": hidden, "[0]": hidden[0].reshape(1, 1, 3), "[-1]": out[-1].reshape(1, 1, 3), "[-1:]": out[-1:]}
    hidden = forms.get(form, hidden * 1.0)
    view = draw(writer(ts.tensor(numbers(3, 1, 2)), (hidden, hidden) if kinds[1] == "lstm" else hidden)[0]).view
    into = {(edge.source, edge.target): edge.role for edge in view.edges if edge.role in ("data", "state")}
    first = view.loops[1][0].id
    entering = [source for (source, target), role in into.items() if target.startswith(first) and role == "state"]
    assert entering
    way, seen = list(entering), set()
    while way:
        id = way.pop()
        before = [source for (source, target), role in into.items() if target == id and role == "state"]
        seen.add(id)
        way += [source for source in before if source not in seen and not source.startswith(first)]
    reached = any(id.startswith(view.loops[0][-1].id) for id in seen)
    assert reached == (form in ("as it is", "[0]", "[-1]"))  # not through all outputs, nor through what computes
