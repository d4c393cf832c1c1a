"""Tables of virus callers in the columns that each of them writes, of one and the same sequences."""

import random
from pathlib import Path

SEQUENCES = {f"virus_{i}": 1 for i in range(40)} | {f"host_{i}": 0 for i in range(40)}


def length(i: int) -> int:
    return (400, 800, 2000, 5000, 12_000)[i % 5]


def scores(seed: int, quality: float) -> dict[str, float]:
    """A score for each sequence, strictly between 0 and 1, higher of viruses."""
    rng = random.Random(seed)
    return {
        name: min(0.99, max(0.01, 0.5 + quality * (label - 0.5) + rng.gauss(0, 0.15)))
        for name, label in SEQUENCES.items()
    }


def write_tables(folder: Path) -> dict[str, Path]:
    """A table of each caller, all with `scores(caller's number, 0.4)`; what they leave out stands in the tests."""
    found = {}
    for seed, (name, (file, write)) in enumerate(WRITERS.items()):
        found[name] = folder / file
        found[name].write_text(write(scores(seed, 0.4)), encoding="utf-8")
    return found


def write_truth(path: Path, separator: str = "\t") -> Path:
    rows = [("sequence_id", "label", "genome", "group", "length")]
    for i, (name, label) in enumerate(SEQUENCES.items()):
        kind = ("phage" if i % 2 else "eukaryotic virus") if label else ("archaea" if i % 4 == 0 else "bacteria")
        rows.append((name, "virus" if label else "other", f"{name[:5]}{i // 2}", kind, str(length(i))))
    path.write_text("".join(separator.join(row) + "\n" for row in rows), encoding="utf-8")
    return path


def write_parts(folder: Path) -> dict[str, list[tuple[str, float | None]]]:
    """chunks.tsv and prediction_results.txt as predict writes them: of each sequence three chunks, the last of them
    closed, and of the other two one frame and two. Returns (sequence, score) by level, None for no answer."""
    of = scores(20, 0.4)
    chunks, frames = [], []
    for n, (name, x) in enumerate(of.items()):
        for k, score in ((1, x), (2, (1 + x) / 2), (3, None)):
            state = "no_open_frame" if score is None else "virus" if score >= 0.5 else "other"
            text = "" if score is None else f"{score:.6f}"
            chunks.append(
                (n + 1, name, "demo_500", k, 1, 500, "F1", "open_frames", 0, 1, state, text, text, text, "F1")
            )
            for frame in ("F1", "R2")[: 0 if score is None else k]:
                frames.append((f"{name}_chunk_{k}{frame}", "virus" if score > 0.5 else "others", 1 - score, score))
    head = "sequence_number|sequence_id|classifier|chunk|start|end|open_frames|evidence|stretch_residues|frames_scored|"
    (folder / "chunks.tsv").write_text(
        _rows(head + "state|virus_score|max_p_virus|max_p_other|best_frame", chunks), encoding="utf-8"
    )
    (folder / "prediction_results.txt").write_text(
        _rows("Sequence_ID|Prediction|score1|score2", frames), encoding="utf-8"
    )
    return {
        "chunk": [(row[1], float(row[11]) if row[11] else None) for row in chunks],
        "frame": [(row[0].rsplit("_chunk_", 1)[0], row[3]) for row in frames],
    }


def _rows(head: str, rows, separator="\t") -> str:
    return "\n".join([head.replace("|", separator), *(separator.join(map(str, row)) for row in rows)]) + "\n"


def nf_virnucpro(s):
    head = "sequence_number|sequence_id|length|state|virus_score|max_p_virus|evidence|genetic_code|reason"
    rows = [
        (n + 1, name, length(n), "virus" if x >= 0.5 else "other", f"{x:.6f}", f"{x:.6f}", "open_frames", 1, "")
        for n, (name, x) in enumerate(s.items())
    ]
    rows[0] = (1, "virus_0", length(0), "no_open_frame", "", "", "", "", "")
    rows[45] = (46, "host_5", length(45), "other", "", "", "screened", 1, "")
    return _rows(head, rows)


def genomad_summary(s):
    head = "seq_name|length|topology|coordinates|n_genes|genetic_code|virus_score|fdr|n_hallmarks|"
    head += "marker_enrichment|taxonomy"
    rows = [
        (name, 2000, "No terminal repeats", "NA", 3, 11, f"{x:.4f}", "NA", 1, "1.2", "Viruses;Duplodnaviria")
        for name, x in s.items()
        if x >= 0.7 and name != "host_3"
    ]
    provirus = ("host_3|provirus_101_9800", 9700, "Provirus", "101-9800", 12, 11, "0.9", "NA", 2, "9.1", "Viruses")
    return _rows(head, [*rows, provirus, (provirus[0].replace("101", "1"), *provirus[1:6], "0.8", *provirus[7:])])


def genomad_classes(s):
    rows = ((name, f"{0.8 * (1 - x):.4f}", f"{0.2 * (1 - x):.4f}", f"{x:.4f}") for name, x in s.items())
    return _rows("seq_name|chromosome_score|plasmid_score|virus_score", rows)


def jaeger(s):
    head = (
        "contig_id|length|prediction|entropy|realiability_score|host_contam|prophage_contam|#_Bacteria_windows|"
        "#_Phage_windows|#_Eukarya_windows|#_Archaea_windows|Bacteria_score|Bacteria_var|Phage_score|Phage_var|"
        "Eukarya_score|Eukarya_var|Archaea_score|Archaea_var|window_summary"
    )
    rows = (
        (
            *(name, 2000, "Phage" if x > 0.5 else "Bacteria", 0.4, 0.7, False, False, 1, 2, 0, 0),
            *(f"{2 - 4 * x:.4f}", 1, f"{4 * x - 2:.4f}", 1, -5.8, 2, -3.1, 1, "1n2V"),
        )
        for name, x in s.items()
        if name not in ("virus_1", "virus_2")  # too short for it
    )
    return _rows(head, rows)


def deepvirfinder(s):
    rows = ((f"{name} a description", length(i), x, 0.05) for i, (name, x) in enumerate(s.items()))
    return _rows("name|len|score|pvalue", rows)


def virfinder(s):
    """As R's write.table has it: quoted, with names of rows."""
    rows = ((f'"{i + 1}"', f'"{name}"', length(i), x, 0.05) for i, (name, x) in enumerate(s.items()))
    return _rows('"name"|"length"|"score"|"pvalue"', rows)


def seeker(s):
    rows = ((name, "Phage" if round(x, 2) >= 0.5 else "Bacteria", round(x, 2)) for name, x in s.items())
    return _rows("name|prediction|score", rows)


def deepmicroclass(s):
    rows = ((name, 0.0001, 0.00002, 0.1, f"{6 * (1 - x):.5f}", f"{6 * x:.5f}") for name, x in s.items())
    return _rows("Sequence Name|Eukaryote|EukaryoteVirus|Plasmid|Prokaryote|ProkaryoteVirus", rows)


def viralm(s):
    rows = ((name, "virus" if x > 0.5 else "non-virus", x) for name, x in s.items())
    return _rows("seq_name|prediction|virus_score", rows, ",")


def virsorter2(s):
    head = "seqname|dsDNAphage|ssDNA|max_score|max_score_group|length|hallmark|viral|cellular"
    rows = [
        (f"{name}||full", f"{x:.3f}", 0.153, f"{x:.3f}", "dsDNAphage", 2000, 1, "75.8", "0.6")
        for name, x in s.items()
        if x >= 0.5 and not name.startswith("virus_3")
    ]
    rows.append(("virus_3||0_partial", 0.9, 0.1, 0.9, "dsDNAphage", 2000, 1, "75.8", "0.6"))
    rows.append(("virus_30||lt2gene", "nan", "nan", "nan", "nan", 800, 1, "100.0", "0.0"))
    return _rows(head, rows)


WRITERS = {
    "nf-virnucpro": ("sequences.tsv", nf_virnucpro),
    "geNomad, virus_summary": ("gut_virus_summary.tsv", genomad_summary),
    "geNomad, classification": ("gut_aggregated_classification.tsv", genomad_classes),
    "Jaeger": ("gut_default_jaeger.tsv", jaeger),
    "DeepVirFinder": ("gut.fa_gt300bp_dvfpred.txt", deepvirfinder),
    "VirFinder": ("virfinder.tsv", virfinder),
    "Seeker": ("seeker.txt", seeker),
    "DeepMicroClass": ("gut.fa_pred_one-hot_hybrid.tsv", deepmicroclass),
    "ViraLM": ("result_gut.csv", viralm),
    "VirSorter2": ("final-viral-score.tsv", virsorter2),
}
