process EXTRACT_FRAMES {
    tag "${samples[0]}${samples.size() > 1 ? " and ${samples.size() - 1} more" : ''}"
    label 'process_low'

    input:
    // A batch of samples, how many FASTA files each has, these one sample after another, the code: NCBI's number, or auto.
    // screened: <sample>.screened.parquet, or [] where none is left out. file_names: what tables call the files of samples
    // that have several of one name, e.g. [gut: [a/contigs.fa, b/contigs.fa]].
    tuple val(samples), val(files), path(fasta, stageAs: 'input?/*'), val(genetic_code), path(screened, stageAs: 'screened/*'), val(file_names)
    val chunk_length
    val min_length
    // open, longest or every; residues of the shortest stretch that is read; '300,open,40' to cut sequences of which
    // nothing could be read once more, else ''
    tuple val(read), val(min_stretch), val(second)
    val shard_size
    val code // digest of the modules that the script imports: -resume does not look at them by itself

    output:
    // By their names: with a glob, -resume would not miss a file that is gone.
    tuple val(samples), path({ ofEach(samples, ['manifest.json', 'sequences.parquet', 'chunks.parquet']) }), emit: tables
    path({ ofEach(samples, ['manifest.json']) }), emit: manifest
    path 'frames/*.shard_*.parquet', emit: shards, optional: true
    tuple val(task.process), eval('tool_versions.py numpy pyarrow'), topic: versions

    script:
    def staged = [fasta].flatten().collect { path -> "${path}" }
    def given = samples.withIndex().collect { sample, i -> "--sample '${sample}' ${staged.drop(files.take(i).sum(0)).take(files[i]).join(' ')}" }
    def names = file_names ? "--file_names '${groovy.json.JsonOutput.toJson(file_names).replace("'", "'\\''")}'" : ''
    """
    extract_frames.py ${given.join(' \\\n        ')} \\
        --chunk_length ${chunk_length} --min_length ${min_length} --frames ${read} --min_stretch ${min_stretch} --shard_size ${shard_size} ${names} \\
        --genetic_code ${genetic_code} ${second ? "--second ${second}" : ''} ${screened ? '--screened screened' : ''} --out frames
    """

    stub:
    """
    mkdir frames
    for sample in ${samples.join(' ')}; do
        touch frames/\$sample.{sequences,chunks,shard_00001}.parquet
        echo '{"format": 1, "sample": "'\$sample'", "state": "ok", "shards": [
            {"name": "'\$sample'.shard_00001", "frames": 1, "dnabert_s_tokens": 100, "esm2_tokens": 168, "composition_tokens": 100}]}' > frames/\$sample.manifest.json
    done
    """
}

/** Paths of the named files of each sample. */
def ofEach(List samples, List files) {
    return files.collectMany { name -> samples.collect { sample -> "frames/${sample}.${name}" } }
}
