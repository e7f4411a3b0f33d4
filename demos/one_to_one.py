"""One to one: can the first letters of a city's name tell its continent? A network without any recurrence.

    python demos/one_to_one.py                 a few seconds
    python demos/one_to_one.py --letters 1     with the first letter only

A vector in, a vector out: the letters side by side, one-hot, go through one hidden layer. It has no memory and no
notion of order, so it is what a recurrent network has to beat (many_to_one.py). Five networks learn, each with another
fifth of the cities held out, so every city is judged once by a network that never saw it.
"""

import numpy as np
from lesson import INK, QUIET, cities, endless, fifths, figure, run, score, train

import tinygrad_seq as ts
from tinygrad_seq import nn


class FirstLetters(nn.Module):
    """Ids of letters (B, L) -> a score for each continent (B, 5)."""

    def __init__(self, tokens, letters, hidden, answers):
        self.one_hot = nn.OneHot(tokens)
        self.hidden, self.drop = nn.Linear(letters * tokens, hidden), nn.Dropout(0.5)
        self.head = nn.Linear(hidden, answers)

    def forward(self, ids):
        x = self.one_hot(ids)
        return self.head(self.drop(self.hidden(x.reshape(len(x), -1)).tanh())).named("scores")


def main(args):
    names, y, continents = cities()
    vocabulary = ts.data.Vocabulary.of(names, padding="_")
    x = ts.data.pad_sequences([vocabulary.encode(name) for name in names], batch_first=True, maxlen=args.letters)[0]

    guesses, common = np.zeros(len(y), int), np.zeros(len(y), int)
    for fold, (learned, held_out) in enumerate(fifths(len(y), args.rng)):
        model = FirstLetters(len(vocabulary), args.letters, args.hidden, len(continents)).to(args.device)
        batches = endless(x[learned], y[learned], size=32, rng=args.rng)

        def loss_of(model=model, batches=batches):
            ids, targets = next(batches)
            return nn.cross_entropy(model(ids), targets)

        train(model, loss_of, args.updates, lr=0.005, weight_decay=1.0, name=f"fold {fold + 1} of 5")
        with ts.no_grad():
            guesses[held_out] = model(x[held_out]).numpy().argmax(-1)
        common[held_out] = np.bincount(y[learned]).argmax()

    score(f"Share of {len(y)} held-out cities put on the right continent:", {
        f"the first {args.letters} letters": 100 * (guesses == y).mean(),
        "always America": 100 * (common == y).mean(),
    }, " %", of=len(y))  # fmt: skip
    for name in ("Kinshasa", "Toronto", "Tokyo", "Oslo"):
        where = names.index(name.lower())
        print(f"  {name} is in {continents[y[where]]}; held out, it was taken for one in {continents[guesses[where]]}")

    made, axes = figure(6.5, 4.5)
    right = [100 * (guesses == y)[y == c].mean() for c in range(len(continents))]
    axes.barh(continents, [100] * len(continents), color="0.94")
    axes.barh(continents, right, color=[INK if share > 50 else QUIET for share in right])
    for c, share in enumerate(right):
        axes.text(share + 1, c, f"{share:.0f} % of {(y == c).sum()}", va="center")
    axes.set(title=f"Held-out cities that {args.letters} letters put on their continent", xlim=(0, 100), xlabel="%")
    made.savefig(args.out / "right.png", dpi=150)
    ts.draw(nn.cross_entropy(model(x[:1]), y[:1]).named("loss")).save(args.out / "network.svg")
    return [args.out / "right.png", args.out / "network.svg"]


if __name__ == "__main__":
    run(main, __doc__, quick={"updates": 2}, letters=(4, "how many of the first letters it sees"),
        hidden=(32, "size of the hidden layer"), updates=(150, "updates of the weights, five times"))  # fmt: skip
