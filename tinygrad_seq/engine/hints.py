"""What PyTorch, NumPy, Keras and micrograd call something, and what it is called here.

A name or an argument that does not exist gets an error, never a second spelling: `hasattr` stays False, and the error
says what to write. The tables are all there is to it; docs/names.md shows them.
"""

import inspect
import sys
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, NoReturn, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
package = __name__.partition(".")[0]

sorting = "no gradient goes through it: sort x.numpy() with NumPy, and index x with what it gives"
compared = "the operator: x == y, x < y, ..."
never_changes = "a Tensor's value never changes: write x = x + y, or ts.where(mask, new, x)"
counting = "no gradient goes through it: use NumPy on x.numpy()"
attention = "no layer: ((q @ k.swapaxes(-1, -2)) / d**0.5).softmax(-1) @ v; demos/dates.py has one over time"
no_convolution = "no layer: a linear layer over windows of the last axis"
normalised = "nn.LayerNorm(size)"
training = "a loop of your own: for x, y in ts.data.batches(...): loss, zero_grad, backward, step"
evaluating = "model.eval(), then with ts.no_grad(): model(x)"
any_rate = "ts.optim.LambdaLR(optimizer, lambda t: factor)"
fewer_digits = "which loses the digits of a small x"
leaky = "ts.where(x > 0.0, x, 0.01 * x)"
elu = "ts.where(x > 0.0, x, ts.where(x > 0.0, 0.0, x).exp() - 1.0)"
softplus = "ts.logsumexp(ts.stack([x, ts.zeros_like(x)]), 0)"
lengths = "a layer's lengths=, in its call"

ATTRIBUTES = {  # of Tensors, Modules, and the package: what is written -> what to write here
    "unsqueeze": "expand_dims(axis)",
    "clamp": "clip(low, high)",
    "expand": "broadcast_to(shape): the whole shape, no -1", "expand_as": "broadcast_to(y.shape)",
    "narrow": "x[start:start + length]",
    "flatten": "reshape(-1); PyTorch's flatten(1) is reshape(len(x), -1)", "ravel": "reshape(-1)",
    "repeat": "concatenate([x, x]) or broadcast_to", "tile": "concatenate([x, x]) or broadcast_to",
    "chunk": "split(x, size, axis) takes the size of a chunk, not their number",
    "hstack": "concatenate(pieces, axis)", "vstack": "concatenate(pieces, axis)", "append": "concatenate([x, y], axis)",
    "bmm": "x @ y, or matmul", "mm": "x @ y, or matmul", "mv": "x @ y, or matmul", "dot": "x @ y, or matmul",
    "outer": "einsum('i,j->ij', x, y)", "tensordot": "einsum", "t": "x.T", "mT": "x.swapaxes(-1, -2)",
    "masked_fill": "ts.where(mask, value, x)", "masked_select": "x[mask]", "index_select": "take(x, ids)",
    "gather": "index with arrays, x[rows, columns], or take(x, ids)", "scatter": "index with arrays, or ts.where",
    "square": "x * x", "rsqrt": "1.0 / x.sqrt()", "reciprocal": "1.0 / x",
    "std": "var(axis).sqrt(), PyTorch's with correction=1",
    "prod": "exp of the sum of logs, or a loop of products", "cumsum": "a loop of sums, and ts.stack",
    "argmin": counting, "isclose": counting, "diff": "x[1:] - x[:-1]",
    "topk": sorting, "sort": sorting, "argsort": sorting,
    "floor_divide": "x // y", "remainder": "x % y", "mod": "x % y",
    "sign": counting, "floor": counting, "round": counting, "isnan": counting, "allclose": counting,
    "nonzero": counting, "multinomial": counting, "bincount": counting, "any": counting, "all": counting,
    "unique": counting, "median": counting, "isinf": counting, "isfinite": counting,
    "eq": compared, "ne": compared, "lt": compared, "le": compared, "gt": compared, "ge": compared, "equal": compared,
    "logical_and": "a & b, a | b, ~a, of masks", "logical_or": "a & b, a | b, ~a, of masks", "logical_not": "~mask",
    "amax": "max(axis)", "amin": "min(axis)", "roll": "concatenate([x[-n:], x[:-n]])", "concat": "concatenate",
    "cumprod": "a loop of products, and ts.stack", "movedim": "transpose(axes), or swapaxes(a, b)",
    "view_as": "reshape(y.shape)", "reshape_as": "reshape(y.shape)", "type_as": "x.to(y.dtype)", "nelement": "x.size",
    "log1p": f"(1.0 + x).log(), {fewer_digits}", "expm1": f"x.exp() - 1.0, {fewer_digits}",
    "cast": "x.to(dtype)", "constant": "ts.tensor(data)",
    "reduce_mean": "mean(axis)", "reduce_sum": "sum(axis)", "reduce_max": "max(axis)", "assign_sub": "w.assign(w - x)",
    "assign_add": "w.assign(w + x)", "float16": "'float16', as a word: x.to('float16')",
    "bfloat16": "float32: NumPy has no bfloat16", "Size": "a tuple, as x.shape is",
    "tril": "ts.where(ts.tensor(np.tri(*x.shape[-2:]), device=x.device) == 1, x, 0.0)",
    "triu": "ts.where(ts.tensor(np.tri(*x.shape[-2:], -1), device=x.device) == 0, x, 0.0)",
    "data": "x.detach() or x.item() to read; parameter.assign(value) to give a Parameter new values",
    "clone": f"x itself, {never_changes}; ts.tensor(x) copies a leaf",
    "copy": f"x itself, {never_changes}; ts.tensor(x) copies a leaf",
    "contiguous": "not needed: ops do that by themselves", "is_contiguous": "not needed: ops do that by themselves",
    "float": "ts.float32, or x.to('float32')", "double": "ts.float64, or x.to('float64')",
    "long": "ts.int64, or x.to('int64')", "int": "ts.int32, or x.to('int32')", "bool": "ts.bool_, or x.to('bool')",
    "half": "x.to('float16')", "type": "x.to(dtype); a device is its name: device != 'cpu'", "astype": "x.to(dtype)",
    "cuda": "x.to('cuda')", "cpu": "x.to('cpu')", "is_cuda": "x.device",
    "dim": "x.ndim", "numel": "x.size", "grad_fn": "x.node",
    "new_zeros": "ts.zeros(shape, dtype=x.dtype, device=x.device)", "new_tensor": "ts.tensor(data)",
    "new_ones": "ts.ones(shape, dtype=x.dtype, device=x.device)", "full_like": "ts.full(x.shape, value, dtype=x.dtype)",
    "rand_like": "ts.rand(x.shape, dtype=x.dtype)", "randn_like": "ts.randn(x.shape, dtype=x.dtype)",
    "empty": "ts.zeros(shape)",
    "from_numpy": "ts.tensor(array)", "as_tensor": "ts.tensor(data)", "asarray": "ts.tensor(data)",
    "array": "ts.tensor(data)", "FloatTensor": "ts.tensor(data)", "LongTensor": "ts.tensor(data, 'int64')",
    "linspace": "ts.tensor(np.linspace(start, stop, n), 'float32')",
    "randint": "ts.tensor(generator.integers(low, high, shape))",
    "randperm": "ts.tensor(generator.permutation(n))", "seed": "ts.manual_seed(n)",
    "manual_seed_all": "ts.manual_seed(n)",
    "set_num_threads": "the environment variable OPENBLAS_NUM_THREADS, before NumPy is imported",
    "empty_cache": "nothing: CuPy keeps freed memory for the next arrays",
    "backends": "nothing: there is no cuDNN to set",
    "distributions": "draw with NumPy; of ids the log-probability is x.log_softmax(-1)[rows, ids]",
    "random": "ts.rand, ts.randn, ts.manual_seed", "Generator": "np.random.default_rng(seed)",
    "normal": "ts.randn(shape) * std + mean", "bernoulli": "ts.rand(shape) < p", "bernoulli_": "ts.rand(shape) < p",
    "requires_grad_": "x.requires_grad = True; of a module: for w in model.parameters(): w.requires_grad = False",
    "detach_": "x = x.detach()", "unchain_backward": "x = x.detach()",
    "enable_grad": "leave the ts.no_grad() block", "set_grad_enabled": "ts.no_grad()", "inference_mode": "ts.no_grad()",
    "autograd": "ts.grad (of one input it returns a Tensor, no tuple: leave out [0]), ts.gradcheck, ts.detect_anomaly",
    "jit": "nothing: what runs is what is written",
    "register_buffer": "self.name = nn.Buffer(tensor)", "register_parameter": "self.name = nn.Parameter(data)",
    "add_module": "self.name = module", "children": "modules(): itself and all inside it",
    "named_children": "named_modules(): itself and all inside it",
    "apply": "for module in model.modules(): ...",
    "register_forward_hook": "call the module, and look at what it returns; ts.flow.Monitor watches a model",
    "extra_repr": "write __repr__", "count_params": "sum(w.size for w in model.parameters())",
    "is_grad_enabled": "what ts.no_grad() blocks are for: nothing to ask",
    "functional": "functions are in ts and ts.nn: ts.softmax, ts.relu, nn.cross_entropy",
    "linear": "x @ weight.T + bias", "kaiming_uniform_": "uniform_(w, -bound, bound) with bound = sqrt(6 / inputs)",
    "kaiming_normal_": "normal_(w, 0.0, std) with std = sqrt(2 / inputs)", "ones_": "constant_(w, 1.0)",
    "trunc_normal_": "normal_(w, 0.0, std)", "eye_": "w.assign(ts.eye(n))", "sparse_": "w.assign(array), of NumPy",
    "utils": f"ts.optim.clip_grad_norm_, ts.optim.clip_grad_value_, ts.data.batches, ts.data.pad_sequences, {lengths}",
    "lr_scheduler": "ts.optim.StepLR and the others are in ts.optim",
    "MultiStepLR": any_rate, "LinearLR": any_rate, "OneCycleLR": any_rate, "CosineAnnealingWarmRestarts": any_rate,
    "SequentialLR": any_rate, "LBFGS": "ts.optim.Adam",
    "clip_grad_norm": "ts.optim.clip_grad_norm_", "clip_grad_value": "ts.optim.clip_grad_value_",
    "callbacks": "write it into the loop",
    "ReduceLROnPlateau": "optimizer.lr = optimizer.lr / 2, where you see that it no longer learns",
    "NAdam": "ts.optim.Adam", "RAdam": "ts.optim.AdamW", "Adamax": "ts.optim.Adam", "Adadelta": "ts.optim.RMSprop",
    "DataLoader": "ts.data.batches(x, y, size=32, shuffle=True)", "TensorDataset": "ts.data.batches(x, y, size=32)",
    "Dataset": "ts.data.batches(x, y, size=32), of arrays or lists",
    "random_split": "index with generator.permutation(n), of NumPy",
    "pad_sequence": "ts.data.pad_sequences",
    "pack_padded_sequence": lengths, "pad_packed_sequence": lengths, "pack_sequence": lengths,
    "flatten_parameters": "nothing: not needed", "is_tensor": "isinstance(x, ts.Tensor)",
    "zero_": "x.grad = None for a gradient; parameter.assign(ts.zeros_like(parameter)) for a Parameter",
    "set_default_dtype": "model.to('float64')", "register_module": "self.name = module",
    "fill_": "nn.init.constant_(parameter, value)", "copy_": "parameter.assign(value)",
    "to_categorical": "ts.one_hot(ids, count)", "keras": "ts.nn, ts.optim and ts.data", "kernel": "weight, transposed",
    "preprocessing": "ts.data.pad_sequences, ts.data.Vocabulary", "label": "x.named(name), x.name",
    "ParameterList": "attributes: setattr(self, f'w{i}', nn.Parameter(data))",
    "ModuleDict": "nn.ModuleList, or attributes",
    "ParameterDict": "attributes: setattr(self, name, nn.Parameter(data))",
    "BatchNorm1d": normalised, "GroupNorm": normalised, "RMSNorm": normalised,
    "Conv1d": no_convolution, "Conv2d": no_convolution, "MaxPool1d": "x.reshape(*x.shape[:-1], -1, size).max(-1)",
    "MultiheadAttention": attention, "Transformer": attention, "TransformerEncoderLayer": attention,
    "scaled_dot_product_attention": attention,
    "BCELoss": "nn.BCEWithLogitsLoss", "L1Loss": "(x - y).abs().mean()", "l1_loss": "(x - y).abs().mean()",
    "KLDivLoss": "nn.cross_entropy(logits, probabilities), which differs by a constant",
    "gelu": "write it with ts.tanh or ts.sigmoid", "silu": "x * x.sigmoid()",
    "elu": elu, "ELU": elu, "softplus": softplus, "Softplus": softplus,
    "HuberLoss": "write it with ts.where", "SmoothL1Loss": "write it with ts.where",
    "CategoricalCrossentropy": "nn.CrossEntropyLoss()", "SparseCategoricalCrossentropy": "nn.CrossEntropyLoss()",
    "BinaryCrossentropy": "nn.BCEWithLogitsLoss()", "MeanSquaredError": "nn.MSELoss()",
    "GELU": "write it with ts.tanh or ts.sigmoid", "SiLU": "x * x.sigmoid()",
    "LeakyReLU": leaky, "leaky_relu": leaky,
    "Identity": "nn.Sequential()", "Flatten": "x.reshape(len(x), -1)",
    "Dense": "nn.Linear(inputs, outputs)", "SimpleRNN": "nn.RNN(inputs, hidden, batch_first=True)",
    "Bidirectional": "bidirectional=True in nn.RNN, nn.LSTM and nn.GRU",
    "TimeDistributed": "nothing: a layer works on the last axis, at every step", "Masking": lengths,
    "LayerNormalization": normalised, "BatchNormalization": normalised, "Activation": "nn.Tanh(), nn.ReLU(), ...",
    "Conv1D": no_convolution, "MultiHeadAttention": attention, "Attention": attention,
    "Input": "nothing: a layer is told the size of its input", "Model": "nn.Module",
    "layers": "ts.nn; of a model modules()", "losses": "ts.nn", "optimizers": "ts.optim",
    "StringLookup": "ts.data.Vocabulary.of(symbols)", "TextVectorization": "ts.data.Vocabulary.of(symbols)",
    "Tokenizer": "ts.data.Vocabulary.of(symbols)",
    "timeseries_dataset_from_array": "ts.data.windows(series, length)",
    "compile": "nothing to prepare: make an optimiser, and call the loss; ts.replay(function) makes array code of it",
    "fit": training, "train_on_batch": training, "predict": evaluating, "evaluate": evaluating,
    "pop": "of an nn.ModuleList layer = layers[-1], then del layers[-1]",
    "add": "x + y; of a Sequential append(layer)", "get_weights": "model.state_dict()",
    "set_weights": "model.load_state_dict(state), or nn.from_keras(layer, weights)",
    "trainable_variables": "model.parameters()", "trainable_weights": "model.parameters()",
    "save": "ts.save(model.state_dict(), path)", "save_weights": "ts.save(model.state_dict(), path)",
    "load": "model.load_state_dict(ts.load(path))", "load_weights": "model.load_state_dict(ts.load(path))",
    "load_model": "model.load_state_dict(ts.load(path))",
    "GradientTape": "nothing: loss.backward(), or ts.grad(loss, parameters)",
    "Variable": "nn.Parameter(data), or ts.tensor(data, requires_grad=True)", "vmap": "nothing: arrays carry a batch",
    "Value": "ts.tensor(2.0, requires_grad=True)", "draw_dot": "ts.draw(y)", "_prev": "y.node.parents",
    "_op": "y.node.op.name", "Neuron": "nn.Linear(inputs, 1)", "Layer": "nn.Linear(inputs, outputs)",
    "MLP": "nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))",
}  # fmt: skip
ARGUMENTS = {  # of functions: what is written -> what to write here
    "dim": "axis=", "dims": "axis=", "dim0": "swapaxes(a, b)", "dim1": "swapaxes(a, b)", "keepdim": "keepdims=",
    "unbiased": "correction=1 (True) or correction=0 (False)", "ddof": "correction=",
    "input": "the Tensor by position, first", "other": "both operands by position",
    "p": "ord=", "min": "low=", "max": "high=", "a_min": "low=", "a_max": "high=",
    "split_size_or_sections": "size_or_sizes=", "split_size": "size_or_sizes=", "tensors": "the list, by position",
    "num_classes": "count=", "out": f"nothing: {never_changes}", "size": "the shape by position",
    "memory_format": "nothing: there is one layout", "non_blocking": "nothing", "pin_memory": "nothing",
    "set_to_none": "nothing: gradients are forgotten, not set to zero", "inplace": f"nothing: {never_changes}",
    "device": ".to(device), of the layer or the Tensor", "dtype": ".to(dtype), of the layer or the Tensor",
    "units": "the sizes of the input and of the output, by position", "input_dim": "num_embeddings=",
    "output_dim": "embedding_dim=", "input_shape": "the size of the input, first", "rate": "p=", "epsilon": "eps=",
    "activation": "a layer of its own: nn.Tanh(), nn.ReLU(), ...", "use_bias": "bias=",
    "return_sequences": "nothing: a layer returns every step, out, of which out[-1] is the last",
    "return_state": "nothing: a layer returns its last state, too: out, state", "stateful": "ts.truncated(layer)",
    "go_backwards": "nn.Recurrent(cell, reverse=True)", "recurrent_dropout": "nn.Dropout(p, shared_axis=0)",
    "mask_zero": lengths, "mask": lengths, "initial_state": "the state, by position, second",
    "hx": "the state, by position, second", "training": "model.train() or model.eval()",
    "padding": "side=", "truncating": "side=", "padding_value": "value=",
    "kernel_initializer": "nn.init.xavier_uniform_(layer.weight) and others",
    "learning_rate": "lr=", "global_clipnorm": "ts.optim.clip_grad_norm_(parameters, max_norm)",
    "clipnorm": "ts.optim.clip_grad_norm_(parameters, max_norm)", "num_workers": "nothing", "batch_size": "size=",
    "label": ".named(name)", "map_location": "device=", "target": "targets=", "min_freq": "min_count=",
    "closure": "loss.backward() before step()",
    "error_if_nonfinite": "nothing: a norm that is not finite is an error, always",
    "weights_only": "nothing: a file holds values, and no code",
}  # fmt: skip


def no_attribute(owner: str, name: str) -> AttributeError:
    """Return the error for a name that does not exist, with what it is called here, if that is known."""
    plain = name[:-1] if name.endswith("_") else ""  # relu of relu_, which PyTorch does in place
    in_place = plain in ATTRIBUTES or plain in vars(sys.modules[package])
    page = " (python -m tinygrad_seq explain in-place)"
    hint = ATTRIBUTES.get(name) or in_another_room(name) or (never_changes + page if in_place else None)
    return AttributeError(f"{owner} has no {name!r}" + (f"; here: {hint}" if hint else ""), name=name)


def no_argument(function: str, name: str, known: Iterable[str]) -> TypeError:
    """Return the error for an argument that does not exist, with what it is called here, or those that there are."""
    hint, known = ARGUMENTS.get(name, ""), list(known)
    other, says_one, _ = hint.partition("=")
    if not hint or (says_one and other.isidentifier() and other not in known):  # it has that argument neither
        return TypeError(f"{function}: there is no argument {name!r}, its arguments: {', '.join(known) or 'none'}")
    return TypeError(f"{function}: there is no argument {name!r}; here: {hint}")


def in_another_room(name: str) -> str | None:
    """Return the full name of what was looked for in the wrong place: ts.relu, for nn.relu."""
    for room in ("", ".nn", ".optim", ".data", ".flow", ".nn.init"):
        if name in vars(sys.modules.get(package + room, object)).get("__all__", ()):
            return f"ts{room}.{name}"
    return None


class Count(int):
    """A number of elements, which says what PyTorch's call `x.size()` is called here."""

    def __call__(self, *_axis: Any) -> NoReturn:
        raise TypeError("Tensor: x.size is the number of elements, as in NumPy; here: x.shape, or x.shape[axis]")


def refusing(module: str) -> Callable[[str], NoReturn]:
    """Return the `__getattr__` of a module of this package."""

    def refuse(name: str) -> NoReturn:
        error = no_attribute(module, name)
        imports = sys._getframe(1).f_code.co_name == "_handle_fromlist"  # which says nothing of an AttributeError
        raise ImportError(str(error), name=module) if imports and "; here: " in str(error) else error

    return refuse


class Submodules:
    """The last of Python's finders of modules: of `tinygrad_seq.nn.functional` it says where that is here."""

    @staticmethod
    def find_spec(name: str, _path: Any = None, _target: Any = None) -> None:
        """Raise ModuleNotFoundError for a submodule that another library has; all others are just not found."""
        parent, _, last = name.rpartition(".")
        if parent.partition(".")[0] == package and last in ATTRIBUTES:
            raise ModuleNotFoundError(str(no_attribute(parent, last)), name=name)


sys.meta_path.append(Submodules)


def missing(self: Any, name: str) -> Any:
    """Raise the error for an attribute that an object does not have (`__getattr__`)."""
    if hasattr(type(self), name):  # a property, in which something else is missing: that is what its own error says
        return object.__getattribute__(self, name)
    raise no_attribute(type(self).__name__, name)


def keywords(function: Callable[..., Any]) -> list[str]:
    """Return the names by which a function can be given its arguments."""
    named = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY
    parameters = inspect.signature(function).parameters.items()
    return [key for key, parameter in parameters if parameter.kind in named and key not in ("self", "cls")]


names_in_errors: set[str] = set()  # of functions that name themselves


def public(function: F) -> F:
    """Make a function of arrays say what an unknown argument is called here, and name itself in every error."""
    name = function.__name__
    names_in_errors.add(name)
    known = keywords(function)

    @wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        for key in options:
            if key not in known:
                raise no_argument(name, key, known)
        try:
            return function(*args, **options)
        except (IndexError, MemoryError, OverflowError, TypeError, ValueError) as error:
            said = str(error).removeprefix(f"{function.__qualname__}() ")  # "f() missing 1 required ..."
            inner, _, text = said.partition(": ")
            if inner == name:
                raise
            kind = next((kind for kind in (IndexError, TypeError) if isinstance(error, kind)), ValueError)
            raise kind(f"{name}: {text if inner in names_in_errors else said}") from error

    return call  # type: ignore[return-value]
