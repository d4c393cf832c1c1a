/*
 * --outdir holds what the last run made. What an earlier run made and this one did not is moved to earlier_results/, and
 * its report goes when the next run starts, so that a run which ends early cannot be taken for a complete one. Files
 * that the pipeline did not write are never touched: pipeline_info/files.txt lists those that it did.
 */

/** At the start, once the input is known to be good: the reports of an earlier run, all made anew by this one, are removed. */
def removeReports(String outdir) {
    def folder = file(outdir, glob: false)
    ['multiqc_report.html', 'pipeline_info/summary.json', 'pipeline_info/failures.tsv', 'pipeline_info/embedding_tasks.tsv'].each { name ->
        file(folder.resolve(name), glob: false).delete()
    }
}

/** At the end: notes which files the run `made` (names below the folder), and moves what only earlier runs made. Says so, else ''. */
def setEarlierAside(String outdir, Collection made, boolean ended_early) {
    def folder = file(outdir, glob: false)
    def list = folder.resolve('pipeline_info/files.txt')
    def earlier = list.exists() ? list.readLines('UTF-8').findAll { name -> !(name in made) && folder.resolve(name).exists() } : []
    def aside = "earlier_results/until_${workflow.start.format('yyyy-MM-dd_HH-mm-ss')}"
    if (!ended_early) {
        earlier.each { name ->
            def target = folder.resolve("${aside}/${name}")
            target.parent.mkdirs()
            folder.resolve(name).moveTo(target)
            removeIfEmpty(folder.resolve(name).parent)
        }
    }
    if (made || earlier) {
        list.parent.mkdirs()
        list.text = (made + (ended_early ? earlier : [])).toSorted().collect { name -> "${name}\n" }.join()
    }
    if (!earlier) {
        return ''
    }
    return ended_early
        ? "${earlier.size()} files in ${outdir} are of an earlier run"
        : "${earlier.size()} files of an earlier run that this one did not make were moved to ${outdir}/${aside}"
}

/** A run that ends before its report: a page and a summary that say so, in place of the report. Returns where they are. */
def tellEarlyEnd(String outdir) {
    def why = (workflow.errorMessage ?: workflow.errorReport ?: 'no reason was given').readLines()*.trim().findAll { line -> line }
    def problem = "the run ended before it was complete: ${why ? why.last() : ''}".toString()
    def folder = file("${outdir}/pipeline_info", glob: false)
    folder.mkdirs()
    def summary = groovy.json.JsonOutput.toJson([format: 1, complete: false, problems: [problem]])
    folder.resolve('summary.json').text = groovy.json.JsonOutput.prettyPrint(summary) + '\n'
    def told = (workflow.errorReport ?: why.join('\n')).replace('&', '&amp;').replace('<', '&lt;')
    folder.parent.resolve('multiqc_report.html').text = """\
        <!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>nf-virnucpro: not complete</title>
        <h1>This run ended before it was complete</h1>
        <p>What was finished by then is kept; once the cause is removed, the same command with <code>-resume</code> goes on from there.</p>
        <pre>${told}</pre></html>
        """.stripIndent()
    return "The run ended before it was complete; ${folder}/summary.json says why."
}

/** A run that started no task (--help, a wrong parameter) leaves nothing: Nextflow writes its own reports after all else. */
def leaveNoFilesWithoutTasks() {
    def session = workflow.session
    def names = ['timeline', 'report', 'trace', 'dag'].collect { scope -> session.config[scope]?.file }
    def files = names.findAll { name -> name }.collect { name -> file(name, glob: false) }
    def tidy = {
        def stats = workflow.stats
        if (stats.succeededCount + stats.cachedCount + stats.failedCount + stats.ignoredCount == 0) {
            files.each { path -> path.delete() }
            files*.parent.unique().each { folder -> removeIfEmpty(folder) && removeIfEmpty(folder.parent) }
            removeIfEmpty(session.workDir)
        }
    }
    Runtime.runtime.addShutdownHook(new Thread(tidy))
}

/** Whether the folder was there, and empty; it is then removed. */
def removeIfEmpty(folder) {
    return folder.isDirectory() && !folder.list() && folder.delete()
}
