"""What only looks like a mistake is taken in silence; beside it, the mistake itself is told, and changes nothing."""

import numpy as np
import pytest

import tinygrad_seq as ts
from tinygrad_seq import nn, optim


def test_gradients_add_up_before_a_step_in_silence():
    w = nn.Parameter([1.0])
    optimizer = optim.SGD([w], lr=0.5)
    for _ in range(3):
        optimizer.zero_grad()
        for _ in range(2):
            (w * 3.0).sum().backward()
        assert w.grad.tolist() == [6.0]
        optim.clip_grad_norm_([w], 1.0)
        optimizer.step()


@pytest.mark.parametrize("clip", [lambda w: None, lambda w: optim.clip_grad_norm_(w, 1.0),
                                  lambda w: optim.clip_grad_value_(w, 1.0)])  # fmt: skip
def test_a_gradient_of_before_a_step_is_warned_of_and_as_an_error_changes_nothing(clip):
    w = nn.Parameter([1.0])
    optimizer = optim.SGD([w], lr=0.5, momentum=0.9)
    (w * 3.0).sum().backward()
    optimizer.step()
    before = w.tolist(), optimizer.state_dict()
    for _ in range(2):
        (w * 3.0).sum().backward()
        clip([w])
    with pytest.raises(UserWarning, match="zero-grad-forgotten"):
        optimizer.step()
    assert (w.tolist(), optimizer.state_dict()) == before
    for forget in (optimizer.zero_grad, lambda: setattr(w, "grad", None), lambda: setattr(w, "grad", ts.ones(1))):
        forget()
        (w * 3.0).sum().backward()
        optimizer.step()


def test_a_step_by_hand_uses_a_gradient_up():
    w = nn.Parameter([1.0])
    w.assign([2.0])
    for _ in range(2):
        w.grad = None
        (w * w).sum().backward()
        w.assign(w - 0.1 * w.grad)
    (w * w).sum().backward()
    before = w.tolist()
    with pytest.raises(UserWarning, match=r"^assign: .*zero-grad-forgotten"):
        w.assign(w - 0.1 * w.grad)
    assert w.tolist() == before


def test_a_projection_between_the_parts_of_a_batch_is_no_mistake():
    w = nn.Parameter([1.0, 2.0])
    optimizer = optim.SGD([w], lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        for _ in range(3):
            (w * w).sum().backward()
            w.assign(w / w.norm())
        optimizer.step()


def linear_and_optimiser():
    layer = nn.Linear(2, 1)
    return layer, optim.SGD(layer.parameters(), lr=0.1)


def forget_all(*optimisers):
    for optimiser in optimisers:
        optimiser.zero_grad()


def test_a_gan_is_no_mistake():
    """The generator's backward adds to used gradients of the discriminator, which are forgotten before its step."""
    (judge, of_judge), forger = linear_and_optimiser(), nn.Linear(2, 2)
    of_forger = optim.SGD(forger.parameters(), lr=0.1)
    for _ in range(3):
        of_judge.zero_grad()
        made = forger(ts.ones(4, 2))
        judge(made.detach()).mean().backward()
        judge(ts.ones(4, 2)).mean().backward()
        of_judge.step()
        of_forger.zero_grad()
        judge(made).mean().backward()
        of_forger.step()


def test_a_gradient_by_the_input_after_training_is_no_mistake():
    layer, optimizer = linear_and_optimiser()
    for _ in range(3):
        x = ts.tensor([[1.0, 2.0]], requires_grad=True)
        layer(x).mean().backward()  # an attack: this adds to what the last step has used
        optimizer.zero_grad()
        layer(x.detach() + x.grad).mean().backward()
        optimizer.step()


@pytest.mark.parametrize("looked_at", [False, True])
def test_weights_that_are_exchanged_for_a_while_are_no_mistake(looked_at):
    layer, optimizer = linear_and_optimiser()
    mean = layer.state_dict()
    for _ in range(2):
        optimizer.zero_grad()
        layer(ts.ones(4, 2)).mean().backward()
        own = layer.state_dict()
        assert not looked_at or layer.weight.grad is not None
        for values in (mean, own):
            for name, weight in layer.named_parameters():
                weight.assign(values[name])
        layer(ts.ones(4, 2)).mean().backward()
        optimizer.step()


def test_parts_that_take_turns_are_no_mistake():
    """All optimisers step, in any order; the part that was not used has no gradient."""
    (one, of_one), (other, of_other) = linear_and_optimiser(), linear_and_optimiser()
    for layer in (one, one, one, other, other, one):
        forget_all(of_one, of_other)
        layer(ts.ones(4, 2)).mean().backward()
        of_other.step()
        of_one.step()


def test_a_step_without_any_backward_is_no_mistake():
    """So one looks at a schedule."""
    w = nn.Parameter([1.0])
    optimizer = optim.SGD([w], lr=0.5)
    schedule = optim.StepLR(optimizer, 1)
    for _ in range(3):
        optimizer.step()
        schedule.step()
    (nn.Parameter([2.0]) * 1.0).sum().backward()
    with pytest.warns(UserWarning, match="step-changes-nothing"):
        optimizer.step()
    optimizer.step()  # said once for a backward


LOGITS = np.linspace(-1.0, 1.0, 6).reshape(2, 3)


@pytest.mark.parametrize("loss", [
    lambda x: nn.cross_entropy(x, [0, 1]),
    lambda x: nn.cross_entropy(x.log_softmax(), [0, 1]),
    lambda x: nn.cross_entropy((x * 1.0).exp(), [0, 1]),
    lambda x: nn.cross_entropy(x.softmax() * 2.0, [0, 1]),
    lambda x: nn.cross_entropy(x, x.detach().softmax()),
    lambda x: nn.nll_loss(x.log_softmax(), [0, 1]),
    lambda x: nn.binary_cross_entropy_with_logits(x, x.detach().sigmoid()),
    lambda x: nn.mse_loss(x.sigmoid(), x.detach()),
])  # fmt: skip
def test_logits_are_taken_in_silence(loss):
    loss(ts.tensor(LOGITS, requires_grad=True)).backward()


@pytest.mark.parametrize("loss", [
    lambda x: nn.cross_entropy(x.softmax(), [0, 1]),
    lambda x: nn.cross_entropy(nn.Softmax()(x).reshape(1, 2, 3), [[0, 1]]),
    lambda x: nn.CrossEntropyLoss()(x.T.swapaxes(0, 1).softmax(-1), [0, 1]),
    lambda x: nn.nll_loss(x.softmax(), [0, 1]),
    lambda x: nn.binary_cross_entropy_with_logits(x.sigmoid(), x.detach()),
    lambda x: nn.cross_entropy(x.sigmoid(), [0, 1]),
])  # fmt: skip
def test_probabilities_are_warned_of(loss):
    with pytest.warns(UserWarning, match="softmax-before-cross-entropy"):
        loss(ts.tensor(LOGITS, requires_grad=True))


def test_dropout_is_warned_of_under_no_grad_alone():
    rnn, x = nn.GRU(2, 3, num_layers=2, dropout=0.5), ts.ones(4, 1, 2)
    rnn(x)
    nn.Dropout(0.5)(x)
    with ts.no_grad():
        nn.dropout(x, 0.5)
        nn.Dropout(0.0)(x)
        nn.Dropout(0.5).eval()(x)
        for layer in (rnn, nn.Dropout(0.5)):
            with pytest.warns(UserWarning, match="eval-forgotten"):
                layer(x)
        rnn.eval()(x)


def test_dropout_that_was_told_to_drop_is_no_mistake():
    """To sample with dropout: the model is evaluated, its dropout layers are not."""
    model = nn.Sequential(nn.Linear(2, 3), nn.Dropout(0.5)).eval()
    with ts.no_grad():
        model[1].train()
        model(ts.ones(1, 2))
        model[1].eval()
        model.train()
        with pytest.warns(UserWarning, match="eval-forgotten"):
            model(ts.ones(1, 2))


def test_a_leaf_is_not_lost_under_no_grad():
    x = ts.tensor([1.0], requires_grad=True)
    with ts.no_grad():
        for op in ("+=", "-=", "*=", "/="):
            with pytest.raises(TypeError, match=r"no_grad.*explain in-place"):
                exec(f"x {op} 2.0", {"x": x})
        y = x * 1.0
        y += 1.0
        plain = ts.ones(1)
        plain -= 0.5
    assert (x.tolist(), y.tolist(), plain.tolist()) == ([1.0], [2.0], [0.5])


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM])
def test_what_has_a_batch_tells_that_time_and_batch_are_exchanged(kind):
    layer = kind(2, 3)
    x, says = ts.zeros(7, 5, 2), r"read as 7 steps of 5 sequences .*explain batch-first"
    h = ts.zeros(1, 7, 3)
    with pytest.raises(ValueError, match=says):
        layer(x, h if kind is nn.RNN else (h, h))
    with pytest.raises(ValueError, match=says):
        layer(x, lengths=[2] * 7)


def test_the_gradient_of_a_result_is_asked_for_in_silence_where_it_is_kept():
    w = ts.tensor([2.0], requires_grad=True)
    y = w * w
    with pytest.warns(UserWarning, match=r"multiply .*explain grad-is-none"):
        assert y.grad is None
    y.retain_grad()
    assert y.grad is None and w.grad is None and ts.ones(1).grad is None
    y.backward()
    assert y.grad.tolist() == [1.0]
