"""Checkers for the exercises of docs/learn: `python -m tinygrad_seq.exercises 4 answer.py` says what is wrong, and why.

    answer.py      load the reader's file, call what is in it; whatever goes wrong there is a sentence with the line
    compare.py     numbers that came back beside those that were wanted
    stop.py        one check for all stops but the first: a right program, and usual mistakes as edits of it
    steps.py, sequences.py, gradients.py, libraries.py    the stops
    engine.py      stop 0, the reader's own engine
"""
