"""What the documents say of parameters and of one another holds, and they can be read on a screen."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
WIDEST = 100  # characters of a line of prose


@pytest.fixture(scope="module")
def schema():
    groups = json.loads((ROOT / "nextflow_schema.json").read_text(encoding="utf-8"))["$defs"].values()
    return {name: p for group in groups for name, p in group["properties"].items()}


def prose(path: Path) -> str:
    """A document without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)


def documented() -> dict[str, list[tuple[str, str]]]:
    """parameter -> (document, default) of each row about it in a table `| parameter | default | what |`."""
    found = {}
    for path in DOCUMENTS:
        heading = ""
        for line in prose(path).splitlines():
            cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
            if not cells:
                heading = ""
            elif not heading:
                heading = cells
            elif heading[:2] == ["parameter", "default"] and "--" in cells[0].replace("---", ""):
                names = re.findall(r"--(\w+)", cells[0])
                defaults = [d.strip() for d in cells[1].split(", ")] if len(names) > 1 else [cells[1]]
                for name, default in zip(names, defaults, strict=True):
                    found.setdefault(name, []).append((path.name, default))
    return found


def test_every_parameter_has_a_row_and_no_other(schema):
    assert set(documented()) == set(schema)


def test_defaults_are_those_of_the_schema(schema):
    words = {"false": False, "true": True, "off": False}
    for name, rows in documented().items():
        default = schema[name].get("default")
        for document, told in rows:
            told = told.strip("`")
            if default is None:
                continue  # such a default is told by what it means, e.g. `the site's`
            if isinstance(default, bool):
                assert words.get(told) == default, (document, name)
            elif isinstance(default, int | float):
                number = re.fullmatch(r"[\d.,]+", told)
                assert float(told.replace(",", "")) == default if number else default == 0, (document, name)
            else:
                assert told == default, (document, name)


def anchors(path: Path) -> set[str]:
    """As GitHub makes them from headings."""
    headings = re.findall(r"^#+ (.*)$", prose(path), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(path)):
        if re.match(r"https?://|mailto:", target):
            continue
        name, _, anchor = target.partition("#")
        other = path.parent / name if name else path
        assert other.exists(), target
        assert not anchor or anchor in anchors(other), target


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_lines_fit_a_screen(path):
    """Tables, code and links may be wider."""
    wide = [
        line
        for line in prose(path).splitlines()
        if len(line) > WIDEST and not line.startswith(("|", "    ")) and not re.search(r"\S{60}", line)
    ]
    assert wide == []
