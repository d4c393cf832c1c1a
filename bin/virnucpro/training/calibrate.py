"""From a trained classifier to one that can be trusted as far as its card says: calibrated on the genomes that
validate, measured on those that test, beside baselines that learnt from the same genomes."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import polars as pl
import yaml
from safetensors.numpy import load_file, save_file

from virnucpro.bundle.classifier import CLASSIFIER
from virnucpro.calling.calibration import Calibration
from virnucpro.calling.calls import as_probability
from virnucpro.encoders.kind import WEIGHTS
from virnucpro.errors import InputError
from virnucpro.evaluation.account import ITEMS, account
from virnucpro.evaluation.baselines import NAMES
from virnucpro.evaluation.rates import achieved_rates, before_and_after, logit
from virnucpro.training.calibration_fit import fit
from virnucpro.training.card import TEXTS, read_texts, write_card
from virnucpro.training.compare import with_baselines
from virnucpro.training.measured import on_card
from virnucpro.training.order import HISTORY
from virnucpro.training.pieces import judged_pieces
from virnucpro.training.split import counts

MOST_PIECES = 50_000  # of one size that are measured


@dataclass(frozen=True)
class CalibrationOrder:
    """What is to be calibrated. classifiers: folders of train_classifier.py, the first is the one that is meant, others
    (each encoder alone) stand beside it for comparison. by_frame: what a split by frame gave, or None."""

    classifiers: list[Path]
    by_frame: Path | None
    split: Path
    tables: Path
    embeddings: Path
    fasta: list[Path]  # the samplesheet's, in its order
    texts: Path | None
    how: str  # how sequences were shared out, for the card
    seed: int
    out: Path


def run_calibration(order: CalibrationOrder) -> dict:
    """Write the finished classifier into `order.out`/<name>, and beside it evaluation.json, whose content is returned,
    and test_scores.tsv."""
    texts = read_texts(order.texts)
    split = pl.read_parquet(order.split)
    main = json.loads((order.classifiers[0] / HISTORY).read_text(encoding="utf-8"))
    card = yaml.safe_load((order.classifiers[0] / CLASSIFIER).read_text(encoding="utf-8"))
    names = [main["name"], *(f"{kind} alone" for kind in _alone(order.classifiers[1:]))]
    judged = [judged_pieces(folder, split, order.tables, order.embeddings) for folder in order.classifiers]
    pieces, shift = centred(_few(judged[0][0], order.seed), card["rule"], order.seed)
    calibration = calibrated(pieces.filter(pl.col("side") == "validation"), order.seed)
    test = pieces.filter(pl.col("side") == "test")
    others = {names[0]: test}
    others |= {name: _same(found, test) for name, (found, _) in zip(names[1:], judged[1:], strict=True)}
    others |= with_baselines(test, split, order.fasta, card["chunk_length"], order.seed)
    items = pl.concat([_items(name, table) for name, table in others.items()])
    order.out.mkdir(parents=True, exist_ok=True)
    _write_scores(test, others, order.out / "test_scores.tsv")
    frames = judged[0][1].filter(pl.col("side") == "test")
    found = account(
        pl.concat([items, _frame_items(main["name"], frames)]),
        {name: f"the {name}" for name in NAMES.values()},
        order.seed,
    )
    found |= {"format": 1, "kind": "training", "name": main["name"], "split": counts(split), "how": order.how}
    found["calibration"] = {
        "coefficients": asdict(calibration),
        "sizes": _calibration_figures(test, calibration, order.seed),
    }
    found["score_length"] = {main["name"]: _points(test.filter(pl.col("size") == 0))}
    found["training"] = main | {"shift": shift}
    found["flattery"] = _flattery(order.by_frame, main)
    _finish(order, card, texts, found)
    return found


def centred(pieces: pl.DataFrame, rule: str, seed: int) -> tuple[pl.DataFrame, float]:
    """`pieces` with scores of which 0.5 says as likely a virus as not, where as many are viruses, and by how much
    log-odds have been shifted for it. With the rule `best` a shift of frames is none of their chunks: it is 0 then."""
    if rule != "mean":
        return pieces, 0.0
    found = calibrated(pieces.filter(pl.col("side") == "validation"), seed)
    shift = round(found.intercept / found.log_odds, 6) if found.log_odds > 0 else 0.0
    odds = logit(pieces["virus_score"].to_numpy()) + shift
    score = pl.Series("virus_score", as_probability(odds)).fill_nan(None)
    return pieces.with_columns(score), shift


def calibrated(pieces: pl.DataFrame, seed: int) -> Calibration:
    """From pieces of genomes that validate, as many of each size, so that short and long ones count alike."""
    answered = pieces.filter(pl.col("virus_score").is_not_null())
    cut = answered.filter(pl.col("size") > 0)
    answered = cut if cut.height else answered
    random = np.random.default_rng(seed)
    sizes = [np.flatnonzero((answered["size"] == size).to_numpy()) for size in sorted(set(answered["size"].to_list()))]
    least = min(map(len, sizes), default=0)
    if not least:
        raise InputError("no sequence of the validation set has a score, so there is nothing to calibrate on")
    rows = np.concatenate([random.choice(of, least, replace=False) for of in sizes])
    some = answered[np.sort(rows).tolist()]
    return fit(logit(some["virus_score"].to_numpy()), some["weight"].to_numpy(), some["label"].to_numpy())


def _alone(folders: list[Path]) -> list[str]:
    histories = (json.loads((folder / HISTORY).read_text(encoding="utf-8")) for folder in folders)
    return [" and ".join(history["encoders"]) for history in histories]


def _few(pieces: pl.DataFrame, seed: int) -> pl.DataFrame:
    """At most MOST_PIECES of each size and side, drawn at random, in their order."""
    random = np.random.default_rng(seed)
    rows = []
    for _, part in pieces.with_row_index("row").group_by("side", "size", maintain_order=True):
        rows.append(random.permutation(part["row"].to_numpy())[:MOST_PIECES])
    return pieces[np.sort(np.concatenate(rows)).tolist()]


def _same(pieces: pl.DataFrame, test: pl.DataFrame) -> pl.DataFrame:
    """The rows of `test` with another classifier's scores."""
    key = ["sample", "sequence", "size", "start"]
    scores = pieces.filter(pl.col("side") == "test").select(*key, "virus_score", "state", "evidence")
    return test.drop("virus_score", "state", "evidence").join(scores, on=key, how="left", maintain_order="left")


def _items(caller: str, pieces: pl.DataFrame) -> pl.DataFrame:
    return pieces.select(
        pl.lit(caller).alias("caller"),
        pl.lit("sequence").alias("level"),
        pl.col("size").cast(pl.Int64),
        "sample",
        pl.col("family").alias("genome"),
        pl.lit(None).alias("group"),
        pl.lit(None).alias("length"),
        pl.col("label").cast(pl.Int8),
        pl.col("virus_score").alias("score"),
        (pl.col("virus_score") >= 0.5).fill_null(False).alias("called"),
        pl.lit(0.5).alias("threshold"),
        "evidence",
    ).cast(dict(ITEMS))


def _frame_items(caller: str, frames: pl.DataFrame) -> pl.DataFrame:
    return frames.select(
        pl.lit(caller).alias("caller"),
        pl.lit("frame").alias("level"),
        pl.lit(0).alias("size"),
        pl.lit("").alias("sample"),
        pl.col("family").alias("genome"),
        pl.lit(None).alias("group"),
        pl.lit(None).alias("length"),
        "label",
        pl.col("probability").alias("score"),
        (pl.col("probability") >= 0.5).alias("called"),
        pl.lit(0.5).alias("threshold"),
        pl.lit(None).alias("evidence"),
    ).cast(dict(ITEMS))


def _calibration_figures(test: pl.DataFrame, calibration: Calibration, seed: int) -> list[dict]:
    rows = []
    for (size,), part in test.filter(pl.col("virus_score").is_not_null()).group_by("size", maintain_order=True):
        score, weight, label = (part[name].to_numpy() for name in ("virus_score", "weight", "label"))
        reliable = before_and_after(score, weight, label, calibration)
        rows.append({"size": size, **reliable, "rates": achieved_rates(score, weight, label, calibration, seed)})
    return sorted(rows, key=lambda row: row["size"])


def _points(whole: pl.DataFrame, most: int = 3000) -> list[list]:
    """At most `most` rows [length, score, label] of sequences as they are, evenly spaced."""
    scored = whole.filter(pl.col("virus_score").is_not_null())
    rows = np.unique(np.linspace(0, scored.height - 1, min(most, scored.height)).astype(int)) if scored.height else []
    some = scored[list(rows)].select(pl.col("end") - pl.col("start"), pl.col("virus_score").round(4), "label")
    return [list(row) for row in some.iter_rows()]


def _flattery(path: Path | None, main: dict) -> dict | None:
    """What a split by frame, as VirNucPro's, says of the same recipe; None where it was not tried."""
    if path is None:
        return None
    frame = json.loads(path.read_text(encoding="utf-8"))["frames"]["test"]["auroc"]
    genome = main["frames"]["test"]["auroc"]
    return {"by_frame": frame, "by_genome": genome, "difference": round(frame - genome, 4)}


def _write_scores(test: pl.DataFrame, others: dict[str, pl.DataFrame], path: Path) -> None:
    """Each piece of the genomes that test, its truth, and every caller's score."""
    truth = test.select("sample", "id", pl.col("start") + 1, "end", "size", "label", "family")
    scores = [table["virus_score"].round(6).alias(name) for name, table in others.items()]
    truth.with_columns(scores).write_csv(path, separator="\t")


def _finish(order: CalibrationOrder, card: dict, texts: dict, found: dict) -> None:
    folder = order.out / found["name"]
    folder.mkdir(parents=True, exist_ok=True)
    weights = load_file(order.classifiers[0] / WEIGHTS)
    weights["output_layer.bias"] = weights["output_layer.bias"] + np.array([0, found["training"]["shift"]], np.float32)
    save_file(weights, folder / WEIGHTS)
    data = texts.pop("data", "")
    card["training"] = {"data": data, "split": order.how, **found["split"], **card["training"]}
    card["evaluation"] = on_card(found)
    card["calibration"] = found["calibration"]["coefficients"]
    write_card(folder / CLASSIFIER, card | {text: texts[text] for text in TEXTS if text in texts})
    (order.out / "evaluation.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
