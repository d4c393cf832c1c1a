process CLASSIFY {
    tag "${samples[0]}${samples.size() > 1 ? " and ${samples.size() - 1} more" : ''}"
    label 'process_low'

    input:
    // A batch of samples, how many FASTA files each has, these one sample after another, the folders of
    // EXTRACT_FRAMES with the samples' tables, all their embeddings
    tuple val(samples), val(files), path(fasta, stageAs: 'fasta?/*'), path(tables, stageAs: 'tables?'), path(embeddings, stageAs: 'embeddings/*')
    tuple path(classifiers, stageAs: 'classifier*'), val(weights) // one or two; weights: the bundle's digest, so that a change is noticed
    val min_score
    val prevalence // share of viruses; 0: estimated from each sample
    val max_fdr // 0: calls by min_score
    val code // digest of the modules that the script imports: -resume does not look at them by itself

    output:
    // A folder for each sample; by their names: with a glob, -resume would not miss a file that is gone.
    tuple val(samples), path({ ofEach(samples, ['sequences.tsv', 'chunks.tsv', 'regions.tsv']) }), emit: tables
    tuple val(samples), path({ ofEach(samples, ['viruses.fasta.gz']) }), emit: viruses
    tuple val(samples), path({ ofEach(samples, ['viral_regions.bed', 'regions.bed', 'regions.gff3', 'regions.fasta.gz']) }), emit: regions
    tuple val(samples), path({ ofEach(samples, ['prediction_results.txt', 'prediction_results_highestscore.csv']) }), emit: compatible
    path({ samples.collect { sample -> "results/${sample}/${sample}.summary.json" } }), emit: summary
    tuple val(task.process), eval('tool_versions.py numpy polars pyarrow pyyaml safetensors'), topic: versions

    script:
    def staged = [fasta].flatten().collect { path -> "${path}" }
    def given = samples.withIndex().collect { sample, i -> "--sample '${sample}' ${staged.drop(files.take(i).sum(0)).take(files[i]).join(' ')}" }
    """
    # One thread for products of matrices: they are small, and two were no faster.
    export OPENBLAS_NUM_THREADS=1 POLARS_MAX_THREADS=${task.cpus}
    classify.py ${given.join(' \\\n        ')} \\
        --tables ${tables} --embeddings embeddings --classifier ${classifiers} --min_score ${min_score} \\
        ${prevalence ? "--prevalence ${prevalence}" : ''} ${max_fdr ? "--max_fdr ${max_fdr}" : ''} --out results
    """

    stub:
    """
    for sample in ${samples.join(' ')}; do
        mkdir -p results/\$sample
        touch results/\$sample/{sequences,chunks,regions}.tsv results/\$sample/{viral_regions,regions}.bed results/\$sample/regions.gff3
        touch results/\$sample/prediction_results.txt results/\$sample/prediction_results_highestscore.csv
        printf '' | gzip | tee results/\$sample/viruses.fasta.gz > results/\$sample/regions.fasta.gz
        echo '{"format": 1, "sample": "'\$sample'", "state": "complete", "reason": "", "failures": [], "failures_total": 0, "missing": []}' > results/\$sample/\$sample.summary.json
    done
    """
}

/** Paths of the named files of each sample. */
def ofEach(List samples, List files) {
    return files.collectMany { name -> samples.collect { sample -> "results/${sample}/${name}" } }
}
