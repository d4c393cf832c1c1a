"""The report as one HTML page that needs nothing else."""

from virnucpro.report.html import NBSP, Raw, box, definitions, table, text
from virnucpro.report.style import STYLE
from virnucpro.verify.results import FAILED, NOT_CHECKED, OK

COLOURS = {OK: "#009e73", FAILED: "#d55e00", NOT_CHECKED: "#9a9a9a"}
ABOUT = {
    "device": "Where the encoders were computed.",
    "files": "Every file of the bundle, read in full, against the SHA-256 in its manifest.",
    "golden values": "What VirNucPro itself computed with the published models for eight frames.",
    "references": "Each encoder against other implementations of the same architecture, with these weights, in fp32.",
    "precision": "Embeddings and scores in half precision against fp32. The centred cosine is taken after the mean "
    "embedding is subtracted: all embeddings point nearly one way, so the plain cosine flatters.",
    "independence": "The same sequence alone, in other company, at another place and in another batch.",
    "speed": "Measured on open frames; what a run reaches where tasks are long.",
    "cost": "What a run on the input would take, from the frames in it and the speed above.",
}
PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
{style}<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 1.5rem auto; padding: 0 1rem; }}
.vnp-table th {{ background: Canvas; }}
.vnp-table td:first-child {{ font-weight: 600; }}
@media (min-width: 60rem) {{
  .vnp-table th:first-child {{ width: 6.5rem; }}
  .vnp-table th:nth-child(2) {{ width: 17rem; }}
}}
h1 {{ font-size: 1.6rem; }} h2 {{ font-size: 1.15rem; margin: 1.4rem 0 0; }}
</style></head><body>
{body}
</body></html>
"""


def page(content: dict) -> str:
    """The page for the JSON's content."""
    counts = content["counts"]
    told = ", ".join(f"{n}{NBSP}{status}" for status, n in counts.items())
    banner = (
        f'<div class="vnp-banner{"" if content["complete"] else " bad"}"><b>{content["verdict"]}</b> {text(told)}</div>'
    )
    device, versions = content.get("device", {}), content.get("versions", {})
    facts = definitions(
        [
            ("Bundle", content.get("bundle")),
            ("Classifiers", content.get("classifiers")),
            ("Device", device.get("name")),
            ("Device's id", device.get("uuid")),
            *versions.items(),
            ("Took", f"{content.get('seconds', 0):,.0f} s"),
        ]
    )
    results = content["results"]
    failed = [r for r in results if r["status"] == FAILED]
    body = "<h1>nf-virnucpro: verification</h1>" + box(banner, facts)
    if failed:
        body += "<h2>What failed</h2>" + box(_table(failed, with_check=True))
    for check in dict.fromkeys(r["check"] for r in results):
        mine = [r for r in results if r["check"] == check]
        about = ABOUT.get(check)
        note = f'<p class="vnp-note">{text(about)}</p>' if about else ""
        body += f"<h2>{text(check[0].upper() + check[1:])}</h2>" + box(note, _table(mine))
    return PAGE.format(title="nf-virnucpro: verification", style=STYLE, body=body)


def _table(results: list[dict], with_check: bool = False) -> str:
    remedies = any(r["remedy"] for r in results)
    columns = ["status", *(["check"] if with_check else []), "what", "found", *(["remedy"] if remedies else [])]
    rows = [
        [
            Raw(f'<span style="color:{COLOURS[r["status"]]}">{text(r["status"])}</span>'),
            *([r["check"]] if with_check else []),
            r["subject"],
            Raw(text(r["text"], most=2000)),
            *([r["remedy"]] if remedies else []),
        ]
        for r in results
    ]
    return table(columns, rows, "-" + "-" * with_check + "ww" + "w" * remedies)
