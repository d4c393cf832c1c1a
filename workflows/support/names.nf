/*
 * What the names of files tell of the sample or the task that they are of. Sample names may hold dots and look like these
 * endings, so each ending is taken off as a whole and from the end. Shards are named by bin/virnucpro/names.py.
 */

/** gut, of an embedding file gut.shard_00001.esm2.parquet. */
def sampleOfEmbeddings(path) {
    return path.name.replaceFirst(/\.shard_\d+\.\w+\.parquet$/, '')
}

/** gut, of gut.manifest.json, gut.sequences.parquet or gut.chunks.parquet. */
def sampleOfTable(path) {
    return path.name.replaceFirst(/\.(manifest|sequences|chunks)\.\w+$/, '')
}

/** gut.manifest, of a shard gut.shard_00001. */
def manifestOfShard(String shard) {
    return shard.replaceFirst(/\.shard_\d+$/, '.manifest')
}

/** gut or esm2_001, of what a task tells: gut.summary.json, esm2_001.report.json. */
def taskOfReport(path) {
    return path.name.tokenize('.').dropRight(2).join('.')
}
