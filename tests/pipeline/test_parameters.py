"""Parameters: what is wrong is said in one go, before any task; strings are read as their type."""

import json
import re
import subprocess

import pytest

pytestmark = pytest.mark.nextflow


@pytest.fixture(scope="module")
def schema(root):
    groups = json.loads((root / "nextflow_schema.json").read_text(encoding="utf-8"))["$defs"].values()
    return {name: p for group in groups for name, p in group["properties"].items()}


def test_help_lists_every_parameter(nextflow, tmp_path, schema):
    run = nextflow(tmp_path, "--help")
    assert run.code == 0
    for name, parameter in schema.items():
        assert re.search(rf"^  --{name} +{re.escape(parameter['description'])}", run.text, re.M), name
    assert not run.submitted()


def test_every_fault_is_named_before_any_task(nextflow, tmp_path):
    run = nextflow(
        tmp_path, "-profile", "test", "--min_scor", "0.5", "--min_score", "1.5", "--min_length", "-1",
        "--tasks_per_encoder", "many", "--shard_size", "2.5", "--use_gpu", "perhaps", "--precision", "fp8",
        "--save_embeddings", "maybe",
        "--classifier",
    )  # fmt: skip
    assert run.code != 0
    for expected in (
        "--min_scor: there is no such parameter, did you mean --min_score?",
        "--min_score is '1.5': at most 1 is allowed",
        "--min_length is '-1': at least 0 is needed",
        "--tasks_per_encoder is 'many': a whole number is needed",
        "--shard_size is '2.5': a whole number is needed",
        "--use_gpu is 'perhaps': one of auto, true, false is needed",
        "--precision is 'fp8': one of auto, fp32, fp16, bf16 is needed",
        "--save_embeddings is 'maybe': true or false is needed",
        "--classifier is 'true': it needs a value",
    ):
        assert expected in run.text, expected
    assert not run.submitted()


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ([], "--input is needed"),
        (["--input", "{fasta}", "--models", "absent"], "--models: there is no such folder: absent"),
        (["--input", "{fasta}", "--models", "."], "is no model bundle, it has no manifest.yml"),
        (["--input", "{fasta}", "--models", "{demo}", "--classifier", "other"],
         "other is neither a classifier of the bundle (it has "),
    ],
)  # fmt: skip
def test_what_is_missing_is_named(nextflow, tmp_path, root, args, expected):
    fasta = tmp_path / "x.fa"
    fasta.write_text(">a\nACGT\n", encoding="utf-8")
    run = nextflow(tmp_path, *(a.format(fasta=fasta, demo=root / "assets/demo_models") for a in args))
    assert run.code != 0
    assert expected in run.text
    assert not run.submitted()


def test_a_glob_that_the_shell_replaced_is_noticed(nextflow, tmp_path):
    """`--input *.fa` without quotes: the first file would be scored alone."""
    for name in ("good.fa", "messy.fa", "prot b.fa"):
        (tmp_path / name).write_text(">a\nACGT\n", encoding="utf-8")
    run = nextflow(
        tmp_path, "-profile", "test", "-stub", "--input", "good.fa", "messy.fa", "prot b.fa", "--tasks_per_encoder", "1"
    )
    assert run.code != 0
    assert "'messy.fa', 'prot b.fa': no parameter takes this" in run.text
    assert "a glob needs quotes: --input '*.fa'" in run.text
    assert not run.submitted()


def test_values_may_arrive_as_strings(nextflow, tmp_path):
    """Nextflow 26 hands every value of the command line over as a String: 'false' must not be true, '2' must be 2."""
    values = {
        "min_score": "0.75",
        "tasks_per_encoder": "2",
        "save_embeddings": "false",
        "allow_partial": "true",
        "shard_size": "7",
    }
    (tmp_path / "p.json").write_text(json.dumps(values), encoding="utf-8")
    run = nextflow(tmp_path, "-profile", "test", "-stub", "-params-file", "p.json", "--min_length", "30")
    assert run.code == 0, run.text
    assert not run.lines("ASSERT_COMPLETE"), "allow_partial is true"
    given = json.loads((run.results / "pipeline_info/task_plan.json").read_text(encoding="utf-8"))
    assert len(given["encoders"]["esm2"]["tasks"]) == 2
    for line in ("min_score         0.75", "tasks_per_encoder 2", "min_length        30"):
        assert line in run.text
    assert "save_embeddings" not in run.text, "it is at its default"


def test_schema_and_config_agree(root, schema, nextflow):
    """nextflow.config repeats the defaults, for what is read from it; the schema is what defines them."""
    command = ["nextflow", "config", "-flat", str(root)]
    text = subprocess.run(command, env=nextflow.environment, capture_output=True, encoding="utf-8", check=True).stdout
    config = dict(re.findall(r"^params\.(\w+) = (.*)$", text, re.M))
    expected = {
        n: "null" if p.get("default") is None else json.dumps(p["default"]).replace('"', "'") for n, p in schema.items()
    }
    assert config == expected


def another_value(parameter: dict) -> object:
    """A valid value that is not the default."""
    default = parameter.get("default")
    if "enum" in parameter:
        return next(value for value in parameter["enum"] if value != default)
    if parameter["type"] == "boolean":
        return not default
    if parameter["type"] == "number":
        return 0.75
    return 100 + (default or 0) if parameter["type"] == "integer" else "other"


EARLY = {"outdir", "publish_mode", "array_size"}


@pytest.mark.parametrize("way", ["command line", "-params-file", "-c", "nextflow.config"])
def test_every_parameter_in_every_way(nextflow, tmp_path, root, schema, way):
    """Each is followed, or the run refuses at once: never is a value shown that another part does not use."""
    (tmp_path / "x.fa").write_text(">a\nACGT\n", encoding="utf-8")
    fixed = {"input": "x.fa", "outdir": "mine", "models": str(root / "assets/demo_models"), "classifier": "demo_500"}
    fixed["samples_per_task"] = "7"
    values = {n: fixed.get(n, another_value(p)) for n, p in schema.items() if n not in ("workflow", "help")}
    params = "params {\n" + "\n".join(f"    {n} = {json.dumps(v)}" for n, v in values.items()) + "\n}\n"
    args = ["-preview"]
    if way == "command line":
        args += [f"--{name}={str(v).lower() if isinstance(v, bool) else v}" for name, v in values.items()]
    elif way == "-params-file":
        (tmp_path / "p.json").write_text(json.dumps(values), encoding="utf-8")
        args += ["-params-file", "p.json"]
    else:
        (tmp_path / ("site.config" if way == "-c" else "nextflow.config")).write_text(params, encoding="utf-8")
        args += ["-c", "site.config"] if way == "-c" else []
    run = nextflow(tmp_path, *args)
    if way in ("command line", "-params-file"):
        assert run.code == 0, run.text
        shown = dict(re.findall(r"^  (\w+) +(\S+)$", run.text, re.M))
        told = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in values.items()}
        assert {name: shown.get(name) for name in values} == told
        # What was read while the configuration was: Nextflow's own reports, and so all that lies beside them.
        assert "WARN: Access to undefined parameter" not in run.text
    else:
        assert run.code != 0
        for name in EARLY:
            assert f"--{name} is '{values[name]}' in a configuration file, which comes too late" in run.text
        # Without these three the same file is followed.
        path = tmp_path / ("site.config" if way == "-c" else "nextflow.config")
        path.write_text(
            "".join(line for line in params.splitlines(True) if line.split(" = ")[0].strip() not in EARLY),
            encoding="utf-8",
        )
        run = nextflow(tmp_path, *args)
        assert run.code == 0, run.text
        shown = dict(re.findall(r"^  (\w+) +(\S+)$", run.text, re.M))
        assert shown["tools_image"] == shown["embed_image"] == "other"
    assert sorted(p.name for p in tmp_path.iterdir() if p.name in ("results", "mine", "work")) == []


def test_a_run_without_a_task_leaves_no_files(nextflow, tmp_path):
    for args in (["--help"], ["--min_scor", "0.5"]):
        nextflow(tmp_path, *args)
        assert [p.name for p in tmp_path.iterdir() if not p.name.startswith(".nextflow")] == []
