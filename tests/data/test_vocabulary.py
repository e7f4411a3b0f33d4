"""A vocabulary, by laws: text in any script comes back; what is unknown, padding or rare is said or left out."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_seq as ts
from tinygrad_seq.data import Vocabulary

texts = st.text(max_size=30)


@given(text=texts)
def test_text_comes_back(text):
    vocabulary = Vocabulary.of(text)
    ids = vocabulary.encode(text)
    assert ids.dtype == np.int64 and ids.shape == (len(text),)
    assert vocabulary.decode(ids) == text
    assert len(vocabulary) == len(set(text)) and all(token in vocabulary for token in text)
    assert list(vocabulary.tokens) == sorted(set(text))
    assert all(vocabulary.ids[vocabulary.tokens[i]] == i for i in range(len(vocabulary)))


@given(text=texts)
def test_words_come_back(text):
    vocabulary = Vocabulary.of(text, split=str.split, separator=" ")
    assert vocabulary.decode(vocabulary.encode(text)) == " ".join(text.split())


@given(words=st.lists(st.sampled_from(["我们", "喜欢", "循环", "网络"]), max_size=8))
def test_chinese_words_by_a_tokenizer_of_ones_own(words):
    def split(text):
        return re.findall("..", text)

    vocabulary = Vocabulary.of("我们喜欢循环网络", split=split)
    assert len(vocabulary) == 4
    assert vocabulary.decode(vocabulary.encode("".join(words))) == "".join(words)
    np.testing.assert_array_equal(vocabulary.encode(words), vocabulary.encode("".join(words)))


@given(known=st.text("abc", min_size=1), text=st.text("abcdeü"))
def test_what_is_unknown_is_named_with_its_place_or_has_a_token(known, text):
    strict = Vocabulary.of(known)
    first = next((i for i, token in enumerate(text) if token not in known), None)
    if first is not None:
        with pytest.raises(ValueError, match=rf"token '{text[first]}' at position {first} .* unknown="):
            strict.encode(text)
    lenient = Vocabulary.of(known, unknown="?")
    assert lenient.decode(lenient.encode(text)) == "".join(c if c in known else "?" for c in text)


@given(text=st.text("abc", min_size=1), length=st.integers(0, 5))
def test_padding_says_nothing(text, length):
    vocabulary = Vocabulary.of(text, padding="<pad>", unknown="?")
    assert vocabulary.tokens[:2] == ("<pad>", "?")
    padded, _ = ts.data.pad_sequences([vocabulary.encode(text), vocabulary.encode("a" * length)], batch_first=True)
    assert vocabulary.decode(padded[0]) == text
    assert vocabulary.decode(padded[1]) == ("a" if "a" in text else "?") * length


@given(text=st.text("abc"), least=st.integers(1, 4))
def test_rare_tokens_are_left_to_the_unknown(text, least):
    vocabulary = Vocabulary.of(text, unknown="?", min_count=least)
    assert set(vocabulary.tokens) == {"?", *(c for c in text if text.count(c) >= least)}


def test_many_texts_have_one_vocabulary():
    assert Vocabulary.of(["ab", "bc"]).tokens == Vocabulary.of("abc").tokens


@given(text=texts, special=st.booleans())
def test_a_vocabulary_is_saved_and_loaded(tmp_path_factory, text, special):
    path = tmp_path_factory.getbasetemp() / "vocabulary"
    options = {"padding": "<pad>", "unknown": "<unk>"} if special else {}
    vocabulary = Vocabulary.of(text, split=str.split, separator=" ", **options)
    ts.save(vocabulary.state_dict(), path)
    again = Vocabulary(**ts.load(path), split=str.split)
    assert (again.tokens, again.separator) == (vocabulary.tokens, " ")
    assert (again.padding, again.unknown) == (options.get("padding"), options.get("unknown"))
    assert again.decode(again.encode(text)) == vocabulary.decode(vocabulary.encode(text))


@given(words=st.lists(st.text("abc", min_size=2, max_size=4), min_size=1, unique=True), mark=st.booleans())
def test_a_vocabulary_of_words_does_not_become_one_of_characters(words, mark):
    options = {"unknown": "?", "padding": "<pad>"} if mark else {}
    vocabulary = Vocabulary.of(" ".join(words), split=str.split, **options)
    with pytest.raises(ValueError, match=r"^Vocabulary: token '\w+' is not one character, .* split=str.split"):
        Vocabulary(**vocabulary.state_dict())
    again = Vocabulary(**vocabulary.state_dict(), split=str.split)
    np.testing.assert_array_equal(again.encode(" ".join(words)), vocabulary.encode(" ".join(words)))
    one_letter = Vocabulary.of("a b", split=str.split, separator=" ", **options)
    with pytest.raises(ValueError, match=r"^Vocabulary: separator is ' ', .* split=str.split"):
        Vocabulary(**one_letter.state_dict())


def test_tokens_of_numpy_become_plain_text():
    vocabulary = Vocabulary(np.array(["a", "b"]))
    assert vocabulary.tokens == ("a", "b") and {*map(type, vocabulary.tokens)} == {str}
    assert {*map(type, vocabulary.state_dict()["tokens"])} == {str}


@given(text=texts, mark=st.booleans())
def test_a_vocabulary_of_characters_needs_no_split(text, mark):
    options = {"unknown": "<unk>", "padding": "<pad>"} if mark else {}
    vocabulary = Vocabulary.of(text, **options)
    np.testing.assert_array_equal(Vocabulary(**vocabulary.state_dict()).encode(text), vocabulary.encode(text))


def test_texts_may_be_split_already():
    texts = [["the", "cat"], ["a", "cat"]]
    assert Vocabulary.of(texts).tokens == ("a", "cat", "the")


def test_a_text_in_place_of_a_token_is_warned_of():
    words = Vocabulary.of(["the cat sat", "a dog"], split=str.split, separator=" ", unknown="?")
    with pytest.warns(UserWarning, match=r"^Vocabulary: 'the cat sat' counts as one unknown .* for text in texts\]$"):
        assert words.encode(["a", "the cat sat"]).tolist() == [words.ids["a"], 0]
    assert words.encode(["a", "fish"]).tolist() == [words.ids["a"], 0]  # a warning would be an error


@pytest.mark.parametrize("error, says, make", [
    (ValueError, r"'a' comes twice, at 0 and 2", lambda: Vocabulary("aba")),
    (TypeError, r"must be a str, got 1 at position 1", lambda: Vocabulary(["a", 1])),
    (TypeError, r"must be a str, got \[\] at position 0", lambda: Vocabulary([[]])),
    (TypeError, r"must be a str, got 1 at position 1", lambda: Vocabulary("a", unknown="a").encode(["a", 1])),
    (TypeError, r"must be a str, got 2 at position 0", lambda: Vocabulary.of("a", unknown=2)),
    (TypeError, r"text or tokens must be in a list, got None", lambda: Vocabulary(None)),
    (TypeError, r"text or tokens must be in a list, got 3", lambda: Vocabulary("ab").encode(3)),
    (TypeError, r"text or tokens must be in a list, got 7", lambda: Vocabulary("ab", split=lambda text: 7).encode("a")),
    (TypeError, r"a set has no order", lambda: Vocabulary({"a", "b"})),
    (TypeError, r"a set has no order", lambda: Vocabulary(frozenset("ab"))),
    (TypeError, r"texts must be in a list, got 1", lambda: Vocabulary.of(1)),
    (TypeError, r"separator must be a str, got None", lambda: Vocabulary("ab", separator=None)),
    (TypeError, r"split must be a function .*'words'", lambda: Vocabulary("ab", split="words")),
    (TypeError, r"split must be a function .*None", lambda: Vocabulary.of("ab", split=None)),
    (TypeError, r"min_count must be an int, got '2'", lambda: Vocabulary.of("ab", min_count="2")),
    (ValueError, r"padding=\[\] is not among", lambda: Vocabulary("ab", padding=[])),
    (ValueError, r"padding='#' is not among the 2", lambda: Vocabulary("ab", padding="#")),
    (ValueError, r"unknown='#' is not among the 2", lambda: Vocabulary("ab", unknown="#")),
    (ValueError, r"padding and unknown are both 'a'", lambda: Vocabulary("ab", padding="a", unknown="a")),
    (ValueError, r"the text has the token '\?'", lambda: Vocabulary.of("who?", unknown="?")),
    (ValueError, r"min_count=2 .* unknown=", lambda: Vocabulary.of("who", min_count=2)),
    (IndexError, r"id 3 at position 1, but there are 2", lambda: Vocabulary("ab").decode([0, 3])),
    (IndexError, r"id -1 at position 0", lambda: Vocabulary("ab").decode(np.array([-1]))),
    (TypeError, r"float32 of \(1,\)", lambda: Vocabulary("ab").decode([0.0])),
    (TypeError, r"int64 of \(1, 1\)", lambda: Vocabulary("ab").decode([[0]])),
    (ValueError, r"ids must have at least one axis", lambda: Vocabulary("ab").decode(0)),
])  # fmt: skip
def test_what_is_no_vocabulary_or_no_id_is_said(error, says, make):
    with pytest.raises(error, match=f"^Vocabulary: .*{says}"):
        make()
