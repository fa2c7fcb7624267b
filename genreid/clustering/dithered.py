"""Rows rounded to seven bits in int8, whose products processors have faster than any others.

Seven bits are few, so two things are done first. The rows are turned, all alike, by random signs and
Hadamard's matrix (a randomised Hadamard transform): products stay as they are, and no number of a row is much
larger than the others, whatever the embeddings were, so that 126 steps go a long way. And a number is rounded
up or down by chance, up the oftener the nearer it is to the step above (stochastic rounding, one dither for
all rows): the errors of a row's numbers are then independent and zero on average, and add up like a random
walk.

With b = x + e and steps of length s, bᵢ·bⱼ − xᵢ·xⱼ = eᵢ·xⱼ + xᵢ·eⱼ + eᵢ·eⱼ. By Hoeffding's inequality
(Hoeffding 1963, theorem 2; an error has two values s apart) |eᵢ·xⱼ| exceeds s·|xⱼ|·√(L/2) with a probability
of at most 2·exp(−L). L is such that any of a search's N² products does so in one search of 10⁹.
|eᵢ·eⱼ| is at most |eᵢ||eⱼ|, which are measured. In all that is 0.021 for unit rows of 2048 numbers, where the
inequality of Cauchy and Schwarz would give 0.08 for the same rows. The chance is that of the dither, which is
drawn from a seed and knows nothing of the rows.

Seven bits and not eight, because kernels for AVX2 add two products in 16 bits, one factor raised by 128, and
cut off what does not fit: 2 · (63 + 128) · 63 = 24,066 does.

Shapes: N rows x of D numbers.
"""

from __future__ import annotations

import numpy as np
import torch
from numba import njit

from genreid.clustering.similarity import product_error
from genreid.clustering.threads import map_row_chunks

MISTAKE = 1e-9
"""Probability that a product of a search is off by more than its bound."""

_STEPS = 63
"""The largest number of a rounded row."""

_ABOVE_ZERO = 128
"""Added before numbers are cut off and taken away again, since positive ones are cut off downwards."""

_REACH = 6.25
"""Numbers of a turned row that are expected, in standard deviations: a normal one in 2·10⁹ is larger."""

_SHORTEST_LOOP = 16
"""Numbers that are added side by side. In wide rows the shorter loops are left out: they take as long as all
others together, and numbers that lie so close together in a row need not be mixed."""

_WIDE = 1024


def dithered_rows(rows: np.ndarray) -> tuple[torch.Tensor, float, float]:
    """Rows (N, D) of length about 1 in int8: (N, D') with D' ≥ D, unit, error.

    A product of two, times `unit`, is that of the rows but for `error`.
    """
    num, width = rows.shape
    step = usual_step(width)
    rounded, highest = round_rows(rows, step)
    if (wider := wide_enough(step, highest)) > step:
        step = wider
        rounded, highest = round_rows(rows, step)
    return rounded, *unit_and_error(step, highest, num, width)


def usual_step(width: int) -> np.float64:
    """The length of a step that nearly all rows of D numbers fit with."""
    return np.float64(_REACH / np.sqrt(_blocks(width)[1]) / _STEPS)


def round_rows(rows: np.ndarray, step: np.float64) -> tuple[torch.Tensor, np.ndarray]:
    """(N, D') int8, each row by itself, and what `wide_enough` and `unit_and_error` want to know.

    The latter is (3,), of which a set's is the maximum of its parts'. Rows that the step is too short for are
    not rounded.
    """
    num, width = rows.shape
    block, padded = _blocks(width)
    first = _SHORTEST_LOOP if width >= _WIDE else 1
    rng = np.random.default_rng(0)
    signs = rng.choice(np.array([-1, 1], np.float32), padded)
    dither = rng.random(padded, dtype=np.float32) + np.float32(_ABOVE_ZERO)
    scaled_signs = signs / np.float32(step * np.sqrt(block // first))
    rounded = np.zeros((num, padded), np.int8)

    def work(start: int, stop: int) -> np.ndarray:
        found: np.ndarray = _round(rows, scaled_signs, dither, block, first, rounded, start, stop)
        return found

    highest: np.ndarray = np.max(map_row_chunks(work, num), axis=0)
    return torch.from_numpy(rounded), highest


def wide_enough(step: np.float64, highest: np.ndarray) -> np.float64:
    """The step, or a longer one where it does not reach the largest number."""
    return step if highest[0] <= _STEPS else np.float64(step * (1.001 * highest[0] / _STEPS))


def unit_and_error(step: np.float64, highest: np.ndarray, num: int, width: int) -> tuple[float, float]:
    """Those of `dithered_rows`, for N rows rounded with this step."""
    longest, error = np.sqrt(highest[1]) * step, np.sqrt(highest[2]) * step
    by_chance = step * np.sqrt(np.log(2 * num**2 / MISTAKE) / 2)
    bound = 2 * longest * min(by_chance, error) + error**2 + product_error(width)
    return float(step**2), float(bound)


def _blocks(width: int) -> tuple[int, int]:
    """Numbers that are mixed with one another, a power of two, and the width that is a multiple of it."""
    grain = max(_SHORTEST_LOOP, 2 ** (width.bit_length() - 1) // 8)
    padded = -(-width // grain) * grain
    return padded & -padded, padded


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def _round(
    rows: np.ndarray,
    signs: np.ndarray,
    dither: np.ndarray,
    block: int,
    first: int,
    rounded: np.ndarray,
    start: int,
    stop: int,
) -> np.ndarray:
    """Turn and round rows start..stop. Returns, in steps: the largest number of all, the largest squared
    length of a row, and that of its error. Where the first exceeds `_STEPS`, what was written is nothing.
    """
    width, padded = rows.shape[1], rounded.shape[1]
    turned = np.zeros(padded, np.float32)
    steps = np.empty(padded, np.int32)
    result = np.zeros(3, np.float32)
    for r in range(start, stop):
        for d in range(width):
            turned[d] = rows[r, d] * signs[d]
        turned[width:] = 0
        for begin in range(0, padded, block):
            _mix(turned[begin : begin + block], first)
        largest = np.float32(0)
        for d in range(padded):
            largest = max(largest, abs(turned[d]))
        result[0] = max(result[0], largest)
        if largest > _STEPS:
            continue
        # Loops of one kind each, so that they vectorise.
        for d in range(padded):
            steps[d] = np.int32(turned[d] + dither[d]) - np.int32(_ABOVE_ZERO)
        into = rounded[r]
        for d in range(padded):
            into[d] = np.int8(steps[d])
        length = error = np.float32(0)
        for d in range(padded):
            length += turned[d] * turned[d]
            apart = turned[d] - np.float32(steps[d])
            error += apart * apart
        result[1] = max(result[1], length)
        result[2] = max(result[2], error)
    return result


@njit(cache=True, nogil=True)
def _mix(row: np.ndarray, first: int) -> None:
    """Multiply the row by Hadamard's matrix, in place, numbers of a distance below `first` left apart.

    Two levels at a time, which spares half of the way to and from the cache.
    """
    num, half = row.shape[0], first
    while 2 * half < num:
        for begin in range(0, num, 4 * half):
            a, b = row[begin : begin + half], row[begin + half : begin + 2 * half]
            c, d = row[begin + 2 * half : begin + 3 * half], row[begin + 3 * half : begin + 4 * half]
            for j in range(half):
                sum_1, difference_1 = a[j] + b[j], a[j] - b[j]
                sum_2, difference_2 = c[j] + d[j], c[j] - d[j]
                a[j], c[j] = sum_1 + sum_2, sum_1 - sum_2
                b[j], d[j] = difference_1 + difference_2, difference_1 - difference_2
        half *= 4
    if half < num:
        a, b = row[:half], row[half:]
        for j in range(half):
            a[j], b[j] = a[j] + b[j], a[j] - b[j]
