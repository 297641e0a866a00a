"""A column as codes into its sorted distinct labels: what every table of judgments is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

Codes = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Column:
    """``labels[codes]`` is the column; ``labels`` are sorted, distinct and all in use."""

    labels: NDArray[Any]
    codes: Codes

    @classmethod
    def of(cls, entries: ArrayLike) -> Column:
        """Encode one column of numbers or texts. Linear time where hashing or a table will do."""
        array = np.asarray(entries)
        if array.dtype.kind in "iu" and len(array) and _is_dense(array):
            return cls._from_table(array)
        if array.dtype.kind == "U":
            return cls.of_text(pa.array(array.tolist(), pa.string()))
        labels, codes = np.unique(array, return_inverse=True)
        return cls(labels, codes.astype(np.int64))

    @classmethod
    def of_text(cls, text: pa.Array) -> Column:
        """Encode an Arrow array of strings without nulls; the labels are Python strings."""
        encoded = text.dictionary_encode()
        words = np.array(encoded.dictionary.to_pylist(), dtype=object)
        return cls(words, encoded.indices.to_numpy().astype(np.int64))._sorted()

    @classmethod
    def _from_table(cls, numbers: NDArray[Any]) -> Column:
        lowest = numbers.min()
        places = (numbers - lowest).astype(np.int64)
        used = np.bincount(places) > 0
        labels = (np.flatnonzero(used) + int(lowest)).astype(numbers.dtype)
        return cls(labels, (np.cumsum(used) - 1)[places])

    def relabelled(self, labels: ArrayLike) -> Column:
        """The same rows with ``labels[k]`` for the k-th label; equal new labels become one."""
        distinct, places = np.unique(np.asarray(labels), return_inverse=True)
        return Column(distinct, places.astype(np.int64)[self.codes])

    def _sorted(self) -> Column:
        order = np.argsort(self.labels, kind="stable")
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order))
        return Column(self.labels[order], place[self.codes])


def _is_dense(numbers: NDArray[Any]) -> bool:
    """Whether a table from the lowest to the highest is no larger than the column itself, four times over."""
    return int(numbers.max()) - int(numbers.min()) < 4 * len(numbers) + 1000
