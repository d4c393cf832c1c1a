"""The report's part on the method: the model's card, how to cite, the run, parameters, versions."""

import json
from typing import Any

from multiqc import BaseMultiqcModule

from virnucpro.report.html import ENCODER_LABELS, Raw, box, definitions, note, table, text
from virnucpro.report.inputs import Run

PAPER = (
    "Li J, Mi J, Lin W, Tian F, Wan J, Gao J, Tong Y. VirNucPro: an identifier for the identification of viral short "
    "sequences using six-frame translation and large language models. Briefings in Bioinformatics 26(3):bbaf224, 2025. "
    "doi:10.1093/bib/bbaf224"
)


ENCODER_PAPERS = {
    "dnabert_s": "Zhou Z et al. DNABERT-S: pioneering species differentiation with species-aware DNA embeddings. "
    "Bioinformatics 41(Supplement 1):i255-i264, 2025; arXiv:2402.08777",
    "esm2": "Lin Z et al. Evolutionary-scale prediction of atomic-level protein structure with a language model. "
    "Science 379:1123-1130, 2023. doi:10.1126/science.ade2574",
}


def method_sections(run: Run) -> BaseMultiqcModule:
    """Model card, citation, how the run was started, parameters, versions."""
    module = BaseMultiqcModule(name="Method", anchor="method")
    module.add_section(name="The model", anchor="method-model", content=box(_card(run.models)))
    module.add_section(name="How to cite", anchor="method-cite", content=box(_cite(run.models)))
    module.add_section(name="The run", anchor="method-run", content=box(_launch(run.launch)))
    parameters = _parameters(run.params, run.models)
    module.add_section(name="Parameters", anchor="method-parameters", content=box(parameters))
    module.add_section(name="Versions", anchor="method-versions", content=box(_versions(run.versions)))
    return module


def _card(models: dict[str, Any]) -> str:
    classifier = models.get("classifier", {})
    if not classifier:
        return note("The model bundle was not described.")
    order = ("title", "name", "purpose", "limits", "chunk_length", "training", "evaluation", "licence", "source")
    pairs = [(key.replace("_", " ").capitalize(), classifier.get(key)) for key in order]
    encoders = table(
        ("encoder", "model", "layer", "dimensions", "parameters"),
        (
            (
                ENCODER_LABELS.get(e.get("kind"), e.get("kind", "")),
                e.get("name"),
                e.get("layer") if not isinstance(e.get("layer"), int) else str(e["layer"]),
                e.get("dim"),
                e.get("parameters"),
            )
            for e in models.get("encoders", [])
        ),
        "---nn",
    )
    return definitions(pairs) + encoders


def _cite(models: dict[str, Any]) -> str:
    own = models.get("classifier", {}).get("citation")
    items = [text(PAPER)]
    if own and str(own).strip() != PAPER:
        items.insert(0, f"The classifier used here: {text(own, 2000)}")
    items += [text(paper) for paper in ENCODER_PAPERS.values()]
    items.append("Nextflow and the tools below; the pipeline's CITATIONS file has their papers.")
    return "<ul>" + "".join(f"<li>{item}</li>" for item in items) + "</ul>"


def _launch(launch: dict[str, Any]) -> str:
    """How the run was started."""
    if not launch:
        return note("How the run was started was not recorded.")
    pairs = [(name.replace("_", " ").capitalize(), value) for name, value in launch.items()]
    code = [
        (name, Raw(f"<code>{text(value, 4000)}</code>") if name == "Command line" else value) for name, value in pairs
    ]
    without = (
        "" if launch.get("commit") else note("Run from a folder, not from a Git address: its commit is not known.")
    )
    return definitions(code) + without


def _parameters(params: dict[str, Any], models: dict[str, Any]) -> str:
    if not params:
        return note("The parameters were not recorded.")
    shown = {name: _value(value) for name, value in sorted(params.items())}
    # The one that was used must be readable where none was named.
    used = models.get("classifier", {}).get("name")
    if used and params.get("classifier") is None:
        shown["classifier"] = f"{used} (not given: the bundle's only one)"
    rows = ((name, Raw(f"<code>{text(value, 1000)}</code>")) for name, value in shown.items())
    return table(("parameter", "value"), rows, "-w")


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _versions(versions: dict[str, dict[str, str]]) -> str:
    rows = [
        (process.rsplit(":", 1)[-1], tool, str(version))
        for process, tools in sorted(versions.items())
        for tool, version in sorted((tools or {}).items())
    ]
    return table(("process", "software", "version"), rows, "---")
