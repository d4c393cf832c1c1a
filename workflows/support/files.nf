/*
 * What is wrong with the files of tasks, or null. Operators call error() themselves: thrown in a function that a closure
 * calls, its words may be lost (Nextflow then says "InvocationTargetException").
 */

/** A file that is empty was damaged since its task ended, and -resume takes files as they are. */
def damage(List files) {
    def path = workflow.stubRun ? null : files.find { path -> !path.size() }
    return path ? "${path} is empty: it was damaged after its task had ended. Remove ${path.parent.parent} and run again with -resume." : null
}
