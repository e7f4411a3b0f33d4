"""What a training step on a GPU waits for: id checks, lengths and the norm, counted on the double."""

import pytest
from networks import KINDS

import tinygrad_seq as ts
from tinygrad_seq import nn


@pytest.mark.parametrize("targets", [[[1, 2], [3, 4]], [[1, -100], [-100, 4]]], ids=["all", "some ignored"])
def test_a_training_step_waits_for_id_checks_and_the_norm_alone(gpu, targets):
    if gpu is None:
        pytest.skip("only the double counts copies")
    table, net, head = nn.Embedding(7, 3).to("cuda"), nn.LSTM(3, 4).to("cuda"), nn.Linear(4, 7).to("cuda")
    parameters = [p for part in (table, net, head) for p in part.parameters()]
    optimizer, ids = ts.optim.Adam(parameters), ts.tensor([[1, 2], [3, 4]], device="cuda")
    targets = ts.tensor(targets, device="cuda")

    def step(clip):
        optimizer.zero_grad()
        before = gpu["downloads"], gpu["uploads"]
        nn.cross_entropy(head(net(table(ids))[0]), targets).backward()
        if clip:
            ts.optim.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        return gpu["downloads"] - before[0], gpu["uploads"] - before[1]

    with ts.device("cuda"):
        step(True)  # makes what is made once
        with ts.cuda.unchecked_ids():
            step(False)
        assert step(True) == (3, 0)  # Embedding, cross_entropy, the norm
        assert step(False) == (2, 0)
        with ts.cuda.unchecked_ids():
            assert step(False) == (0, 0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("there", [False, True], ids=["lengths on the host", "lengths on the GPU"])
def test_a_padded_batch_waits_for_its_lengths_alone(gpu, kind, there):
    """They are read once where they are on a GPU; masks and draws are made elsewhere, and uploaded."""
    if gpu is None:
        pytest.skip("only the double counts copies")
    net = KINDS[kind].layer(3, 4, num_layers=2, dropout=0.5, bidirectional=True, **KINDS[kind].options).to("cuda")
    x, lengths = ts.ones(5, 2, 3, device="cuda"), ts.tensor([5, 0], device="cuda" if there else "cpu")

    def step():
        before = gpu["downloads"], gpu["uploads"]
        net(x, lengths=lengths)[0].sum().backward()
        return gpu["downloads"] - before[0], gpu["uploads"] - before[1]

    step()  # makes what is made once
    assert step() == ((1, 1) if there else (0, 3))


def test_a_checkpoint_reads_as_often_whatever_the_number_of_steps(gpu):
    """It compares what it computes again, constants too, which it reads in one go."""
    if gpu is None:
        pytest.skip("only the double counts copies")
    net, read = nn.GRU(3, 4).to("cuda"), []
    for steps in (2, 5, 9):
        x = ts.ones(steps, 2, 3, device="cuda")
        before = gpu["downloads"]
        ts.checkpoint(net, x)[0].sum().backward()
        read.append(gpu["downloads"] - before)
    assert read[0] == read[1] == read[2] < 8
