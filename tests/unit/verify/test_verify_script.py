"""The script without Nextflow: exit status, JSON."""

import json
import shutil
import subprocess
import sys


def run(root, *arguments):
    return subprocess.run(
        [sys.executable, root / "bin/verify_models.py", *arguments], capture_output=True, encoding="utf-8"
    )


def test_the_exit_status_says_whether_all_holds(root, tmp_path):
    models = shutil.copytree(root / "assets/compact_models", tmp_path / "models")
    done = run(root, "--models", models, "--json", tmp_path / "whole.json")
    assert done.returncode == 0, done.stdout + done.stderr
    whole = json.loads((tmp_path / "whole.json").read_text(encoding="utf-8"))
    assert whole["complete"] and whole["counts"]["failed"] == 0
    assert {r["status"] for r in whole["results"]} == {"ok", "not checked"}
    (models / "encoders/compact/config.json").write_text("{}", encoding="utf-8")
    done = run(root, "--models", models, "--json", tmp_path / "changed.json")
    assert done.returncode == 1 and "failed       files" in done.stdout
    assert not json.loads((tmp_path / "changed.json").read_text(encoding="utf-8"))["complete"]
    assert "Traceback" not in done.stderr


def test_without_pytorch(root, tmp_path):
    """Files and frames are checked; one line says what is missing, the others what could not be checked."""
    code = "import runpy, sys; sys.modules['torch'] = None; sys.argv = sys.argv[1:]; "
    code += "runpy.run_path(sys.argv[0], run_name='__main__')"
    arguments = [root / "bin/verify_models.py", "--models", root / "assets/demo_models", "--device", "cpu", "--json"]
    command = [sys.executable, "-c", code, *arguments, tmp_path / "out.json"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", env={"PYTHONPATH": str(root / "bin")})
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    results = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))["results"]
    (failed,) = [r for r in results if r["status"] == "failed"]
    assert failed["check"] == "device" and "torch is missing" in failed["text"] and "make setup" in failed["remedy"]
    assert {r["subject"] for r in results if r["status"] == "ok"} >= {"demo", "demo_500", "frames"}
    assert {r["check"] for r in results if r["status"] == "not checked"} >= {"references", "precision", "independence"}
