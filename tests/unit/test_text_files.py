"""Each text file is opened as UTF-8, whatever the machine's locale. Ruff sees that of calls on a `Path(...)` alone."""

import ast
import subprocess

import pytest

NO_TEXT = {"os", "tarfile", "z"}  # whose `open` takes no encoding; z: a ZIP file


def without_encoding(node: ast.Call) -> bool:
    names = {k.arg for k in node.keywords if k.arg != "text" or isinstance(k.value, ast.Constant)}
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    owner = getattr(getattr(node.func, "value", None), "id", "")
    if names & {"encoding", "errors"} or owner in NO_TEXT:
        return False
    if name in ("read_text", "write_text"):
        return len(node.args) == (name == "write_text")
    if name != "open":
        return bool(names & {"text", "universal_newlines"})
    given = [*node.args, *(k.value for k in node.keywords)]
    modes = {n.value for arg in given for n in ast.walk(arg) if isinstance(n, ast.Constant)} & MODES
    return any("t" in mode for mode in modes) if owner == "gzip" else not any("b" in mode for mode in modes)


MODES = {kind + plus + what for kind in "rwax" for plus in ("", "+") for what in ("", "b", "t")}


@pytest.mark.parametrize(
    ("code", "lacks"),
    [
        ("path.open()", True),
        ("path.open('r+')", True),
        ("path.open('r+b' if have else 'wb')", False),
        ("open('wb.txt', mode='w')", True),
        ("gzip.open(path)", False),
        ("gzip.open(path, 'rt')", True),
        ("path.read_text()", True),
        ("path.write_text(text)", True),
        ("run(command, text=True)", True),
        ("run(command, encoding='utf-8')", False),
    ],
)
def test_what_is_found(code, lacks):
    assert without_encoding(ast.parse(code).body[0].value) == lacks


def test_every_text_file_has_an_encoding(root):
    files = subprocess.run(["git", "ls-files", "-z", "*.py"], cwd=root, capture_output=True, encoding="utf-8").stdout
    lacking = []
    for file in filter(None, files.split("\0")):
        path = root / file
        for node in ast.walk(ast.parse(path.read_bytes())) if path.exists() else ():
            if isinstance(node, ast.Call) and without_encoding(node):
                lacking.append(f"{file}:{node.lineno}")
    assert not lacking
