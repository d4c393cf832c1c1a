"""Tables of virus callers, as they write them, told apart by their columns.

Each answers with one score from 0 to 1, of which 0.5 and more stands for its own call where it has one. Where a caller
gives a score for each class, this is the margin of its viral classes over the best other one, through the logistic
function: it ranks as the margin does, and 0.5 is where the call changes.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from virnucpro.errors import InputError

ANSWERS = pl.Schema(
    {
        "id": pl.String,  # of the sequence: up to the first blank of its name
        "score": pl.Float64,  # null where the caller has no answer
        "called": pl.Boolean,  # as virus
        "evidence": pl.String,  # what the answer rests on; null where the caller does not say
        "length": pl.Int64,  # of the whole sequence; null where the table does not say
    }
)
THRESHOLD = 0.5
SEQUENCE, CHUNK, FRAME = "sequence", "chunk", "frame"
SCORE = re.compile(r"(?i)^(?!rea?li?ability|max)(\w+)_score$")
VIRAL = ("phage", "virus", "viruses", "eukaryotic_virus")  # Jaeger's classes


@dataclass(frozen=True)
class Format:
    """One caller's table. columns: that tell it, in lower case. read: its answers. lists_viruses: it leaves out what it
    holds for no virus, so a sequence that is absent has an answer. level: what has a row: each sequence, or several
    chunks or frames of it."""

    name: str
    columns: frozenset[str]
    read: Callable[[pl.DataFrame], pl.DataFrame]
    lists_viruses: bool = False
    level: str = SEQUENCE


def read_answers(path: Path) -> tuple[Format, pl.DataFrame]:
    """The format of a table, and what it answers (ANSWERS), a row for each sequence (chunk, frame) that it names; of
    several rows of one sequence in a table that lists viruses (proviruses) the best. InputError where it is of no
    caller known here."""
    table = read_table(path)
    found = next((f for f in FORMATS if f.columns <= set(table.columns)), None)
    if found is None:
        known = "; ".join(f"{f.name}: {', '.join(sorted(f.columns))}" for f in FORMATS)
        has = ", ".join(table.columns)
        raise InputError(f"{path.name}: is of no caller that is known here; its columns are {has}. Known are {known}")
    answers = found.read(table).with_columns(pl.col("id").str.extract(r"^\s*(\S*)", 1))
    for name, kind in ANSWERS.items():
        if name not in answers.columns:
            answers = answers.with_columns(pl.lit(None, dtype=kind).alias(name))
    answers = answers.select(pl.col(name).cast(kind, strict=False) for name, kind in ANSWERS.items())
    if found.lists_viruses:
        best = pl.col("score").max(), pl.col("called").any(), pl.col("evidence").first(), pl.col("length").first()
        answers = answers.group_by("id", maintain_order=True).agg(*best)
    return found, answers


def read_table(path: Path) -> pl.DataFrame:
    """All cells as text, columns in lower case. Commas or tabs between them; R writes names of rows, without a name of
    that column."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as e:
        raise InputError(f"{path.name}: cannot be read as text ({e})") from e
    lines = text.splitlines()
    if not lines:
        raise InputError(f"{path.name}: is empty")
    tab = "\t" if "\t" in lines[0] else ","
    head, first = lines[0].split(tab), lines[1].split(tab) if len(lines) > 1 else []
    if len(first) == len(head) + 1:
        lines[0] = f"row{tab}{lines[0]}"
    try:
        table = pl.read_csv("\n".join(lines).encode(), separator=tab, infer_schema=False)
    except pl.exceptions.PolarsError as e:
        raise InputError(f"{path.name}: is no table that can be read ({str(e).splitlines()[0]})") from e
    return table.rename({name: name.strip().lower() for name in table.columns})


def number(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.Float64, strict=False).fill_nan(None)


def from_margin(viral: list[pl.Expr], others: list[pl.Expr]) -> pl.Expr:
    margin = pl.max_horizontal(viral) - pl.max_horizontal(others)
    return 1 / (1 + (-margin).exp())


def nf_virnucpro(t: pl.DataFrame) -> pl.DataFrame:
    """A screened sequence has no score, and the answer that it is no virus."""
    screened = (pl.col("state") == "other") & number("virus_score").is_null()
    answered = pl.col("state").is_in(["virus", "other"])
    return t.select(
        pl.col("sequence_id").alias("id"),
        pl.when(screened).then(0.0).when(answered).then(number("virus_score")).alias("score"),
        (pl.col("state") == "virus").alias("called"),
        pl.when(pl.col("evidence") != "").then(pl.col("evidence")).alias("evidence"),
        pl.col("length"),
    )


def chunks_of_nf_virnucpro(t: pl.DataFrame) -> pl.DataFrame:
    return t.select(
        pl.col("sequence_id").alias("id"),
        number("virus_score").alias("score"),
        (pl.col("state") == "virus").alias("called"),
    )


def frames_of_virnucpro(t: pl.DataFrame) -> pl.DataFrame:
    """prediction_results.txt, VirNucPro's own: a row for each open frame, named <sequence>_chunk_<k><frame>."""
    name = pl.col("sequence_id").str.replace(r"_chunk_\d+[FR][123]$", "")
    called = pl.col("prediction") == "virus"
    return t.select(name.alias("id"), number("score2").alias("score"), called.alias("called"))


def genomad_summary(t: pl.DataFrame) -> pl.DataFrame:
    """All that it lists it calls; a provirus is named <sequence>|provirus_<start>_<end>."""
    name = pl.col("seq_name").str.replace(r"\|provirus_\d+_\d+$", "")
    return t.select(name.alias("id"), number("virus_score").alias("score"), pl.lit(True).alias("called"))


def genomad_classes(t: pl.DataFrame) -> pl.DataFrame:
    """Of the three shares of a sequence the highest is its class: a call may have a score somewhat below 0.5."""
    others = [number("chromosome_score"), number("plasmid_score")]
    score = number("virus_score")
    return t.select(
        pl.col("seq_name").alias("id"), score.alias("score"), (score > pl.max_horizontal(others)).alias("called")
    )


def jaeger(t: pl.DataFrame) -> pl.DataFrame:
    classes = {m[1].lower(): name for name in t.columns if (m := SCORE.match(name))}
    viral = [number(name) for kind, name in classes.items() if kind in VIRAL]
    others = [number(name) for kind, name in classes.items() if kind not in VIRAL]
    called = pl.col("prediction").str.to_lowercase().is_in(VIRAL)
    score = from_margin(viral, others) if viral and others else called.cast(pl.Float64)
    return t.select(pl.col("contig_id").alias("id"), score.alias("score"), called.alias("called"), pl.col("length"))


def deepvirfinder(t: pl.DataFrame) -> pl.DataFrame:
    """DeepVirFinder and VirFinder call nothing themselves: 0.5, as their authors' figures have it."""
    length = pl.col("len" if "len" in t.columns else "length").alias("length")
    score = number("score")
    return t.select(pl.col("name").alias("id"), score.alias("score"), (score >= THRESHOLD).alias("called"), length)


def seeker(t: pl.DataFrame) -> pl.DataFrame:
    called = pl.col("prediction").str.to_lowercase() == "phage"
    return t.select(pl.col("name").alias("id"), number("score").alias("score"), called.alias("called"))


def deepmicroclass(t: pl.DataFrame) -> pl.DataFrame:
    viral, others = ("eukaryotevirus", "prokaryotevirus"), ("eukaryote", "plasmid", "prokaryote")
    score = from_margin([number(n) for n in viral], [number(n) for n in others])
    return t.select(pl.col("sequence name").alias("id"), score.alias("score"), (score > THRESHOLD).alias("called"))


def viralm(t: pl.DataFrame) -> pl.DataFrame:
    called = pl.col("prediction").str.to_lowercase() == "virus"
    return t.select(pl.col("seq_name").alias("id"), number("virus_score").alias("score"), called.alias("called"))


def virsorter2(t: pl.DataFrame) -> pl.DataFrame:
    """A part of a sequence is named <sequence>||<part>; a sequence of fewer than two genes, with a hallmark, has no
    score but is listed."""
    score = number("max_score").fill_null(THRESHOLD)
    return t.select(
        pl.col("seqname").str.replace(r"\|\|[^|]*$", "").alias("id"), score.alias("score"), pl.lit(True).alias("called")
    )


# The first whose columns are all there.
FORMATS = (
    Format("nf-virnucpro", frozenset({"sequence_id", "state", "virus_score", "evidence", "length"}), nf_virnucpro),
    Format("chunks", frozenset({"sequence_id", "chunk", "state", "virus_score"}), chunks_of_nf_virnucpro, level=CHUNK),
    Format("frames", frozenset({"sequence_id", "prediction", "score1", "score2"}), frames_of_virnucpro, level=FRAME),
    Format("geNomad, virus_summary", frozenset({"seq_name", "virus_score", "topology"}), genomad_summary, True),
    Format(
        "geNomad, classification",
        frozenset({"seq_name", "chromosome_score", "plasmid_score", "virus_score"}),
        genomad_classes,
    ),
    Format("ViraLM", frozenset({"seq_name", "prediction", "virus_score"}), viralm),
    Format("Jaeger", frozenset({"contig_id", "prediction", "length", "entropy"}), jaeger),
    Format("DeepVirFinder", frozenset({"name", "len", "score", "pvalue"}), deepvirfinder),
    Format("VirFinder", frozenset({"name", "length", "score", "pvalue"}), deepvirfinder),
    Format("Seeker", frozenset({"name", "prediction", "score"}), seeker),
    Format("DeepMicroClass", frozenset({"sequence name", "eukaryotevirus", "prokaryotevirus"}), deepmicroclass),
    Format("VirSorter2", frozenset({"seqname", "max_score", "max_score_group"}), virsorter2, True),
)
