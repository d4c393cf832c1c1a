"""Several callers on the same sequences: those of the truth table, whatever else their tables name."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from virnucpro.errors import InputError
from virnucpro.evaluation.account import ITEMS, account
from virnucpro.evaluation.callers import THRESHOLD, Format, read_answers
from virnucpro.evaluation.figures import reliability
from virnucpro.evaluation.truth import read_truth

POINTS = 3000  # of a caller's score by length, that are drawn


@dataclass(frozen=True)
class CallerTable:
    """One table of a caller. sample: whose sequences it has; "" where it does not matter."""

    caller: str
    sample: str
    path: Path


def read_tables(sheet: Path, files: list[Path]) -> list[CallerTable]:
    """sheet: JSON [{"caller", "sample"}, ...], of each of the `files` in their order."""
    rows = json.loads(sheet.read_text(encoding="utf-8"))
    return [CallerTable(r["caller"], r["sample"] or "", path) for r, path in zip(rows, files, strict=True)]


def judge(tables: list[CallerTable], truth: Path, seed: int) -> tuple[dict, pl.DataFrame]:
    """What evaluation.json is to hold, and a row for each sequence: its truth, and every caller's score and call.

    The first caller is the one that the others are compared with.
    """
    known = read_truth(truth)
    callers: dict[str, pl.DataFrame] = {}
    formats: dict[str, str] = {}
    for caller in dict.fromkeys(t.caller for t in tables):
        form, callers[caller] = answers_of([t for t in tables if t.caller == caller], known)
        formats[caller] = form.name
    known = _with_lengths(known, callers)
    items = pl.concat([_items(caller, known, answers) for caller, answers in callers.items()])
    first = next(iter(callers))
    found = account(items, {first: first}, seed)
    found |= {"format": 1, "kind": "evaluation", "formats": formats}
    found["reliability"] = [_reliability(caller, known, answers) for caller, answers in callers.items()]
    found["score_length"] = {caller: _points(known, answers) for caller, answers in callers.items()}
    columns = [
        pl.Series(name, values)
        for caller, answers in callers.items()
        for name, values in ((caller, answers["score"].round(6)), (f"{caller} calls it virus", answers["called"]))
    ]
    return found, known.with_columns(columns)


def answers_of(tables: list[CallerTable], known: pl.DataFrame) -> tuple[Format, pl.DataFrame]:
    """One caller's answers for each row of `known`, in its order: score, called, evidence, length.

    InputError where its tables are of two kinds, name a sequence twice, or none of the truth's.
    """
    parts, formats = [], []
    for table in tables:
        form, answers = read_answers(table.path)
        formats.append(form)
        parts.append(answers.with_columns(pl.lit(table.sample).alias("sample")))
    if len({f.name for f in formats}) > 1:
        raise InputError(f"the tables of {tables[0].caller} are of several kinds: {', '.join(f.name for f in formats)}")
    form, all_of = formats[0], pl.concat(parts)
    by_sample = bool((known["sample"] != "").any())
    if by_sample and (all_of["sample"] == "").any():
        raise InputError(
            f"the truth table has samples; the tables of {tables[0].caller} need one each (column sample of --input)"
        )
    key = ["sample", "id"] if by_sample else ["id"]
    wanted = all_of.join(known.select(key), on=key, how="semi")
    if not wanted.height:
        raise InputError(
            f"the tables of {tables[0].caller} name no sequence of the truth table; they begin with "
            f"{', '.join(all_of['id'].head(3).to_list()) or 'nothing'}"
        )
    if wanted.select(key).is_duplicated().any():
        double = wanted.filter(wanted.select(key).is_duplicated())["id"][0]
        raise InputError(
            f"the tables of {tables[0].caller} name '{double}' twice; where samples share ids, the truth table and "
            "--input need a column sample"
        )
    found = known.select(key).join(wanted, on=key, how="left", maintain_order="left")
    if form.lists_viruses:
        found = found.with_columns(pl.when(pl.col("called").is_null()).then(0.0).otherwise("score").alias("score"))
    called = pl.col("called").fill_null(False) & pl.col("score").is_not_null()
    return form, found.select("score", called.alias("called"), "evidence", "length")


def _with_lengths(known: pl.DataFrame, callers: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """Lengths that the truth table does not give, from the first table that does."""
    given = [known["length"], *(answers["length"] for answers in callers.values())]
    return known.with_columns(pl.coalesce(*given).alias("length"))


def _items(caller: str, known: pl.DataFrame, answers: pl.DataFrame) -> pl.DataFrame:
    return (
        pl.concat([known.drop("length"), answers.drop("length")], how="horizontal")
        .select(
            pl.lit(caller).alias("caller"),
            pl.lit("sequence").alias("level"),
            pl.lit(0).alias("size"),
            "sample",
            "genome",
            "group",
            known["length"],
            "label",
            "score",
            "called",
            pl.lit(THRESHOLD).alias("threshold"),
            "evidence",
        )
        .cast(dict(ITEMS))
    )


def _reliability(caller: str, known: pl.DataFrame, answers: pl.DataFrame) -> dict:
    rows = answers["score"].is_not_null()
    bins, error = reliability(answers["score"].filter(rows).to_numpy(), known["label"].filter(rows).to_numpy())
    return {"caller": caller, "error": error if rows.any() else None, "bins": bins}


def _points(known: pl.DataFrame, answers: pl.DataFrame) -> list[list]:
    """At most POINTS rows [length, score, label], evenly spaced."""
    of = known.select("length", "label").with_columns(answers["score"].round(4)).drop_nulls()
    rows = np.unique(np.linspace(0, of.height - 1, min(POINTS, of.height)).astype(int)) if of.height else []
    return [list(row) for row in of[list(rows)].select("length", "score", "label").iter_rows()]
