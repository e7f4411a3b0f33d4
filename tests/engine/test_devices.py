"""One table, two backends: every op on a GPU gives what it gives on the CPU, forward and gradient, and stays there.

The GPU is the strict double of CuPy, and (tests marked `gpu`) a real one where there is one. To rounding, since a
device adds scattered values in any order. Nothing is copied from the device on the way, and nothing to it but index
arrays; only ops that must refuse wrong ids look at them. Arguments on two devices are one TypeError that names both.
"""

import contextlib
import copy
import pickle
import re
import subprocess
import sys
import types

import numpy as np
import pytest
import strict_cupy
from draws import generators
from hypothesis import given
from hypothesis import strategies as st
from laws import as_list, assert_near, host, leaves, like, over, wanted
from networks import KINDS
from op_table import ROWS

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.engine import backend

TABLE = [row for row in ROWS if row.op != "transfer"]  # which changes the device, see below


def on(device, row, case, upstream=None):
    """The outputs and, given upstream gradients, the leaves' gradients, raw and recorded."""
    tensors = leaves(case.arrays, device=device)
    outputs = as_list(row.function(*tensors, **case.static))
    gradients = []
    if upstream is not None:
        upstream = [ts.tensor(u, device=device) for u in upstream]
        for recorded in (True, False):
            gradients += ts.grad(outputs, wanted(tensors), upstream, create_graph=recorded)
    return outputs, gradients


@over(TABLE, 2)
def test_a_device_agrees_with_the_host(gpu, row, data):
    case, rng = data.draw(row.cases), data.draw(generators)
    here, _ = on("cpu", row, case)
    upstream = like(rng, host(here)) if row.smooth else None
    for place, there in zip(on("cpu", row, case, upstream), on("cuda", row, case, upstream), strict=True):
        assert {tensor.device for tensor in there} <= {"cuda:0"}
        assert [tensor.dtype for tensor in there] == [tensor.dtype for tensor in place]
        assert_near(host(there), host(place))


@over(TABLE, 3)
def test_nothing_is_copied_on_the_way(gpu, row, data):
    if gpu is None:
        pytest.skip("only the double counts copies")
    case = data.draw(row.cases)
    arrays_in_index = any(np.ndim(part) for part in _parts(case.static))
    tensors = leaves(case.arrays, device="cuda")
    shapes = host(row.function(*tensors, **case.static))  # which also makes the constants that are made once
    upstream = [ts.tensor(u, device="cuda") for u in like(np.random.default_rng(0), shapes)]
    before = dict(gpu)
    outputs = as_list(row.function(*tensors, **case.static))
    if row.smooth:
        ts.grad(outputs, wanted(tensors), upstream)
    made = {kind: gpu[kind] - before.get(kind, 0) for kind in ("downloads", "uploads")}
    assert made["downloads"] == 0 or row.looks
    assert made["uploads"] == 0 or arrays_in_index


def _parts(static):
    """Everything inside the static parameters' tuples."""
    for value in static.values():
        for part in value if isinstance(value, tuple) else (value,):
            yield from part if isinstance(part, tuple) else (part,)


SEVERAL = {"add", "subtract", "multiply", "divide", "power", "maximum", "minimum", "where", "x + y", "x * y", "x ** y",
           "equal", "less", "operator eq", "operator lt", "ties", "concatenate", "stack", "matmul", "operator @",
           "scatter", "take", "scatter_rows", "a recurrent step"}


@over([row for row in TABLE if row.name in SEVERAL], 3)
def test_two_devices_are_one_error(gpu, row, data):
    case = data.draw(row.cases.filter(lambda case: len(case.arrays) > 1 and all(a.ndim for a in case.arrays)))
    tensors = [ts.tensor(array, device="cuda" if i % 2 else "cpu") for i, array in enumerate(case.arrays)]
    with pytest.raises(TypeError, match=r"cpu.*cuda:0|cuda:0.*cpu"):
        row.function(*tensors, **case.static)


def test_transfer_goes_there_and_its_gradient_comes_back(gpu):
    x = ts.tensor([1.0, 2.0], device="cpu", requires_grad=True)
    there = x.to("cuda")
    back = (there * there).to("cpu")
    assert (there.device, back.device) == ("cuda:0", "cpu")
    back.backward(np.float32([1.0, 10.0]))
    assert x.grad.device == "cpu"
    assert x.grad.tolist() == [2.0, 40.0]


def test_a_host_array_beside_a_gpu_tensor_is_refused_and_numbers_are_not(gpu):
    x = ts.tensor([1.0, 2.0], device="cuda")
    for number in (2, 2.0, np.float64(2), np.array(2.0), np.array(2)):
        assert (x * number).tolist() == [2.0, 4.0]
        assert (x * number).dtype == np.float32
    with pytest.raises(TypeError, match=r"multiply.*cuda:0"):
        x * np.ones(2)
    with pytest.raises(TypeError, match="cuda:0"):
        np.asarray(x)


def test_index_arrays_from_the_host_are_taken(gpu):
    x = ts.tensor(np.arange(6.0).reshape(3, 2), device="cuda", requires_grad=True)
    on_both = ts.tensor([2, 0, 2], device="cpu"), ts.tensor([2, 0, 2], device="cuda")
    for index in (np.array([2, 0, 2]), [2, 0, 2], *on_both, (np.array([-1, 0, 2]),)):
        x.grad = None
        x[index].sum().backward()
        assert x.grad.tolist() == [[1.0, 1.0], [0.0, 0.0], [2.0, 2.0]]
    for ids in (np.array([2, 0, 2]), [2, 0, 2], ts.tensor([2, 0, 2], device="cuda")):
        assert ts.take(x, ids).tolist() == [[4.0, 5.0], [0.0, 1.0], [4.0, 5.0]]


def test_gradients_arrive_on_the_leafs_device_and_foreign_ones_are_refused(gpu):
    x = ts.tensor([1.0, 2.0], device="cuda", requires_grad=True)
    y = x * 2.0
    with pytest.raises(TypeError, match=r"backward: the gradient is on cpu, its output on cuda:0"):
        y.backward(ts.tensor([1.0, 1.0], device="cpu"))
    assert x.grad is None
    with pytest.raises(TypeError, match="grad: the gradient is on cpu, its Tensor on cuda:0"):
        x.grad = ts.tensor([1.0, 1.0], device="cpu")
    y.backward(ts.tensor([1.0, 1.0], device="cuda"))
    assert x.grad.device == "cuda:0"


def test_what_does_not_exist_is_said(gpu):
    with pytest.raises(RuntimeError, match="cuda:7"):
        ts.tensor([1.0], device="cuda:7")
    with pytest.raises(ValueError, match="tpu"):
        ts.tensor([1.0], device="tpu")


WITH_DEVICE = {
    "zeros": lambda device: ts.zeros(2, device=device),
    "randn": lambda device: ts.randn(2, device=device),
    "tensor": lambda device: ts.tensor([1.0], device=device),
    "to": lambda device: ts.ones(2).to(device),
    "to, a Module": lambda device: nn.Linear(1, 1).to(device),
    "load": lambda device: ts.load("no such file", device=device),
    "Batches.to": lambda device: ts.data.batches([1.0], size=1).to(device),
    "synchronize": ts.cuda.synchronize,
    "memory": ts.cuda.memory,
}


@pytest.mark.parametrize("name", WITH_DEVICE)
@pytest.mark.parametrize("wrong", [3, "gpu", "cuda:", "cuda:-1", "cuda:1.5", "cuda:²", b"cuda", ("cuda",)])
def test_what_is_no_device_is_said_by_who_was_asked(gpu, name, wrong):
    called = name.partition(",")[0]
    with pytest.raises((ValueError, TypeError), match=f"^{called}: .*(is not known|neither a dtype nor a device)"):
        WITH_DEVICE[name](wrong)


@pytest.mark.parametrize("name", WITH_DEVICE)
def test_a_gpu_that_is_not_there_is_said(gpu, name):
    with pytest.raises(RuntimeError, match=r'^device "cuda:9" does not exist: this machine has'):
        WITH_DEVICE[name]("cuda:9")


def test_a_device_is_its_name(gpu):
    """As in PyTorch, a device may be made once and given to everything."""
    there = ts.device("cuda")
    assert (there, repr(there), pickle.loads(pickle.dumps(there))) == ("cuda", "'cuda'", "cuda")
    made = [ts.zeros(2, device=there), ts.randn(2, device=there), ts.zeros_like(HERE(), device=there), HERE().to(there),
            ts.tensor(HERE(), device=there), nn.Linear(1, 1).to(there).weight,
            *next(iter(ts.data.batches([1.0], size=1).to(there)))]  # fmt: skip
    assert {x.device for x in made} == {"cuda:0"}
    assert made[0].to(ts.device("cpu")).device == "cpu" and ts.cuda.memory(there).total > 0
    assert ts.compare_devices(nn.Linear(2, 1).to("cpu"), HERE(), device=there)
    for wrong in (3, None, "tpu"):
        with pytest.raises(ValueError, match=f"device {wrong!r} is not known"):
            ts.device(wrong)


def test_a_context_says_where_tensors_are_made(gpu):
    @ts.device("cuda")
    def there():
        return ts.zeros(2).device

    with ts.device("cuda"):
        made = [ts.zeros(2), ts.randn(2), ts.arange(3), ts.tensor([1.0]), *nn.LSTM(1, 1).parameters()]
        assert {x.device for x in made} == {"cuda:0"} and ts.zeros(1, device="cpu").device == "cpu"
        with ts.device("cpu"):
            assert ts.zeros(2).device == "cpu"
        assert ts.zeros(2).device == there() == "cuda:0"
    with pytest.raises(KeyError), ts.device("cpu"):
        raise KeyError
    with pytest.raises(ValueError, match="tpu"):
        ts.device("tpu")
    there, layer = ts.device("cuda"), nn.Linear(2, 2)  # the name, too, as in PyTorch
    assert layer.to(there)(ts.ones(1, 2).to(there)).device == ts.ones(2, device=there).device == "cuda:0"
    with pytest.raises(RuntimeError, match="cuda:7"), ts.device("cuda:7"):
        pass


UNASKED = """
import sys

class Watch:
    def find_spec(name, *_):
        assert name.partition(".")[0] != "cupy", "cupy is imported, and nobody has asked for it"

sys.meta_path.insert(0, Watch)
import tinygrad_seq as ts
from tinygrad_seq import nn

model = nn.Sequential(nn.Linear(2, 3), nn.Dropout(0.5)).to("cpu")
net, optimizer = nn.LSTM(3, 4), ts.optim.Adam(model.parameters())
for (x,) in ts.data.batches([[1.0, 2.0]], size=1).to("cpu"):
    with ts.device("cpu"):
        loss = net(model(x).reshape(1, 1, 3), lengths=[1])[0].sum() + nn.cross_entropy(ts.zeros(1, 3), [0])
    ts.draw(loss), ts.flow.record(loss)
    loss.backward()
    ts.optim.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
ts.replay(lambda x: x * 2.0)(x)
ts.compare_devices(nn.Linear(2, 1), x, device="cpu")
ts.device("cuda")
"""


def test_a_package_that_is_not_asked_imports_no_cupy():
    subprocess.run([sys.executable, "-c", UNASKED], check=True)


@pytest.mark.parametrize(("error", "said"), [
    (ModuleNotFoundError("no", name="cupy"), "CuPy, which is not installed: pip install"),
    (ModuleNotFoundError("no", name="fastrlock"), "CuPy is installed, but fastrlock is not"),
    (ImportError("libcudart.so.12"), "CuPy is installed, but cannot be imported: libcudart.so.12"),
    ("cudaErrorInsufficientDriver", "this machine has no driver for NVIDIA GPUs, or too old a one"),
    ("cudaErrorNoDevice: none", "this machine has no NVIDIA GPU"),
])
def test_what_is_missing_is_said_in_one_error(monkeypatch, error, said):
    module = types.SimpleNamespace(ndarray=type("ndarray", (), {}), cuda=types.SimpleNamespace(
        runtime=types.SimpleNamespace(CUDARuntimeError=strict_cupy.CUDARuntimeError)))

    def fails(*_):
        raise error if isinstance(error, Exception) else strict_cupy.CUDARuntimeError(error)

    module.cuda.runtime.getDeviceCount = fails
    imported = fails if isinstance(error, Exception) else lambda name: module
    monkeypatch.setattr(backend.importlib, "import_module", imported)
    assert (ts.cuda.is_available(), ts.cuda.device_count()) == (False, 0)
    for ask in (lambda: ts.zeros(2, device="cuda"), ts.cuda.synchronize, lambda: nn.Linear(1, 1).to("cuda")):
        with pytest.raises(RuntimeError, match=said):
            ask()


def test_a_device_can_be_asked(gpu):
    assert ts.cuda.is_available() and ts.cuda.device_count() >= 1
    ts.cuda.synchronize()
    before = ts.cuda.memory("cuda").used
    held = ts.ones(1000, device="cuda")
    found = ts.cuda.memory()
    assert found.used >= before + 4000 and 0 < found.free <= found.total and held.device == "cuda:0"
    with pytest.raises(ValueError, match='memory: device must be "cuda"'):
        ts.cuda.memory("cpu")
    with pytest.raises(RuntimeError, match="cuda:7"):
        ts.cuda.memory("cuda:7")


# ---------------------------------------------------------------- a second GPU

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


@over(TABLE, 3)
def test_every_op_works_on_a_second_gpu(gpu, row, data):
    if ts.cuda.device_count() < 2:
        pytest.skip("there is one GPU here")
    case, rng = data.draw(row.cases), data.draw(generators)
    here, _ = on("cpu", row, case)
    upstream = like(rng, host(here)) if row.smooth else None
    for place, there in zip(on("cpu", row, case, upstream), on("cuda:1", row, case, upstream), strict=True):
        assert {tensor.device for tensor in there} <= {"cuda:1"}
        assert_near(host(there), host(place))


def test_a_graph_may_span_devices(gpu):
    places = ["cpu", "cuda:0", "cuda:1"][:1 + ts.cuda.device_count()]
    found = []
    for chain in (["cpu"] * len(places), places, places[::-1]):
        x = ts.tensor([1.0, 2.0], device=chain[0], requires_grad=True)
        y = x * x
        for place in chain[1:]:
            y = y.to(place)
            y = y * y + x.to(place) * 3.0 + x.to(place).sum()
        y.sum().backward()
        found.append(x.grad.tolist())
        assert x.grad.device == x.device
    assert found[0] == found[1] == found[2]


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


# ---------------------------------------------------------------- files, batches, mistakes

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


def test_it_can_be_asked_whether_a_number_is_in_a_tensor(gpu):
    for device in ("cpu", f"cuda:{ts.cuda.device_count() - 1}"):
        x = ts.tensor([1.0, 2.0], device=device)
        assert 2.0 in x and x[0] in x and 3.0 not in x and None not in x and "2.0" not in x
        assert 1.0 not in ts.zeros(0, device=device)


def test_batches_come_on_a_device(gpu):
    batches = ts.data.batches(np.arange(5), np.ones((5, 2), "float32"), size=2).to("cuda")
    found = list(batches)
    assert (found[0][0].device, found[0][0].tolist(), found[0][1].dtype) == ("cuda:0", [0, 1], np.float32)
    assert batches.to("cpu") is batches and next(iter(batches))[0].device == "cpu"
    with pytest.raises(ValueError, match="tpu"):
        batches.to("tpu")



def HERE(*values):  # noqa: N802
    return ts.tensor(values or [1.0, 2.0], device="cpu")


MIXED = {
    "assign": lambda x: nn.Parameter(x).assign(HERE()),
    "grad": lambda x: setattr(nn.Parameter(x), "grad", HERE()),
    "backward": lambda x: (nn.Parameter(x) * 2.0).backward(HERE()),
    "ts.grad": lambda x: (lambda p: ts.grad(p * 2.0, p, HERE()))(nn.Parameter(x)),
    "mse_loss": lambda x: nn.mse_loss(x, HERE()),
    "l1": lambda x: nn.binary_cross_entropy_with_logits(x, HERE(0.0, 1.0)),
    "cross_entropy": lambda x: nn.cross_entropy(ts.stack([x, x]), HERE(0, 1)),
    "weight": lambda x: nn.cross_entropy(ts.stack([x, x]), [0, 1], weight=HERE()),
    "getitem": lambda x: HERE()[ts.tensor([0], device="cuda")],
    "take": lambda x: ts.take(HERE(), ts.tensor([0], device="cuda")),
    "number": lambda x: x * ts.tensor(2.0, device="cpu"),
    "concatenate": lambda x: ts.concatenate([x, HERE()]),
    "hook": lambda x: hooked_by(x, lambda g: g.to("cpu")),
    "linear": lambda x: nn.Linear(2, 1).to("cpu")(x),
    "lstm": lambda x: nn.LSTM(2, 1).to("cpu")(x.reshape(1, 1, 2)),
    "state": lambda x: nn.RNN(2, 1).to("cuda")(x.reshape(1, 1, 2), ts.zeros(1, 1, 1, device="cpu")),
    "clip": lambda x: ts.optim.clip_grad_norm_([with_grad(x), with_grad(HERE())], 1.0),
}


def hooked_by(x, hook):
    p = nn.Parameter(x)
    p.register_hook(hook)
    (p * p).sum().backward()


def with_grad(x):
    p = nn.Parameter(x, device=x.device)
    p.grad = ts.ones_like(p)
    return p


@pytest.mark.parametrize("mixed", MIXED.values(), ids=MIXED)
def test_mixing_devices_is_one_error_that_names_both(gpu, mixed):
    with pytest.raises(TypeError, match=r"(?s)^\w.*: .*(cpu.*cuda:0|cuda:0.*cpu)"):
        mixed(ts.tensor([1.0, 2.0], device="cuda"))


def stepped(x):
    """A step with a gradient that stayed behind when its parameter was given an array elsewhere."""
    p = with_grad(HERE())
    p.array = x.array
    ts.optim.SGD([p], lr=0.1, momentum=0.9).step()


def cells(x):
    state = ts.zeros(1, 2, device="cpu")
    nn.Recurrent(Leaky().to("cuda"))(x.reshape(1, 1, 2), state)


class Away(ts.optim.Optimizer):
    """An optimiser of one's own that gives arrays of another GPU."""

    def update(self, x, g, state, o):
        return ts.tensor(x, device="cuda:1").array


class Leaky(nn.Module):
    hidden_size = 2

    def forward(self, x, h):
        return 0.5 * h + x


SAID = {  # what was mixed, and the beginning of the error
    "operator": (lambda x: HERE() * x, "multiply: y is on cuda:0, x on cpu"),
    "where": (lambda x: ts.where(x > 0, HERE(), 1.0), "where: x is on cpu, condition on cuda:0"),
    "any number": (lambda x: ts.stack([x, x, HERE()]), "stack: argument 2 is on cpu, argument 0 on cuda:0"),
    "raw array": (lambda x: HERE() * x.array, "multiply: an array on cuda:0 of shape (2,) beside a Tensor on cpu"),
    "raw number": (lambda x: HERE() * x.array[0], "multiply: an array on cuda:0 of shape () beside a Tensor on cpu"),
    "take": (lambda x: ts.take(x, HERE(0).to("int64")), "take: ids is on cpu, the table on cuda:0"),
    "Embedding": (lambda x: nn.Embedding(2, 1).to("cpu")(x.to("int8")),
                  "Embedding: ids is on cuda:0, the table on cpu"),
    "lengths": (lambda x: nn.RNN(2, 1).to("cpu")(ts.ones(1, 2, 2, device="cpu"), lengths=x.to("int64")),
                "RNN: lengths is on cuda:0, x on cpu"),
    "first state": (cells, "Recurrent: the first state is on cpu, x on cuda:0"),
    "step": (stepped, "SGD.step: the gradient of parameter 0 is on cpu, the parameter on cuda:0"),
    "pos_weight": (lambda x: nn.binary_cross_entropy_with_logits(x, [0, 1], pos_weight=HERE()),
                   "binary_cross_entropy_with_logits: pos_weight on cpu and the rest on cuda:0"),
    "generator": (lambda x: nn.dropout(HERE(), 0.5, generator=backend.cupy().random.default_rng(0)),
                  "dropout: the generator draws on a GPU, x is on cpu"),
}  # fmt: skip


@pytest.mark.parametrize(("mixed", "said"), SAID.values(), ids=SAID)
def test_the_error_names_the_argument(gpu, mixed, said):
    with pytest.raises(TypeError, match="^" + re.escape(said)):
        mixed(ts.tensor([1.0, 2.0], device="cuda"))


def test_two_gpus_are_not_mixed_either(gpu):
    if ts.cuda.device_count() < 2:
        pytest.skip("there is one GPU here")
    x, y = ts.ones(2, device="cuda:0"), ts.ones(2, device="cuda:1")
    for mixed in (lambda: x[y.to("int64")], lambda: ts.stack([x, y]), lambda: x @ y, lambda: x + y,
                  lambda: ts.where(x > 0, y, 1.0)):  # fmt: skip
        with pytest.raises(TypeError, match=r"is on cuda:1, (x|argument 0|condition) on cuda:0"):
            mixed()
    with pytest.raises(TypeError, match=r"add: an array on cuda:1 of shape .* beside a Tensor on cuda:0"):
        x + y.array
    with pytest.raises(TypeError, match=r"Away\.step: the new value of parameter 0 is on cuda:1, the parameter on"):
        Away([with_grad(x)]).step()
    with pytest.raises(TypeError, match="different devices"):  # CuPy itself might copy in silence
        backend.compute_there(lambda xp, a, b: a, None, (x.array, y.array), {})


SIZES = (2, 3, 4)


def index_parts(size):
    """What may stand in an index for an axis of this size, or for none; ids may be just out of range."""
    ids = st.lists(st.integers(-size - 1, size), min_size=2, max_size=2).map(np.array)
    mask = st.just(np.arange(size) % 2 == 0)
    return st.sampled_from([slice(None), slice(1, None)]) | st.integers(-size - 1, size) | ids | ids | mask


@given(parts=st.tuples(*map(index_parts, SIZES)), used=st.integers(1, 3), nones=st.integers(0, 3),
       dots=st.none() | st.integers(0, 3), there=st.booleans())
def test_an_index_is_numpys_or_the_same_error(gpu, parts, used, nones, dots, there):
    """Arrays in it lie on the device or on the host, behind None, `...` and masks."""
    x, index = np.arange(24.0).reshape(SIZES), list(parts[:used])
    if dots is not None and dots <= used:  # parts behind the dots are those of the last axes
        index[dots:] = [Ellipsis, *parts[3 - used + dots:]]
    index.insert(nones, None)
    moved = [ts.tensor(part, device="cuda") if there and type(part) is np.ndarray else part for part in index]
    try:
        expected = x[tuple(index)]
    except IndexError:
        with pytest.raises(IndexError, match=r"^getitem: "):
            ts.tensor(x, device="cuda")[tuple(moved)]
    else:
        np.testing.assert_array_equal(ts.tensor(x, device="cuda")[tuple(moved)].numpy(), expected)


def test_ids_out_of_range_are_an_error_and_the_check_can_be_left_out(gpu):
    table, ids = nn.Embedding(3, 2).to("cuda"), ts.tensor([0, 3], device="cuda")
    for wrong in (lambda: table(ids), lambda: ts.take(table.weight, ids), lambda: ts.one_hot(ids, 3),
                  lambda: nn.cross_entropy(ts.zeros(2, 3, device="cuda"), ids), lambda: table([0, 3])):
        with pytest.raises(IndexError, match="id 3 at position"):
            wrong()
    x = ts.ones(2, 3, device="cuda")
    assert x[[-2, 1]].shape == (2, 3) and x[:, [-3, 2]].shape == (2, 2)
    with ts.cuda.unchecked_ids():
        assert table(ids).shape == (2, 2) and x[ids].shape == (2, 3)
        with pytest.raises(IndexError, match="getitem: an index of axis 1 is out of range"):
            x[None, :, [3]]
        with pytest.raises(IndexError, match="id 3 at position"):
            table([0, 3])  # these are on the host


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


# ---------------------------------------------------------------- laws of what a step costs

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


@pytest.mark.parametrize("targets", [[0, 2, 1], [0, -100, 1], [-100, -100, -100]])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_unchecked_ids_give_the_same_loss(gpu, targets, reduction):
    logits = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
    found = []
    for unchecked in (True, False):
        x, y = ts.tensor(logits, device="cuda", requires_grad=True), ts.tensor(targets, device="cuda")
        with ts.cuda.unchecked_ids() if unchecked else contextlib.nullcontext():
            loss = nn.cross_entropy(x, y, reduction=reduction, label_smoothing=0.1, weight=[1.0, 2.0, 3.0, 4.0])
        found.append([*host([loss, *ts.grad(loss.sum(), [x])])])
    assert_near(*found)


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
