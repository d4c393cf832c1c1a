/*
 * What a report is told of its run, as JSON.
 */

def asJson(value) {
    return groovy.json.JsonOutput.prettyPrint(groovy.json.JsonOutput.toJson(value))
}

/** {process: {tool: version}} from the topic's [process, '{"tool": "version"}']. */
def versionsJson(List rows) {
    def tools = rows.collectEntries { process, json -> [process.tokenize(':').last(), new groovy.json.JsonSlurper().parseText(json)] }
    return asJson(tools + [Workflow: [Nextflow: "${workflow.nextflow.version}", 'nf-virnucpro': workflow.manifest.version]])
}
