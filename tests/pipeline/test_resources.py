"""CPUs and memory of tasks: never more than a machine has; a retry asks for more only where that can help."""

import polars as pl
import pytest

pytestmark = pytest.mark.nextflow

# The profile `test` would bring limits of its own, so it is not used. A machine is played by the executor's settings.
SMALL_MACHINE = """
executor {{ {executor} }}
params.use_gpu = 'false'
process {{
    withName: EXTRACT_FRAMES {{ beforeScript = {{ "exit ${{[0, 137, 74, 0][task.attempt]}}".replace('exit 0', '') }} }}
    withLabel: process_gpu {{ beforeScript = {{ task.attempt == 1 ? 'exit 137' : '' }} }}
}}
"""


@pytest.mark.parametrize(
    ("executor", "stub"), [("cpus = 1; memory = '5 GB'", []), ("'$local' { cpus = 1; memory = 5.GB }", ["-stub"])]
)
def test_a_small_machine_runs_and_retries(nextflow, two_samples, root, executor, stub):
    """One core and 5 GB, where embedding asks for 4 and 24 GB, and for 48 GB once it was killed."""
    (two_samples / "small.config").write_text(
        SMALL_MACHINE.format(executor=executor.replace("; ", "\n")), encoding="utf-8"
    )
    run = nextflow(
        two_samples,
        "-c",
        "small.config",
        "--input",
        "phage.fa",
        "--models",
        root / "assets/demo_models",
        "--tasks_per_encoder",
        "1",
        *stub,
    )
    assert run.code == 0, run.text
    tasks = pl.read_csv(run.results / "pipeline_info/execution_trace.tsv", separator="\t", infer_schema=False)
    assert set(tasks["cpus"]) == {"1"}

    def asked(process: str) -> list[tuple[str, str]]:
        of = tasks.filter(pl.col("name").str.contains(process)).sort("attempt")
        return list(zip(of["exit"], of["memory"], strict=True))

    assert asked("EXTRACT_FRAMES") == [("137", "2 GB"), ("74", "4 GB"), ("0", "4 GB")], "a full disk needs no memory"
    for process in ("EMBED_DNABERT_S", "EMBED_ESM2"):
        assert asked(process) == [("137", "5 GB"), ("0", "5 GB")]
    assert asked("CLASSIFY") == [("0", "2 GB")]


def test_limits_of_a_user_replace_those_of_the_machine(nextflow, two_samples, root):
    (two_samples / "site.config").write_text(
        "process.resourceLimits = [cpus: 1, memory: 1.GB]\nparams.use_gpu = 'false'\n", encoding="utf-8"
    )
    args = ["-c", "site.config", "-stub", "--input", "phage.fa", "--models", root / "assets/demo_models"]
    run = nextflow(two_samples, *args)
    assert run.code == 0, run.text
    tasks = pl.read_csv(run.results / "pipeline_info/execution_trace.tsv", separator="\t", infer_schema=False)
    assert set(zip(tasks["cpus"], tasks["memory"], strict=True)) == {("1", "1 GB")}
