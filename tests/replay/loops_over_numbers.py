"""Loops whose steps differ: by numbers, by what they read, by the sequence that they belong to."""

import numpy as np
from loops import B, H, V, loop, numbers, words

import tinygrad_seq as ts
from tinygrad_seq import nn


@loop(lines=85)
def losses_that_count_less_and_less(rng):
    cell, out = nn.GRUCell(H, H), nn.Linear(H, V)

    def loss(x, y):
        h, total = ts.zeros(B, H, dtype="float64"), 0
        for t, (x_t, y_t) in enumerate(zip(x, y)):
            h = cell(x_t, h)
            total = total + 0.9**t * nn.cross_entropy(out(h), y_t) + min(1.0, t / 5) * (h**2).mean()
        return total / len(x)

    return [cell, out], loss, lambda steps: [numbers(rng, steps, B, H), words(rng, steps, B)]


@loop(lines=50)
def the_time_as_a_feature(rng):
    cell, places = nn.RNNCell(H + 2, H), rng.normal(size=(40, H))

    def loss(x):
        h, steps = ts.zeros(B, H, dtype="float64"), len(x)
        for t in range(steps):
            clock = ts.full((B, 1), t / steps, dtype="float64"), ts.tensor([[np.sin(t)]] * B, dtype="float64")
            h = cell(ts.concatenate([x[t] + ts.tensor(places[t]), *clock], 1), h)
        return (h**2).mean()

    return [cell], loss, lambda steps: [numbers(rng, steps, B, H)]


@loop(lines=40)
def noise_that_is_taken_away(rng):
    net = nn.Linear(H, H)

    def loss(x):
        steps = len(x)
        h = x[0]
        for t in reversed(range(steps)):
            h = (h - (t + 1) / steps * ts.tanh(net(h))) / (1 + t / steps) ** 0.5
        return (h**2).mean()

    return [net], loss, lambda steps: [numbers(rng, steps, B, H)]


@loop(lines=35)
def powers_of_a_series(rng):
    w = nn.Linear(H, H)

    def loss(x):
        z, total, term = w(x[0]), 0, 1.0
        for k in range(1, len(x)):
            term = term * z / k
            total = total + term + 0.01 * z**k
        return total.mean()

    return [w], loss, lambda steps: [numbers(rng, steps, B, H) * 0.5]


@loop(lines=75)
def teacher_forcing_and_then_none(rng):
    cell, out = nn.RNNCell(H, H), nn.Linear(H, H)

    def loss(x):
        h, total, half = ts.zeros(B, H, dtype="float64"), 0, len(x) // 2
        for t in range(half):
            h = cell(x[t], h)
            y = out(h)
            total = total + ((y - x[t + 1]) ** 2).mean()
        for t in range(half, len(x) - 1):
            h = cell(y, h)
            y = out(h)
            total = total + ((y - x[t + 1]) ** 2).mean()
        return total

    return [cell, out], loss, lambda steps: [numbers(rng, steps, B, H)]


@loop(lines=80)
def one_sequence_after_the_other(rng):
    cell = nn.RNNCell(H, H)

    def loss(x):
        total = 0
        for k in range(4):
            h = ts.zeros(1, H, dtype="float64")
            for t in range(len(x)):
                h = cell(x[t, k : k + 1], h)
            total = total + (h * h).sum()
        return total

    return [cell], loss, lambda steps: [numbers(rng, steps, 4, H)]


@loop(lines=45)
def windows_that_count_more_and_more(rng):
    w = nn.Linear(H, H)

    def loss(x):
        h, total = ts.zeros(B, H, dtype="float64"), 0
        for t in range(len(x) // 2):
            h = ts.tanh(w(h) + x[2 * t : 2 * t + 2].sum(0))
            total = total + (h * h).sum() * (t * 0.1)
        return total

    return [w], loss, lambda steps: [numbers(rng, 2 * steps, B, H)]


@loop(lines=50, stays=True, wide=True)
def a_start_that_is_given_then_the_input(rng):
    w, start = nn.Linear(H, H), rng.normal(size=(40, B, H))

    def loss(x):
        h, half = ts.zeros(B, H, dtype="float64"), len(x) // 2
        for t in range(len(x)):
            h = ts.tanh(w(h) + (x[t] if t >= half else ts.tensor(start[t])))
        return (h**2).mean()

    return [w], loss, lambda steps: [numbers(rng, steps, B, H)]


@loop(lines=25)
def three_steps_side_by_side(rng):
    cell = nn.RNNCell(3 * H, H)

    def loss(x):
        h = ts.zeros(B, H, dtype="float64")
        for t in range(len(x) - 2):
            h = cell(ts.concatenate([x[t], x[t + 1], x[t + 2]], -1), h)
        return (h**2).mean()

    return [cell], loss, lambda steps: [numbers(rng, steps, B, H)]


@loop(lines=65)
def a_decoder_that_reads_its_own_words(rng):
    embedding, cell, out = nn.Embedding(V, H), nn.RNNCell(H, H), nn.Linear(H, V)

    def loss(x):
        h, y, total = ts.zeros(B, H, dtype="float64"), x[0], 0
        for x_t in x:
            h = cell(embedding(y), h)
            scores = out(h)
            y = scores.argmax(-1)
            total = total + nn.cross_entropy(scores, x_t)
        return total

    return [embedding, cell, out], loss, lambda steps: [words(rng, steps, B)]
