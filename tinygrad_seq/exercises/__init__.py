"""Checkers for the exercises of docs/learn: `python -m tinygrad_seq.exercises 4 answer.py` says what is wrong, and why.

    answer.py      load the reader's file, call what is in it; whatever goes wrong there is a sentence with the line
    compare.py     compare with what was wanted, and recognise the mistake
    engine.py, steps.py, sequences.py, gradients.py, libraries.py
                   the stops: what to call, what is wanted, and what usual mistakes would give

A stop is a generator: for one random case it yields what to compare, and raises `Wrong` where a sentence says more.
"""
