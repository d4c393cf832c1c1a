"""The report's part on the method: the model's card, how to cite, the run, parameters, versions."""

import json
from typing import Any

from multiqc import BaseMultiqcModule

from virnucpro.encoders.kinds import KINDS, label
from virnucpro.report.html import Raw, box, definitions, note, table, text
from virnucpro.report.inputs import Run

PAPER = (
    "Li J, Mi J, Lin W, Tian F, Wan J, Gao J, Tong Y. VirNucPro: an identifier for the identification of viral short "
    "sequences using six-frame translation and large language models. Briefings in Bioinformatics 26(3):bbaf224, 2025. "
    "doi:10.1093/bib/bbaf224"
)


def method_sections(run: Run) -> BaseMultiqcModule:
    """Model card, citation, how the run was started, parameters, versions."""
    module = BaseMultiqcModule(name="Method", anchor="method")
    module.add_section(name="The model", anchor="method-model", content=box(_card(run.models)))
    module.add_section(name="How to cite", anchor="method-cite", content=box(_cite(run.models)))
    module.add_section(name="The run", anchor="method-run", content=box(_launch(run.launch)))
    parameters = parameters_table(run.params, run.models)
    module.add_section(name="Parameters", anchor="method-parameters", content=box(parameters))
    module.add_section(name="Versions", anchor="method-versions", content=box(versions_table(run.versions)))
    return module


def _card(models: dict[str, Any]) -> str:
    classifier = models.get("classifier", {})
    if not classifier:
        return note("The model bundle was not described.")
    cards = [classifier, models["second"]] if models.get("second") else [classifier]
    order = ("title", "name", "purpose", "limits", "chunk_length", "training", "evaluation", "licence", "source")
    told = [definitions([(key.replace("_", " ").capitalize(), card.get(key)) for key in order]) for card in cards]
    encoders = table(
        ("encoder", "model", "layer", "dimensions", "parameters"),
        (
            (
                label(e.get("kind", "")),
                e.get("name"),
                e.get("layer") if not isinstance(e.get("layer"), int) else str(e["layer"]),
                e.get("dim"),
                e.get("parameters"),
            )
            for e in models.get("encoders", [])
        ),
        "---nn",
    )
    return "".join(told) + encoders


def _cite(models: dict[str, Any]) -> str:
    own = models.get("classifier", {}).get("citation")
    items = [text(PAPER)]
    if own and str(own).strip() != PAPER:
        items.insert(0, f"The classifier used here: {text(own, 2000)}")
    kinds = [encoder.get("kind") for encoder in models.get("encoders", [])]
    items += [text(kind.citation) for name, kind in KINDS.items() if name in kinds and kind.citation]
    items.append("Nextflow and the tools below; the pipeline's CITATIONS file has their papers.")
    return "<ul>" + "".join(f"<li>{item}</li>" for item in items) + "</ul>"


def _launch(launch: dict[str, Any]) -> str:
    """How the run was started."""
    if not launch:
        return note("How the run was started was not recorded.")
    shown = dict(launch)
    if "command_line" in launch:
        shown["command_line"] = Raw(f"<code>{text(launch['command_line'], 4000)}</code>")
    pairs = ((name.replace("_", " ").capitalize(), value) for name, value in shown.items())
    without = note("Run from a folder, not from a Git address: its commit is not known.")
    return definitions(pairs) + ("" if launch.get("commit") else without)


def parameters_table(params: dict[str, Any], models: dict[str, Any]) -> str:
    if not params:
        return note("The parameters were not recorded.")
    shown = {name: _value(value) for name, value in sorted(params.items())}
    # The one that was used must be readable where none was named.
    used = models.get("classifier", {}).get("name")
    if used and not params.get("classifier"):
        shown["classifier"] = f"{used} (not given: the bundle's only one)"
    rows = ((name, Raw(f"<code>{text(value, 1000)}</code>")) for name, value in shown.items())
    return table(("parameter", "value"), rows, "-w")


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def versions_table(versions: dict[str, dict[str, str]]) -> str:
    rows = [
        (process.rsplit(":", 1)[-1], tool, str(version))
        for process, tools in sorted(versions.items())
        for tool, version in sorted((tools or {}).items())
    ]
    return table(("process", "software", "version"), rows, "---")
