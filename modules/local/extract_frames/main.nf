process EXTRACT_FRAMES {
    tag "${sample}"
    label 'process_low'

    input:
    tuple val(sample), path(fasta, stageAs: 'input?/*')
    val chunk_length
    val min_length
    val shard_size
    val code // digest of the modules that the script imports: -resume does not look at them by itself

    output:
    tuple val(sample), path('frames/*.{manifest.json,sequences.parquet,chunks.parquet}'), emit: tables
    path 'frames/*.manifest.json', emit: manifest
    path 'frames/*.shard_*.parquet', emit: shards, optional: true
    tuple val(task.process), eval('tool_versions.py numpy pyarrow'), topic: versions

    script:
    """
    extract_frames.py --sample '${sample}' --fasta ${fasta} --out frames \\
        --chunk_length ${chunk_length} --min_length ${min_length} --shard_size ${shard_size}
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
