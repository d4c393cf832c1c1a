// A fast first look with a small model: which sequences the large encoders need not read.
process SCREEN {
    tag "${sample}"
    label 'process_low'

    input:
    tuple val(sample), path(fasta, stageAs: 'input?/*'), val(genetic_code)
    tuple path(classifier, stageAs: 'classifier'), path(encoder, stageAs: 'encoder'), val(state) // state: a change is noticed
    val sensitivity
    val code // digest of the modules that the script imports: -resume does not look at them by itself

    output:
    tuple val(sample), path("${sample}.screened.parquet"), emit: screened
    tuple val(task.process), eval('tool_versions.py numpy polars pyarrow pyyaml safetensors'), topic: versions

    script:
    """
    screen.py --sample '${sample}' --fasta ${fasta} --classifier classifier --encoder encoder \\
        --sensitivity ${sensitivity} --genetic_code ${genetic_code} --out '${sample}.screened.parquet'
    """

    stub:
    """
    touch '${sample}.screened.parquet'
    """
}
