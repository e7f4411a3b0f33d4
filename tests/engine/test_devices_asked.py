"""A device is its name, a context says where Tensors are made, and what is said of a device that is not there."""

import pickle
import subprocess
import sys
import types

import pytest
import strict_cupy

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.engine import backend


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
    here, there = ts.tensor([1.0, 2.0], device="cpu"), ts.device("cuda")
    assert (there, repr(there), pickle.loads(pickle.dumps(there))) == ("cuda", "'cuda'", "cuda")
    made = [ts.zeros(2, device=there), ts.randn(2, device=there), ts.zeros_like(here, device=there), here.to(there),
            ts.tensor(here, device=there), nn.Linear(1, 1).to(there).weight,
            *next(iter(ts.data.batches([1.0], size=1).to(there)))]  # fmt: skip
    assert {x.device for x in made} == {"cuda:0"}
    assert made[0].to(ts.device("cpu")).device == "cpu" and ts.cuda.memory(there).total > 0
    assert ts.compare_devices(nn.Linear(2, 1).to("cpu"), here, device=there)
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
