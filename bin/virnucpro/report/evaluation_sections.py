"""The page of an evaluation: what beats what, figures with intervals, curves, and how far probabilities hold."""

from typing import Any

from multiqc import BaseMultiqcModule
from multiqc.plots import linegraph

from virnucpro.report import figures
from virnucpro.report.html import COLOURS, LINE_COLOURS, box, card, cards, legend, note, percent, table, text
from virnucpro.report.method_sections import parameters_table, versions_table
from virnucpro.report.style import STYLE

Found = dict[str, Any]
KINDS = {
    "length": "by length",
    "group": "by kind",
    "evidence": "by what the answer rests on",
    "sample": "by sample",
}
SHOWN = ("auroc", "auprc", "sensitivity", "specificity", "f1", "mcc")


def evaluation_modules(found: Found, params: Found, versions: Found) -> list[BaseMultiqcModule]:
    """found: evaluation.json."""
    modules = [_glance(found), _figures(found), _curves(found)]
    if found.get("reliability"):
        modules.append(_reliability(found["reliability"]))
    if found.get("calibration"):
        modules.append(_calibration(found["calibration"]))
    if found.get("training"):
        modules.append(_training(found))
    run = BaseMultiqcModule(name="The run", anchor="run")
    run.add_section(name="Parameters", anchor="run-parameters", content=box(parameters_table(params, {})))
    run.add_section(name="Versions", anchor="run-versions", content=box(versions_table(versions)))
    return [*modules, run]


def size_name(size: int) -> str:
    return f"{size:,} bases" if size else "as they are"


def interval(values: list[float] | None, digits: int = 3) -> str:
    """0.912 (0.890 to 0.931); – where there is no such figure."""
    if not values or values[0] is None:
        return "–"
    value, low, high = values
    return f"{value:.{digits}f}" + ("" if low is None else f" ({low:.{digits}f} to {high:.{digits}f})")


def _glance(found: Found) -> BaseMultiqcModule:
    module = BaseMultiqcModule(name="At a glance", anchor="glance")
    cards_of, banner = _of_training(found) if found["kind"] == "training" else _of_callers(found)
    module.add_section(name="", anchor="glance-figures", content=STYLE + box(cards(cards_of, wide=True), banner))
    return module


def _of_training(found: Found) -> tuple[list[str], str]:
    own = [v for v in found["verdicts"] if v["caller"] == found["name"]]
    good = bool(own) and all(v["good"] for v in own)
    better, worse = "Better than the k-mer baselines at every length.", "Not better than a k-mer baseline everywhere."
    rows = [r for r in _whole(found) if r["caller"] == found["name"]]
    shown = [card(f"{r['auroc'][0]:.3f}", f"AUROC, {size_name(r['size'])}") for r in rows]
    return shown, _banner(better if good else worse, own, good) if own else ""


def _of_callers(found: Found) -> tuple[list[str], str]:
    shown = [card(f"{r['auroc'][0]:.3f}", f"AUROC, {text(r['caller'])}") for r in _whole(found)]
    words = f"All callers on the same sequences. The others are compared with {text(found['callers'][0])}."
    return shown, _banner(words, found["verdicts"], good=True)


def _whole(found: Found) -> list[Found]:
    rows = [r for r in found["figures"] if (r["level"], r["part"]) == ("sequence", "all")]
    return [r for r in rows if r["auroc"][0] is not None]


def _banner(words: str, verdicts: list[Found], good: bool) -> str:
    lines = "".join(f"<li>{text(v['text'], 1000)}</li>" for v in verdicts)
    return f'<div class="vnp-banner{"" if good else " bad"}"><b>{words}</b><ul>{lines}</ul></div>'


def _figures(found: Found) -> BaseMultiqcModule:
    info = "With 95 % intervals from drawing genomes, not sequences: pieces of one genome are alike."
    module = BaseMultiqcModule(name="Figures", anchor="figures", info=info)
    words = (
        "A sequence without an answer counts as one at the caller's threshold in AUROC and AUPRC, and as not called "
        "virus in the others."
    )
    for level, name in (("sequence", "Sequences"), ("chunk", "Chunks"), ("frame", "Frames")):
        rows = [r for r in found["figures"] if (r["level"], r["part"]) == (level, "all")]
        if rows:
            content = box(note(words) if level == "sequence" else "", _table(rows, with_part=False))
            module.add_section(name=name, anchor=f"figures-{level}", content=content)
    for part, name in KINDS.items():
        rows = [r for r in found["figures"] if r["part"] == part]
        if rows:
            module.add_section(
                name=f"Sequences {name}", anchor=f"figures-{part}", content=box(_table(rows, with_part=True))
            )
    return module


def _table(rows: list[Found], with_part: bool) -> str:
    head = ("caller", "length", *(("part",) if with_part else ()), "viruses", "others", "genomes", *SHOWN, "no answer")
    body = (
        (
            row["caller"],
            size_name(row["size"]) if row["level"] == "sequence" else "–",
            *((row["name"],) if with_part else ()),
            row["viruses"],
            row["others"],
            row["genomes"],
            *(interval(row[name]) for name in SHOWN),
            percent(row["no_answer"][0], 2),
        )
        for row in rows
    )
    titles = [name.upper() if name in ("auroc", "auprc", "mcc", "f1") else name for name in head]
    return table(titles, body, "--" + ("-" if with_part else "") + "nnn" + "-" * len(SHOWN) + "n")


def _curves(found: Found) -> BaseMultiqcModule:
    module = BaseMultiqcModule(name="Curves", anchor="curves", info="Of sequences, by their length.")
    colours = {text(name): LINE_COLOURS[i % len(LINE_COLOURS)] for i, name in enumerate(found["callers"])}
    for key, name, x, y in (
        ("roc", "ROC", "others called virus", "viruses found"),
        ("precision_recall", "Precision and recall", "viruses found", "calls that are right"),
    ):
        by_size: dict[int, Found] = {}
        for row in found["curves"]:
            if row[key]:
                by_size.setdefault(row["size"], {})[text(row["caller"])] = dict(row[key])
        if by_size:
            settings = _settings(f"curves_{key}", name, x, y, by_size) | {"colors": colours}
            module.add_section(name=name, anchor=f"curves-{key}", plot=linegraph.plot(list(by_size.values()), settings))
    drawn = {caller: points for caller, points in found["score_length"].items() if points}
    if drawn:
        drawing = "".join(
            figures.length_score([(n, s, "virus" if label else "other") for n, s, label in points], 0.5, caller)
            for caller, points in drawn.items()
        )
        key = legend(((s, COLOURS[s]) for s in ("virus", "other")), line="called virus from here")
        module.add_section(
            name="Score by length",
            anchor="curves-length",
            description="Colours tell the truth, not the call.",
            content=box(key, f'<div class="vnp-grid">{drawing}</div>'),
        )
    return module


def _settings(anchor: str, title: str, x: str, y: str, by_size: dict[int, Found]) -> Found:
    return {
        "id": anchor,
        "title": title,
        "xlab": x,
        "ylab": y,
        "xmin": 0,
        "xmax": 1,
        "ymin": 0,
        "ymax": 1,
        "tt_decimals": 3,
        "data_labels": [{"name": size_name(size), "xlab": x, "ylab": y} for size in by_size],
    }


def _reliability(rows: list[Found]) -> BaseMultiqcModule:
    module = BaseMultiqcModule(name="Reliability", anchor="reliability")
    words = (
        "Were scores probabilities, and as many viruses in a sample as here, then that share of the sequences with "
        "one score would be viruses: the diagonal."
    )
    lines = {
        text(r["caller"]): {b["mean_probability"]: b["share_of_viruses"] for b in r["bins"]} for r in rows if r["bins"]
    }
    settings = _settings("reliability_scores", "Reliability", "score", "share of viruses", {0: lines})
    settings["style"] = "lines+markers"
    plot = linegraph.plot([lines | {"right": {0: 0, 1: 1}}], settings)
    module.add_section(name="Scores as probabilities", anchor="reliability-scores", description=words, plot=plot)
    errors = [(r["caller"], f"{r['error']:.3f}") for r in rows if r["bins"]]
    content = box(table(("caller", "expected calibration error"), errors, "-n"))
    module.add_section(name="Expected calibration error", anchor="reliability-error", content=content)
    return module


def _calibration(calibration: Found) -> BaseMultiqcModule:
    module = BaseMultiqcModule(name="Calibration", anchor="calibration")
    words = (
        "Of sequences with the same probability, that share should be viruses: the diagonal. Before: the score taken "
        "for a probability. The expected calibration error is the mean distance from the diagonal."
    )
    by_size = {}
    for row in calibration["sizes"]:
        lines = {
            name: {b["mean_probability"]: b["share_of_viruses"] for b in row[name]["bins"]}
            for name in ("before", "after")
        }
        by_size[row["size"]] = lines | {"right": {0: 0, 1: 1}}
    settings = _settings("calibration_reliability", "Reliability", "probability", "share of viruses", by_size)
    settings |= {"style": "lines+markers", "colors": {"before": "#9a9a9a", "after": "#d55e00", "right": "#56b4e9"}}
    module.add_section(
        name="Reliability",
        anchor="calibration-reliability",
        description=words,
        plot=linegraph.plot(list(by_size.values()), settings),
    )
    errors = (
        (size_name(r["size"]), f"{r['before']['error']:.3f}", f"{r['after']['error']:.3f}")
        for r in calibration["sizes"]
    )
    module.add_section(
        name="Expected calibration error",
        anchor="calibration-error",
        content=box(table(("length", "before", "after"), errors, "-nn")),
    )
    rates = (
        (
            size_name(row["size"]),
            percent(r["share_of_viruses"], 0),
            percent(r["estimated_share"]),
            percent(r["asked"], 0),
            percent(r["false_discovery_rate"]),
            percent(r["found"]),
        )
        for row in calibration["sizes"]
        for r in row["rates"]
    )
    module.add_section(
        name="False discovery rates",
        anchor="calibration-rates",
        description="Samples of 2,000 drawn from the test set with this share of viruses, called by --max_fdr.",
        content=box(
            table(
                ("length", "viruses", "estimated", "rate asked for", "rate achieved", "viruses found"), rates, "-nnnnn"
            )
        ),
    )
    return module


def _training(found: Found) -> BaseMultiqcModule:
    module = BaseMultiqcModule(name="Training", anchor="training", info=text(found["how"], 1000))
    sides = found["split"]
    names = list(next(iter(sides.values())))
    rows = ((side, *counts.values()) for side, counts in sides.items())
    module.add_section(
        name="The split",
        anchor="training-split",
        content=box(table(("side", *(n.replace("_", " ") for n in names)), rows, "-" + "n" * len(names))),
    )
    history = found["training"]["history"]
    lines = {
        name.replace("_", " "): {row["epoch"]: row[name] for row in history}
        for name in ("train_loss", "validation_loss")
    }
    settings = {"id": "training_history", "title": "Loss", "xlab": "epoch", "ylab": "cross entropy", "tt_decimals": 3}
    best = found["training"]["best"]["epoch"]
    settings["x_lines"] = [{"value": best, "dash": "dash", "color": "#888888", "label": "kept"}]
    module.add_section(name="Epochs", anchor="training-history", plot=linegraph.plot(lines, settings))
    flattery = found.get("flattery")
    if flattery:
        words = (
            "Frames split at random, as VirNucPro's training does, put frames of one genome on both sides. Their AUROC "
            f"is {flattery['by_frame']:.3f}, that of frames of new genomes {flattery['by_genome']:.3f}: this split "
            f"flatters by {flattery['difference']:+.3f}."
        )
        module.add_section(name="Split by frame", anchor="training-flattery", content=box(note(text(words, 1000))))
    return module
