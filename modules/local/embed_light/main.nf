// As EMBED, for kinds of encoder that need no PyTorch: an ordinary CPU task, in the tools image, on one core.
process EMBED_LIGHT {
    tag "${name}"
    label 'process_low'

    input:
    tuple val(name), path(shards, stageAs: 'shards/*')
    tuple val(kind), path(encoder, stageAs: 'encoder'), val(layer), val(weights), val(digest) // SHA-256 of the weights, of all files
    val code // digest of the modules that the script imports: -resume does not look at them by itself

    output:
    // One for each shard, by its name: with a glob, -resume would not miss a file that is gone.
    path({ [shards].flatten().collect { shard -> "embeddings/${shard.baseName}.${kind}.parquet" } }), emit: embeddings
    path "embeddings/${name}.report.json", emit: report
    path "embeddings/${name}.events.jsonl", emit: events
    tuple val(task.process), eval('tool_versions.py numpy pyarrow safetensors'), topic: versions

    script:
    """
    embed.py --kind ${kind} --task ${name} --shards shards --encoder encoder --layer ${layer} --out embeddings \\
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
