// All samples' viruses in one table and one FASTA file, under ids that are unique over the run, and all sequences in one table.
process COLLECT {
    tag 'run'
    label 'process_low'

    input:
    // names, sequences.tsv and viruses.fasta.gz of the samples, each in the same order
    tuple val(samples), path(sequences, stageAs: 'sequences?.tsv'), path(viruses, stageAs: 'viruses?.fasta.gz')
    val code // digest of the modules that the script imports: -resume does not look at them by itself

    output:
    path 'collected/viruses.fasta.gz', emit: fasta
    tuple path('collected/viruses.tsv'), path('collected/viruses.parquet'), path('collected/sequences.parquet'), emit: tables
    path 'collected/run.collected.json', emit: summary
    tuple val(task.process), eval('tool_versions.py pyarrow'), topic: versions

    script:
    def files = samples.withIndex(1).collect { sample, i -> [sample: sample, sequences: "sequences${i}.tsv", viruses: "viruses${i}.fasta.gz"] }
    """
    cat > samples.json <<'JSON'
    ${groovy.json.JsonOutput.toJson(files)}
    JSON
    collect.py --samples samples.json --out collected
    """

    stub:
    """
    mkdir collected
    touch collected/{viruses.tsv,viruses.parquet,sequences.parquet}
    printf '' | gzip > collected/viruses.fasta.gz
    echo '{"format": 1}' > collected/run.collected.json
    """
}
