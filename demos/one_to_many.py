"""One to many: can a network make up the name of a city on a continent that you choose?

    python demos/one_to_many.py                            half a minute
    python demos/one_to_many.py --continent Pacific --count 20

One vector goes in, the continent; a sequence comes out, letter after letter, each drawn from what the network predicts
and read in turn. A fifth of the names is held out. The baseline counts pairs of letters: what follows an "o"? Both are
asked how surprised they are by the names that they never saw, in nats for each letter.
"""

import numpy as np
from lesson import ACCENT, cities, endless, figure, run, score, train

import tinygrad_seq as ts
from tinygrad_seq import nn


class Writer(nn.Module):
    """A continent (B,) and the letters so far (T, B) -> scores of the next letter (T, B, tokens)."""

    def __init__(self, continents, tokens, hidden):
        self.start, self.embedding = nn.Embedding(continents, hidden), nn.Embedding(tokens, 24)
        self.drop, self.writer = nn.Dropout(0.4), nn.GRU(24, hidden)
        self.head = nn.Linear(hidden, tokens)

    def forward(self, continent, ids, state=None):
        state = self.start(continent).tanh().reshape(1, len(continent), -1) if state is None else state
        out, state = self.writer(self.drop(self.embedding(ids)), state)
        return self.head(self.drop(out)).named("scores"), state


def make_up(model, continent, vocabulary, rng, temperature=0.7):
    """Return a name, drawn letter by letter until a full stop, and what chance each letter had at each place."""
    text, state, chances = "^", None, []
    with ts.no_grad():
        while text[-1] != "." and len(text) < 25:
            scores, state = model(np.array([continent]), vocabulary.encode(text[-1])[:, None], state)
            p = (scores[-1, 0] / temperature).softmax().numpy().astype("float64")
            chances.append(p / p.sum())
            text += vocabulary.tokens[rng.choice(len(p), p=chances[-1])]
    return text[1:], chances


def draw(made_up, vocabulary, path):
    """Below each letter of a name the four likeliest there, darker if likelier, in red if it was drawn."""
    longest = max(len(some[0][1]) for some in made_up.values())
    made, rows = figure(0.6 + 0.4 * longest, 0.4 + 1.8 * len(made_up), len(made_up), 1, squeeze=False)
    for axes, (continent, ((name, chances), *_)) in zip(rows[:, 0], made_up.items()):
        best = np.argsort(chances, 1)[:, :-5:-1]  # (places, 4)
        axes.imshow(np.take_along_axis(np.array(chances), best, 1).T, cmap="Blues", vmin=0, vmax=1)
        for (place, rank), token in np.ndenumerate(best):
            letter = vocabulary.tokens[token]
            colour = ACCENT if letter == name[place] else "w" if chances[place][token] > 0.6 else "k"
            axes.text(place, rank, letter.replace(" ", "␣"), ha="center", va="center", color=colour,
                      weight="bold" if letter == name[place] else "normal")  # fmt: skip
        axes.set(xlim=(-0.5, longest - 0.5), yticks=[], ylabel=continent)
        axes.set_xticks(range(len(name)), name.title(), fontsize=14)
        axes.tick_params(length=0, labeltop=True, labelbottom=False)
        axes.spines[:].set_visible(False)
    made.suptitle("What could come next (red: drawn)")
    made.savefig(path, dpi=120)


def main(args):
    names, where, continents = cities()
    if args.continent and args.continent not in continents:
        raise ValueError(f"--continent must be one of {', '.join(continents)}, got {args.continent!r}")
    vocabulary = ts.data.Vocabulary.of("".join(names) + "^.", padding="_")
    ids, _ = ts.data.pad_sequences([vocabulary.encode(f"^{name}.") for name in names], batch_first=True)
    order = args.rng.permutation(len(names))
    learned, held_out = order[len(order) // 5 :], order[: len(order) // 5]
    model = Writer(len(continents), len(vocabulary), args.hidden).to(args.device)
    batches = endless(ids[learned], where[learned], size=32, rng=args.rng)

    def loss_of(some=None, places=None):
        some, places = next(batches) if some is None else (some, places)
        return nn.cross_entropy(model(places, some[:, :-1].T)[0], some[:, 1:].T, ignore_index=0)

    train(model, loss_of, args.updates, lr=0.005, weight_decay=0.3)
    with ts.no_grad():
        surprise = loss_of(ids[held_out], where[held_out]).item()
        others = [(where[held_out] + k) % len(continents) for k in range(1, len(continents))]
        wrong = np.mean([loss_of(ids[held_out], other).item() for other in others])

    pairs = np.full((len(vocabulary), len(vocabulary)), 0.3)  # as if each had been seen a little
    np.add.at(pairs, (ids[learned, :-1], ids[learned, 1:]), 1)
    chance = pairs[:, 1:] / pairs[:, 1:].sum(1, keepdims=True)
    real = ids[held_out, 1:] > 0
    counted = -np.log(chance[ids[held_out, :-1][real], ids[held_out, 1:][real] - 1]).mean()
    score(f"Surprise at each letter of {len(held_out)} held-out names, in nats:", {
        "the network": surprise, "the network, told another continent": wrong, "counts of pairs of letters": counted,
    }, " nats", digits=3, higher=False)  # fmt: skip

    known = set(names)
    made_up = {
        continent: [make_up(model, number, vocabulary, args.rng) for _ in range(args.count)]
        for number, continent in enumerate(continents)
        if args.continent in ("", continent)
    }
    lines = [
        f"{continent}: " + ", ".join(name.strip(".").title() + "*" * (name[:-1] in known) for name, _ in some)
        for continent, some in made_up.items()
    ]
    print("\n".join(lines) + "\n(* exists)")
    draw(made_up, vocabulary, args.out / "letters.png")
    (args.out / "names.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    small = Writer(5, len(vocabulary), 4).to(args.device).eval()
    ts.draw(small(where[:1], ids[:1, :5].T)[0]).save(args.out / "unrolled.svg")
    return [args.out / "letters.png", args.out / "names.txt", args.out / "unrolled.svg"]


if __name__ == "__main__":
    run(main, __doc__, quick={"updates": 2, "hidden": 4, "count": 2}, continent=("", "one of the five, or all"),
        count=(8, "names for each continent"), hidden=(96, "size of the state"),
        updates=(300, "updates of the weights"))  # fmt: skip
