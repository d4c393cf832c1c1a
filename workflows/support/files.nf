/*
 * Names of files, and what is wrong with those of tasks. Operators call error() themselves: thrown in a function that a closure
 * calls, its words may be lost (Nextflow then says "InvocationTargetException").
 */

/** A file that is empty was damaged since its task ended, and -resume takes files as they are. */
def damage(List files) {
    def path = workflow.stubRun ? null : files.find { path -> !path.size() }
    return path ? "${path} is empty: it was damaged after its task had ended. Remove ${path.parent.parent} and run again with -resume." : null
}

/** What tables call a sample's files: their names; of files of one name, so much of their paths that it tells them apart. */
def tellingNames(List files) {
    def parts = files.groupBy { path -> path.name }.collectEntries { name, same ->
        [name, (1..same*.nameCount.max()).find { n -> same.collect { path -> pathEnd(path, n) }.toUnique().size() == same.size() }]
    }
    return files.collect { path -> pathEnd(path, parts[path.name] ?: path.nameCount) }
}

/** The last n parts of a path: gut/contigs.fa */
def pathEnd(path, int n) {
    return path.toString().tokenize('/').takeRight(n).join('/')
}
