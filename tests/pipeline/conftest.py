"""Driving `nextflow run` from pytest."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from pipeline_samples import snapshot, write_two_samples

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Run:
    """A finished `nextflow run`: its exit status, all it printed, and the folder it ran in."""

    code: int
    text: str
    folder: Path

    @property
    def results(self) -> Path:
        return self.folder / "results"

    def lines(self, word: str) -> list[str]:
        return [line for line in self.text.splitlines() if word in line]

    def submitted(self) -> list[str]:
        """Processes of the tasks that ran anew, e.g. ['CLASSIFY (gut)', ...], sorted."""
        return sorted(line.rsplit(":", 1)[-1] for line in self.lines("Submitted process"))


@pytest.fixture(scope="session")
def nextflow(tmp_path_factory):
    """A function that runs `nextflow run <pipeline> <args>` in a folder; skips where there is no Nextflow."""
    if not shutil.which("nextflow"):
        pytest.skip("no nextflow on PATH; `make test` sets one up")
    home = tmp_path_factory.mktemp("nxf_home")

    def run(folder: Path, *args: str, pipeline: Path = ROOT, timeout: int = 600, env: dict | None = None) -> Run:
        command = ["nextflow", "run", str(pipeline), "-ansi-log", "false", *map(str, args)]
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment(home) | (env or {}),
            capture_output=True,
            encoding="utf-8",
            timeout=timeout,
        )
        return Run(done.returncode, done.stdout + done.stderr, folder)

    run.environment = environment(home)
    return run


def environment(home: Path) -> dict:
    """The caller's, with a Nextflow home of its own and Python of the set-up first on PATH."""
    more = {"NXF_HOME": str(home), "NXF_OFFLINE": "true", "NXF_SYNTAX_PARSER": "v2", "OMP_NUM_THREADS": "1"}
    return os.environ | more


@pytest.fixture(scope="session")
def read_inputs(nextflow, tmp_path_factory):
    """A function: what the pipeline's own functions make of each of many inputs, in one start of Nextflow.

    A start takes seconds, and that a fault ends a run before any task does not hang on which it is. Of each input
    `fault`, empty where nothing is wrong, and `samples`, {name: [names of files]}. Paths are looked up in the folder;
    an input is one of predict, or with `workflow` of train.
    """
    place = tmp_path_factory.mktemp("read_inputs")
    for name in ("workflows", "nextflow_schema.json"):
        (place / name).symlink_to(ROOT / name)
    shutil.copy(ROOT / "tests/support/read_inputs.nf", place / "main.nf")

    def ask(folder: Path, inputs: list[str], workflow: str = "predict") -> list[dict]:
        asked = json.dumps([{"workflow": workflow, "input": text} for text in inputs])
        (place / "inputs.json").write_text(asked, encoding="utf-8")
        run = nextflow(folder, "--inputs", place / "inputs.json", "--told", place / "told.json", pipeline=place)
        assert run.code == 0, run.text
        return json.loads((place / "told.json").read_text(encoding="utf-8"))

    return ask


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A copy of the pipeline that a test may edit."""
    copy = tmp_path / "pipeline"
    parts = ("main.nf", "nextflow.config", "nextflow_schema.json", "bin", "modules", "workflows", "conf", "assets")
    for part in parts:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            copy.mkdir(exist_ok=True)
            shutil.copy(source, copy / part)
    return copy


@pytest.fixture(scope="session")
def undisturbed(nextflow, tmp_path_factory) -> dict[str, bytes]:
    """The results of a run of the two samples, with the demo model, that nothing happens to. However many tasks
    share the work, they must be these."""
    run = nextflow(write_two_samples(tmp_path_factory.mktemp("undisturbed")), "-profile", "test", "--input", "s.csv")
    assert run.code == 0, run.text
    return snapshot(run.results)


@pytest.fixture
def two_samples(tmp_path) -> Path:
    """A folder with s.csv: the first kilobases of phage lambda (phage) and of E. coli 536 (host)."""
    return write_two_samples(tmp_path)
