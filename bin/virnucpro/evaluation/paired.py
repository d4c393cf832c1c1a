"""Several callers on the same sequences: those of the truth table, whatever else their tables name."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from virnucpro.errors import InputError
from virnucpro.evaluation.account import ITEMS, account
from virnucpro.evaluation.callers import SEQUENCE, THRESHOLD, Format, read_answers
from virnucpro.evaluation.figures import reliability
from virnucpro.evaluation.truth import read_truth

POINTS = 3000  # of a caller's score by length, that are drawn
MOST_PARTS = 200_000  # chunks or frames of a caller that are judged
Answers = list[tuple[Format, pl.DataFrame]]  # of each table: what it is, and ANSWERS with a column sample


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
    parts: list[pl.DataFrame] = []
    for caller in dict.fromkeys(t.caller for t in tables):
        given = [read(table) for table in tables if table.caller == caller]
        form, callers[caller] = answers_of(caller, given, known)
        formats[caller] = form.name
        parts += [_part_items(caller, form.level, known, answers, seed) for form, answers in parts_of(given)]
    known = _with_lengths(known, callers)
    items = pl.concat([*(_items(caller, known, answers) for caller, answers in callers.items()), *parts])
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


def read(table: CallerTable) -> tuple[Format, pl.DataFrame]:
    """What a table is, and its answers (ANSWERS, and the sample)."""
    form, answers = read_answers(table.path)
    return form, answers.with_columns(pl.lit(table.sample).alias("sample"))


def parts_of(given: Answers) -> Answers:
    """Those of chunks, and those of frames, of all tables together."""
    forms = {form.name: form for form, _ in given if form.level != SEQUENCE}
    return [(form, pl.concat([t for f, t in given if f.name == name])) for name, form in forms.items()]


def key_of(caller: str, answers: pl.DataFrame, known: pl.DataFrame) -> list[str]:
    """The columns that tell sequences apart; InputError where the truth has samples and a table of the caller none."""
    if not (known["sample"] != "").any():
        return ["id"]
    if (answers["sample"] == "").any():
        raise InputError(
            f"the truth table has samples; the tables of {caller} need one each (column sample of --input)"
        )
    return ["sample", "id"]


def answers_of(caller: str, given: Answers, known: pl.DataFrame) -> tuple[Format, pl.DataFrame]:
    """One caller's answers for each row of `known`, in its order: score, called, evidence, length.

    InputError where its tables are of two kinds, of chunks or frames alone, name a sequence twice, or none of the
    truth's.
    """
    of_sequences = [(form, answers) for form, answers in given if form.level == SEQUENCE]
    names = sorted({form.name for form, _ in of_sequences})
    if len(names) > 1:
        raise InputError(f"the tables of {caller} are of several kinds: {', '.join(names)}")
    if not names:
        raise InputError(f"{caller} has tables of {given[0][0].name} alone; one of its sequences is needed as well")
    form, all_of = of_sequences[0][0], pl.concat([answers for _, answers in of_sequences])
    key = key_of(caller, all_of, known)
    wanted = all_of.join(known.select(key), on=key, how="semi")
    if not wanted.height:
        raise InputError(
            f"the tables of {caller} name no sequence of the truth table; they begin with "
            f"{', '.join(all_of['id'].head(3).to_list()) or 'nothing'}"
        )
    if wanted.select(key).is_duplicated().any():
        double = wanted.filter(wanted.select(key).is_duplicated())["id"][0]
        raise InputError(
            f"the tables of {caller} name '{double}' twice; where samples share ids, the truth table and "
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
    """The truth's sequences with the caller's answers, row by row."""
    return _as_items(caller, SEQUENCE, pl.concat([known, answers.drop("length")], how="horizontal"))


def _part_items(caller: str, level: str, known: pl.DataFrame, answers: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Chunks or frames of the truth's sequences; MOST_PARTS of them, drawn at random, where there are more."""
    key = key_of(caller, answers, known)
    truth = known.select("sample", "id", "genome", "group", "label").select(*key, pl.exclude("sample", "id"))
    mine = answers.drop("length", *({"sample"} - set(key))).join(truth, on=key, maintain_order="left")
    if mine.height > MOST_PARTS:
        mine = mine.sample(MOST_PARTS, seed=seed)
    defaults = {"sample": pl.lit(""), "length": pl.lit(None)}
    return _as_items(caller, level, mine.with_columns(**{n: v for n, v in defaults.items() if n not in mine.columns}))


def _as_items(caller: str, level: str, rows: pl.DataFrame) -> pl.DataFrame:
    fixed = {"caller": caller, "level": level, "size": 0, "threshold": THRESHOLD}
    return rows.with_columns(pl.lit(value).alias(name) for name, value in fixed.items()).select(
        pl.col(name).cast(kind) for name, kind in ITEMS.items()
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
