/** What a run says at its end: what was found, what is missing, and what to open next. */
def closingWords(json, String outdir) {
    def summary = new groovy.json.JsonSlurper().parse(json)
    if (!summary.sequences) {
        return '' // a stub run
    }
    def n = summary.sequences
    def counts = n.findAll { state, count -> state != 'total' && count }.collect { state, count -> "${count} ${state}" }
    def lines = ['', "${n.total} sequences: ${counts.join(', ') ?: 'none'}"]
    if (!summary.complete) {
        def problems = summary.problems
        lines << 'NOT COMPLETE: everything else is delivered, but'
        lines += problems.take(10).collect { problem -> "  ${problem}" }
        lines += problems.size() > 10 ? ["  and ${problems.size() - 10} more, see pipeline_info/summary.json"] : []
    }
    def folder = file(outdir, glob: false)
    lines << "Report:  ${folder.resolve('multiqc_report.html')}"
    lines << "Viruses: ${folder}/viruses.tsv, viruses.fasta.gz (of all samples)"
    lines << "Results: ${folder}/<sample>/sequences.tsv, chunks.tsv, viruses.fasta.gz"
    return lines.join('\n')
}

/** The same of a training or an evaluation: where the classifier is, and whether it is worth anything. */
def evaluationWords(json, String outdir) {
    def found = new groovy.json.JsonSlurper().parse(json)
    def folder = file(outdir, glob: false)
    def lines = ['']
    if (found.kind == 'training') {
        lines << "Classifier: ${folder.resolve(found.name)}"
        lines << "To use it:  nextflow run . --input contigs.fasta --models <the same> --classifier ${folder.resolve(found.name)}"
    }
    lines += found.verdicts.collect { verdict -> "${verdict.good || found.kind == 'evaluation' ? '' : 'NOTE: '}${verdict.text}" }
    lines << "Report:     ${folder.resolve('multiqc_report.html')}"
    return lines.join('\n')
}
