"""The kernels of programs compile: CuPy takes their declarations, NVRTC their C++. Neither needs a GPU."""

import re

import pytest
import strict_cupy
from test_kernels import EXPRESSIONS, backward_of

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.replay.text.kernels import PREAMBLE

KERNEL = re.compile(r'kernel\("(.*?)", "(.*?)", """(.*?)"""\)', re.DOTALL)
TYPES = {"float32": "float", "float64": "double", "bool": "bool"}


def trained(layer):
    model, optimizer = layer(3, 4).to("cuda"), ts.optim.AdamW
    optimizer = optimizer(model.parameters(), lr=0.1)

    def step(x):
        optimizer.zero_grad()
        (model(x)[0] ** 2).mean().backward()
        ts.optim.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return step, [ts.ones(5, 2, 3, device="cuda")]


@pytest.fixture(scope="module")
def texts(request):
    """Kernels of many programs, which the double has run: what they take, what they make, their lines."""
    if request.config.getoption("device") != "cpu":
        pytest.skip("here CuPy is the double")
    strict_cupy.install()
    try:
        steps = [trained(layer) for layer in (nn.RNN, nn.GRU, nn.LSTM)]
        for dtype in ("float32", "float64"):
            args = [ts.ones(2, 3, dtype=dtype, device="cuda") for _ in range(2)]
            steps += [(backward_of(function), args) for function in EXPRESSIONS.values()]
        found = set()
        for step, args in steps:
            fast = ts.replay(step)
            fast(*args)
            found.update(KERNEL.findall(fast.source))
    finally:
        strict_cupy.uninstall()
    assert len(found) > 20
    return sorted(found)


def test_nvrtc_compiles_every_kernel(texts):
    nvrtc = pytest.importorskip("cupy", reason="no CuPy here").cuda.nvrtc
    try:
        nvrtc.getVersion()
    except RuntimeError:
        pytest.skip("no NVRTC here: pip install nvidia-cuda-nvrtc-cu12")
    for given, made, text in texts:
        inner = [f"const {TYPES[kind]} {name} = {name}_[i];" for kind, name in map(str.split, given.split(", "))]
        inner += [f"{TYPES[kind]} &{name} = {name}_[i];" for kind, name in map(str.split, made.split(", "))]
        taken = [f"{TYPES[kind]} *{name}_" for kind, name in map(str.split, [*given.split(", "), *made.split(", ")])]
        lines = f"const unsigned i = threadIdx.x;\n{' '.join(inner)}{text}"
        source = f'{PREAMBLE}\nextern "C" __global__ void kernel({", ".join(taken)}) {{ {lines} }}'
        program = nvrtc.createProgram(source, "kernel.cu", (), ())
        try:
            nvrtc.compileProgram(program, ("--gpu-architecture=compute_80",))
            assert not nvrtc.getProgramLog(program).strip("\0 \n"), source  # no warning
        except nvrtc.NVRTCError:
            pytest.fail(f"{nvrtc.getProgramLog(program)}\n{source}")
        assert "kernel" in str(nvrtc.getPTX(program))


def test_cupy_takes_the_declarations(texts):
    cupy = pytest.importorskip("cupy", reason="no CuPy here")
    for given, made, text in texts:
        kernel = cupy.ElementwiseKernel(given, made, text, "replayed", preamble=PREAMBLE)
        assert (kernel.nin, kernel.nout) == (given.count(",") + 1, made.count(",") + 1)
