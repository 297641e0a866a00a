"""Which language each of many texts is in, computed for all of them together.

The same model and the same steps as `py3langid` takes for one text (multinomial naive Bayes over byte n-grams
that an automaton finds), but the automaton walks along all texts at once. Per text it takes some hundredth
of the time. Sums of floating-point numbers are added in another order, so a probability may differ in its
sixth digit: whoever compares it with a limit asks `py3langid` itself where it is that close.
"""

from collections.abc import Sequence

import numpy as np
from py3langid.langid import LanguageIdentifier
from scipy.sparse import csr_array

AT_ONCE = 500  # texts; keeps what is in memory to some megabytes


class ManyTexts:
    """Probabilities of an identifier's languages; `labels` names the columns."""

    def __init__(self, identifier: LanguageIdentifier):
        self.encode = identifier._encode
        self.moves = np.asarray(identifier.tk_nextmove)
        self.rows = np.asarray(identifier.tk_row, dtype=np.int32) << 8
        self.features = np.asarray(identifier.tk_output)
        self.weights = np.asarray(identifier.nb_ptc)
        self.prior = np.asarray(identifier.nb_pc)
        self.labels = list(identifier.nb_classes)
        self.again = identifier._alias_pairs  # (first, second) column of a label that has two

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """One row a text, one column a label; of a label with two columns the second is 0."""
        blocks = [self._block(texts[at : at + AT_ONCE]) for at in range(0, len(texts), AT_ONCE)]
        return np.concatenate(blocks) if blocks else np.empty((0, len(self.labels)), dtype=np.float32)

    def _block(self, texts: Sequence[str]) -> np.ndarray:
        encoded = [self.encode(text) for text in texts]
        lengths = np.array([len(text) for text in encoded])
        order = np.argsort(-lengths, kind="stable")
        scores, has_any = self._scores([encoded[at] for at in order], lengths[order])
        scores[~has_any] = 0.0  # nothing that tells: all languages alike
        scores *= (1 / np.sqrt(np.maximum(lengths[order], 1)))[:, None].astype(np.float32)
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        found = np.empty_like(scores)
        found[order] = scores / scores.sum(axis=1, keepdims=True)
        for first, second in self.again:
            found[:, first] += found[:, second]
            found[:, second] = 0.0
        return found

    def _scores(self, encoded: Sequence[bytes], lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of each text, and whether it has any feature. Of the many weights only those needed are read."""
        texts, features = self._seen(encoded, lengths)
        known = np.flatnonzero(np.bincount(features, minlength=1))
        place = np.empty(known[-1] + 1 if len(known) else 1, dtype=np.int32)
        place[known] = np.arange(len(known), dtype=np.int32)
        once = np.ones(len(features), dtype=np.float32)
        counts = csr_array((once, (texts, place[features])), shape=(len(encoded), len(known)))  # adds them up
        np.log1p(counts.data, out=counts.data)
        return counts @ self.weights[known].astype(np.float32) + self.prior, np.diff(counts.indptr) > 0

    def _seen(self, encoded: Sequence[bytes], lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(text, feature) wherever the automaton finds one; texts come longest first."""
        longest = int(lengths[0]) if len(lengths) else 0
        letters = np.zeros((len(encoded), longest), dtype=np.uint8)
        for row, text in enumerate(encoded):
            letters[row, : len(text)] = np.frombuffer(text, dtype=np.uint8)
        letters = np.ascontiguousarray(letters.T)
        seen = np.full((longest, len(encoded)), -1, dtype=np.int32)
        states = np.zeros(len(encoded), dtype=np.int64)
        going_on = np.searchsorted(-lengths, -np.arange(longest), side="left")  # texts longer than the place
        for place, reach in enumerate(going_on):
            states[:reach] = self.moves[self.rows[states[:reach]] + letters[place, :reach]]
            seen[place, :reach] = self.features[states[:reach]]
        places, texts = np.nonzero(seen >= 0)
        return texts, seen[places, texts]
