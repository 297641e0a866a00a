"""Cut requests into batches of similar length, so that little time goes into padding."""

from collections.abc import Sequence


def cut_by_length(lengths: Sequence[int], max_rows: int, max_cells: int) -> list[list[int]]:
    """Return positions in `lengths`, grouped: the longest first, so that a batch too large shows at once.

    A batch holds at most max_rows rows and rows x longest <= max_cells, but never less than one row.
    """
    batches: list[list[int]] = []
    for position in sorted(range(len(lengths)), key=lambda at: (-lengths[at], at)):
        current = batches[-1] if batches else []
        is_full = (
            not current or len(current) >= max_rows or (len(current) + 1) * lengths[current[0]] > max_cells
        )
        if is_full:
            batches.append([position])
        else:
            current.append(position)
    return batches
