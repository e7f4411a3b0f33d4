"""What should a network read: the number of a token, one-hot, or an embedding?

    python demos/words_to_vectors.py                 a few seconds

A token is a name, and its number says nothing: apple 1 + banana 2 is 3, and that is pear. Three networks do one task,
the next letter of a city's name from the letter before, and differ in what they read alone. One-hot gives every letter
an axis of its own, an embedding a place in a space that is learned. Here that is a plane, to look at: letters that are
followed by the same letters come to lie together, so the vowels find each other.
"""

import numpy as np
from lesson import ACCENT, INK, cities, endless, figure, run, score, train

import tinygrad_seq as ts
from tinygrad_seq import nn


class Number(nn.Module):
    """Read the number of a token itself, scaled to -1 ... 1: all tokens on one line."""

    def __init__(self, tokens):
        self.scale = nn.Buffer(np.linspace(-1.0, 1.0, tokens, dtype="float32")[:, None])

    def forward(self, ids):
        return self.scale[ids]


class NextLetter(nn.Module):
    """Ids (B,) -> scores of the next letter (B, tokens), through 16 hidden units."""

    def __init__(self, reader, width, tokens):
        self.reader, self.hidden, self.head = reader, nn.Linear(width, 16), nn.Linear(16, tokens)

    def forward(self, ids):
        return self.head(self.hidden(self.reader(ids)).tanh()).named("scores")


def main(args):
    fruit = ts.data.Vocabulary(["nothing", "apple", "banana", "pear"], split=str.split)
    apple, banana, pear = (fruit.ids[name] for name in ("apple", "banana", "pear"))
    rows = np.eye(len(fruit), dtype=int)
    print(f"numbers: apple {apple} + banana {banana} = {apple + banana}, and that is {fruit.tokens[apple + banana]}")
    print(f"one-hot: apple {rows[apple]} + banana {rows[banana]} = {rows[apple] + rows[banana]}, pear is {rows[pear]}")

    names, _, _ = cities()
    vocabulary = ts.data.Vocabulary.of("".join(names) + "^.")
    tokens = len(vocabulary)
    order = args.rng.permutation(len(names))
    pairs = [vocabulary.encode(f"^{names[i]}.") for i in order]
    cut = len(names) // 5
    x_new, y_new, x, y = (
        np.concatenate([pair[part] for pair in some])
        for some in (pairs[:cut], pairs[cut:])
        for part in (slice(-1), slice(1, None))
    )
    readers = {
        "an embedding in 8 dimensions": (nn.Embedding(tokens, 8), 8),
        "an embedding in 2 dimensions": (nn.Embedding(tokens, 2), 2),
        "one-hot": (nn.OneHot(tokens), tokens),
        "the number of the letter": (Number(tokens), 1),
    }
    losses, models = {}, {}
    for name, (reader, width) in readers.items():
        models[name] = model = NextLetter(reader, width, tokens).to(args.device)
        batches = endless(x, y, size=128, rng=np.random.default_rng(args.seed))

        def loss_of(model=model, batches=batches):
            ids, targets = next(batches)
            return nn.cross_entropy(model(ids), targets)

        train(model, loss_of, args.updates, lr=0.02, name=name)
        with ts.no_grad():
            losses[name] = nn.cross_entropy(model(x_new), y_new).item()
    common = np.bincount(y, minlength=tokens) + 1.0
    losses["nothing, knowing how common each is"] = -np.log(common / common.sum())[y_new].mean()
    score(f"How surprised the same network is at each of {len(y_new)} held-out letters, reading:",
          losses, " nats", digits=3, higher=False, networks=3)  # fmt: skip

    places = models["an embedding in 2 dimensions"].reader.weight.numpy()
    made, axes = figure(6.5, 6)
    for token, place in zip(vocabulary.tokens, places):
        axes.text(*place, {" ": "␣"}.get(token, token), ha="center", va="center", fontsize=15,
                  color=ACCENT if token in "aeiouy" else INK)  # fmt: skip
    axes.set(title="Where the network put the letters (vowels in red)", xlabel="first number of the embedding",
             ylabel="second number", xlim=(places[:, 0].min() - 0.3, places[:, 0].max() + 0.3),
             ylim=(places[:, 1].min() - 0.3, places[:, 1].max() + 0.3))  # fmt: skip
    made.savefig(args.out / "plane.png", dpi=150)
    ts.draw(models["an embedding in 8 dimensions"](x[:1])).save(args.out / "network.svg")
    return [args.out / "plane.png", args.out / "network.svg"]


if __name__ == "__main__":
    run(main, __doc__, quick={"updates": 2}, updates=(800, "updates of the weights of each network"))
