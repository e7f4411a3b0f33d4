"""Many to many, after reading all: can a network learn to read dates as people write them?

    python demos/dates.py                      about a minute

"Tuesday, 5 March 2024" and "03/05/24" are 2024-03-05. An encoder reads all the characters, in both directions; then
a decoder writes ten, each from the one before. For every character that it writes, attention (Luong, Pham and Manning,
2015) looks at what the encoder made of each character that it read. The map of where it looked is what it understood.
The baseline is the same network without attention: all that it knows of the date is the encoder's last state.
"""

from datetime import date, timedelta

import numpy as np
from lesson import figure, run, score, train

import tinygrad_seq as ts
from tinygrad_seq import nn

STYLES = ("{weekday}, {d} {month} {year}", "{d} {month} {year}", "{month} {d}, {year}", "{month:.3} {d}, {year}",
          "{weekday:.3} {dd} {month:.3} {year}", "{dd}.{mm}.{year}", "{mm}/{dd}/{yy}",
          "{d}-{month:.3}-{yy}")  # fmt: skip
MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
          "November", "December")  # fmt: skip
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
READ = ts.data.Vocabulary.of("".join([*MONTHS, *WEEKDAYS, "0123456789 ,-./"]), padding="_")
WRITE = ts.data.Vocabulary("0123456789->")  # ">" comes before the first


def said(day, style):
    """Return a date as people write it: 5 March 2024."""
    weekday, month, yy = WEEKDAYS[day.weekday()], MONTHS[day.month - 1], f"{day.year % 100:02}"
    numbers = {"d": day.day, "dd": f"{day.day:02}", "mm": f"{day.month:02}", "year": day.year, "yy": yy}
    return style.format(weekday=weekday, month=month, **numbers)


def batch(rng, count):
    """Return ids to read (T, B) and their lengths (B,), ids to write (11, B) with ">" before, and the texts."""
    days = [date(1970, 1, 1) + timedelta(int(n)) for n in rng.integers(0, 36500, count)]
    texts = [said(day, STYLES[n]) for day, n in zip(days, rng.integers(0, len(STYLES), count))]
    x, lengths = ts.data.pad_sequences([READ.encode(text) for text in texts])
    return x, lengths, np.stack([WRITE.encode(">" + day.isoformat()) for day in days], 1), texts


class Translator(nn.Module):
    def __init__(self, hidden, attention):
        self.read, self.encoder = nn.Embedding(len(READ), 32), nn.GRU(32, hidden, bidirectional=True)
        self.bridge, self.key = nn.Linear(2 * hidden, hidden), nn.Linear(2 * hidden, hidden)
        self.write, self.decoder = nn.Embedding(len(WRITE), 32), nn.GRUCell(32 + 2 * hidden, hidden)
        self.head, self.attention = nn.Linear(hidden, len(WRITE)), attention

    def forward(self, x, lengths, y=None):
        """Ids -> scores of what to write (10, B, tokens), and where it looked (10, T, B); y: what to write, given."""
        found, last = self.encoder(self.read(x), lengths=lengths)  # (T, B, 2H)
        thought = ts.concatenate([last[0], last[1]], -1)
        h, keys = self.bridge(thought).tanh(), self.key(found)
        beyond = ts.tensor(1e4 * (np.arange(len(x))[:, None] >= lengths).astype("float32"), device=found.device)
        token, scores, looks = np.full(x.shape[1], WRITE.ids[">"]), [], []
        for t in range(10):
            with ts.scope(step=t):
                context = thought
                if self.attention:
                    look = ((keys * h).sum(-1) - beyond).softmax(0).named("look")  # (T, B): how much at which character
                    context = (look.reshape(*look.shape, 1) * found).sum(0).named("context")
                    looks.append(look)
                h = self.decoder(ts.concatenate([self.write(token), context], -1), h)
                scores.append(self.head(h).named("scores"))
                token = scores[-1].numpy().argmax(-1) if y is None else y[t + 1]
        return ts.stack(scores), looks


def main(args):
    test = batch(np.random.default_rng(args.seed + 1), args.judged)
    right, models = {}, {}
    for name, attention in (("with attention", True), ("without", False)):
        ts.manual_seed(args.seed)
        models[name] = model = Translator(args.hidden, attention).to(args.device)

        def loss_of(model=model):
            x, lengths, y, _ = batch(args.rng, 64)
            return nn.cross_entropy(model(x, lengths, y)[0], y[1:])

        train(model, loss_of, args.updates, lr=0.006, name=name)
        with ts.no_grad():
            answers = model(*test[:2])[0].numpy().argmax(-1)
        right[name] = 100 * (answers == test[2][1:]).all(0).mean()
        if attention:
            shown = [(text, WRITE.decode(answers[:, i])) for i, text in enumerate(test[3][:8])]
    for text, answer in shown:
        print(f"  {text:30} {answer}")
    score(f"Share of {args.judged} held-out texts whose date is right to the last digit:", right, " %", of=args.judged)
    draw(models["with attention"], args)
    return [args.out / "attention.png", args.out / "unrolled.svg"]


def draw(model, args):
    """Where it looked, for three texts; and both halves, unrolled, of a small twin."""
    made, all_axes = figure(9, 10, 3, 1)
    for axes, style in zip(all_axes, (STYLES[0], STYLES[3], STYLES[6])):
        text = said(date(2031, 3, 5), style)
        with ts.no_grad():
            scores, looks = model(READ.encode(text)[:, None], np.array([len(text)]))
        axes.imshow([look.numpy()[:, 0] for look in looks], cmap="Blues", vmin=0, vmax=1, aspect="auto")
        axes.set(xticks=range(len(text)), xticklabels=text.replace(" ", "␣"))
        axes.set(yticks=range(10), xlabel="read", ylabel="written")
        axes.set_yticklabels(WRITE.decode(scores.numpy().argmax(-1)[:, 0]))
    made.suptitle("Where the network looks for each character that it writes")
    made.savefig(args.out / "attention.png", dpi=120)
    small = Translator(4, True)
    small.to(args.device)
    x = READ.encode("5 May 31")[:, None]
    scores, _ = small(x, np.array([8]), WRITE.encode(">2031-05-05")[:, None])
    ts.draw(scores.named("scores")).save(args.out / "unrolled.svg")


if __name__ == "__main__":
    run(main, __doc__, quick={"updates": 2, "hidden": 8, "judged": 8}, judged=(1000, "texts that judge"),
        hidden=(64, "size of the states"), updates=(300, "updates of the weights"))  # fmt: skip
