/** What a run says at its end: what was found, what is missing, and what to open next. */
def closingWords(json, String outdir) {
    def summary = new groovy.json.JsonSlurper().parse(json)
    if (!summary.sequences) {
        return '' // a stub run
    }
    def n = summary.sequences
    def states = ['virus', 'other', 'no_open_frame', 'too_short', 'failed'].findAll { state -> n[state] }
    def lines = ['', "${n.total} sequences: ${states.collect { state -> "${n[state]} ${state}" }.join(', ') ?: 'none'}"]
    if (!summary.complete) {
        def problems = summary.problems
        lines << 'NOT COMPLETE: everything else is delivered, but'
        lines += problems.take(10).collect { problem -> "  ${problem}" }
        lines += problems.size() > 10 ? ["  and ${problems.size() - 10} more, see pipeline_info/summary.json"] : []
    }
    def folder = file(outdir, glob: false)
    lines << "Report:  ${folder.resolve('multiqc_report.html')}"
    lines << "Results: ${folder}/<sample>/sequences.tsv, chunks.tsv, viruses.fasta.gz"
    return lines.join('\n')
}
