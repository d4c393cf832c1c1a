// Shares labelled sequences out among training, validation and test: a genome and its near relatives stand on one side.
process SPLIT_GENOMES {
    tag 'run'
    label 'process_medium'

    input:
    val sheet // JSON: the samples' files with label, group and split
    path tables, stageAs: 'tables/*' // every sample's manifest and tables
    path fasta, stageAs: 'fasta?/*' // every sample's files, in the sheet's order
    path annotations, stageAs: 'annotation?/*' // GenBank files, as the sheet numbers them; or []
    tuple val(read), val(min_stretch) // what was read of chunks
    tuple val(validation), val(test) // shares of the bases
    val shared_words // 21-mers in common that make two sequences relatives; 0: none are
    val seed
    val code // digest of the modules that the script imports: -resume does not look at them by itself

    output:
    path 'split.parquet', emit: table
    path 'counted.parquet', emit: counted // frames that count where an annotation was given
    path 'split.json', emit: counts
    tuple val(task.process), eval('tool_versions.py numpy polars pyarrow scipy'), topic: versions

    script:
    """
    cat > sheet.json <<'JSON'
    ${sheet}
    JSON
    split_genomes.py --sheet sheet.json --tables tables --fasta ${fasta} --shared_words ${shared_words} --seed ${seed} \\
        --validation_fraction ${validation} --test_fraction ${test} --frames ${read} --min_stretch ${min_stretch} \\
        ${annotations ? "--annotations ${annotations}" : ''} --out split.parquet
    """

    stub:
    """
    touch split.parquet counted.parquet
    echo '{}' > split.json
    """
}
