/*
 * Why tasks failed: their own last words, which otherwise stay in the work folder. Nextflow hands no list of failed tasks to
 * a script, but its trace has one.
 */

/**
 * [[process: EMBED_ESM2, tag: esm2_001, exit: '66', attempt: 1, reason: 'error: ...'], ...] of the tasks that failed for good.
 * `missing`: tags of tasks that left no result. The trace gets a task's line a moment after its channels are closed, on a
 * busy machine seconds later, hence the wait.
 */
def failedTasks(List missing) {
    def trace = workflow.session.config.trace ?: [:]
    def table = trace.enabled && trace.file ? file(trace.file, glob: false) : null
    if (!table || !missing) {
        return []
    }
    def retries = workflow.session.config.process?.maxRetries
    def rows = []
    (0..300).any { waited ->
        sleep(waited ? 100 : 0)
        rows = table.exists() ? failedRows(table).findAll { row -> row.tag in missing } : []
        endsEarly() || rows.findAll { row -> isLastTry(row, retries) }*.tag.containsAll(missing)
    }
    return rows.collect { row ->
        def process = row.name.tokenize(':').last().tokenize(' ')[0]
        [process: process, tag: row.tag, exit: row.exit, attempt: row.attempt.toInteger(), reason: lastWords(row.workdir)]
    }
}

/** The run was given up: most tasks that left no result were never begun, so no line of theirs is waited for. */
def endsEarly() {
    return workflow.session.isCancelled() || workflow.session.isAborted()
}

/** As conf/base.config has it: no other try follows. */
def isLastTry(Map row, retries) {
    return row.exit in ['2', '65', '66'] || row.attempt.toInteger() > (retries instanceof Integer ? retries : 2)
}

/** The last try of each task in a trace that has only failed. */
def failedRows(table) {
    def lines = table.readLines('UTF-8')*.split('\t', -1)
    return lines
        .drop(1)
        .collect { cells -> [lines[0].toList(), cells.toList()].transpose().collectEntries() }
        .groupBy { row -> row.name }
        .values()
        .findAll { tries -> tries.every { row -> row.status in ['FAILED', 'ABORTED'] } }
        .collect { tries -> tries.max { row -> row.attempt.toInteger() } }
}

/**
 * The line of a task's messages that says what is wrong: its own "error: ...", else the last one; '' where there is none.
 * What a node or a site's beforeScript says stands in the log alone.
 */
def lastWords(String folder) {
    def lines = ['.command.err', '.command.log'].findResult([]) { name -> linesOf(file("${folder}/${name}", glob: false)) ?: null }
    return lines.reverse().find { line -> line.startsWith('error: ') } ?: (lines ? lines.last() : '')
}

def linesOf(messages) {
    return messages.exists() ? messages.getText('UTF-8').readLines()*.trim().findAll { line -> line } : []
}
