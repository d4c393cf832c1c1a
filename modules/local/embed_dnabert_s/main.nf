process EMBED_DNABERT_S {
    tag "${bin}"
    label 'process_gpu'

    input:
    tuple val(bin), path(shards, stageAs: 'shards/*')
    tuple path(encoder, stageAs: 'encoder'), val(layer), val(weights), val(digest) // SHA-256 of the weights, of all files
    val precision
    val batch_tokens // 0: chosen from the free memory
    val store // folder of finished embeddings, '' for none
    val code // digest of the modules that the script imports: -resume does not look at them by itself

    output:
    path 'embeddings/*.dnabert_s.parquet', emit: embeddings, optional: true
    path 'embeddings/*.report.json', emit: report
    path 'embeddings/*.events.jsonl', emit: events
    tuple val(task.process), eval('tool_versions.py torch numpy pyarrow safetensors tokenizers'), topic: versions

    script:
    def device = task.ext.device ?: (task.accelerator ? 'cuda' : 'cpu')
    """
    embed_dnabert_s.py --bin ${bin} --shards shards --encoder encoder --layer ${layer} --out embeddings \\
        --device ${device} --precision ${precision} --batch_tokens ${batch_tokens ?: 'auto'} \\
        --weights_sha256 '${weights}' --threads ${task.cpus} --attempt ${task.attempt} ${store ? "--store '${store}'" : ''}
    """

    stub:
    """
    mkdir embeddings
    for shard in shards/*.parquet; do touch "embeddings/\$(basename "\$shard" .parquet).dnabert_s.parquet"; done
    touch embeddings/${bin}.events.jsonl
    cat > embeddings/${bin}.report.json <<'JSON'
    {"format": 1, "encoder": "dnabert_s", "model": "stub", "bin": "${bin}", "attempt": 1, "processed": 1, "failed": []}
    JSON
    """
}
