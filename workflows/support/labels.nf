/*
 * Labelled samples: a samplesheet with the columns sample,fasta,label[,group][,split][,annotation][,genetic_code], for
 * training and evaluating.
 */

/**
 * List of [sample: ..., fasta: [path, ...], code: genetic code, annotations: [path, ...], files: [[name, label, group,
 * split, annotation], ...]], files in the order of their rows, annotation the number of theirs among all; ends the run
 * with one line per fault.
 * samples, rows: what readSamples and labelledRows made of the same `input`.
 */
def readLabelled(String input, List samples, List rows) {
    def faults = []
    if (!rows || !rows[0].containsKey('label')) {
        error("The input cannot be used:\n  ${input}: a samplesheet (.csv) with the columns sample,fasta,label is needed; the label is virus or other")
    }
    rows.each { row ->
        if (!(row.label in ['virus', 'other'])) {
            faults << "${row.where}: the label '${row.label}' cannot be used; virus or other is needed"
        }
        if (row.split && !(row.split in ['train', 'validation', 'test'])) {
            faults << "${row.where}: the split '${row.split}' cannot be used; train, validation or test is needed, or nothing"
        }
    }
    ['virus', 'other'].each { label ->
        if (!rows.any { row -> row.label == label }) {
            faults << "${input}: no row has the label ${label}; both are needed"
        }
    }
    if (faults) {
        error("The input cannot be used:\n  ${faults.join('\n  ')}")
    }
    def of_sample = rows.groupBy { row -> row.sample }
    def annotations = []
    return samples.collect { sample, fasta, code ->
        def before = annotations.size()
        def files = [fasta, of_sample[sample]].transpose().collect { path, row ->
            if (row.annotation) {
                annotations << row.annotation
            }
            [name: path.name, label: row.label, group: row.group ?: '', split: row.split ?: '', annotation: row.annotation ? annotations.size() - 1 : null]
        }
        [sample: sample, fasta: fasta, code: code, annotations: annotations.drop(before), files: files]
    }
}

/** What the scripts take as --sheet. */
def sheetJson(List labelled) {
    return groovy.json.JsonOutput.toJson(labelled.collect { s -> [sample: s.sample, files: s.files] })
}
