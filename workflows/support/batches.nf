/*
 * Which samples share tasks. Reading or calling a small sample takes a tenth of a second, starting the process that does so
 * ten times as long: small samples go through it in batches. A batch is a list of samples, in the order of the input.
 */

/** In auto, what a task may have: bytes of FASTA, and how many of them each sample counts for besides, for its files' sake. */
def taskLoad() {
    return [most: 50_000_000, sample: 1_000_000]
}

/**
 * List of batches, each a list of what is in `samples`: [sample, [fasta, ...], genetic code]. One batch has one genetic code.
 * per_task: samples in a batch, or auto: as many as are a load; a sample of more than half a load is alone. A sample stays in
 * its batch of the run before under -resume, and new ones get batches of their own: a task is computed anew where one of its
 * samples changes.
 */
def sampleBatches(List samples, String per_task, String outdir) {
    def by_name = samples.collectEntries { sample -> [sample[0], sample] }
    def kept = keptBatches(per_task, outdir, by_name.keySet())
        .collect { names -> names.collect { name -> by_name[name] } }
        .collectMany { batch -> batch.groupBy { _sample, _fasta, code -> code }.values() }
    def known = kept.collectMany { batch -> batch*.first() }.toSet()
    def fresh = samples.findAll { sample -> !(sample[0] in known) }
    return kept + fresh.groupBy { _sample, _fasta, code -> code }.values().collectMany { same -> filled(same, per_task) }
}

/** Of the names that are there now: the batches that they were in before; whole ones first, then what is left of others. */
def keptBatches(String per_task, String outdir, names_now) {
    def before = workflow.resume ? notedBatches(per_task, outdir) : []
    def (whole, parts) = before.split { names -> names.every { name -> name in names_now } }
    def found = []
    def seen = [] as Set
    (whole.toSorted { names -> -names.size() } + parts.collect { names -> names.findAll { name -> name in names_now } }).each { names ->
        if (names && !names.any { name -> name in seen }) {
            found << names
            seen.addAll(names)
        }
    }
    return found
}

/** The names in each batch of the runs before, the last one's first. */
def notedBatches(String per_task, String outdir) {
    def path = batchFile(outdir)
    def before = path.exists() ? new groovy.json.JsonSlurper().parse(path) : [:]
    return before.samples_per_task == per_task ? before.batches + (before.earlier ?: []) : []
}

/** Notes the batches for keptBatches of the next run. */
def noteBatches(List batches, String per_task, String outdir) {
    def path = batchFile(outdir)
    path.parent.mkdirs()
    def now = batches.collect { batch -> batch*.first() }
    def earlier = notedBatches(per_task, outdir).findAll { names -> !(names in now) }
    path.text = groovy.json.JsonOutput.toJson([samples_per_task: per_task, batches: now, earlier: earlier]) + '\n'
}

def batchFile(String outdir) {
    return file("${outdir}/pipeline_info/sample_batches.json", glob: false)
}

/** Samples into batches, one after another. */
def filled(List samples, String per_task) {
    if (per_task != 'auto') {
        return samples.collate(per_task.toInteger())
    }
    def load = taskLoad()
    def sizes = samples.collectEntries { sample, fasta, _code -> [sample, load.sample + bytesOf(fasta)] }
    def (large, small) = samples.split { sample -> sizes[sample[0]] > load.most / 2 }
    def batches = large.collect { sample -> [sample] }
    def room = 0
    small.each { sample ->
        if (sizes[sample[0]] > room) {
            batches << []
            room = load.most
        }
        batches[-1] << sample
        room -= sizes[sample[0]]
    }
    return batches
}

/** Of FASTA files, about; gzip counts as what it holds, and a file that does not tell its size as a large one. */
def bytesOf(List fasta) {
    return fasta.sum { path -> path.size() < 0 ? taskLoad().most : path.name.toLowerCase().endsWith('.gz') ? 4 * path.size() : path.size() }
}

/** The samples of the batches which a task left without a result, each in a batch of its own: one must not take others along. */
def leftAlone(batches, results) {
    return batches
        .map { batch -> [batch*.first(), batch] }
        .join(results, remainder: true)
        .filter { names, _batch, files -> !files && names.size() > 1 }
        .flatMap { _names, batch, _files -> batch.collect { sample -> [sample] } }
}
