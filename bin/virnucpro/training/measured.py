"""What was measured of a classifier, as it stands on its card."""

from virnucpro.evaluation.account import ALL

DIGITS = 4


def on_card(found: dict) -> dict:
    """The figures that stand on the card: of the classifier and the better baseline, by size."""
    how = (
        "the test set: genomes that neither trained the classifier nor calibrated it. AUROC with a 95 % interval "
        "(bootstrap over families of genomes); what has no answer counts as 0.5, and as not called"
    )
    told: dict = {"data": how, "by_size": {}}
    errors = {row["size"]: row for row in found["calibration"]["sizes"]}
    baseline = {row["size"]: row for row in found["comparisons"] if row["caller"] == found["name"]}
    for row in found["figures"]:
        if (row["caller"], row["level"], row["part"]) != (found["name"], "sequence", ALL):
            continue
        size = row["size"]
        values = {
            name: round(row[name][0], DIGITS) for name in ("auprc", "sensitivity", "specificity", "mcc", "no_answer")
        }
        value, low, high = (round(x, DIGITS) for x in row["auroc"])
        told["by_size"][f"{size} bases" if size else "whole sequences"] = {
            "viruses": row["viruses"],
            "others": row["others"],
            "genomes": row["genomes"],
            "auroc": value,
            "auroc_95": [low, high],
            **values,
            "calibration_error": round(errors[size]["after"]["error"], DIGITS),
            "baseline": baseline[size]["baseline"],
            "baseline_auroc": round(baseline[size]["baseline_auroc"], DIGITS),
        }
    if found["flattery"]:
        told["split_by_frame_would_say"] = found["flattery"]
    return told
