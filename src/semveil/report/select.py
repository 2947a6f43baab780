"""Choosing records: a frame of them, the strongest Eve, Bob's own SNR, what guessing gets."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import pandas as pd

from semveil.metrics import MAIN, metric_of
from semveil.metrics.intervals import hierarchical
from semveil.records import FIELDS, Estimate, Record, SystemName

NUMERIC = (
    "train_snr_db",
    "test_snr_db",
    "latent_dim",
    "bandwidth_ratio",
    "psr_db",
    "image_class",
    "value",
    "ci_low",
    "ci_high",
)

# Which system was measured: its label, and the fields behind it.
IDENTITY = ("system", "scheme", "variant", "control", "training", "params")

# Two Eves compete with each other only if all of these agree. "run" is there when several run
# folders are compared in one frame.
CONTEST = (
    "run",
    "study",
    *IDENTITY,
    "dataset",
    "channel",
    "train_snr_db",
    "test_snr_db",
    "latent_dim",
    "protocol",
    "psr_db",
    "target",
    "metric",
    "image_class",
    "seed",
)

# What sets a measurement apart from others before the scheme does: figures give each a panel.
SETTING = ("run", "study", "dataset", "channel")


def frame(records: Iterable[Record]) -> pd.DataFrame:
    """Return records as a data frame, one row each.

    Args:
        records: Any number of records, also none.

    Returns:
        The columns of `Record` in order, of which ``params`` is canonical JSON; ``system``, the
        label that tables group by and figures name; and ``params.<key>`` for every key that
        occurs, a list in it as JSON. Numbers are floats; what is missing is NaN or None.

    Example:
        >>> bob = Record(scheme="multitask", dataset="digits", channel="awgn/perfect", role="bob",
        ...     metric="accuracy", value=0.9, n=100, seed=0)
        >>> frame([bob])["value"].tolist()
        [0.9]
    """
    rows = [_row(record) for record in records]
    keys = dict.fromkeys(key for row in rows for key in row if key not in FIELDS)
    table = pd.DataFrame(rows, columns=list(dict.fromkeys([*FIELDS, "system", *keys])))
    return table.astype(dict.fromkeys(NUMERIC, float))


def _row(record: Record) -> dict[str, Any]:
    params = record.params or {}
    row = {name: getattr(record, name) for name in FIELDS}
    row |= {"params": canonical(params) if params else None, "system": record.system.label}
    for key, value in params.items():
        row[f"params.{key}"] = canonical(value) if isinstance(value, list | tuple) else value
    return row


def name_of(row: pd.Series) -> SystemName:
    """Return which system a row of :func:`frame` is of."""
    plain = {key: None if pd.isna(row[key]) else row[key] for key in IDENTITY[1:]}
    return SystemName(**{**plain, "params": json.loads(plain["params"] or "{}")})


def titles(table: pd.DataFrame) -> dict[str, str]:
    """Return the name in words of each system of a frame by its label.

    A system that a comparison renamed keeps the name that it was given.
    """
    found = {}
    for _, row in table.drop_duplicates("system").iterrows():
        name, label = name_of(row), str(row["system"])
        found[label] = name.title if label == name.label else label
    return found


def canonical(value: Any) -> str:
    """Return params, or one of them, as JSON that is the same for equal ones."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def where(
    table: pd.DataFrame, *, image_class: int | Literal["any"] | None = None, **wanted: Any
) -> pd.DataFrame:
    """Return the rows whose columns equal the wanted values; missing equals missing.

    Unless a class of images is named, or ``"any"``, rows of single classes are left out.
    """
    if image_class != "any" and "image_class" in table.columns:
        wanted["image_class"] = image_class
    keep = pd.Series(True, index=table.index)
    for column, value in wanted.items():
        keep &= table[column].isna() if pd.isna(value) else table[column] == value
    return table[keep]


def first(table: pd.DataFrame, **wanted: Any) -> pd.Series | None:
    """Return the first row with a number of those that :func:`where` returns; None without one."""
    found = where(table, **wanted)
    found = found[found["value"].notna()]
    return None if found.empty else found.iloc[0]


def estimate(table: pd.DataFrame, **wanted: Any) -> Estimate | None:
    """Return the first number whose columns equal the wanted values; None without one."""
    row = first(table, **wanted)
    return None if row is None else estimate_of(row)


def estimate_of(row: pd.Series | Mapping[str, Any]) -> Estimate:
    """Return the number in a row of a frame; without an interval, its ends are the value itself."""
    value, low, high = (float(row[key]) for key in ("value", "ci_low", "ci_high"))
    return Estimate(
        value, value if pd.isna(low) else low, value if pd.isna(high) else high, int(row["n"])
    )


def present(table: pd.DataFrame, columns: Iterable[str]) -> list[str]:
    """Return those of the columns that the frame has, in the order asked for."""
    return [column for column in columns if column in table.columns]


def varying(table: pd.DataFrame, columns: Iterable[str]) -> list[str]:
    """Return the columns in which rows differ: what a title has to say."""
    return [column for column in columns if table[column].nunique(dropna=False) > 1]


def strongest(table: pd.DataFrame) -> pd.DataFrame:
    """Keep, of the Eves that listened under the same circumstances, the one that got the most.

    Every seed has its own strongest Eve. Where some seeds were spared some Eves, the Eves compete
    who attacked all seeds. Others count where they get more than these on the seeds they attacked,
    and more than these over all seeds: then the other seeds do not count, since a mean with the
    weaker Eves there would understate her.
    """
    eves = table[table["role"] == "eve"]
    less = [name for name in eves["metric"].unique() if not metric_of(name).higher_is_better]
    gain = eves["value"].where(~eves["metric"].isin(less), -eves["value"])
    # An Eve without a number, say one whose training diverged, never wins.
    keep = _competing(eves, gain) & gain.notna()
    # A stable sort keeps the first of equals, so that the choice does not hang on pandas.
    ranked = eves.loc[gain[keep].sort_values(ascending=False, kind="stable").index]
    return ranked.drop_duplicates(present(table, CONTEST)).sort_index()


def _competing(eves: pd.DataFrame, gain: pd.Series) -> pd.Series:
    """Tell of each Eve's row whether its seed and its Eve count."""
    keep = pd.Series(True, index=eves.index)
    if eves["seed"].nunique() < 2:
        return keep
    contest = [name for name in present(eves, CONTEST) if name != "seed"]
    for rows in eves.groupby(contest, dropna=False, sort=False).groups.values():
        seed, adversary = eves.loc[rows, "seed"], eves.loc[rows, "adversary"].fillna("")
        grid = gain[rows].groupby([seed, adversary]).max().unstack()
        tried = gain[rows].groupby([seed, adversary]).size().unstack().notna()
        if not tried.all(axis=None):
            seeds, names = _counting(grid, tried)
            keep[rows] = seed.isin(seeds) & adversary.isin(names)
    return keep


def _counting(grid: pd.DataFrame, tried: pd.DataFrame) -> tuple[pd.Index, pd.Index]:
    """Return the seeds and the Eves that count, of what each Eve gained on the seeds she tried."""
    found: tuple[pd.Index, pd.Index] | None = None
    for _, of in sorted(tried.items(), key=lambda item: -int(item[1].sum())):
        seeds = tried.index[of]
        names = tried.columns[tried.loc[seeds].all()]
        if found is None:
            found = seeds, names
            continue
        here = _mean_of_best(grid, seeds, names)
        if here > max(_mean_of_best(grid, *found), _mean_of_best(grid, seeds, found[1])):
            found = seeds, names
    assert found is not None
    return found


def _mean_of_best(grid: pd.DataFrame, seeds: pd.Index, names: pd.Index) -> float:
    """Return the mean over seeds of the most that any of the Eves gained."""
    mean = grid.loc[seeds, names].max(axis=1).mean()
    return -math.inf if pd.isna(mean) else float(mean)


def floor(table: pd.DataFrame, metric: str, **context: Any) -> float | None:
    """Return a metric's floor: what a party reaches who receives nothing."""
    # It belongs to the data more than to a scheme: records of it are narrowed by each part of the
    # context, the most important first, while some of them agree.
    kind, accuracy = metric_of(metric), metric_of(MAIN["label"])
    if kind.floor_value is not None:
        return kind.floor_value
    known = table[(table["role"] == "system") & table["value"].notna()]
    for name in kind.floors:
        found = _narrowed(where(known, metric=name), context)
        if not found.empty:
            return float(found["value"].median())
    if kind.floors != accuracy.floors:
        return None
    # Records of attacks hold the classes' sizes: the largest class's share of the test images.
    of_classes = where(table, metric=accuracy.name, image_class="any").dropna(subset="image_class")
    sizes = _narrowed(of_classes, context).groupby("image_class")["n"].max()
    return float(sizes.max() / sizes.sum()) if len(sizes) else None


def _narrowed(table: pd.DataFrame, context: Mapping[str, Any]) -> pd.DataFrame:
    for column, value in context.items():
        if column in table.columns:
            narrower = where(table, image_class="any", **{column: value})
            table = narrower if column == "dataset" or not narrower.empty else table
    return table


def home_snr(bob: pd.DataFrame, eve: pd.DataFrame) -> float | None:
    """Return the SNR, dB, to compare Bob and Eve at: of both's, the nearest to Bob's training."""
    tested = set(bob["test_snr_db"].dropna()) or set(eve["test_snr_db"].dropna())
    shared = tested & set(where(eve, protocol="adaptive")["test_snr_db"].dropna())
    trained = pd.concat([bob["train_snr_db"], eve["train_snr_db"]]).dropna()
    home = float(trained.iloc[0]) if len(trained) else float("inf")
    return min(shared or tested, key=lambda snr_db: (abs(snr_db - home), -snr_db), default=None)


def paired(table: pd.DataFrame) -> pd.DataFrame:
    """Give Bob and the Eves of a system one common channel where theirs have different laws."""
    # A record names the channel of the party whose figure it is.
    keys = [*present(table, SETTING), "system", "latent_dim", "train_snr_db", "seed"]
    keys.remove("channel")
    channels = table["channel"].copy()
    parties = table[table["role"].isin(["bob", "eve"])]
    for _, system in parties.groupby(keys, dropna=False, sort=False):
        bob = system.loc[system["role"] == "bob", "channel"].unique()
        eve = system.loc[system["role"] == "eve", "channel"].unique()
        # With several channels of Bob's, his Eves are those on the channel of the same name.
        if len(bob) == 1 and len(eve) and set(eve) != set(bob):
            channels[system.index] = f"{bob[0]}, Eve {' and '.join(eve)}"
    return table.assign(channel=channels)


def pooled(rows: pd.DataFrame) -> Estimate:
    """Return the one number of these rows over seeds and images; NaN if no seed has it."""
    known = rows[rows["value"].notna()].drop_duplicates("seed")
    if known.empty:
        return Estimate(math.nan, math.nan, math.nan, int(rows["n"].max()))
    found = hierarchical([estimate_of(row) for _, row in known.iterrows()])
    least, greatest = metric_of(str(known["metric"].iloc[0])).bounds
    ends = max(found.low, min(least, found.value)), min(found.high, max(greatest, found.value))
    return Estimate(found.value, *ends, found.n)


def over_seeds(table: pd.DataFrame, *apart: str, **kept: tuple[str, str]) -> pd.DataFrame:
    """Merge rows that differ in nothing but the seed into one: for curves, not for tables."""
    keys = [key for key in (*present(table, CONTEST), "role", *apart) if key != "seed"]
    groups = table.groupby(keys, dropna=False, sort=False)
    merged = groups.agg(value=("value", "first"), **kept).reset_index()
    found = [pooled(rows) for _, rows in groups]
    ends = {"value": "value", "ci_low": "low", "ci_high": "high"}
    return merged.assign(**{n: [getattr(f, end) for f in found] for n, end in ends.items()})
