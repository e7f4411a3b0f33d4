"""Many to one: on which continent is a city, if all that you know is its name?

    python demos/many_to_one.py                a minute

A GRU reads the name letter by letter; its last state is all that the answer sees. With 374 names it can only learn how
names sound (the -abad of Asia, the Spanish of America), so it is often wrong, as you would be. So that it learns no
name by heart, a fifth of the letters is hidden from it while it learns. Five times a few networks learn, each time with
another fifth of the cities held out. Beside them stands one_to_one.py: four letters and no memory.
"""

import numpy as np
from lesson import cities, endless, fifths, figure, run, score, train
from one_to_one import FirstLetters

import tinygrad_seq as ts
from tinygrad_seq import nn


class Reader(nn.Module):
    """Ids of letters (B, T) and lengths (B,) -> a score for each continent (B, 5)."""

    def __init__(self, tokens, hidden, answers):
        self.embedding, self.drop = nn.Embedding(tokens, 16), nn.Dropout(0.3)
        self.reader = nn.GRU(16, hidden, batch_first=True)
        self.drop_more, self.head = nn.Dropout(0.5), nn.Linear(hidden, answers)

    def forward(self, ids, lengths):
        _, last = self.reader(self.drop(self.embedding(ids)), lengths=lengths)
        return self.head(self.drop_more(last[0])).named("scores")


def main(args):
    names, y, continents = cities()
    vocabulary = ts.data.Vocabulary.of(names, padding="_")
    x, lengths = ts.data.pad_sequences([vocabulary.encode(name) for name in names], batch_first=True)

    chances, four = np.zeros((len(y), len(continents))), np.zeros((len(y), len(continents)))
    common = np.zeros(len(y), int)
    for fold, (learned, held_out) in enumerate(fifths(len(y), args.rng)):
        batches = endless(x[learned], lengths[learned], y[learned], size=32, rng=args.rng)
        for n in range(args.networks):
            reader = Reader(len(vocabulary), args.hidden, len(continents)).to(args.device)
            letters = FirstLetters(len(vocabulary), 4, 32, len(continents)).to(args.device)

            def loss_of(reader=reader, batches=batches):
                ids, long, targets = next(batches)
                ids = np.where(args.rng.random(ids.shape) < 0.2, vocabulary.ids["_"], ids)
                return nn.cross_entropy(reader(ids, long), targets)

            def loss_of_four(letters=letters, batches=batches):
                ids, _, targets = next(batches)
                return nn.cross_entropy(letters(ids[:, :4]), targets)

            name = f"network {n + 1} of {args.networks}, part {fold + 1} of 5"
            train(reader, loss_of, args.updates, lr=0.005, weight_decay=0.3, name=name)
            train(letters, loss_of_four, max(1, args.updates // 2), lr=0.005, weight_decay=1.0, name="four letters")
            with ts.no_grad():
                chances[held_out] += reader(x[held_out], lengths[held_out]).softmax(-1).numpy() / args.networks
                four[held_out] += letters(x[held_out, :4]).softmax(-1).numpy() / args.networks
        common[held_out] = np.bincount(y[learned]).argmax()

    guesses = chances.argmax(-1)
    surprise, surprise_of_four = (-np.log(found[np.arange(len(y)), y]).mean() for found in (chances, four))
    by_counts = -np.log(np.bincount(y) / len(y))[y].mean()
    print(f"Surprise at the right continent: {surprise:.2f} nats; {surprise_of_four:.2f} by four letters, "
          f"{by_counts:.2f} if only their sizes are known")  # fmt: skip
    score(f"Share of {len(y)} held-out cities put on the right continent:", {
        "the whole name, read by a GRU": 100 * (guesses == y).mean(),
        "four letters, no recurrence": 100 * (four.argmax(-1) == y).mean(),
        "always America": 100 * (common == y).mean(),
    }, " %", of=len(y))  # fmt: skip
    sure = np.argsort(-chances.max(-1))
    print("It was surest of these, all held out:")
    for i in sure[:8]:
        verdict = "right" if guesses[i] == y[i] else f"it is in {continents[y[i]]}"
        print(f"  {names[i].title():20} {continents[guesses[i]]:8} {100 * chances[i].max():3.0f} %   {verdict}")

    made, axes = figure(6.5, 5)
    table = np.array([chances[y == c].mean(0) for c in range(len(continents))])
    axes.imshow(table / chances.mean(0), cmap="RdBu", vmin=0.3, vmax=1.7)
    for (row, column), chance in np.ndenumerate(table):
        axes.text(column, row, f"{100 * chance:.0f} %", ha="center", va="center")
    axes.set(xticks=range(5), xticklabels=continents, yticks=range(5), yticklabels=continents, ylabel="cities of",
             xlabel="the chance they get, on average",
             title="Held-out cities, and where the network would look for them\n"
                   "(blue: more than for all cities on average)")  # fmt: skip
    made.savefig(args.out / "chances.png", dpi=150)
    tokyo, small = vocabulary.encode("tokyo")[None], Reader(len(vocabulary), 4, len(continents)).to(args.device)
    ts.draw(small.eval()(tokyo, np.array([5]))).save(args.out / "unrolled.svg")
    return [args.out / "chances.png", args.out / "unrolled.svg"]


if __name__ == "__main__":
    run(main, __doc__, quick={"updates": 2, "hidden": 4, "networks": 1}, hidden=(64, "size of the state"),
        networks=(3, "whose chances are averaged"), updates=(300, "updates of the weights of each"))  # fmt: skip
