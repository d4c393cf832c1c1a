"""What codeOf (workflows/support/code.nf) is told that a script uses, against what the script imports.

An edit to a file that a task uses must rerun that task under -resume, or a user keeps results of the code before.
"""

import ast
import re
import sys
from pathlib import Path

import pytest

from virnucpro.encoders.kinds import KINDS

ROOT = Path(__file__).resolve().parents[2]
BIN = ROOT / "bin"
ENCODERS = BIN / "virnucpro/encoders"
CALL = re.compile(r"codeOf\('([\w.]+)', \[([^\]]*)\](?:, \[([^\]]*)\])?\)")


def calls() -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """(script, rooms, without) of every codeOf in the workflows."""
    found = []
    for path in sorted((ROOT / "workflows").glob("*.nf")):
        text = path.read_text(encoding="utf-8")
        matches = [m.groups() for m in CALL.finditer(text)]
        assert len(matches) == len(re.findall(r"codeOf\('", text)), f"{path.name}: a codeOf that this test cannot read"
        found += [
            (script, *(tuple(re.findall(r"'([^']+)'", part or "")) for part in parts)) for script, *parts in matches
        ]
    return sorted(set(found))


def imported(path: Path, found: set[Path] | None = None) -> set[Path]:
    """All files under bin/ that `path` imports, directly or not, at its top or in a function, itself among them."""
    found = set() if found is None else found
    if path in found:
        return found
    found.add(path)
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a relative import"
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    for parts in (name.split(".") for name in names):
        for stop in range(1, len(parts) + 1):
            place = BIN.joinpath(*parts[:stop])
            for file in (place.with_suffix(".py"), place / "__init__.py"):
                if parts[0] == "virnucpro" and file.is_file():
                    imported(file, found)
    return found


def kinds() -> set[Path]:
    """As kindsOf in code.nf: what every script may ask of the kinds of encoder."""
    names = ("__init__.py", "kind.py", "kinds.py", "transformer_config.py", "description.py")
    return {f for f in ENCODERS.rglob("*.py") if f.name in names}


def covered(script: str, rooms: tuple[str, ...], without: tuple[str, ...]) -> set[Path]:
    library = BIN / "virnucpro"
    named = {f for room in rooms for f in (library / room).rglob("*.py")}
    left_out = tuple(str(library / name) + end for name in without for end in (".py", "/"))
    return {BIN / script, *library.glob("*.py"), *kinds(), *(f for f in named if not str(f).startswith(left_out))}


@pytest.mark.parametrize(
    ("script", "rooms", "without"), calls(), ids=lambda value: " ".join([value] if isinstance(value, str) else value)
)
def test_a_script_imports_nothing_else(script, rooms, without):
    used = imported(BIN / script)
    if "encoders" in rooms:  # embedding/task.py imports its encoder by name
        used |= {
            f for kind in KINDS if f"encoders/{kind}" not in without for f in imported(ENCODERS / kind / "model.py")
        }
    assert used - covered(script, rooms, without) == set()
    for room in rooms:
        assert any(f.is_relative_to(BIN / "virnucpro" / room) for f in used), f"{script} uses nothing of {room}"


def test_each_encoder_has_a_call_of_its_own():
    """The others' files are left out: an edit to one encoder does not rerun the tasks of another."""
    expected = {tuple(sorted(f"encoders/{other}" for other in KINDS if other != kind)) for kind in KINDS}
    assert {tuple(sorted(without)) for script, _, without in calls() if script == "embed.py"} == expected


def packages(files: set[Path]) -> set[str]:
    """Names in the package index of what these files import, beside the standard library and ours."""
    found = set()
    for node in (node for file in files for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module.split(".")[0])
    return {INDEX_NAMES.get(name, name) for name in found - sys.stdlib_module_names - {"virnucpro"}}


INDEX_NAMES = {"yaml": "pyyaml", "sklearn": "scikit-learn", "esm": "fair-esm"}
MODULES = [
    p for p in sorted(ROOT.glob("modules/local/*/main.nf")) if "topic: versions" in p.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.parent.name)
def test_a_module_reports_the_versions_of_what_its_script_imports(module):
    text = module.read_text(encoding="utf-8")
    (script,) = set(re.findall(r"^    (\w+\.py) ", text, re.M))
    told = set(re.search(r"tool_versions\.py([^']*)'", text)[1].split())
    files = imported(BIN / script)
    light = module.parent.name == "embed_light"
    if script == "embed.py":
        files |= {
            f for kind in KINDS if (kind == "composition") == light for f in imported(ENCODERS / kind / "model.py")
        }
    expected = packages(files)
    if module.parent.name == "verify_models":  # does without a reference that is absent, and says so
        expected -= {"fair-esm", "transformers"}
    # What only a GPU needs is imported where there is one; the light task never imports the PyTorch of the others.
    assert told - expected == set()
    assert expected - told <= ({"torch", "triton"} if light else {"triton"})
