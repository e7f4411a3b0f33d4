"""Embedding and OneHot are the same map: a look-up is a product with one-hot rows, and so is its gradient.

Ids of every whole type, over any leading shape, on the CPU and on the strict double of a GPU. The padding row is passed
on and learns nothing, whatever arrives there. An id out of range is named with its position, and nothing is looked up.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from laws import assert_near, assert_same
from networks import gradients, leaf, seeds, small

import tinygrad_seq as ts
from tinygrad_seq import nn

leading = npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)
KINDS = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
kinds = st.sampled_from(KINDS)


def product(ids, weight):
    """OneHot(ids) @ weight, over any leading shape."""
    rows = nn.OneHot(len(weight), dtype=weight.dtype)(ids)
    return (rows.reshape(-1, len(weight)) @ weight).reshape(*rows.shape[:-1], weight.shape[1])


@given(seed=seeds, shape=leading, characters=st.integers(1, 5), size=small, kind=kinds)
def test_an_embedding_is_a_product_with_one_hot_rows(seed, shape, characters, size, kind):
    rng = np.random.default_rng(seed)
    layer = nn.Embedding(characters, size).to("float64")
    ids, upstream = np.asarray(rng.integers(0, characters, shape)), rng.normal(size=(*shape, size))
    expected = np.zeros(layer.weight.shape)
    np.add.at(expected, ids.reshape(-1), upstream.reshape(-1, size))  # repeats add up
    wanted = product(ids, layer.weight)
    for given_ids in (ids.astype(kind), ts.tensor(ids.astype(kind))):
        y = layer(given_ids)
        assert_same([y.numpy()], [wanted.numpy()])
        assert_same([y.numpy()], [product(given_ids, layer.weight).numpy()])
        assert_near(gradients([y], [upstream], layer.weight), [expected])
    assert_near(gradients([wanted], [upstream], layer.weight), [expected])


@given(seed=seeds, shape=leading, characters=st.integers(1, 5), size=small, junk=st.sampled_from([1.0, np.nan, np.inf]),
       data=st.data())  # fmt: skip
def test_the_padding_row_is_zero_and_learns_nothing(seed, shape, characters, size, junk, data):
    """Nothing but the gradient differs: junk that arrives at a padded position goes nowhere."""
    rng, padding = np.random.default_rng(seed), data.draw(st.integers(-characters, characters - 1))
    layer = nn.Embedding(characters, size, padding_idx=padding).to("float64")
    row = padding % characters
    assert layer.padding_idx == row and repr(layer).endswith(f"padding_idx={row})")
    assert layer.weight.numpy()[row].tolist() == [0.0] * size
    assert np.all(np.delete(layer.weight.numpy(), row, 0) != 0.0)
    layer.weight.assign(rng.normal(size=layer.weight.shape))  # whatever it holds by now
    ids, upstream = np.asarray(rng.integers(0, characters, shape)), rng.normal(size=(*shape, size))
    upstream[ids == row] = junk
    y = layer(ids)
    assert_same([y.numpy()], [layer.weight.numpy()[ids]])
    expected = np.zeros(layer.weight.shape)
    np.add.at(expected, ids[ids != row], upstream[ids != row])
    assert_near(gradients([y], [upstream], layer.weight), [expected])


@given(seed=seeds, size=small, freeze=st.booleans(), padding=st.sampled_from([None, 0, -1]))
def test_pretrained_rows_are_copied_and_kept(seed, size, freeze, padding):
    rows = np.random.default_rng(seed).normal(size=(3, size))
    before = rows.copy()
    random = ts.rand(1, generator=np.random.default_rng(seed)).tolist()
    for weight in (rows, ts.tensor(rows), nn.Parameter(rows)):
        ts.manual_seed(seed)
        layer = nn.Embedding.from_pretrained(weight, freeze=freeze, padding_idx=padding)
        assert ts.rand(1).tolist() == random  # nothing was drawn
        assert_same([layer.weight.numpy(), layer([2, 0]).numpy()], [before, before[[2, 0]]])
        assert layer.weight.requires_grad is (not freeze)
        assert layer.padding_idx == (padding if padding is None else padding % 3)
        assert list(layer.state_dict()) == ["weight"]
    rows += 1.0
    assert_same([layer.weight.numpy()], [before])


@pytest.mark.parametrize("kind", KINDS)
def test_a_vocabulary_larger_than_its_ids_type_is_no_overflow(gpu, kind):
    """300 rows: an int8 cannot hold their number, so ids are widened: a device compares within their type."""
    for device in ("cpu", "cuda"):
        layer = nn.Embedding(300, 2, padding_idx=-1).to(device)
        ids = np.array([0, 100, 127]).astype(kind)
        for given_ids in (ids, ts.tensor(ids, device=device)):
            assert_same([layer(given_ids).numpy()], [layer.weight.numpy()[ids]])
            assert layer(given_ids).node.parents[1].parents[1].dtype.itemsize >= 4
            assert np.array_equal(nn.OneHot(300)(given_ids).numpy().argmax(-1), ids)


@given(seed=seeds, shape=npst.array_shapes(min_dims=0, max_dims=3, max_side=3), kind=kinds)
def test_both_devices_agree(gpu, seed, shape, kind):
    rng, found = np.random.default_rng(seed), []
    weight, ids = rng.normal(size=(4, 3)), np.asarray(rng.integers(0, 4, shape)).astype(kind)
    upstream = rng.normal(size=(*shape, 3))
    for device in ("cpu", "cuda"):
        layer = nn.Embedding.from_pretrained(leaf(weight), freeze=False, padding_idx=0).to(device)
        y, z = layer(ids), product(ts.tensor(ids, device=device), layer.weight)
        assert y.device == z.device == layer.weight.device
        found.append([y.numpy(), z.numpy(), *gradients([y, z], [upstream] * 2, layer.weight)])
    assert_near(*found)


@given(shape=npst.array_shapes(min_dims=1, max_dims=3, max_side=3), data=st.data(), kind=kinds)
def test_an_id_out_of_range_is_named_with_its_position(gpu, shape, data, kind):
    ids = np.zeros(shape, kind)
    position = tuple(data.draw(st.integers(0, n - 1)) for n in shape)
    ids[position] = wrong = data.draw(st.sampled_from([5, 6, 120] if kind[0] == "u" else [5, 120, -1, -128]))
    text = ", ".join(map(str, position)) + ("," if len(position) == 1 else "")
    for device in ("cpu", "cuda"):
        for layer, op in ((nn.Embedding(5, 2, padding_idx=0).to(device), "Embedding"), (nn.OneHot(5), "one_hot")):
            with pytest.raises(IndexError, match=rf"^{op}: id {wrong} at position \({text}\).* 5 (rows|classes)"):
                layer(ts.tensor(ids, device=device))


@pytest.mark.parametrize("kind, says, call", [
    (TypeError, r"Embedding: ids.*integers.*float", lambda: nn.Embedding(4, 2)([0.5])),
    (TypeError, r"Embedding: ids.*integers.*bool", lambda: nn.Embedding(4, 2)([True])),
    (TypeError, r"one_hot: ids.*integers.*float", lambda: nn.OneHot(4)(ts.zeros(2))),
    (ValueError, r"Embedding: num_embeddings must be at least 1.*0", lambda: nn.Embedding(0, 2)),
    (ValueError, r"OneHot: num_classes.*-1", lambda: nn.OneHot(-1)),
    (TypeError, r"complex", lambda: nn.OneHot(2, "complex64")),
    (ValueError, r"Embedding: padding_idx.*at most 3, got 4", lambda: nn.Embedding(4, 2, 4)),
    (ValueError, r"Embedding: padding_idx.*at least -4, got -5", lambda: nn.Embedding(4, 2, -5)),
    (TypeError, r"Embedding: padding_idx.*True", lambda: nn.Embedding(4, 2, True)),
    (ValueError, r"Embedding.from_pretrained: padding_idx.*3",
     lambda: nn.Embedding.from_pretrained(np.ones((3, 2)), padding_idx=3)),
    (ValueError, r"Embedding.from_pretrained.*\(3,\)", lambda: nn.Embedding.from_pretrained([1.0, 2.0, 3.0])),
    (ValueError, r"Embedding.from_pretrained.*int64", lambda: nn.Embedding.from_pretrained([[1, 2]])),
])  # fmt: skip
def test_wrong_input_is_said(kind, says, call):
    with pytest.raises(kind, match=says) as caught:
        call()
    assert type(caught.value) is kind
