"""Can a word become a point in space, and the point the word again?

    python demos/latent_space.py                          three quarters of a minute
    python demos/latent_space.py --first list --last value

An encoder reads a word, letter by letter, into one vector; a decoder writes the word from the vector alone. All that it
knows of the word went through these numbers: they are a latent space. It is judged by words that it never read. The
baseline is the same decoder with the vector of another word, which knows English but not the word. On the line
between two words lie others, and words that look alike are neighbours.
"""

import re

import numpy as np
from lesson import ACCENT, INK, endless, figure, run, score, train

import tinygrad_seq as ts
from tinygrad_seq import nn

LETTERS = ts.data.Vocabulary("_^.abcdefghijklmnopqrstuvwxyz", padding="_")


class Autoencoder(nn.Module):
    """Words become vectors (B, L) by `encode`, vectors scores of letters (T, B, tokens) by `decode`."""

    def __init__(self, hidden, size):
        self.embedding, self.reader = nn.Embedding(len(LETTERS), 16), nn.GRU(16, hidden)
        self.to_latent, self.from_latent = nn.Linear(hidden, size), nn.Linear(size, hidden)
        self.writer, self.head = nn.GRU(16 + size, hidden), nn.Linear(hidden, len(LETTERS))

    def encode(self, ids, lengths):
        return self.to_latent(self.reader(self.embedding(ids), lengths=lengths)[1][0]).tanh().named("latent")

    def decode(self, latent, ids, state=None):
        """Predict the letter after each of ids (T, B)."""
        state = self.from_latent(latent).tanh().reshape(1, len(latent), -1) if state is None else state
        everywhere = ts.stack([latent] * len(ids))
        out, state = self.writer(ts.concatenate([self.embedding(ids), everywhere], -1), state)
        return self.head(out).named("scores"), state

    def write(self, latent, steps=12):
        """Return the words of vectors (B, L)."""
        ids, state = [np.full(len(latent), LETTERS.ids["^"])], None
        with ts.no_grad():
            for _ in range(steps):
                scores, state = self.decode(latent, ids[-1][None], state)
                ids.append(scores[0].numpy().argmax(-1))
        return [LETTERS.decode(word[word > 0]).partition(".")[0] for word in np.array(ids[1:]).T]


def numbers(words):
    """Return ids (T, B) of ^word. and the lengths."""
    return ts.data.pad_sequences([LETTERS.encode(f"^{word}.") for word in words])


def main(args):
    if args.size < 2:
        raise ValueError(f"--size must be at least 2, got {args.size}: the picture has two dimensions")
    first_and_last = numbers([args.first, args.last])  # at once: an error comes before the training
    words = sorted(set(re.findall(r"\b[a-z]{3,8}\b", ts.data.python_manual().lower())) - {args.first, args.last})
    args.rng.shuffle(words)
    held_out, learned = words[: len(words) // 10], np.array(words[len(words) // 10 :])
    model = Autoencoder(args.hidden, args.size).to(args.device)
    batches = endless(learned, size=64, rng=args.rng)

    def loss_of():
        ids, lengths = numbers(next(batches)[0])
        scores, _ = model.decode(model.encode(ids, lengths), ids[:-1])
        return nn.cross_entropy(scores, ids[1:], ignore_index=0)

    train(model, loss_of, args.updates, lr=0.006)
    with ts.no_grad():
        codes = model.encode(*numbers(held_out))
    written, others = model.write(codes), model.write(codes[np.roll(np.arange(len(held_out)), 1)])
    print("  " + ", ".join(f"{a}: {b}" for a, b in zip(held_out[:8], written)))
    right = {}
    for name, found in (("from its own vector", written), ("from the vector of another", others)):
        right[name] = 100 * np.mean([a.ljust(9)[i] == b[i] for a, b in zip(found, held_out) for i in range(len(b))])
    exact = 100 * np.mean([a == b for a, b in zip(written, held_out)])
    print(f"{exact:.0f} % of {len(held_out)} held-out words come back to the last letter")
    score("Share of their letters that come back in their place:", right, " %")

    with ts.no_grad():
        ends = model.encode(*first_and_last)
        way = ts.stack([ends[0] * (1 - k / 8) + ends[1] * (k / 8) for k in range(9)])
    between = f"from {args.first} to {args.last}: " + ", ".join(dict.fromkeys(model.write(way)))
    print(between)
    points = codes.numpy()
    flat = (points - points.mean(0)) @ np.linalg.svd(points - points.mean(0))[2][:2].T  # its two longest directions
    near = ((points[:, None] - points) ** 2).sum(-1) + 1e9 * np.eye(len(points))
    for i in range(3):
        print(f"closest to {held_out[i]}: " + ", ".join(held_out[j] for j in near[i].argsort()[:5]))

    made, axes = figure(9, 7)
    flat /= np.ptp(flat, axis=0)
    shown = []
    for i, place in enumerate(flat):
        if all(abs(place[0] - flat[j, 0]) > 0.09 or abs(place[1] - flat[j, 1]) > 0.025 for j in shown):  # room for it
            shown.append(i)
            axes.text(*place, held_out[i], color=INK if written[i] == held_out[i] else ACCENT, ha="center", va="center")
    axes.spines[:].set_visible(False)
    low, high = flat.min(0) - 0.04, flat.max(0) + 0.04
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), xticks=[], yticks=[], xlabel=between,
             title=f"Held-out words in the latent space, {args.size} dimensions seen from the side where they are "
                   "widest\n(red: does not come back to the last letter)")  # fmt: skip
    made.savefig(args.out / "space.png", dpi=130)
    small, (ids, lengths) = Autoencoder(4, 2).to(args.device), numbers(["spam"])
    ts.draw(small.decode(small.encode(ids, lengths), ids[:-1])[0], steps=(6, 0)).save(args.out / "unrolled.svg")
    return [args.out / "space.png", args.out / "unrolled.svg"]


if __name__ == "__main__":
    run(main, __doc__, quick={"updates": 2, "hidden": 4}, first=("letter", "a word to go from"),
        last=("number", "a word to go to"), hidden=(128, "size of the states"), size=(24, "size of the latent space"),
        updates=(1200, "updates of the weights"))  # fmt: skip
