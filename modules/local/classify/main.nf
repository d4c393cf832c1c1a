process CLASSIFY {
    tag "${sample}"
    label 'process_medium'

    input:
    // In a folder that no sample can be named after: the results go into one with the sample's name.
    tuple val(sample), path(tables, stageAs: '_in/tables/*'), path(fasta, stageAs: '_in/fasta?/*'), path(embeddings, stageAs: '_in/embeddings/*')
    tuple path(classifiers, stageAs: '_in/classifier*'), val(weights) // one or two; weights: the bundle's digest, so that a change is noticed
    val min_score
    val prevalence // share of viruses; 0: estimated from the sample
    val max_fdr // 0: calls by min_score
    val code // digest of the modules that the script imports: -resume does not look at them by itself

    output:
    tuple val(sample), path("${sample}/*.tsv"), emit: tables
    tuple val(sample), path("${sample}/viruses.fasta.gz"), emit: viruses
    tuple val(sample), path("${sample}/{regions,viral_regions}.{tsv,bed,gff3,fasta.gz}"), emit: regions
    tuple val(sample), path("${sample}/prediction_results*"), emit: compatible
    path "${sample}/*.summary.json", emit: summary
    tuple val(task.process), eval('tool_versions.py numpy polars pyarrow pyyaml safetensors'), topic: versions

    script:
    """
    classify.py --sample '${sample}' --tables _in/tables --embeddings _in/embeddings --classifier ${classifiers} \\
        --fasta ${fasta} --min_score ${min_score} \\
        ${prevalence ? "--prevalence ${prevalence}" : ''} ${max_fdr ? "--max_fdr ${max_fdr}" : ''} --out '${sample}'
    """

    stub:
    """
    mkdir '${sample}'
    touch ${sample}/{sequences,chunks,regions}.tsv ${sample}/{viral_regions,regions}.bed ${sample}/regions.gff3 ${sample}/prediction_results.txt ${sample}/prediction_results_highestscore.csv
    printf '' | gzip | tee ${sample}/viruses.fasta.gz > ${sample}/regions.fasta.gz
    cat > ${sample}/${sample}.summary.json <<'JSON'
    {"format": 1, "sample": "${sample}", "state": "complete", "reason": "", "failures": [], "failures_total": 0, "missing": []}
    JSON
    """
}
