"""Many to many, in step: can a network learn to write English, character by character?

    python demos/language_model.py                    a picture at once, the rest in a minute or two
    python demos/language_model.py --replay           the training step as a program; --compile compiles it
    python demos/language_model.py --text book.txt    any other text
    python demos/language_model.py --resume           go on where Ctrl-C stopped

It reads Python's reference manual and predicts every next character. The text is cut into streams that are read side by
side, window after window; the state is carried over and detached there: truncated backpropagation through time. The
last 5 % of the text is never trained on; it judges the network, beside a table of which character follows which two.
"""

import math
import signal
import sys
from pathlib import Path

import numpy as np
from characters import CELLS, LanguageModel, counted_loss, draw_unrolled, held_out_loss, write
from lesson import PROGRAM, as_program, plot_losses, run, score, show, text_of
from tqdm import tqdm

import tinygrad_seq as ts
from tinygrad_seq import nn


def main(args):
    saved = ts.load(args.out / "checkpoint") if args.resume else None
    args.text = args.text and str(Path(args.text).resolve())
    if saved:  # the run goes on as it began, whatever else is on the command line
        other = [f"--{key}" for key, x in saved["settings"].items() if key in args.given and x != getattr(args, key)]
        vars(args).update(saved["settings"])
        if other:
            print(f"--resume goes on with the settings that the run began with, not with your {', '.join(other)}\n")
    text = text_of(args.text) if args.text else ts.data.python_manual()
    text, length = (text[:20_000], 60) if args.quick else (text, 1200)
    vocabulary = ts.data.Vocabulary.of(text)
    learned, held_out = np.split(vocabulary.encode(text), [int(0.95 * len(text))])
    if len(held_out) < 4 or len(learned) < args.batch * 2:
        raise ValueError(f"the text has {len(text)} characters, too few for {args.batch} streams and a held-out part")
    windows = ts.data.bptt_batches(learned, args.batch, args.window)

    ts.manual_seed(args.seed)
    model = LanguageModel(len(vocabulary), args.hidden, args.cell).to(args.device)
    reader, optimizer = ts.truncated(model), ts.optim.Adam(model.parameters(), lr=args.lr)

    def update(x, y):
        loss = nn.cross_entropy(reader(x), y)
        optimizer.zero_grad()
        loss.backward()
        ts.optim.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss.item()

    step, losses, checks = 0, [], []
    if saved:
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        step, losses, checks = saved["step"], saved["losses"], saved["checks"]
        state = [ts.tensor(part, device=args.device) for part in saved["state"]]
        reader.state = tuple(state) if len(state) > 1 else state[0]

    def save():
        names = ("text", "cell", "hidden", "steps", "batch", "window", "lr", "seed", "quick")
        settings = {name: getattr(args, name) for name in names}
        state = reader.state if isinstance(reader.state, tuple) else (reader.state,)
        progress = {"step": step, "losses": losses, "checks": checks, "state": [part.numpy() for part in state]}
        network = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
        ts.save({"settings": settings, **progress, **network}, args.out / "checkpoint")

    print(f"{len(text):,} characters, {len(vocabulary)} different; a network of "
          f"{sum(p.size for p in model.parameters()):,} numbers: {model}")  # fmt: skip
    draw_unrolled(model, held_out[:13], args.out)
    show("the network unrolled, and the gradient on its way back, before this run:", args.out / "unrolled.html")
    stop, size = [], args.batch * args.window
    update = as_program(update, args, "characters", size)
    before = signal.signal(signal.SIGINT, lambda *_: stop.append(True))  # finish the step, then stop
    with tqdm(total=args.steps * size, initial=step * size, unit="char", unit_scale=True, dynamic_ncols=True,
              mininterval=0.5 if sys.stderr.isatty() else 10) as bar:  # fmt: skip
        while step < args.steps and not stop:
            if step % len(windows) == 0:
                reader.state = None  # the streams are read to their end: from the start again
            optimizer.lr = args.lr * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / args.steps)))
            losses.append(update(*windows[step % len(windows)]))
            step += 1
            bar.set_postfix(loss=f"{losses[-1]:.3f}", refresh=False)
            bar.update(size)
            if step in (args.steps // 20, args.steps // 4, args.steps // 2):
                checks.append((step, held_out_loss(model, held_out)))
                bar.write(f"\n--- step {step}, held out {checks[-1][1]:.3f} nats per character; it writes:\n"
                          f"{write(model, vocabulary, length // 5, args.seed)}\n", file=sys.stdout)  # fmt: skip
            if step % 50 == 0:
                save()
    signal.signal(signal.SIGINT, before)
    save()
    if stop:
        return print(f"stopped after step {step}, everything is in {args.out}; add --resume to go on")
    nats, sample = held_out_loss(model, held_out), write(model, vocabulary, length, args.seed)
    print(f"\n--- after {step} steps it writes:\n{sample[:600]}\n\nheld-out loss: {nats:.3f} nats = "
          f"{nats / math.log(2):.3f} bits per character")  # fmt: skip
    counted = counted_loss(learned, held_out, len(vocabulary))
    score("Held-out loss:", {f"the {args.cell.upper()}": nats, "counts of three characters": counted},
          " nats", 3, higher=False)  # fmt: skip
    (args.out / "sample.txt").write_text(sample, encoding="utf-8")
    plot_losses(losses, [*checks, (step, nats)], ("counts of three characters", counted), "Learning to write",
                args.out / "loss.png")  # fmt: skip
    draw_unrolled(model, held_out[:13], args.out)
    return [args.out / name for name in ("loss.png", "unrolled.svg", "unrolled.html", "sample.txt", "checkpoint")]


if __name__ == "__main__":
    run(main, __doc__, quick={"hidden": 8, "steps": 4, "batch": 4, "window": 8},
        text=("", "a text file to learn from (default: Python's reference manual)"), hidden=(256, "size of the state"),
        cell={"flag": "--cell", "choices": CELLS, "default": "gru"}, steps=(1000, "updates of the weights"),
        batch=(16, "streams read side by side"), window=(64, "characters between two updates"),
        lr=(4e-3, "learning rate at the start; it falls along a cosine"), **PROGRAM,
        resume={"flag": "--resume", "action": "store_true", "help": "go on from the checkpoint"})  # fmt: skip
