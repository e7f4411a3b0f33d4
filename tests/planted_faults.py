"""Tests of the tests: faults planted in the package one at a time, each of which the suite has to notice.

A fault is a text that occurs exactly once in a file, and what stands there instead. Each goes into a copy of its own,
where the tests that should notice it are run; before that the same tests must pass on a copy without any, or "caught"
would prove nothing. A text that is no longer found once is an error, so a refactoring cannot quietly disarm a fault;
nor does a copy that fails to import count as caught.

    python tests/planted_faults.py                  all of them
    python tests/planted_faults.py --sample 6       as many, drawn by --seed
    python tests/planted_faults.py --only "no_grad"
"""

import argparse
import os
import random
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

HOME = Path(__file__).resolve().parent.parent
FILES = {path.name: str(path.relative_to(HOME)) for path in (HOME / "tests").rglob("test_*.py")}
PATIENCE = 300  # seconds for one run of pytest
NOTICED = re.compile(r"^(?:FAILED|ERROR) (\S+::\w+)", re.MULTILINE)


class Fault(NamedTuple):
    name: str
    file: str  # in tinygrad_seq
    text: str  # occurs in it exactly once
    planted: str
    tests: str  # what of tests/ should notice it: files, and -k with words of their names


# The record and the walk: `text` is as short as can be, for these files are rewritten most.
FAULTS = [
    Fault("an array saved in place of another", "engine/primitive.py", "a if keep_a", "b if keep_a",
          "test_gradient.py"),
    Fault("an unused output of split forgotten", "engine/primitive.py", "len(uses) == len(gradients)", "True",
          "test_engine.py -k unused_parts"),
    Fault("parts gathered in the wrong order", "engine/primitive.py", '[node.static["index"]] = g',
          '[~node.static["index"]] = g', "test_engine.py test_recurrent_laws.py"),
    Fault("a number widens float32", "engine/coercion.py", '"", dtype, xp)', '"", None, xp)', "test_dtypes.py"),
    Fault("an order that is not topological", "engine/graph.py", "key=by_serial",
          "key=lambda node: (len(node.parents), node.serial)", "test_engine.py test_programs.py"),
    Fault("a leaf held by its own node", "engine/graph.py", "= ref(value)", "= lambda: value", "test_ownership.py"),
    Fault("the gradient of the last use instead of the sum", "engine/walk.py", "old + contribution", "contribution",
          "test_engine.py"),
    Fault("a merged gradient added twice", "engine/walk.py", "else g + merged", "else g + merged + merged",
          "test_programs.py"),
    Fault("a gradient added to in memory of another", "engine/walk.py", "parent in summed and ", "",
          "test_ownership.py test_programs.py"),
    Fault("a sum in the narrower of two dtypes", "engine/walk.py", " and old.dtype is contribution.dtype", "",
          "test_programs.py"),
    Fault("an array as large as x for every x[t]", "engine/ops/indexing.py", "            result[index] += piece\n",
          "            result = result.copy()\n            result[index] += piece\n",
          "test_cost.py -k bytes_allocated"),
    Fault("broadcasting not undone", "engine/walk.py", "contribution.shape != parent.shape", "False",
          "test_gradient.py"),
    Fault("a second backward replaces the gradient", "engine/delivery.py", "if old is not None", "if False",
          "test_gradient.py test_ownership.py"),
    Fault("a recorded gradient replaces the one before", "engine/delivery.py", "old + new if recorded",
          "new if recorded",
          "test_gradient.py -k backward_adds"),
    Fault("an output named twice counts once", "engine/backprop.py", "start[node] + gradient if", "gradient if",
          "test_engine.py"),
    Fault("a gradient in the caller's memory", "engine/delivery.py", ".array(g, dtype", ".asarray(g, dtype",
          "test_ownership.py"),
    Fault("a gradient in another dtype than its leaf", "engine/delivery.py", "(g, dtype=like.dtype)", "(g)",
          "test_gradient.py test_programs.py"),
    Fault("a backward that fails has changed a gradient", "engine/walk.py",
          "            found[node] = g\n            if op",
          "            if op is None and not wanted:\n                deliver({node: g}, recorded)\n"
          "                continue\n            found[node] = g\n            if op",
          "test_engine.py -k failed_backward"),
    Fault("threads lose each other's gradients", "engine/delivery.py", "with delivering: add", "if True: add",
          "test_threads.py -k delivery"),
    Fault("an interrupt keeps the lock", "engine/delivery.py", "with delivering: add", "with delivering:\n        add",
          "test_all_or_nothing.py -k backward"),
    Fault("a frozen leaf gets a gradient", "engine/delivery.py", " and owner.node.requires_grad", "", "test_hooks.py"),
    Fault("the last node of a leaf counts", "engine/delivery.py",
          'totals.get(id(owner), getattr(owner, "stored_grad", None))',
          'getattr(owner, "stored_grad", None)', "test_hooks.py"),
    Fault("a hook frees the graph in use", "engine/freed_graph.py", "for used in in_use.get():", "for used in ():",
          "test_hooks.py"),
    Fault("hooks lost with the node of their leaf", "engine/graph.py", "= before.name, before.hooks",
          "= before.name, None",
          "test_hooks.py"),
    Fault("the graph not freed", "engine/delivery.py", "node.saved = None", "None", "test_ownership.py test_engine.py"),
    Fault("grad keeps the graph", "engine/backprop.py", "(create_graph if retain_graph is None else retain_graph)",
          "True",
          "test_engine.py"),
    Fault("a second backward not refused", "engine/backprop.py", "node.saved is None", "False", "test_engine.py"),
    Fault("grad runs rules that nobody asked for", "engine/backprop.py", "between(searched(start), wanted)",
          "searched(start)",
          "test_engine.py"),
    Fault("a merged gradient of any shape", "engine/walk.py", "op is not part.op and ", "False and ",
          "test_wrong_ops.py"),
    Fault("a whole number with a slope", "engine/recording.py", 'dtype.kind != "f"', "False", "test_wrong_ops.py"),
    Fault("a joint rule of one argument forgotten", "engine/primitive.py", "self.keep[1:] =", "_ =", "test_table.py"),
    Fault("hooks not called", "engine/walk.py", "node.hooks is not None", "False", "test_hooks.py"),
    Fault("a reflected minus the wrong way round", "engine/tensor.py", "lambda self, other: op(other, self)",
          "lambda self, other: op(self, other)", "test_dtypes.py test_forward.py test_programs.py"),
    Fault("a host view that can be written to", "engine/tensor.py", "array.flags.writeable = False", "pass",
          "test_ownership.py"),
    Fault("a gradient lost to a NumPy array", "engine/functions/numpy_calls.py", 'without_history("NumPy array", x)',
          "pass", "test_numpy_calls.py"),
    Fault("the values that full_like fills with taken for a pattern", "engine/functions/numpy_calls.py",
          "args = (make_tensor(args[0].array), *args[1:])",
          "args = tuple(make_tensor(x.array) if isinstance(x, Value) else x for x in args)", "test_numpy_calls.py"),
    Fault("NumPy's sentence without the hint", "engine/functions/numpy_calls.py", "ATTRIBUTES.get(name, PARTS)",
          "PARTS", "test_numpy_calls.py"),
    Fault("a checkpoint that draws other numbers", "engine/checkpoint.py", "drawn_again(call.before)",
          "drawn_again(call.after)", "test_checkpoint.py"),
    Fault("a checkpoint that does not look at what was drawn", "engine/checkpoint.py", "drawn != call.after or ", "",
          "test_checkpoint.py"),
    Fault("zeros for the unused outputs of a checkpoint", "engine/checkpoint.py", "zeros_for_unused = False",
          "zeros_for_unused = True", "test_checkpoint.py"),
    Fault("a parameter that was changed before the checkpoint ran again", "engine/checkpoint.py",
          "if leaf_array(end) is not array:", "if False:", "test_checkpoint.py"),
    Fault("the values of a checkpoint not compared", "engine/checkpoint.py",
          "not same or not all(map(alike, [outputs[node].array for node in own], segment.values))", "not same",
          "test_checkpoint.py"),
    Fault("the constants of a checkpoint not compared", "engine/segment.py", "seen.append(to_host(kept).tobytes())",
          "pass", "test_checkpoint.py"),
    Fault("a checkpoint that walks on beyond what it reads", "engine/checkpoint.py", "observe, frozenset(read))",
          "observe)", "test_checkpoint.py"),
    Fault("an output of a checkpoint without the part of its gradient from inside", "engine/checkpoint.py",
          "read = {parent for node in whole.nodes for parent in node.parents}", "read = set()", "test_checkpoint.py"),
    Fault("a checkpoint that runs its function once an output", "engine/checkpoint.py",
          "if call.again is None or call.again.recorded != recorded:", "if True:", "test_checkpoint.py"),
    Fault("second gradients of a checkpoint that nobody sees", "engine/checkpoint.py",
          "put_in_place(known_nodes(call, outputs), ", "put_in_place({}, ", "test_checkpoint.py"),
    Fault("a hook registered again by a checkpoint", "engine/checkpoint.py", "del node.hooks[count:]", "pass",
          "test_checkpoint.py"),
    Fault("hooks left inside a checkpoint", "engine/checkpoint.py", "node.hooks = node.owner_ref = None", "pass",
          "test_checkpoint.py"),
    Fault("a circle around what a checkpoint computed again", "engine/checkpoint.py",
          "    if recorded:\n        known =", "    if True:\n        known =", "test_checkpoint.py"),
    Fault("gradients of a checkpoint that lead to what it computed again", "engine/checkpoint.py",
          "        put_in_place(known, graph_since(start, outputs).nodes)\n", "", "test_checkpoint.py"),
    Fault("einsum sums over an axis that stays", "engine/functions/einsum.py",
          "name in right and name not in needed]\n    if", "name in right]\n    if", "test_einsum.py"),
    Fault("einsum sums over an axis that a later operand has", "engine/functions/einsum.py",
          "output + \"\".join(later for _, later in rest[i + 1 :])", "output", "test_einsum.py"),
    Fault("einsum takes a column for the diagonal", "engine/functions/einsum.py", "(along, along))",
          "(along, along * 0))", "test_einsum.py"),
    Fault("a norm that overflows", "engine/ops/reduction.py", "top = xp.where((top > 0) & xp.isfinite(top), top, 1)",
          "top = xp.ones_like(top)", "test_kinks.py -k norm"),
    Fault("0 / 0 for the gradient of a norm at 0", "engine/ops/reduction.py", "x / where(y == 0.0, 1.0, y)", "x / y",
          "test_kinks.py -k kink"),
    Fault("what comes into a norm at 0 is multiplied by 0", "engine/ops/reduction.py",
          "where(y == 0.0, 0.0, g) * share", "g * share", "test_kinks.py -k kink"),
    Fault("an argument that does not exist is ignored", "engine/hints.py",
          "                raise no_argument(name, key, known)\n",
          "                options = {k: v for k, v in options.items() if k in known}\n                break\n",
          "test_hints.py"),
    Fault("a hint for an argument that the function has not", "engine/hints.py", "and other not in known", "and False",
          "test_hints.py"),
    Fault("an error that does not name the function", "engine/hints.py",
          'raise kind(f"{name}: {text if inner in names_in_errors else error}") from error', "raise",
          "test_wrong_calls.py"),
    Fault("a switch that is no truth value", "engine/arguments.py", "if not isinstance(value, bool | host.bool_):",
          "if False:", "test_wrong_calls.py -k something_else"),
    Fault("a name in another room not looked for", "engine/hints.py", "name, in_another_room(name)", "name",
          "test_hints.py"),
    Fault("a gradient lost in a list", "engine/coercion.py", "        raw = unwrapped(name, raw)\n",
          "        raw = unwrapped(name, [x.detach() if isinstance(x, Value) else x for x in raw])\n",
          "test_numpy_calls.py"),
    # Floors 0 and 1
    Fault("no_grad leaks into other threads", "engine/scope.py", 'ContextVar("current", default=root)',
          "type('Shared', (), {'link': [root], 'get': lambda self: self.link[-1],"
          " 'set': lambda self, link: self.link.append(link), 'reset': lambda self, _: self.link.pop()})()",
          "test_no_grad.py"),
    Fault("a scope inside no_grad records again", "engine/scope.py", "Scope(here, key, value, here.recording, maker)",
          "Scope(here, key, value, True, maker)", "test_no_grad.py"),
    Fault("what was entered last is left first", "engine/scope.py", "if here.maker != maker:", "if False:",
          "test_contexts.py"),
    Fault("a context may look inside no_grad", "engine/scope.py", "key or recording is False else", "key else",
          "test_contexts.py test_anomaly.py"),
    Fault("the ground knows a layer, if only by name", "engine/commit.py", "from itertools import starmap\n",
          "from itertools import starmap\nif TYPE_CHECKING := False:\n    from tinygrad_seq.nn import Module\n",
          "test_floors.py -k ground_up"),
    Fault("a decorated generator records", "engine/context_decorator.py", "elif isgeneratorfunction(function):",
          "elif False:",
          "test_contexts.py"),
    Fault("an error thrown into a decorated generator is lost", "engine/context_decorator.py", "body.throw, [error]",
          "body.send, [None]",
          "test_contexts.py"),
    Fault("an interrupt between two changes", "engine/commit.py",
          "deque(starmap(object.__setattr__, list(changes)), maxlen=0)",
          "for change in changes:\n        object.__setattr__(*change)", "test_all_or_nothing.py"),
    Fault("a step that reads another slice counts as the same", "engine/same_step.py", "fixed[i], relative",
          "fixed[i]", "test_elision.py -k never_left_out"),
    Fault("a visit that holds those inside it, in a circle", "engine/timeline.py", "self.inner[visit].append(last)\n",
          "self.inner[visit].append(last)\n                    visit.names[last] = 1\n",
          "test_ownership.py -k keeps_nothing"),
    # Rules
    Fault("a rule with the wrong sign", "engine/ops/elementwise.py", "_y: g, lambda g, _z, _x, _y: -g)",
          "_y: g, lambda g, _z, _x, _y: g)", "test_gradient.py"),
    Fault("a rule without its factor", "engine/ops/elementwise.py", "g - g * y * y", "g - y * y", "test_gradient.py"),
    Fault("a rule with the wrong operand", "engine/ops/elementwise.py", "lambda g, _z, x, _y: g * x)",
          "lambda g, z, _x, _y: g * z)", "test_gradient.py"),
    Fault("a rule right at first order only", "engine/ops/elementwise.py", "g - g * y * y",
          'g - g * y * getattr(y, "array", y)', "test_double_backward.py"),
    Fault("a round trip over the host", "engine/ops/elementwise.py", "xp.tanh(x)",
          'xp.asarray(__import__("numpy").tanh(__import__("tinygrad_seq").backend.to_host(x)))',
          "test_devices.py -k copied"),
    Fault("a tie counted twice", "engine/ops/elementwise.py", "g * 0.5", "g", "test_kinks.py"),
    Fault("an infinite shift under exp", "engine/ops/reduction.py", "xp.where(xp.isfinite(top), top, 0)", "top",
          "test_kinks.py"),
    Fault("reduced axes not put back", "engine/ops/reduction.py", "broadcast_to(kept(g, _x.shape, axis)",
          "broadcast_to(g",
          "test_gradient.py"),
    Fault("a broadcast axis not summed", "engine/ops/shape.py", "total(x, repeated(x.shape, shape))",
          "x[tuple(0 if i in repeated(x.shape, shape) else slice(None) for i in range(x.ndim))]", "test_gradient.py"),
    Fault("axes put back by the same permutation", "engine/ops/shape.py", "axes=inverse(axes)", "axes=axes",
          "test_gradient.py"),
    Fault("a repeated index overwrites", "engine/ops/indexing.py", "xp.add.at(result, index, piece)",
          "result[index] = piece", "test_gradient.py test_ownership.py"),
    Fault("overlapping slices overwrite", "engine/ops/indexing.py", "result[index] += piece", "result[index] = piece",
          "test_gradient.py test_programs.py"),
    Fault("a repeated id overwrites", "engine/ops/indexing.py", "xp.add.at(result, ids, rows)", "result[ids] = rows",
          "test_plain_layers.py"),
    Fault("a dead unit multiplies what comes in by 0", "engine/ops/elementwise.py", "where(y, g, 0.0)",
          "g * (y != 0.0)",
          "test_kinks.py"),
    Fault("what is not the largest multiplies by 0", "engine/ops/reduction.py",
          "where(share, kept(g, x.shape, axis) * share, 0.0)", "kept(g, x.shape, axis) * share", "test_kinks.py"),
    Fault("a factor of the slope meets the gradient first", "engine/ops/elementwise.py",
          "(p * power(where(constant, 1.0, x), p - 1.0))", "p * power(where(constant, 1.0, x), p - 1.0)",
          "test_dtypes.py"),
    Fault("a gradient bent into another shape", "engine/ops/shape.py", "new < 0 or any(", "False and any(",
          "test_wrong_ops.py"),
    Fault("small integers wrap", "engine/functions/reductions.py", '"?bBhHiIlLqQ"', '""', "test_dtypes.py"),
    Fault("half precision added up in half", "engine/ops/shape.py", 'x.dtype.char != "e"', "True", "test_dtypes.py"),
    Fault("slice bounds that may change later", "engine/functions/selection.py", "type(end) is not int", "False",
          "test_ownership.py"),
    Fault("rows of no elements counted from the rest", "engine/ops/indexing.py", "(ids.size, *parent", "(-1, *parent",
          "test_gradient.py -k twice"),
    # Layers
    Fault("the state not carried", "nn/recurrent.py", "step(inputs[t], state)", "step(inputs[t], first)",
          "test_recurrent_laws.py test_bptt.py"),
    Fault("the state carried without its gradient", "nn/recurrent.py", "step(inputs[t], state)",
          "step(inputs[t], tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach())",
          "test_bptt.py"),
    Fault("the reverse direction runs forward", "nn/recurrent.py", "in reversed(range(len(inputs))) if reverse else ",
          "in ", "test_recurrent_laws.py"),
    Fault("the reverse direction in its own order", "nn/recurrent.py", "outputs[t] =",
          "outputs[~t if reverse else t] =", "test_recurrent_laws.py"),
    Fault("two directions start from one state", "nn/recurrent_layers.py", "starts[len(finals)]", "starts[layer]",
          "test_recurrent_laws.py"),
    Fault("the batch not put first again", "nn/recurrent_layers.py", "out = out.swapaxes(0, 1)", "pass",
          "test_recurrent_laws.py"),
    Fault("the gates of an LSTM in another order", "nn/lstm.py", "i, f, g, o = split", "f, i, g, o = split",
          "test_bptt.py"),
    Fault("a gate with another's name", "nn/lstm.py", 'named("forget")', 'named("input")', "test_drawing.py"),
    Fault("the reset gate after the product", "nn/gru.py", "matmul(reset * h, weight_new)",
          "reset * matmul(h, weight_new)", "test_bptt.py"),
    Fault("the second bias forgotten", "nn/cell.py", "bias + other", "bias", "test_bptt.py"),
    Fault("a host array in a device's op", "nn/state.py", "xp.zeros(", '__import__("numpy").zeros(',
          "test_plain_layers.py -k devices"),
    Fault("an ignored position counts in the mean", "nn/class_losses.py", "return reduced(loss, reduction, weights)",
          'return reduced(loss, reduction, weights) * (len(ids) / counted.size if reduction == "mean" else 1.0)',
          "test_losses.py"),
    Fault("label smoothing without the class itself", "nn/class_losses.py", "weighted.mean(1) * smoothing",
          "(weighted.sum(1) + loss) * (smoothing / max(classes - 1, 1))", "test_losses.py"),
    Fault("a mean over positions, whatever they weigh", "nn/losses.py", "losses.mean() / weights.mean()",
          "losses.mean()", "test_losses.py"),
    Fault("a weighted mean that overflows in halves", "nn/losses.py", "losses.mean() / weights.mean()",
          "losses.sum() / weights.sum()", "test_losses.py -k halves"),
    Fault("label smoothing that weighs no class", "nn/class_losses.py", "weighted.mean(1)", "log_probability.mean(1)",
          "test_losses.py"),
    Fault("smoothed probabilities of more than 1", "nn/class_losses.py", "+ smoothing / logits.shape[-1]",
          "+ smoothing", "test_losses.py"),
    Fault("probabilities as targets that are not weighed", "nn/class_losses.py", "(target * weighted)",
          "(target * log_probability)", "test_losses.py"),
    Fault("an eps outside the root", "nn/layer_norm.py", "keepdims=True) + eps)", "keepdims=True)) + eps",
          "test_layer_norm.py"),
    Fault("the variance of a sample", "nn/layer_norm.py", "mean(distance * distance, axes, keepdims=True)",
          "distance.var(axes, True, int(distance.shape[-1] > 1))", "test_layer_norm.py"),
    Fault("a mean of large numbers that is rounded", "nn/layer_norm.py",
          "distance - mean(distance, axes, keepdims=True)", "distance * 1.0", "test_layer_norm.py"),
    Fault("a layer norm in half precision", "nn/layer_norm.py", "@widened\n", "", "test_layer_norm.py"),
    Fault("a state that goes on through the padding", "nn/lengths.py", "new if self.steps[t] is None", "new if True",
          "test_lengths.py"),
    Fault("a mask as wide as it is long", "nn/lengths.py", "*mask.shape[:-1], *(1,) * (more + 1)",
          "*mask.shape, *(1,) * more", "test_own_cells.py"),
    Fault("a whole number becomes a fraction", "nn/lengths.py", "expanded(begun, part), part, False)",
          "expanded(begun, part), part, 0.0)", "test_own_cells.py"),
    Fault("a state that comes from the future", "nn/truncated.py", "if part.node is not None and", "if False and",
          "test_truncated.py"),
    Fault("an error that forgets the state", "nn/truncated.py",
          "        result = self.layer(x, self.state, **options)\n",
          "        before, self.state = self.state, None\n        result = self.layer(x, before, **options)\n",
          "test_truncated.py"),
    Fault("a graph freed by an earlier call taken for its own", "engine/freed_graph.py", " and call not in earlier", "",
          "test_carried.py"),
    Fault("dropout that lowers the mean", "nn/dropout.py", "kept / (1 - p)", "kept / 1.0", "test_dropout.py"),
    Fault("a mask of its own for every step", "nn/dropout.py", "1 if axis in shared else size", "size",
          "test_dropout.py"),
    Fault("a shared parameter listed twice", "nn/module.py", "if id(part) not in seen", "if True",
          "test_module.py"),
    Fault("a state that does not fit is taken by half", "nn/stored_values.py", "    if wrong:", "    if False:",
          "test_module.py"),
    Fault("a Tensor in the place of a Parameter", "nn/module.py", "if isinstance(old, kind) and",
          "if kind is not Parameter and isinstance(old, kind) and", "test_module.py"),
    Fault("a buffer that does not move", "nn/module.py", 'for _, each in listed(self, "", Parameter, Buffer)',
          'for _, each in listed(self, "", Parameter)', "test_buffers.py"),
    Fault("a buffer that is not saved", "nn/module.py", 'each in listed(self, "", Parameter, Buffer)}',
          'each in listed(self, "", Parameter)}', "test_buffers.py"),
    Fault("a buffer missing in a state", "nn/module.py", 'each in listed(self, "", Parameter, Buffer) if',
          'each in listed(self, "", Parameter) if', "test_buffers.py"),
    Fault("a buffer of integers made floating", "nn/stored_values.py", ' if array.dtype.kind == "f" else array', "",
          "test_buffers.py"),
    Fault("a gradient lost in a buffer", "nn/module.py", "is_plain and not value.requires_grad", "is_plain",
          "test_buffers.py"),
    Fault("a picture of the number before a load", "nn/stored_values.py", "if isinstance(each, Parameter) else",
          "if True else", "test_buffers.py"),
    Fault("augmented assignment that trains nothing", "nn/parameter.py", "__isub__ = ", "", "test_module.py"),
    Fault("a module under the name it got last", "nn/module.py", "if self.named_at != Module.changes", "if False",
          "test_module.py"),
    Fault("parts that another thread's call takes apart", "nn/module.py", "= list(vars(self).items())",
          "= vars(self).items()", "test_module.py -k gone_through"),
    Fault("layers in a plain list unsaid", "nn/module.py", "known.issuperset(ids_to_find(part))", "True",
          "test_module.py"),
    Fault("one bias gone takes the other along", "nn/cell.py", "other if bias is None", "None if bias is None",
          "test_recurrent_options.py"),
    Fault("a bias gone from the layer and not from its cell", "nn/recurrent_layers.py", "vars(cell)[part] = value",
          "pass",
          "test_recurrent_options.py"),
    Fault("weights from another range", "nn/linear.py", "in_features, bound=in_features**-0.5",
          "in_features, bound=1.0", "test_plain_layers.py -k promised"),
    # Insight over time
    Fault("only the last use in a step has a share", "flow/gradient_by_step.py",
          "held[parent] + share if parent in held else ",
          "", "test_flow_itemize.py"),
    Fault("every step gets what all steps looked up", "flow/gradient_by_step.py", "some[0][0].op.merge(parent, some)",
          "contribution", "test_flow_itemize.py"),
    Fault("states in the order they were made", "flow/states.py", "key=lambda entry: entry[0].order",
          "key=lambda entry: entry[1].serial", "test_flow_influence.py"),
    Fault("a Jacobian's length instead of its gain", "engine/norms.py", "linalg.norm(matrix, 2)", "linalg.norm(matrix)",
          "test_flow_influence.py"),
    Fault("a short walk that goes on where it should end", "flow/jacobians.py",
          "-each.serial if each in ends else each.serial", "each.serial", "test_flow_influence.py"),
    Fault("one way from loss to state instead of all", "flow/jacobians.py",
          "found[parent] + product[mine] if parent in found else product", "product", "test_flow_influence.py"),
    Fault("a walk for every row, however many", "flow/jacobians.py", "if len(rows) <= prod(node.shape)", "if True",
          "test_flow_influence.py -k length_and_not"),
    Fault("all Jacobians for a few rows", "flow/jacobians.py", "if len(rows) <= prod(node.shape)", "if False",
          "test_flow_influence.py -k cost"),
    Fault("rows of another loss", "flow/jacobians.py", "start = mine.stop", "pass",
          "test_flow_influence.py -k both_methods"),
    Fault("squares that vanish before their root does", "engine/norms.py", "1e-280 < squared", "0.0 <= squared",
          "test_flow_influence.py"),
    Fault("a hook called once more for every share", "flow/gradient_by_step.py", ", hooks=False", "",
          "test_flow_itemize.py"),
    Fault("shares that pass a hook each on its own", "flow/gradient_by_step.py", " and not node.hooks", "",
          "test_flow_itemize.py -k hook"),
    Fault("no share in what was itself made", "flow/gradient_by_step.py", "False, [source], ", "False, [], ",
          "test_flow_itemize.py -k any_shape"),
    Fault("all shares in one place of the picture", "flow/gradient_by_step.py", "for node in users})",
          "for node in users[:0]})",
          "test_flow_pictures.py"),
    Fault("a frame for every argument of a joint rule", "flow/backward_log.py",
          "users if users[0].op.joint is not None", "users if False", "test_flow_record.py"),
    Fault("a merged rule that nobody hears", "engine/walk.py", "observe(uses, node, merged)", "pass",
          "test_flow_record.py"),
    Fault("factors in the wrong order", "flow/derivation.py", "power @ w_s, w_s", "power @ w_s, w_s.T",
          "test_flow_derivation.py"),
    Fault("a bad value nobody waits to name", "checks/anomaly.py", "if here is None or", "if True or",
          "test_anomaly.py"),
    Fault("named after a gate that reads it later", "checks/anomaly.py", " and here in links(first.scope)", "",
          "test_anomaly.py"),
    Fault("an op that is not recorded is not looked at", "engine/primitive.py",
          "here.recording is not False", "False", "test_anomaly.py"),
    Fault("one op at a time is looked at, in whatever thread", "checks/anomaly.py",
          'ContextVar("making", default=False)',
          "type('Shared', (list,), {'get': lambda self: self[-1], 'set': lambda self, on: self.append(on)})([False])",
          "test_anomaly.py"),
    Fault("a NaN loss goes backward", "checks/anomaly.py", "if bad(output.array):", "if False:", "test_anomaly.py"),
    # Around them
    Fault("manual_seed ignored", "engine/random.py", "default_rng(number)", "default_rng()", "test_creation.py"),
    Fault("uniform draws that are normal", "engine/random.py", "* random.random(shape)",
          "* random.standard_normal(shape)",
          "test_creation.py"),
    Fault("a draw of [0, 1) that is rounded to 1", "engine/random.py",
          "host.minimum(draws, host.nextafter(dtype.type(high), dtype.type(low)))", "draws", "test_creation.py"),
    Fault("a gradient check that is content with half", "checks/gradcheck.py", "rtol * abs(numeric)",
          "0.5 * abs(numeric)", "test_gradcheck.py"),
    Fault("a gradient check that gives chance no second look", "checks/gradcheck.py", "range(8)", "range(0)",
          "test_gradcheck.py"),
    Fault("a gradient check that -O leaves out", "checks/gradcheck.py", "if not abs(exact",
          "if __debug__ and not abs(exact",
          "test_gradcheck.py -k without_assertions"),
    Fault("a file written in place", "saving/atomic_file.py",
          'os.path.join(os.path.dirname(path), f".{secrets.token_hex(8)}.part")',
          "path\n    if old is not None:\n        os.unlink(path)", "test_io.py"),
    Fault("Fortran order lost in a file", "saving/state_tree.py", "array = to_host(value)",
          'array = host.asarray(to_host(value), order="C")', "test_io.py"),
    Fault("pickles read from a file", "saving/npy.py", "read_array(file, allow_pickle=False)",
          "read_array(file, allow_pickle=True)", "test_bad_files.py"),
    Fault("compressed members unpacked", "saving/archive.py", "member.compress_type != zipfile.ZIP_STORED", "False",
          "test_bad_files.py -k claims"),
    Fault("members that lie in each other unpacked", "saving/archive.py", "for member in members) > size",
          "for member in []) > size", "test_bad_files.py -k each_other"),
    Fault("an array as large as its header says", "saving/npy.py", "dtype.itemsize != size",
          "dtype.itemsize < 0", "test_bad_files.py -k claims"),
    Fault("a checkpoint that anybody may read after it was saved again", "saving/atomic_file.py", "kept = old or os",
          "kept = os",
          "test_io.py -k permissions"),
    Fault("a file read as a whole", "saving/archive.py", "file.read(max(min(left, BLOCK), 0))",
          "file.read(max(left, 0))",
          "test_io.py -k little_more"),
    Fault("a key that cannot be read back", "saving/state_tree.py", "if not all_different(",
          "if False and all_different(", "test_io.py -k key"),
    Fault("Adam without bias correction", "optim/adam.py", 'o["lr"] / (1 - b1**t)', 'o["lr"]', "test_optim.py"),
    Fault("the first velocity dampened", "optim/sgd.py", "g.copy() if v is None",
          '(1 - o["dampening"]) * g if v is None', "test_optim.py"),
    Fault("clipping by the largest norm, not the joint one", "optim/clipping.py", "total = sum(", "total = max(",
          "test_clipping.py"),
    Fault("one state for all parameters", "optim/optimizer.py", "dict(states.get(parameter, {}))",
          "dict(states.get(self.parameters[0], {}))", "test_optim.py"),
    Fault("a group's own options ignored", "optim/optimizer.py", "{**self.defaults, **given}",
          "{**given, **self.defaults}", "test_groups.py"),
    Fault("an option set in the first group only", "optim/optimizer.py", "option) for group in self.param_groups",
          "option) for group in self.param_groups[:1]", "test_groups.py"),
    Fault("a parameter in two groups", "optim/optimizer.py", "homes.setdefault(id(parameter), number)", "number",
          "test_groups.py"),
    Fault("all groups take the first one's rate", "optim/schedule.py", "for start in o[\"start\"]]",
          "for start in o[\"start\"][:1] * len(o[\"start\"])]", "test_schedules.py"),
    Fault("a warm-up that begins at the full rate", "optim/schedule.py", "        self.go_to(self.options)\n", "",
          "test_schedules.py"),
    Fault("equal layers take each other's state", "optim/optimizer.py", " or moved:", ":",
          "test_optim_errors.py"),
    Fault("parameters of other names take a state", "optim/optimizer.py", "renamed or shape", "shape",
          "test_optim_errors.py"),
    Fault("time goes on without a learning rate", "optim/schedule.py", 'self.checked({**self.options, "t": t + 1})',
          'self.checked(self.options | {"t": self.options.update(t=t + 1) or t + 1})', "test_schedules.py"),
    Fault("a norm too large for a float", "optim/validation.py", "except OverflowError:\n        return",
          "except ArithmeticError:\n        raise", "test_clipping.py"),
    Fault("a resumed pass takes numbers from whoever draws next", "data/batches.py",
          'generator = twin(generator, progress["order"])', 'generator.bit_generator.state = progress["order"]',
          "test_resumed_batches.py"),
    Fault("a pass that ended is resumed", "data/batches.py", "        progress.update(given=0, order=None)\n", "",
          "test_resumed_batches.py"),
    Fault("a batch counted only after it was used", "data/batches.py",
          'progress["given"] += 1\n            yield tuple(array[part] for array in self.arrays)',
          'yield tuple(array[part] for array in self.arrays)\n            progress["given"] += 1',
          "test_resumed_batches.py"),
    Fault("every window, whatever the stride", "data/windows.py", ", -1, 1)[::stride]", ", -1, 1)", "test_data.py"),
    Fault("the beginning kept on either side", "data/pad_sequences.py", "row[part] = array[part]",
          "row[part] = array[:length]", "test_data.py"),
    Fault("words loaded as characters", "data/vocabulary.py", "if words or separator:", "if False:",
          "test_vocabulary.py"),
    Fault("an edge through time drawn as any other", "drawing/view/edges.py", '"state" if delay else "data"',
          '"data"', "test_drawing.py"),
    Fault("a rolled view that hides who else is fed", "drawing/view/edges.py", "len(steps) < len(card)",
          "not card", "test_rolled.py"),
    Fault("any constant called an input", "drawing/view/graph_facts.py", "not any(begins_with(leaf,",
          "not any(True or begins_with(leaf,", "test_names_of_leaves.py"),
    Fault("a loss that renames its owner's targets", "nn/losses.py", "make_tensor(constant.array).named(name)",
          "constant.named(name)", "test_names_of_leaves.py"),
    Fault("whatever is squashed is a gate", "drawing/view/graph_facts.py", "if node in weighed and node in leads",
          "if node in leads", "test_gates.py"),
    Fault("any named factor is a gate", "drawing/view/graph_facts.py", " and node.op.name in squashing", "",
          "test_gates.py"),
    Fault("a first operand on the right", "drawing/layout/routing.py", "for operand in (1, 2)",
          "for operand in (0, 2)", "test_operands.py"),
    Fault("a layer after the one below it", "drawing/layout/sequences.py", "all(steps.values())", "any(steps.values())",
          "test_time_axis.py"),
    Fault("what picks a step reads all of them", "drawing/layout/sequences.py", "(whole and is_last)", "is_last",
          "test_time_axis.py"),
    Fault("lines through boxes", "drawing/layout/clearance.py", "if crossed <= longest and self.is_free(a, b, apart)",
          "if crossed <= longest", "test_legible.py -m 'not slow'"),
    Fault("states straight through what is in their way", "drawing/layout/routing.py", "if is_free(x + side *",
          "if True or is_free(x + side *", "test_legible.py -m 'not slow'"),
    Fault("words on words", "drawing/layout/marks.py", "if taken.is_clear(*at[1]) and", "if",
          "test_legible.py -m 'not slow'"),
    Fault("a tree that hangs anyhow", "drawing/layout/placement.py", "sugiyama.as_tree(ranks, upward)", "ranks",
          "test_time_axis.py"),
    Fault("windows counted as one", "drawing/render/title_and_legend.py", "{sum(steps)} steps in",
          "{steps[0]} steps in", "test_time_axis.py"),
    Fault("an op of several outputs that cannot be drawn", "drawing/view/printed.py", "if has_parts(node) else",
          "if False else", "test_printed.py"),
    Fault("two arrows on top of each other", "drawing/layout/routing.py", "replace(placed, points=points) if aside",
          "placed if aside", "test_operands.py"),
    Fault("1 - z drawn as z - 1", "drawing/view/edges.py", "operand = own + 1 if", "operand = 2 - own if",
          "test_operands.py"),
    Fault("a gradient printed without its sign", "drawing/view/values.py",
          "float(node.owner.stored_grad.array.item())", "size", "test_printed.py"),
    Fault("hooks called to print a gradient", "drawing/view/printed.py", " and node.hooks is None", "",
          "test_printed.py"),
    Fault("numbers of one step on the card of many", "drawing/view/build.py", "{} if elision.rolled else printed or {}",
          "printed or {}", "test_printed.py"),
    Fault("white words on a pale weight", "drawing/render/colours.py", '"#0F7F76"', '"#17A398"', "test_palette.py"),
    Fault("zero the brightest line in the dark", "drawing/render/colours.py", 'nothing = "#6C757F"',
          'nothing = "#DCE1E6"', "test_palette.py"),
    Fault("an encoder and a decoder of one name", "drawing/view/labels.py", "if len(numbers.get(visit, ())) > 1 else",
          "if False else", "test_palette.py"),
    Fault("a picture upside down in Graphviz", "drawing/render/dot.py", 'f"{x:.1f},{-y:.1f}"', 'f"{x:.1f},{y:.1f}"',
          "test_dot_text.py -k 'where_we_put_them and graphs'"),
    Fault("a legend that only our own picture has", "drawing/render/xdot.py", "*map(drawn, parts)", "*[]",
          "test_dot_text.py -k 'our_own_picture and graphs'"),
    Fault("a bitmap that Graphviz scales down", "drawing/render/graphviz_process.py", "max(across, down) > largest",
          "across * down > largest**2", "test_saving_pictures.py"),
    Fault("an escape in a name", "drawing/render/dot.py",
          '.replace("\\\\", "\\\\\\\\")', "", "test_dot_text.py -k names"),
    Fault("a detach that leaves no trace", "engine/tensor.py", "            mark_detached(result, self.node)\n",
          "            pass\n", "test_cut.py"),
    Fault("any shape follows from more steps", "drawing/diff.py", "x * t == y * s for", "True for", "test_diff.py"),
    Fault("a use of a shared weight goes missing", "drawing/view/edges.py", "for leaf in leaves:",
          "for leaf in leaves[:1]:", "test_shared.py"),
    Fault("contributions shown in place of their sum", "drawing/view/values.py", "            if node not in of:\n",
          "            of[parent] = norm(contribution)\n            if node not in of:\n", "test_view_gradients.py"),
    Fault("what came in shown in place of what a rule gave", "drawing/view/values.py",
          "of[node] if node.op.merge is not None else measure(contribution)", "of[node]", "test_view_gradients.py"),
    Fault("every step reads as many arguments as this one", "drawing/view/graph_facts.py",
          "graph.carried.get((user.op, step.loop, order, from_end, argument))",
          "graph.carried[user.op, step.loop, order, from_end, argument]", "test_any_graph.py -k another_number"),
    Fault("what passes through a gap stands anywhere", "drawing/view/scene.py", "        if alike:\n",
          "        if alike and not draft.name:\n", "test_svg.py -k any_network"),
    Fault("texts of a page numbered by chance", "drawing/page/page.py", "for name in shared if name in entry",
          "for name in entry.keys() & set(shared)", "test_dot_text.py -k every_process"),
    Fault("a first step that reads anything is the same", "engine/same_step.py", "and not 0 <= i + where[1] <= last",
          "", "test_rolled.py"),
    # Steps that are found
    Fault("a loop need not read the step before", "engine/found_steps.py", "return shares and depends_on_itself(",
          "return shares or depends_on_itself(", "test_found_steps.py"),
    Fault("a sum over steps is a state", "engine/found_steps.py",
          'if not (reader == producer and block[reader].op.name == "add"):', "if True:", "test_found_steps.py"),
    Fault("blocks may read anything from outside", "engine/found_steps.py",
          "or not self.is_same_outside(parents)", "", "test_found_steps.py"),
    Fault("two steps are a loop", "engine/found_steps.py", "least_steps = 3", "least_steps = 2", "test_found_steps.py"),
    Fault("a loop of a few single ops", "engine/found_steps.py", "least_steps_of_one_op = 8",
          "least_steps_of_one_op = 3", "test_found_steps.py"),
    Fault("numbers of data count", "engine/same_step.py", "elif called is not None and value", "elif False and value",
          "test_rolled.py test_found_steps.py"),
    Fault("what differs is not said", "engine/same_step.py", "if len(set(column)) > 1", "if False", "test_rolled.py"),
    Fault("a step with a hook is as any", "engine/same_step.py", "node.name, bool(node.hooks)]", "node.name, False]",
          "test_elision.py"),
    Fault("a first step that lacks a weight is no other step", "engine/same_step.py", "lacking <= 0 or learned or",
          "lacking <= 0 or", "test_rolled.py"),
]  # fmt: skip


def source(fault: Fault) -> str:
    return (HOME / "tinygrad_seq" / fault.file).read_text(encoding="utf-8")


def out_of_place() -> list[str]:
    """What to say of the faults whose text is not found exactly once."""
    counts = [(fault, source(fault).count(fault.text)) for fault in FAULTS]
    return [f"{f.name}: {f.file} holds {f.text!r} {count} times, not once" for f, count in counts if count != 1]


def copied(folder: Path) -> Path:
    """A fresh copy of what a test run needs."""
    for part in ("tinygrad_seq", "tests", "demos", "docs/figures"):
        shutil.copytree(HOME / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", "*.svg"))
    shutil.copy(HOME / "pyproject.toml", folder)
    return folder


def pytest(folder: Path, tests: str, seed: int) -> tuple[int, str]:
    """How pytest ended there, and what it said. Hypothesis draws by the seed, so a verdict comes out again."""
    words = [FILES.get(word, word) for word in shlex.split(tests)]
    options = ["-x", "-q", "-rfE", "-p", "no:cacheprovider", f"--hypothesis-seed={seed}"]
    command = [sys.executable, "-m", "pytest", *options, *words]
    environment = os.environ | {"HYPOTHESIS_PROFILE": "faults", "PYTHONPATH": str(folder)}
    try:
        ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return -1, f"no end after {PATIENCE} s"
    return ended.returncode, ended.stdout + ended.stderr


def judge(fault: Fault, folder: Path, seed: int) -> tuple[bool, str]:
    """Whether a test failed over the fault, and the line that says so."""
    start = time.perf_counter()
    file = copied(folder) / "tinygrad_seq" / fault.file
    file.write_text(source(fault).replace(fault.text, fault.planted), encoding="utf-8")
    code, output = pytest(folder, fault.tests, seed)
    by = NOTICED.search(output)
    if code == 1 and by is not None:
        caught, verdict, why = True, "caught", by[1].removeprefix("tests/")
    elif code == 0:
        caught, verdict, why = False, "MISSED", f"by {fault.tests}"
    else:  # no test ran to its end, so none has noticed anything
        caught, verdict, why = False, "BROKEN", f"pytest ended with {code}:\n{output}"
    return caught, f"{verdict}  {fault.name:<53} {time.perf_counter() - start:5.1f} s  {why}"


def chosen(options: argparse.Namespace) -> list[Fault]:
    faults = [fault for fault in FAULTS if not options.only or any(part in fault.name for part in options.only)]
    if not faults:
        raise SystemExit(f"no fault is called {' or '.join(options.only)}: see --list")
    drawn = random.Random(options.seed).sample(faults, min(options.sample or len(faults), len(faults)))
    return sorted(drawn, key=FAULTS.index)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Plant faults in copies of the package: does the suite notice each?")
    parser.add_argument("--sample", type=int, metavar="N", help="only so many, drawn by the seed")
    parser.add_argument("--seed", type=int, default=0, help="of the sample and of what Hypothesis draws (0)")
    parser.add_argument("--only", action="append", metavar="NAME", help="those with this in their name; repeatable")
    parser.add_argument("--list", action="store_true", help="their names, files and tests")
    parser.add_argument("-j", type=int, default=2, metavar="N", help="how many at a time (2)")
    options = parser.parse_args(arguments)
    faults = chosen(options)
    if options.list:
        print("\n".join(f"{fault.name:<53} {fault.file:<20} {fault.tests}" for fault in faults))
        return 0
    if complaints := out_of_place():  # all of them, whatever was drawn
        raise SystemExit("\n".join(complaints))
    with tempfile.TemporaryDirectory() as place, ThreadPoolExecutor(options.j) as pool:
        folder = Path(place)
        clean, selections = copied(folder / "clean"), sorted({fault.tests for fault in faults})
        for tests, (code, output) in zip(selections, pool.map(lambda it: pytest(clean, it, options.seed), selections)):
            if code != 0:
                raise SystemExit(f"{tests} must pass before a fault is planted:\n{output}")
        print(f"{len(selections)} selections of tests pass as things are.")
        missed = 0
        for caught, line in pool.map(lambda i: judge(faults[i], folder / str(i), options.seed), range(len(faults))):
            print(line, flush=True)
            missed += not caught
    print(f"{len(faults) - missed} of {len(faults)} faults caught.")
    return min(missed, 1)


if __name__ == "__main__":
    sys.exit(main())
