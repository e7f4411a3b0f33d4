"""From text to numbers and back: the id of a token is its position in the list of tokens.

`split` defines the tokens: characters (`list`, the default, which works for Chinese as well as for English), words
(`str.split`) or what your own tokenizer makes. Ids are names, not quantities: if "cat" is 1 and "dog" is 2, a dog is
not two cats. So a layer reads them through `nn.Embedding` or `ts.one_hot`.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from tinygrad_seq.data.arrays import as_array, listed
from tinygrad_seq.engine.arguments import at_least
from tinygrad_seq.engine.backend import host
from tinygrad_seq.engine.callers import Constructed, known_arguments, warn


def tokens_of(text: Any, split: Callable[[str], Iterable[str]] = list) -> list[str]:
    """Return the tokens of a text, or tokens that are split already; refuse what is neither."""
    tokens = listed("Vocabulary", "text or tokens", split(text) if isinstance(text, str) else text)
    if {*map(type, tokens)} <= {str}:
        return tokens
    for position, token in enumerate(tokens):
        if not isinstance(token, str):
            raise TypeError(f"Vocabulary: a token must be a str, got {token!r:.60} at position {position}")
    return [*map(str, tokens)]  # NumPy's are a class of their own, which `ts.save` does not know


class Vocabulary(Constructed):
    """Map tokens to ids and back: a token's id is its position in a list without repeats.

    `split` takes a text apart into tokens. It may be left out where every token is one character and there is no
    separator. `separator` is put between the tokens when ids become text again. `padding` and `unknown` name two of
    the tokens: padding is left out of decoded text, and unknown replaces every token that is not in the list.
    `vocabulary.tokens` is the list, `vocabulary.ids` the ids by token, `len(vocabulary)` their number.

    Raises ValueError for a token that comes twice, a special token that is not in the list, or a `split` that is
    missing; TypeError for a token that is not a str, and for a set, which has no order.

    >>> import tinygrad_seq as ts
    >>> vocabulary = ts.data.Vocabulary.of("你好,你好吗")
    >>> vocabulary.tokens, len(vocabulary), "好" in vocabulary
    ((',', '你', '吗', '好'), 4, True)
    >>> vocabulary.encode("你好吗")
    array([1, 3, 2])
    >>> vocabulary.decode([1, 3, 2])
    '你好吗'
    """

    def __init__(
        self,
        tokens: Iterable[str],
        *,
        split: Callable[[str], Iterable[str]] | None = None,
        separator: str = "",
        padding: str | None = None,
        unknown: str | None = None,
    ) -> None:
        if isinstance(tokens, set | frozenset):  # a set of strings has another order in every run of Python
            raise TypeError("Vocabulary: a set has no order, so ids would change from run to run: pass sorted(tokens)")
        self.tokens = tuple(tokens_of(tokens))
        self.ids: dict[str, int] = {}
        for number, token in enumerate(self.tokens):
            if token in self.ids:
                raise ValueError(f"Vocabulary: token {token!r} comes twice, at {self.ids[token]} and {number}")
            self.ids[token] = number
        for name, special in (("padding", padding), ("unknown", unknown)):
            if special is not None and (not isinstance(special, str) or special not in self.ids):
                raise ValueError(f"Vocabulary: {name}={special!r} is not among the {len(self)} tokens")
        if padding is not None and padding == unknown:
            raise ValueError(f"Vocabulary: padding and unknown are both {padding!r}")
        if not isinstance(separator, str):
            raise TypeError(f"Vocabulary: separator must be a str, got {separator!r:.60}")
        if split is None:  # as where a state was loaded and no split given: right for a vocabulary of characters only
            split, words = list, [token for token in self.tokens if len(token) != 1 and token not in (padding, unknown)]
            if words or separator:
                what = f"token {words[0]!r:.60} is not one character" if words else f"separator is {separator!r:.60}"
                raise ValueError(
                    f"Vocabulary: {what}, so say how texts are taken apart: split=str.split for words, split=list "
                    "for characters (a state does not hold `split`, which is code)"
                )
        elif not callable(split):
            raise TypeError(f"Vocabulary: split must be a function from text to tokens, got {split!r:.60}")
        self.split, self.separator, self.padding, self.unknown = split, separator, padding, unknown

    @classmethod
    @known_arguments
    def of(
        cls,
        text: str | Iterable[str],
        *,
        split: Callable[[str], Iterable[str]] = list,
        separator: str = "",
        padding: str | None = None,
        unknown: str | None = None,
        min_count: int = 1,
    ) -> "Vocabulary":
        """Return the vocabulary of a text, or of several: padding, unknown, then the tokens in alphabetical order.

        A token that comes fewer than `min_count` times is left out, so that there is something for `unknown` to learn
        from. Raises ValueError where the text itself has a token that was meant to be special, and for a `min_count`
        without `unknown`.

        >>> import tinygrad_seq as ts
        >>> words = ts.data.Vocabulary.of("the cat and the dog", split=str.split, separator=" ", unknown="?")
        >>> words.tokens
        ('?', 'and', 'cat', 'dog', 'the')
        >>> words.decode(words.encode("the dog and the fish"))
        'the dog and the ?'
        """
        (min_count,) = at_least(1, "Vocabulary", min_count=min_count)
        if not callable(split):
            raise TypeError(f"Vocabulary: split must be a function from text to tokens, got {split!r:.60}")
        if min_count > 1 and unknown is None:
            raise ValueError(
                f"Vocabulary: min_count={min_count} leaves tokens out, and needs unknown= to stand for them"
            )
        texts = [text] if isinstance(text, str) else listed("Vocabulary", "texts", text)
        counts = Counter(token for one in texts for token in tokens_of(one, split))
        special = tokens_of(token for token in (padding, unknown) if token is not None)
        for token in special:
            if token in counts:
                raise ValueError(f"Vocabulary: the text has the token {token!r}, which is to be special; name another")
        found = sorted(token for token, count in counts.items() if count >= min_count)
        return cls(special + found, split=split, separator=separator, padding=padding, unknown=unknown)

    def encode(self, text: str | Iterable[str]) -> Any:
        """Return the ids of a text's tokens, int64 (tokens,); also of tokens that are split already.

        Raises ValueError for a token that is not in the vocabulary, naming it and its position, unless there is an
        unknown token to stand for it. Warns if that stands for what `split` takes apart, such as a whole text.

        >>> import tinygrad_seq as ts
        >>> ts.data.Vocabulary("abc").encode("cab")
        array([2, 0, 1])
        """
        tokens = tokens_of(text, self.split)
        unknown = () if isinstance(text, str) or self.unknown is None else [t for t in tokens if t not in self.ids]
        if (whole := next((token for token in unknown if len([*self.split(token)]) > 1), None)) is not None:
            warn(
                f"Vocabulary: {whole!r:.60} counts as one unknown token, though `split` takes it apart: encode takes "
                "one text, or its tokens; for several texts write [vocabulary.encode(text) for text in texts]"
            )
        other = None if self.unknown is None else self.ids[self.unknown]
        ids = [self.ids.get(token, other) for token in tokens]
        if None in ids:
            position = ids.index(None)
            raise ValueError(
                f"Vocabulary: token {tokens[position]!r} at position {position} is not among the {len(self)} tokens; "
                "build the vocabulary from a text that has it, or give it a token for the others, unknown=..."
            )
        return host.array(ids, dtype="int64")

    def decode(self, ids: Any) -> str:
        """Return the text of ids (tokens,): the tokens with the separator between them, without the padding.

        decode(encode(text)) is the text again if all its tokens are known and `separator` is what `split` took out.
        Raises IndexError for an id out of range, naming its position; TypeError for anything but a list of ints.

        >>> import tinygrad_seq as ts
        >>> ts.data.Vocabulary(["<pad>", "a", "b"], padding="<pad>").decode([2, 1, 0, 0])
        'ba'
        """
        array = as_array("Vocabulary", "ids", ids)
        if array.ndim != 1 or (array.dtype.kind not in "iu" and array.size):
            raise TypeError(f"Vocabulary: decode takes ints of shape (tokens,), got {array.dtype} of {array.shape}")
        numbers = array.tolist()
        for position, number in enumerate(numbers):
            if not 0 <= number < len(self):
                raise IndexError(f"Vocabulary: id {number} at position {position}, but there are {len(self)} tokens")
        return self.separator.join(self.tokens[n] for n in numbers if self.tokens[n] != self.padding)

    def state_dict(self) -> dict[str, Any]:
        """Return all but `split`, which is code, for `ts.save`; `Vocabulary(**state, split=...)` makes it again.

        >>> import tinygrad_seq as ts
        >>> ts.data.Vocabulary("ab").state_dict()
        {'tokens': ['a', 'b'], 'separator': '', 'padding': None, 'unknown': None}
        """
        plain = {"separator": self.separator, "padding": self.padding, "unknown": self.unknown}
        return {"tokens": list(self.tokens), **plain}

    def __len__(self) -> int:
        return len(self.tokens)

    def __contains__(self, token: object) -> bool:
        return token in self.ids

    def __repr__(self) -> str:
        return f"Vocabulary({len(self)} tokens)"
