"""Which answer row stands for which gold row: one to one, with the largest total weight."""

from __future__ import annotations

from collections.abc import Sequence

Weights = Sequence[Sequence[int]]


def best_assignment(weights: Weights) -> list[tuple[int, int]]:
    """Returns pairs (row, column), each used at most once, whose weights add up to the most.

    Args:
        weights: [row][column], at least 0; pairs of weight 0 are assigned too.

    Source: the Hungarian method with potentials, O(rows^2 * columns).
    """
    if not weights or not weights[0]:
        return []
    if len(weights) > len(weights[0]):
        turned = best_assignment(list(zip(*weights, strict=True)))
        return sorted((row, column) for column, row in turned)
    num_columns = len(weights[0])
    row_price = [0] * (len(weights) + 1)
    column_price = [0] * (num_columns + 1)
    row_of = [0] * (num_columns + 1)  # 1-based; column 0 holds the row that is being placed
    for row in range(1, len(weights) + 1):
        row_of[0] = row
        _place(weights, row_price, column_price, row_of)
    return sorted((row_of[c] - 1, c - 1) for c in range(1, num_columns + 1) if row_of[c])


def _place(
    weights: Weights, row_price: list[int], column_price: list[int], row_of: list[int]
) -> None:
    """Places the row in `row_of[0]` by a shortest augmenting path over reduced costs."""
    num_columns = len(row_of) - 1
    distance: list[float] = [float("inf")] * (num_columns + 1)
    came_from = [0] * (num_columns + 1)
    visited = [False] * (num_columns + 1)
    column = 0
    while row_of[column]:
        visited[column] = True
        row, nearest, step = row_of[column], 0, float("inf")
        for other in range(1, num_columns + 1):
            if visited[other]:
                continue
            reduced = -weights[row - 1][other - 1] - row_price[row] - column_price[other]
            if reduced < distance[other]:
                distance[other], came_from[other] = reduced, column
            if distance[other] < step:
                step, nearest = distance[other], other
        for other in range(num_columns + 1):
            if visited[other]:
                row_price[row_of[other]] += int(step)
                column_price[other] -= int(step)
            else:
                distance[other] -= step
        column = nearest
    while column:
        row_of[column] = row_of[came_from[column]]
        column = came_from[column]
