"""What Nextflow makes of the GPU settings: flags and mounts of GPU tasks alone, and how many GPUs a run counts.

A small pipeline with the project's own configuration runs under a fake docker, which notes its arguments and starts the
command without a container.
"""

import os
import shutil
import subprocess

import pytest

TWO_AND_MIG = """GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-aaaa0000-0000-0000-0000-000000000000)
  MIG 3g.20gb     Device  0: (UUID: MIG-c0c0c0c0-1111-5b58-b4bd-000000000000)
  MIG 3g.20gb     Device  1: (UUID: MIG-d1d1d1d1-2222-5b58-b4bd-000000000000)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-bbbb1111-0000-0000-0000-000000000000)
"""

PROBE = """
include {{ gpuSlots ; countGpus }} from '{root}/workflows/support/gpus'

process EMBED_PROBE {{
    tag 'gpu'
    label 'process_gpu'
    output:
    stdout
    script:
    "echo 'GPU TASK accelerator=${{task.accelerator?.request}} time=${{task.time}}'"
}}
process OTHER_PROBE {{
    tag 'cpu'
    label 'process_low'
    output:
    stdout
    script:
    "echo 'CPU TASK accelerator=${{task.accelerator?.request}}'"
}}
workflow {{
    def listing = file('{folder}/listing').text
    def narrowings = [null, '0', '1', '0,1', '1,0', '', '-1', '7', 'GPU-bbbb', 'MIG-d1d1', '0,GPU-aaaa']
    def counts = narrowings.collect {{ narrowed -> countGpus(listing, narrowed) }} + [countGpus('', null)]
    println('COUNTS ' + counts.join(' '))
    println('SLOTS ' + gpuSlots([gpus: 0, use_gpu: "${{params.use_gpu}}".toString()]))
    println('STATED ' + gpuSlots([gpus: 5, use_gpu: 'auto']))
    EMBED_PROBE().view()
    OTHER_PROBE().view()
}}
"""

DOCKER = """#!/bin/bash
[ "$1" = run ] || exit 0
echo "$*" >> {folder}/calls
while [ "$1" != /bin/bash ]; do shift; done
exec "$@"
"""


@pytest.fixture
def probe(root, tmp_path):
    """`probe(options, variables)` runs the probe; gives (what it printed, docker's calls by kind of task)."""
    if shutil.which("nextflow") is None:
        pytest.skip("nextflow is not on PATH")
    (tmp_path / "listing").write_text(TWO_AND_MIG, encoding="utf-8")
    (tmp_path / "main.nf").write_text(PROBE.format(root=root, folder=tmp_path), encoding="utf-8")
    (tmp_path / "nextflow.config").write_text(f"includeConfig '{root}/nextflow.config'\n", encoding="utf-8")
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, text in {"docker": DOCKER, "nvidia-smi": "#!/bin/sh\ncat {folder}/listing\n"}.items():
        (tools / name).write_text(text.format(folder=tmp_path), encoding="utf-8")
        (tools / name).chmod(0o755)

    def run(*options: str, **variables: str) -> tuple[str, dict[str, str]]:
        environment = os.environ | {
            "PATH": f"{tools}:{os.environ['PATH']}",
            "NF_VIRNUCPRO_GPU_LOCKS": str(tmp_path / "locks"),
            "NXF_ANSI_LOG": "false",
        }
        environment.pop("CUDA_VISIBLE_DEVICES", None)
        command = ["nextflow", "-q", "run", ".", "-profile", "test,docker", "--outdir", "out", *options]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment | variables, capture_output=True, encoding="utf-8", timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        calls = (tmp_path / "calls").read_text(encoding="utf-8").splitlines()
        kinds = {"gpu": [c for c in calls if "/embed:" in c], "cpu": [c for c in calls if "/tools:" in c]}
        assert {kind: len(lines) for kind, lines in kinds.items()} == {"gpu": 1, "cpu": 1}
        return done.stdout, {kind: lines[0] for kind, lines in kinds.items()}

    return run


def test_gpu_tasks_alone_get_flags_locks_and_store(probe, tmp_path):
    out, docker = probe("--use_gpu", "true", "--embedding_store", "store", CUDA_VISIBLE_DEVICES="0")
    assert "GPU TASK accelerator=1 time=null" in out
    assert "CPU TASK accelerator=null" in out
    # [null, '0', '1', '0,1', '1,0', '', '-1', '7', 'GPU-bbbb', 'MIG-d1d1', '0,GPU-aaaa'], then no listing
    assert "COUNTS 3 2 1 3 3 0 0 0 1 1 2 0" in out
    assert "SLOTS 2" in out  # both MIG devices of GPU 0
    assert "STATED 5" in out
    assert "--gpus all" in docker["gpu"]
    assert f"-v {tmp_path}/locks:{tmp_path}/locks" in docker["gpu"]
    assert f"-v {tmp_path}/store:{tmp_path}/store" in docker["gpu"]
    assert "-e CUDA_VISIBLE_DEVICES" in docker["gpu"]
    assert "--gpus" not in docker["cpu"]
    assert "locks" not in docker["cpu"]
    assert (tmp_path / "locks").stat().st_mode & 0o7777 == 0o1777


def test_without_gpus_no_flag_is_given(probe, tmp_path):
    out, docker = probe("--use_gpu", "false", "--embedding_store", str(tmp_path / "store"))
    assert "GPU TASK accelerator=null" in out
    assert "SLOTS 1" in out
    assert "--gpus" not in docker["gpu"]
    assert "locks" not in docker["gpu"]
    assert f"-v {tmp_path}/store:{tmp_path}/store" in docker["gpu"]
