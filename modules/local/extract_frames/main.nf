process EXTRACT_FRAMES {
    tag "${sample}"
    label 'process_low'

    input:
    // The genetic code: NCBI's number, or auto. screened: [] where none is left out.
    tuple val(sample), path(fasta, stageAs: 'input?/*'), val(genetic_code), path(screened, stageAs: 'screened/*')
    val chunk_length
    val min_length
    // open, longest or every; residues of the shortest stretch that is read; '300,open,40' to cut sequences of which
    // nothing could be read once more, else ''
    tuple val(read), val(min_stretch), val(second)
    val shard_size
    val code // digest of the modules that the script imports: -resume does not look at them by itself

    output:
    // By their names: with a glob, -resume would not miss a file that is gone.
    tuple val(sample), path({ ['manifest.json', 'sequences.parquet', 'chunks.parquet'].collect { table -> "frames/${sample}.${table}" } }), emit: tables
    path "frames/${sample}.manifest.json", emit: manifest
    path 'frames/*.shard_*.parquet', emit: shards, optional: true
    tuple val(task.process), eval('tool_versions.py numpy pyarrow'), topic: versions

    script:
    """
    extract_frames.py --sample '${sample}' --fasta ${fasta} --out frames \\
        --chunk_length ${chunk_length} --min_length ${min_length} --frames ${read} --min_stretch ${min_stretch} --shard_size ${shard_size} \\
        --genetic_code ${genetic_code} ${second ? "--second ${second}" : ''} ${screened ? "--screened ${screened}" : ''}
    """

    stub:
    """
    mkdir frames
    touch frames/${sample}.{sequences,chunks,shard_00001}.parquet
    cat > frames/${sample}.manifest.json <<'JSON'
    {"format": 1, "sample": "${sample}", "state": "ok", "shards": [
        {"name": "${sample}.shard_00001", "frames": 1, "dnabert_s_tokens": 100, "esm2_tokens": 168}]}
    JSON
    """
}
