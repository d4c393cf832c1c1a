"""Set-up on a machine with settings of its own: pip, Python and Java are led to the pinned environment all the same."""

import hashlib
import importlib.util
import os
import subprocess
import zipfile
from pathlib import Path

import pytest

JAVA = """#!/bin/sh
printf '%s\\n' "$@" "LC_ALL=$LC_ALL" "JAVA_TOOL_OPTIONS=$JAVA_TOOL_OPTIONS"
"""


@pytest.fixture(scope="module")
def install(root):
    spec = importlib.util.spec_from_file_location("install", root / "setup/install.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pip_installs_into_the_environment_alone(install, tmp_path, monkeypatch):
    """pip itself, in a folder of the user's, with settings under which it refuses to install or does so elsewhere."""
    conf = tmp_path / "pip.conf"
    conf.write_text(
        f"[install]\nuser = true\ntarget = {tmp_path}/elsewhere\n[global]\nrequire-virtualenv = true\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(conf))
    monkeypatch.setenv("PIP_PREFIX", str(tmp_path / "prefix"))
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.example/simple")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "pip.py").write_text("raise SystemExit('the pip of the site')", encoding="utf-8")
    wheel = write_wheel(tmp_path)
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    lock = tmp_path / "some.lock"
    lock.write_text(f"tiny==1.0 --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n", encoding="utf-8")
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    install.make_environment(tmp_path / "env", lock)
    assert len(list(tmp_path.glob("env/lib/python*/site-packages/tiny.py"))) == 1
    assert not list((tmp_path / "cwd").iterdir()) and not (tmp_path / "prefix").exists()
    assert not (tmp_path / "elsewhere").exists()
    assert install.own_environment()["PIP_INDEX_URL"] == "https://mirror.example/simple"


def write_wheel(folder: Path) -> Path:
    path = folder / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("tiny.py", "")
        wheel.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        wheel.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("tiny-1.0.dist-info/RECORD", "tiny.py,,\ntiny-1.0.dist-info/RECORD,,\n")
    return path


def launched(install, folder, **variables) -> list[str]:
    java = folder / "java"
    java.write_text(JAVA, encoding="utf-8")
    java.chmod(0o755)
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "nextflow").mkdir(exist_ok=True)
    install.write_launcher(folder, str(java), folder / "nextflow")
    install.refresh_launcher(folder)
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "NXF_", "TMPDIR"))
    }
    done = subprocess.run(
        [folder / "bin/nextflow", "run"], env=clean | variables, capture_output=True, encoding="utf-8", check=True
    )
    return done.stdout.splitlines()


def test_the_launcher_sets_what_nextflows_own_does(install, tmp_path):
    lines = launched(install, tmp_path, LC_ALL="C", NXF_TEMP="/some where", JAVA_TOOL_OPTIONS="-Dx=y")
    assert {"-Dfile.encoding=UTF-8", "-Djava.io.tmpdir=/some where", "LC_ALL=C.UTF-8", "JAVA_TOOL_OPTIONS="} <= set(
        lines
    )
    assert lines[-3:-2] == ["run"]


def test_the_launcher_keeps_a_locale_with_all_letters(install, tmp_path):
    lines = launched(install, tmp_path, LC_ALL="de_DE.UTF-8")
    assert "LC_ALL=de_DE.UTF-8" in lines
    assert not [line for line in lines if line.startswith("-Djava.io.tmpdir")]
