"""What a figure shows of one cell of people: each value, a smooth density, the mean with its 95 % interval."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from rsconn.arrays import FloatArray

N_DENSITY_POINTS = 64
N_LINE_POINTS = 41

DISTRIBUTION_COLUMNS = (
    "panel", "axis_label", "axis_low", "axis_high", "group", "level", "kind",
    "participant_id", "value", "density", "n", "sd", "ci_low", "ci_high",
)  # fmt: skip


def compute_mean_interval(values: FloatArray, level: float = 0.95) -> tuple[float, float, float]:
    """Return the mean and its t interval.

    Parameters
    ----------
    values : float array (n,)
        Finite values; with fewer than two the interval is NaN.
    level : float
        Coverage of the interval.

    Examples
    --------
    >>> [round(bound, 3) for bound in compute_mean_interval(np.array([1.0, 2.0, 3.0]))]
    [2.0, -0.484, 4.484]
    """
    n = values.size
    mean = float(values.mean()) if n else math.nan
    if n < 2:
        return mean, math.nan, math.nan
    half = float(stdtrit(n - 1, (1 + level) / 2)) * float(values.std(ddof=1)) / math.sqrt(n)
    return mean, mean - half, mean + half


def compute_density(
    values: FloatArray, low: float = -math.inf, high: float = math.inf
) -> tuple[FloatArray, ...]:
    """Return a Gaussian kernel density (Silverman's bandwidth), scaled to a peak of 1, reflected at the bounds.

    Parameters
    ----------
    values : float array (n,)
        Finite values.
    low, high : float
        Bounds that no value can pass, such as a questionnaire's range; mass beyond them is folded back.

    Returns
    -------
    grid, density : float arrays (n_points,)
        Empty when fewer than three values or no spread make a density meaningless.
    """
    spread = float(values.std(ddof=1)) if values.size > 2 else 0.0
    if spread <= 0 or not math.isfinite(spread):
        return np.empty(0), np.empty(0)
    bandwidth = 0.9 * spread * values.size**-0.2
    start = max(low, float(values.min()) - 2 * bandwidth)
    stop = min(high, float(values.max()) + 2 * bandwidth)
    grid = np.linspace(start, stop, N_DENSITY_POINTS)
    mirrored = [values] + [2 * bound - values for bound in (low, high) if math.isfinite(bound)]
    distance = (grid[:, None] - np.concatenate(mirrored)[None, :]) / bandwidth
    density = np.exp(-0.5 * distance**2).sum(axis=1)
    return grid, density / density.max()


def compute_line(
    x: FloatArray, y: FloatArray, level: float = 0.95, *, n_parameters: int = 2
) -> tuple[FloatArray, ...]:
    """Return the least-squares line of y on x with the pointwise interval of its mean.

    Parameters
    ----------
    x, y : float arrays (n,)
        Finite values.
    level : float
        Coverage of the interval.
    n_parameters : int
        Coefficients that the residuals have paid for: more than two where x and y were adjusted before.

    Returns
    -------
    grid, fitted, low, high : float arrays (n_points,)
        Over the range of x; empty where nothing is left to estimate the error from, or x is constant.

    Examples
    --------
    >>> grid, fitted, low, high = compute_line(np.array([0.0, 1, 2, 3]), np.array([1.0, 3, 5, 7]))
    >>> float(grid[-1]), round(float(fitted[-1]), 6)
    (3.0, 7.0)
    """
    n = x.size
    dof = n - n_parameters
    if dof < 2 or np.ptp(x) == 0:
        return (np.empty(0),) * 4
    centred = x - x.mean()
    sum_squares = float(centred @ centred)
    slope = float(centred @ y) / sum_squares
    residuals = y - y.mean() - slope * centred
    variance = float(residuals @ residuals) / dof
    grid = np.linspace(x.min(), x.max(), N_LINE_POINTS)
    fitted = y.mean() + slope * (grid - x.mean())
    std_error = np.sqrt(variance * (1 / n + (grid - x.mean()) ** 2 / sum_squares))
    half = float(stdtrit(dof, (1 + level) / 2)) * std_error
    return grid, fitted, fitted - half, fitted + half


def tabulate_cell(
    people: pd.DataFrame, column: str, *, low: float = -math.inf, high: float = math.inf
) -> pd.DataFrame:
    """Return the rows that draw one cell: kinds `person`, `density` and `mean`.

    Parameters
    ----------
    people : DataFrame
        One row per person with `participant_id` and `column`; rows without a value are left out.
    column : str
        What is shown.
    low, high : float
        Bounds of the measure, where it has any.
    """
    kept = people.loc[np.isfinite(people[column].to_numpy(dtype=float)), ["participant_id", column]]
    values = kept[column].to_numpy(dtype=float)
    grid, density = compute_density(values, low, high)
    mean, ci_low, ci_high = compute_mean_interval(values)
    persons = pd.DataFrame({"kind": "person", "participant_id": kept["participant_id"], "value": values})
    curve = pd.DataFrame({"kind": "density", "value": grid, "density": density})
    summary = {
        "kind": "mean", "value": mean, "n": values.size, "ci_low": ci_low, "ci_high": ci_high,
        "sd": float(values.std(ddof=1)) if values.size > 1 else math.nan,
    }  # fmt: skip
    return pd.concat([persons, curve, pd.DataFrame([summary])], ignore_index=True)
