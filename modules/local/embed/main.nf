// Included once for each kind of encoder, as EMBED_DNABERT_S and EMBED_ESM2: what a site sets for one leaves the other.
process EMBED {
    tag "${name}"
    label 'process_gpu'

    input:
    tuple val(name), path(shards, stageAs: 'shards/*')
    tuple val(kind), path(encoder, stageAs: 'encoder'), val(layer), val(weights), val(digest) // SHA-256 of the weights, of all files
    val precision
    val batch_tokens // 0: chosen from the free memory
    val code // digest of the modules that the script imports: -resume does not look at them by itself

    output:
    // One for each shard, by its name: with a glob, -resume would not miss a file that is gone.
    path({ [shards].flatten().collect { shard -> "embeddings/${shard.baseName}.${kind}.parquet" } }), emit: embeddings
    path "embeddings/${name}.report.json", emit: report
    path "embeddings/${name}.events.jsonl", emit: events
    tuple val(task.process), eval('tool_versions.py torch numpy pyarrow safetensors tokenizers'), topic: versions

    script:
    def device = task.ext.device ?: (task.accelerator ? 'cuda' : 'cpu')
    """
    embed.py --kind ${kind} --task ${name} --shards shards --encoder encoder --layer ${layer} --out embeddings \\
        --device ${device} --precision ${precision} --batch_tokens ${batch_tokens ?: 'auto'} \\
        --weights_sha256 '${weights}' --threads ${task.cpus} --attempt ${task.attempt} ${storeOption()}
    """

    stub:
    """
    mkdir embeddings
    for shard in shards/*.parquet; do touch "embeddings/\$(basename "\$shard" .parquet).${kind}.parquet"; done
    touch embeddings/${name}.events.jsonl
    cat > embeddings/${name}.report.json <<'JSON'
    {"format": 1, "encoder": "${kind}", "model": "stub", "task": "${name}", "attempt": 1, "processed": 1, "failed": []}
    JSON
    """
}

// A function, so that the folder is no value of the task: -resume, which hashes those, keeps what was computed without it.
def storeOption() {
    return params.embedding_store ? "--store '${file(params.embedding_store, glob: false)}'" : ''
}
