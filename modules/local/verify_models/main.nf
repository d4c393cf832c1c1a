// Runs where embedding tasks run, on one device of theirs. It succeeds whatever the checks find, so that the report is
// published; ASSERT_COMPLETE makes the run's exit status.
process VERIFY_MODELS {
    tag "${names ? names.join(' and ') : 'all of the bundle'}"
    label 'process_gpu'
    cache false // a verification of another day, or of another node, says nothing

    input:
    path models, stageAs: 'models'
    path elsewhere, stageAs: 'classifiers/*' // folders of classifiers that are not of the bundle, or []
    val names // of classifiers in the bundle, or classifiers/<folder>; [] for all of the bundle
    path fasta, stageAs: 'input?/*' // what a run shall be reckoned for, or []
    val precision
    path golden, stageAs: 'golden'
    path example, stageAs: 'example/*' // real sequences

    output:
    path 'verify/verify.html', emit: html
    path 'verify/verify.json', emit: json
    path 'verify/verify.txt', emit: table
    tuple val(task.process), eval('tool_versions.py torch numpy pyarrow pyyaml safetensors tokenizers'), topic: versions

    script:
    def device = task.ext.device ?: (task.accelerator ? 'cuda' : 'cpu')
    """
    mkdir verify
    verify_models.py --models models ${names ? "--classifier '${names.join(',')}'" : ''} ${fasta ? "--input ${fasta}" : ''} \\
        --golden golden --example ${example} --device ${device} --precision ${precision} --threads ${task.cpus} \\
        --html verify/verify.html --json verify/verify.json > verify/verify.txt || [ -s verify/verify.json ]
    """

    stub:
    """
    mkdir verify
    touch verify/verify.{html,txt}
    echo '{"format": 1, "complete": true, "problems": []}' > verify/verify.json
    """
}
