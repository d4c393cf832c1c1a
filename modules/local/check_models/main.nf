// Before anything else runs: is the bundle whole, and does the classifier fit its encoders?
process CHECK_MODELS {
    tag "${[classifiers].flatten()*.name.join(' and ') ?: 'encoders'}"
    label 'process_low'

    input:
    path models, stageAs: 'models'
    path classifiers // one or two; [] where encoders alone are wanted, to train a classifier on
    val names // as check_models.py takes them: names in the bundle, or paths that begin with ./; else of encoders
    val state // sizes and times of the bundle's files: a change runs this check anew
    val code // digest of the modules that the script imports: -resume does not look at them by itself

    output:
    path 'models.json', emit: json
    tuple val(task.process), eval('tool_versions.py numpy pyyaml'), topic: versions

    script:
    def wanted = classifiers ? "--classifier ${names[0]} ${names.size() > 1 ? "--second ${names[1]}" : ''}" : "--encoders '${names.join(',')}'"
    """
    check_models.py --models models ${wanted} --json models.json
    """

    stub:
    """
    cat > models.json <<'JSON'
    {"bundle": "stub", "digest": "stub",
     "classifier": {"name": "stub", "folder": "classifiers/stub", "chunk_length": 500, "frames": "open", "min_stretch": 40},
     "second": ${names.size() > 1 ? '{"name": "stub_2", "folder": "classifiers/stub_2", "chunk_length": 300, "frames": "open", "min_stretch": 40}' : null},
     "encoders": [{"kind": "dnabert_s", "name": "stub_dnabert_s", "folder": "encoders/stub_dnabert_s", "layer": 1, "digest": "stub"},
                  {"kind": "esm2", "name": "stub_esm2", "folder": "encoders/stub_esm2", "layer": 1, "digest": "stub"}]}
    JSON
    """
}
