"""What belongs to a training on a GPU, the second one, too, is there: states, copies, files, batches and draws."""

import copy
import pickle

import numpy as np
import pytest

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.engine import backend


def trained(device, steps=3):
    """The numbers of a small training with ids, lengths, dropout, clipping and two optimisers, all on one device."""
    ts.manual_seed(0)
    table, net, head = nn.Embedding(5, 3, padding_idx=0), nn.LSTM(3, 4, num_layers=2, dropout=0.5), nn.Linear(4, 5)
    parts = [part.to(device) for part in (table, net, head)]
    optimizers = [ts.optim.Adam(net.parameters(), amsgrad=True), ts.optim.SGD(
        [*table.parameters(), *head.parameters()], lr=0.1, momentum=0.9)]
    ids = np.array([[1, 2], [0, 4], [1, 0]])
    for _ in range(steps):
        out, _ = net(table(ts.tensor(ids, device=device)), lengths=[3, 2])
        loss = nn.cross_entropy(head(out), ts.tensor(ids, device=device), ignore_index=0)
        for part in parts:
            part.zero_grad()
        loss.backward()
        ts.optim.clip_grad_norm_([p for part in parts for p in part.parameters()], 1.0)
        for optimizer in optimizers:
            optimizer.step()
    return [*(p for part in parts for p in part.parameters()), loss], optimizers


def test_work_on_a_second_gpu_needs_no_context(gpu):
    if ts.cuda.device_count() < 2:
        pytest.skip("there is one GPU here")
    for there, here in zip(trained("cuda:1")[0], trained("cpu")[0], strict=True):
        assert there.device == "cuda:1"
        np.testing.assert_allclose(there.numpy(), here.numpy(), rtol=1e-4, atol=1e-6)
    assert ts.zeros(1, device="cuda").device == "cuda:0"


def test_an_optimisers_state_follows_its_parameters(gpu):
    _, (optimizer, *_) = trained("cuda:0")
    net_parameters = optimizer.param_groups[0]["params"]
    target = f"cuda:{ts.cuda.device_count() - 1}"
    for place in (target, "cpu", "cuda:0"):
        for p in net_parameters:
            p.array, p.grad = p.to(place).array, None
            p.grad = ts.ones_like(p)
        optimizer.step()
        assert all(p.device == place for p in net_parameters)
        kept = [value for value in optimizer.state[net_parameters[0]].values() if hasattr(value, "shape")]
        assert {backend.device_of(value) for value in kept} == {place}


def test_copies_and_pickles_stay_where_they_are(gpu):
    device = f"cuda:{ts.cuda.device_count() - 1}"
    x = nn.Parameter([1.0, 2.0], device=device)
    (x * x).sum().backward()
    for twin in (copy.copy(x), copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert (twin.device, twin.tolist(), twin.grad.device, twin.grad.tolist()) == (device, [1, 2], device, [2, 4])
    layer = pickle.loads(pickle.dumps(nn.LSTM(1, 2).to(device)))
    assert {p.device for p in layer.parameters()} == {device}


def test_a_file_is_loaded_onto_either(gpu, tmp_path):
    parameters, (adam, _) = trained("cuda")
    ts.save({"w": parameters[0], "some": [1, (ts.arange(2), "text")], "adam": adam.state_dict()}, tmp_path / "state")
    for device, found in (("cpu", "cpu"), ("cuda", "cuda:0")):
        state = ts.load(tmp_path / "state", device=device)
        assert state["w"].device == state["some"][1][0].device == found and state["some"][1][1] == "text"
        np.testing.assert_array_equal(state["w"].numpy(), parameters[0].numpy())
        adam.load_state_dict(state["adam"])
    assert type(ts.load(tmp_path / "state")["w"]) is np.ndarray
    for wrong, error in (("tpu", ValueError), ("cuda:9", RuntimeError)):
        with pytest.raises(error, match=wrong):
            ts.load(tmp_path / "state", device=wrong)


def test_batches_come_on_a_device(gpu):
    batches = ts.data.batches(np.arange(5), np.ones((5, 2), "float32"), size=2).to("cuda")
    found = list(batches)
    assert (found[0][0].device, found[0][0].tolist(), found[0][1].dtype) == ("cuda:0", [0, 1], np.float32)
    assert batches.to("cpu") is batches and next(iter(batches))[0].device == "cpu"
    with pytest.raises(ValueError, match="tpu"):
        batches.to("tpu")


def test_a_generator_of_the_gpu_draws_the_masks_of_dropout_there(gpu):
    with ts.device("cuda"):
        x = ts.ones(50, 40)
    cupy = backend.cupy()
    before = gpu and gpu["uploads"]
    masks = [nn.dropout(x, 0.25, generator=cupy.random.default_rng(3)) for _ in range(2)]
    assert gpu is None or gpu["uploads"] == before
    assert masks[0].tolist() == masks[1].tolist() and masks[0].device == "cuda:0"
    assert 0.2 < float((masks[0] == 0.0).to("float32").mean()) < 0.3
    with pytest.raises(TypeError, match="randn: generator must be"):
        ts.randn(2, generator=cupy.random.default_rng(3))


def test_a_constant_made_in_a_replayed_function(gpu):
    w = nn.Parameter(np.eye(3, dtype="float32"), device="cuda")
    step = ts.replay(lambda: ts.ones(2, 3) @ w + ts.zeros(3))
    with ts.device("cuda"):
        assert step().tolist() == step().tolist() == [[1.0] * 3] * 2
    if ts.cuda.device_count() > 1:
        v = nn.Parameter([1.0], device="cuda:1")
        there = ts.replay(lambda x: (x * v).sum())
        for _ in range(2):
            assert there(ts.tensor([3.0], device="cuda:1")).device == "cuda:1"
