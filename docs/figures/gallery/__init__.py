"""The programs of the gallery, by name: each a function that returns its picture.

`make.py` draws them as the figures of this folder; a test measures that in none of them a line runs through a node, a
text leaves its box, or a label lies on another.
"""

import sys
from functools import partial
from pathlib import Path

sys.path.append(str(Path(__file__).parents[3] / "demos"))

from gallery import insight, layers, loops, translation, windows, without_time
from gallery.layers import CELLS, layer, network

both, rolled, plain = ", read in both directions", ", rolled up: one step stands for all", ", without biases"
padded = " over two sequences of 3 and 1 steps: a mask keeps the state of the one that has ended"
GALLERY = {
    "values": without_time.neuron,
    "micrograd": without_time.expression,
    "micrograd_mlp": without_time.mlp_of_neurons,
    "cross_entropy": without_time.cross_entropy,
    "mlp": without_time.mlp,
    "tree": without_time.tree,
    **{f"tanh_{n}": partial(without_time.derivative, n) for n in (1, 2, 3)},
    "backward": loops.backwards,
    "found": loops.from_scratch,
    "names": loops.names,
    "joined_input": loops.joined_input,
    "characters": loops.characters,
    "minimal_gated_unit": loops.minimal_gated_unit,
    "chinese": loops.chinese,
    "leaky": loops.leaky,
    "words_of_characters": loops.words_of_characters,
    "truncated": partial(windows.windows, 2, 2),
    "three_windows": partial(windows.windows, 3, 2),
    "windows_by_hand": windows.windows_by_hand,
    "translation": translation.translation,
    "attention": translation.attention,
    "attention_over_steps": translation.attention_over_steps,
    "tied_weights": layers.tied_weights,
    **{name: partial(network, name) for name in layers.NETWORKS},
    "many_to_many_after_reading": partial(network, "many_to_many_after_reading", 2),  # so it goes on one sheet
    "deep_bidirectional_lstm": partial(
        layer, "lstm", f" in two layers{both}: 3 folded steps", depth=3, bidirectional=True, num_layers=2, bias=False
    ),
    **{f"{kind}_2_layers": partial(layer, kind, " in two layers", num_layers=2) for kind in ("lstm", "gru")},
    **{f"{kind}_3_layers": partial(layer, kind, f" in 3 layers{plain}", num_layers=3, bias=False) for kind in CELLS},
    **{f"{kind}_both": partial(layer, kind, both, bidirectional=True) for kind in ("lstm", "gru")},
    "rnn_both_2_layers": partial(
        layer, "rnn", f" in two layers{both}{plain}", 2, bidirectional=True, num_layers=2, bias=False
    ),
    **{f"{kind}_lengths": partial(layer, kind, padded, lengths=[3, 1]) for kind in CELLS},
    "dropout": partial(layer, "gru", " in two layers, dropout between them", num_layers=2, dropout=0.5),
    "lstm_1000": partial(network, "lstm", 1000, (2, 1)),
    "lstm_100_both": partial(layer, "lstm", both, 100, shown=(1, 1), bidirectional=True, bias=False),
    **{f"{kind}_rolled": partial(layer, kind, rolled, 100, "rolled") for kind in CELLS},
    "translation_rolled": partial(translation.translation, "rolled"),
    "lstm_rolled_layers": partial(
        layer, "lstm", f" in two layers{both}{rolled}", 100, "rolled", num_layers=2, bidirectional=True, bias=False
    ),
    "vanishing": partial(insight.gradient, "vanishing"),
    "healthy": partial(insight.gradient, "healthy"),
    "itemised": insight.itemised,
    "nan_path": insight.nan_path,
    **{f"{kind}_backward": partial(layers.backward_of, kind) for kind in CELLS},
}
