"""An exercise: can an LSTM of 20 units that reads 20 characters, one-hot, say which comes next?

    python demos/next_character.py                      half a minute
    python demos/next_character.py --text book.txt      any other text

Many to one, as everybody's first text network is: windows of 20 characters, of which each is a row of zeros with a
single one, and the character that follows. The last state of the LSTM decides. The last tenth of the text judges. A
table of which character follows which is the baseline: what the other 19 are worth is the difference.
"""

from pathlib import Path

import numpy as np
from characters import counted_loss
from lesson import plot_losses, run, score, train

import tinygrad_seq as ts
from tinygrad_seq import nn


class NextCharacter(nn.Module):
    """Ids (B, 20) -> scores of the character that follows (B, characters)."""

    def __init__(self, characters, hidden):
        self.one_hot = nn.OneHot(characters)
        self.lstm, self.head = nn.LSTM(characters, hidden, batch_first=True), nn.Linear(hidden, characters)

    def forward(self, ids):
        out, _ = self.lstm(self.one_hot(ids))
        return self.head(out[:, -1]).named("scores")


def main(args):
    text = Path(args.text).read_text(encoding="utf-8") if args.text else ts.data.python_manual()
    text = " ".join(text[: args.characters].lower().split())
    vocabulary = ts.data.Vocabulary.of(text)
    ids = vocabulary.encode(text)
    cut = int(0.9 * len(ids))
    x, y = ts.data.windows(ids[:cut], args.window)
    x_new, y_new = ts.data.windows(ids[cut:], args.window)
    model = NextCharacter(len(vocabulary), args.hidden).to(args.device)
    print(f"{len(text):,} characters, {len(vocabulary)} different\n{model.summary()}")

    def loss_of():
        some = args.rng.integers(0, len(x), 64)
        return nn.cross_entropy(model(x[some]), y[some, 0])

    losses = train(model, loss_of, args.updates, lr=0.02)
    with ts.no_grad():
        scores = [model(part) for part in np.array_split(x_new, len(x_new) // 2000 + 1)]
        scores = ts.concatenate(scores)
        nats, right = nn.cross_entropy(scores, y_new[:, 0]).item(), scores.numpy().argmax(-1) == y_new[:, 0]
    print(f"the most likely character is the right one {100 * right.mean():.0f} times in 100")
    counted = counted_loss(ids[:cut], ids[cut:], len(vocabulary), before=1)
    found = {f"an LSTM of {args.hidden} units": nats, "counts of pairs": counted}
    score("Held-out loss:", found, " nats", digits=3, higher=False)
    for i in range(0, len(x_new), len(x_new) // 5 + 1):
        best = scores[i].softmax().numpy().argsort()[::-1][:3]
        guesses = ", ".join(repr(vocabulary.tokens[n]) for n in best)
        print(f"  {vocabulary.decode(x_new[i])!r} -> {guesses}; it was {vocabulary.tokens[y_new[i, 0]]!r}")
    title = f"The character after {args.window}"
    plot_losses(losses, [(len(losses), nats)], ("counts of pairs", counted), title, args.out / "loss.png")
    ts.draw(model(x[:1])).save(args.out / "unrolled.svg")
    return [args.out / "loss.png", args.out / "unrolled.svg"]


if __name__ == "__main__":
    run(main, __doc__, quick={"updates": 2, "characters": 3000, "window": 5}, text=("", "a text file"),
        characters=(100_000, "how much of the text to use"), window=(20, "characters to read"),
        hidden=(20, "units of the LSTM"), updates=(1500, "updates of the weights"))  # fmt: skip
