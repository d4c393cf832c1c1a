// A fast first look with a small model: which sequences the large encoders need not read.
process SCREEN {
    tag "${samples[0]}${samples.size() > 1 ? " and ${samples.size() - 1} more" : ''}"
    label 'process_low'

    input:
    // A batch of samples, how many FASTA files each has, these one sample after another, the code: NCBI's number, or auto.
    tuple val(samples), val(files), path(fasta, stageAs: 'input?/*'), val(genetic_code)
    tuple path(classifier, stageAs: 'classifier'), path(encoder, stageAs: 'encoder'), val(state) // state: a change is noticed
    val sensitivity
    val code // digest of the modules that the script imports: -resume does not look at them by itself

    output:
    tuple val(samples), path({ samples.collect { sample -> "screened/${sample}.screened.parquet" } }), emit: screened
    tuple val(task.process), eval('tool_versions.py numpy polars pyarrow pyyaml safetensors'), topic: versions

    script:
    def staged = [fasta].flatten().collect { path -> "${path}" }
    def given = samples.withIndex().collect { sample, i -> "--sample '${sample}' ${staged.drop(files.take(i).sum(0)).take(files[i]).join(' ')}" }
    """
    screen.py ${given.join(' \\\n        ')} \\
        --classifier classifier --encoder encoder --sensitivity ${sensitivity} --genetic_code ${genetic_code} --out screened
    """

    stub:
    """
    mkdir screened
    touch ${samples.collect { sample -> "screened/${sample}.screened.parquet" }.join(' ')}
    """
}
