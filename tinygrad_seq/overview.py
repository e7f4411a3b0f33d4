"""What `python -m tinygrad_seq` prints: versions and backends, where demos and docs are, and a first picture."""

import inspect
import platform
import shutil
import textwrap
from pathlib import Path

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.engine import backend

HOME = Path(ts.__file__).parents[1]  # of a checkout; of a wheel, the folder of all packages


def overview(gpu: bool = False) -> str:
    """Return the versions, the backends, and where demos and docs are; with gpu, CuPy is imported and asked."""
    return f"""tinygrad_seq {ts.__version__}, Python {platform.python_version()}
  cpu   NumPy {backend.host.__version__}
  cuda  {cuda(gpu)}
  dot   {"Graphviz" if shutil.which("dot") else "not here: .png and .pdf need Graphviz; .svg and .html need nothing"}

{demos_and_docs(HOME)}"""


def cuda(gpu: bool) -> str:
    """Return what is known of the GPU."""
    if backend.has_cupy() and not gpu:
        return "CuPy is installed; python -m tinygrad_seq --gpu asks it for GPUs"
    try:
        cupy = backend.cupy()
    except RuntimeError as error:
        return f"not here: {error}"
    return f"CuPy {cupy.__version__}, {cupy.cuda.runtime.getDeviceCount()} GPU(s)"


def demos_and_docs(home: Path) -> str:
    """Return where demos and docs are: in a checkout; a wheel has none."""
    if (home / "docs" / "index.md").exists():
        return f"Demos and docs: demos/README.md and docs/index.md in {home}"
    return f"Demos and docs are not in a wheel: they are in the source archive, tinygrad_seq-{ts.__version__}.tar.gz"


def first_picture() -> None:
    """Draw a recurrent network, and the gradient on its way back, into the current directory."""
    ts.manual_seed(0)
    rnn = nn.RNN(input_size=3, hidden_size=4)
    out, _ = rnn(ts.randn(4, 1, 3))  # 4 steps, 1 sequence
    loss = (out[-1] * out[-1]).sum().named("loss")
    loss.backward(retain_graph=True)  # backpropagation through time
    ts.draw(loss, show="gradient").save("first_picture.html")


def program() -> str:
    """Return the program that draws the first picture, as text."""
    body = inspect.getsource(first_picture).partition('"""\n')[2]
    return f"import tinygrad_seq as ts\nfrom tinygrad_seq import nn\n\n{textwrap.dedent(body)}"


def first_picture_explained() -> str:
    """Draw the first picture; return how to open it, and the program that drew it."""
    first_picture()
    return f"""A first picture, first_picture.html: a recurrent network, and the gradient on its way back. To open it:
  python -m webbrowser {Path("first_picture.html").absolute().as_uri()}
It was drawn by this program:

{textwrap.indent(program(), "    ")}"""
