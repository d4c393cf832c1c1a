// Before anything else runs: is the bundle whole, and does the classifier fit its encoders?
process CHECK_MODELS {
    tag "${classifier.name}"
    label 'process_low'

    input:
    path models, stageAs: 'models'
    path classifier
    val of_bundle // whether the classifier is the bundle's own
    val state // sizes and times of the bundle's files: a change runs this check anew
    val code // digest of the modules that the script imports: -resume does not look at them by itself

    output:
    path 'models.json', emit: json
    tuple val(task.process), eval('tool_versions.py numpy pyyaml'), topic: versions

    script:
    """
    check_models.py --models models --classifier ${of_bundle ? classifier.name : "./${classifier}"} --json models.json
    """

    stub:
    """
    cat > models.json <<'JSON'
    {"bundle": "stub", "digest": "stub",
     "classifier": {"name": "stub", "folder": "classifiers/stub", "chunk_length": 500},
     "encoders": [{"kind": "dnabert_s", "name": "stub_dnabert_s", "folder": "encoders/stub_dnabert_s", "layer": 1, "digest": "stub"},
                  {"kind": "esm2", "name": "stub_esm2", "folder": "encoders/stub_esm2", "layer": 1, "digest": "stub"}]}
    JSON
    """
}
