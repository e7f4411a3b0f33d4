"""A character-level language model: a recurrent network that learns to write Python's reference manual.

    python demos/language_model.py                    about two minutes on two cores
    python demos/language_model.py --text book.txt    any other text
    python demos/language_model.py --resume           go on where Ctrl-C stopped

The text is cut into streams that are read side by side, window after window; the state is carried over and detached
there: truncated backpropagation through time. The last 5 % of the text is never trained on, it judges the network.
"""

import argparse
import math
import signal
import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from tqdm import tqdm

import tinygrad_seq as ts
from tinygrad_seq import nn

CELLS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


class LanguageModel(nn.Module):
    """Ids of characters (T, B) -> logits of the next character (T, B, characters), and the state to go on from."""

    def __init__(self, characters, hidden, cell):
        self.embedding = nn.Embedding(characters, 64)
        self.recurrent = CELLS[cell](64, hidden)
        self.head = nn.Linear(hidden, characters)

    def forward(self, ids, state=None):
        out, state = self.recurrent(self.embedding(ids), state)
        return self.head(out), state


def parts(state):
    """An LSTM's state is (h, c), the others' is h; None before the first step."""
    return () if state is None else state if isinstance(state, tuple) else (state,)


def whole(parts):
    return None if not parts else parts if len(parts) > 1 else parts[0]


def held_out_loss(model, ids):
    """Mean loss in nats per character, over a text read in up to eight streams."""
    state, losses = None, []
    with ts.no_grad():
        for x, y in ts.data.bptt_batches(ids, min(8, len(ids) // 2), 256):
            logits, state = model(x, state)
            losses.append((nn.cross_entropy(logits, y).item(), y.size))
    return sum(loss * n for loss, n in losses) / sum(n for _, n in losses)


def write(model, vocabulary, length, seed, temperature=0.6):
    """Let the network write: every character is drawn from what it predicts, and read in turn."""
    generator, ids, state = np.random.default_rng(seed), [0], None
    with ts.no_grad():
        for _ in range(length):
            logits, state = model(np.array([ids[-1:]]), state)
            p = (logits[-1, 0] / temperature).softmax().numpy().astype("float64")
            ids.append(generator.choice(len(p), p=p / p.sum()))
    return vocabulary.decode(ids[1:])


def plot(losses, held_out, path):
    """Loss by step, as it was and smoothed, with the held-out losses as dots."""
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.plot(losses, color="#2e86ab", alpha=0.25, linewidth=1)
    smooth = np.convolve(losses, np.ones(width := max(1, min(25, len(losses)))) / width, "valid")
    axes.plot(np.arange(len(smooth)) + width / 2, smooth, color="#2e86ab", label="training")
    axes.plot(*zip(*held_out), "o-", color="#e4572e", label="held out")
    axes.set(xlabel="step", ylabel="nats per character", title="Learning to write")
    axes.grid(alpha=0.2)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=150)


def draw(model, ids, out):
    """Twelve characters: the network unrolled, with the gradient on its way back; as a picture, and as a page."""
    ((x, y),) = ts.data.bptt_batches(ids[:13], 1, min(12, len(ids) - 1))
    loss = nn.cross_entropy(model(x)[0], y).named("loss")
    loss.backward(retain_graph=True)
    drawing = ts.draw(loss, show="gradient")
    drawing.save(out / "unrolled.svg")
    drawing.save(out / "unrolled.html")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--text", type=Path, help="a text file to learn from (default: Python's reference manual)")
    parser.add_argument("--cell", choices=CELLS, default="lstm")
    parser.add_argument("--hidden", type=int, default=256, help="size of the hidden state")
    parser.add_argument("--steps", type=int, default=1000, help="updates of the weights")
    parser.add_argument("--batch", type=int, default=32, help="streams read side by side")
    parser.add_argument("--window", type=int, default=64, help="characters between two updates")
    parser.add_argument("--lr", type=float, default=4e-3, help="learning rate at the start; it falls along a cosine")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu", help='"cpu", "cuda" or "cuda:N"')
    parser.add_argument("--out", type=Path, default=Path("runs/language_model"), help="folder for the results")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in that folder")
    return parser.parse_args()


def main():
    args = arguments()
    if min(args.hidden, args.steps, args.batch, args.window) < 1:
        raise ValueError("--hidden, --steps, --batch and --window must be at least 1")
    saved = ts.load(args.out / "checkpoint") if args.resume else None
    if saved:  # the run goes on as it began, whatever else is on the command line
        vars(args).update(saved["settings"])
        args.text = args.text and Path(args.text)
    text = args.text.read_text(encoding="utf-8") if args.text else ts.data.python_manual()
    vocabulary = ts.data.Vocabulary.of(text)
    ids = vocabulary.encode(text)
    learned, held_out = np.split(ids, [int(0.95 * len(ids))])
    if len(held_out) < 4 or len(learned) < args.batch * 2:
        raise ValueError(f"the text has {len(text)} characters, too few for {args.batch} streams and a held-out part")
    windows = ts.data.bptt_batches(learned, args.batch, args.window)

    ts.manual_seed(args.seed)
    model = LanguageModel(len(vocabulary), args.hidden, args.cell).to(args.device)
    optimizer = ts.optim.Adam(model.parameters(), lr=args.lr)
    step, state, losses, checks = 0, None, [], []
    if saved:
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        step, losses, checks = saved["step"], saved["losses"], saved["checks"]
        state = whole(tuple(ts.tensor(part, device=args.device) for part in saved["state"]))

    def save():
        settings = {name: getattr(args, name) for name in ("cell", "hidden", "steps", "batch", "window", "lr", "seed")}
        settings["text"] = args.text and str(args.text.resolve())
        progress = {"step": step, "losses": losses, "checks": checks, "state": parts(state)}
        network = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
        ts.save({"settings": settings, **progress, **network}, args.out / "checkpoint")

    args.out.mkdir(parents=True, exist_ok=True)
    print(f"{len(text):,} characters, {len(vocabulary)} different; a network of "
          f"{sum(p.size for p in model.parameters()):,} numbers: {model}", flush=True)  # fmt: skip
    stop = []
    signal.signal(signal.SIGINT, lambda *_: stop.append(True))  # finish the step, then stop
    with tqdm(total=args.steps * args.batch * args.window, initial=step * args.batch * args.window, unit="char",
              unit_scale=True, mininterval=0.5 if sys.stderr.isatty() else 10, dynamic_ncols=True) as bar:  # fmt: skip
        while step < args.steps and not stop:
            if step % len(windows) == 0:
                state = None  # the streams are read to their end: from the start again
            x, y = windows[step % len(windows)]
            logits, state = model(x, state)
            state = whole(tuple(part.detach() for part in parts(state)))  # the next window's gradient stops here
            loss = nn.cross_entropy(logits, y)
            optimizer.zero_grad()
            loss.backward()
            ts.optim.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.lr = args.lr * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / args.steps)))
            optimizer.step()
            step += 1
            losses.append(loss.item())
            bar.set_postfix(loss=f"{losses[-1]:.3f}", refresh=False)
            bar.update(args.batch * args.window)
            if step in (args.steps // 20, args.steps // 4, args.steps // 2):
                checks.append((step, held_out_loss(model, held_out)))
                bar.write(f"\n--- step {step}, held out {checks[-1][1]:.3f} nats per character; it writes:\n"
                          f"{write(model, vocabulary, 240, args.seed)}\n", file=sys.stdout)  # fmt: skip
                save()
    if stop:
        save()
        return print(f"stopped after step {step}, everything is in {args.out}; add --resume to go on")
    save()
    nats, sample = held_out_loss(model, held_out), write(model, vocabulary, 1200, args.seed)
    (args.out / "sample.txt").write_text(sample, encoding="utf-8")
    plot(losses, [*checks, (step, nats)], args.out / "loss.png")
    draw(model, held_out, args.out)
    print(f"\n--- after {step} steps it writes:\n{sample[:600]}\n\nheld-out loss: {nats:.3f} nats = "
          f"{nats / math.log(2):.3f} bits per character\n")  # fmt: skip
    print(f"{args.out}: loss.png, unrolled.svg and unrolled.html (gradients in the network), sample.txt, checkpoint")


if __name__ == "__main__":
    try:
        main()
    except (RuntimeError, TypeError, ValueError, OSError) as error:  # no GPU, no such file, no checkpoint: one sentence
        sys.exit(f"language_model: {error}")
