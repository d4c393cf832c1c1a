/*
 * The plan of embedding tasks under -resume: tasks of the run before stay as they are, since a task whose shards change is
 * computed anew. Nextflow gives a run no state of the one before; its plan is in --outdir.
 */

/**
 * What PACK_BINS is to keep, as JSON: {"planned_by": settings, "tasks": {"esm2": {"esm2_001": ["gut.shard_00001", ...], ...},
 * ...}}. `settings`: what shards and plan follow; where the user changed one, all is planned anew.
 */
def keptTasks(List manifests, String outdir, Map settings) {
    def path = file("${outdir}/pipeline_info/task_plan.json", glob: false)
    def before = workflow.resume && manifests && path.exists() ? new groovy.json.JsonSlurper().parse(path) : [:]
    def known = before.kept?.planned_by ?: [:]
    def tasks = before.encoders && settings.every { name, value -> "${known[name]}" == "${value}" } ? tasksToKeep(before, manifests) : [:]
    return groovy.json.JsonOutput.toJson([planned_by: settings, tasks: tasks])
}

/**
 * The tasks of the plan `before`; where no shard has changed, those which it was made with itself: PACK_BINS is then
 * cached.
 */
def tasksToKeep(before, List manifests) {
    def shards = manifests.collectMany { manifest -> new groovy.json.JsonSlurper().parse(manifest).shards }
    def same = before.encoders.every { kind, plan ->
        def tokens = shards.collect { shard -> shard["${kind}_tokens".toString()] }.sum(0)
        plan.tasks*.shards.flatten().toSet() == shards*.name.toSet() && plan.tasks*.tokens.sum(0) == tokens
    }
    def as_planned = before.encoders.collectEntries { kind, plan ->
        [kind, plan.tasks.collectEntries { task -> [task.task, task.shards] }]
    }
    return same ? before.kept.tasks : as_planned
}
