process PACK_BINS {
    tag "${encoders.join(' and ')}"
    label 'process_low'

    input:
    path manifests, stageAs: 'manifests/*'
    val encoders // kinds that the classifier needs: dnabert_s, esm2
    val gpus
    val tasks_per_encoder // 0 chooses
    val weight
    val max_task_tokens
    val kept // JSON of the tasks that stay as they are, see workflows/support/plan.nf
    val code // digest of the modules that the script imports: -resume does not look at them by itself

    output:
    path 'plan.json', emit: plan
    tuple val(task.process), eval('tool_versions.py numpy'), topic: versions

    script:
    """
    cat > kept.json <<'JSON'
    ${kept}
    JSON
    pack_bins.py --manifests manifests --encoders ${encoders.join(' ')} --weight ${weight} \\
        --gpus ${gpus} --tasks_per_encoder ${tasks_per_encoder} --max_task_tokens ${max_task_tokens} \\
        --keep kept.json --out plan.json
    """

    stub:
    """
    # a plan is small and quick: the stub makes the real one
    cat > kept.json <<'JSON'
    ${kept}
    JSON
    pack_bins.py --manifests manifests --encoders ${encoders.join(' ')} --weight ${weight} \\
        --gpus ${gpus} --tasks_per_encoder ${tasks_per_encoder} --max_task_tokens ${max_task_tokens} \\
        --keep kept.json --out plan.json
    """
}
