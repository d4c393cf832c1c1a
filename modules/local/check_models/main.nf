include { codeOf } from '../../../workflows/support/code'

// Before anything else runs: is the bundle whole, and does the classifier fit its encoders?
process CHECK_MODELS {
    tag "${classifier ?: 'the only classifier'}"
    label 'process_low'

    input:
    path models, stageAs: 'models'
    val classifier // name in the bundle, path of a folder, or '' where the bundle has only one
    val state // sizes and times of the bundle's files: a change runs this check anew

    output:
    path 'models.json', emit: json
    tuple val(task.process), eval('tool_versions.py numpy pyyaml'), topic: versions

    script:
    def chosen = classifier ? "--classifier '${classifier}'" : ''
    """
    # code ${codeOf('check_models.py')}
    check_models.py --models models ${chosen} --json models.json
    """

    stub:
    """
    cat > models.json <<'JSON'
    {"bundle": "stub", "digest": "stub",
     "classifier": {"name": "stub", "folder": "classifiers/stub", "chunk_length": 500},
     "encoders": [{"kind": "dnabert_s", "name": "stub_dnabert_s", "folder": "encoders/stub_dnabert_s", "layer": 1, "sha256": "stub"},
                  {"kind": "esm2", "name": "stub_esm2", "folder": "encoders/stub_esm2", "layer": 1, "sha256": "stub"}]}
    JSON
    """
}
