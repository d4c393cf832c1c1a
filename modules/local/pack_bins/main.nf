process PACK_BINS {
    tag "${encoders.join(' and ')}"
    label 'process_low'

    input:
    path manifests, stageAs: 'manifests/*'
    val encoders // kinds that the classifier needs: dnabert_s, esm2
    val gpus
    val bins
    val weight
    val max_bin_tokens
    val code // digest of the modules that the script imports: -resume does not look at them by itself

    output:
    path 'plan.json', emit: plan
    tuple val(task.process), eval('tool_versions.py'), topic: versions

    script:
    """
    pack_bins.py --manifests manifests --encoders ${encoders.join(' ')} --weight ${weight} \\
        --gpus ${gpus} --bins ${bins} --max_bin_tokens ${max_bin_tokens} --out plan.json
    """

    stub:
    """
    # a plan is small and quick: the stub makes the real one
    pack_bins.py --manifests manifests --encoders ${encoders.join(' ')} --weight ${weight} \\
        --gpus ${gpus} --bins ${bins} --max_bin_tokens ${max_bin_tokens} --out plan.json
    """
}
