// One page for the biologist and the operator, and tables for machines: what was found, what is missing, how the devices were used.
process REPORT {
    tag 'run'
    label 'process_low'

    input:
    path summaries, stageAs: 'summaries/*' // every sample's <sample>.summary.json
    path task_reports, stageAs: 'task_reports/*' // every embedding task's <task>.report.json
    path plan // PACK_BINS
    path models, stageAs: 'models.json' // CHECK_MODELS
    path collected // COLLECT's run.collected.json, or []
    val expected // {"samples": {name: [files]}, "collected": true}
    val parameters // {name: value}
    val failed // [{process, tag, exit, attempt, reason}] of the tasks that failed for good
    val versions // {process: {tool: version}}
    path multiqc_config
    val code // digest of the modules that the script imports: -resume does not look at them by itself

    output:
    path 'report/multiqc_report.html', emit: html
    path 'report/multiqc_report_data', emit: data
    path 'report/summary.json', emit: summary
    path 'report/*.tsv', emit: tables
    path 'report/{params,versions}.json', emit: run

    // It takes the topic of versions, so its own tools cannot be in it (a process must not feed what it waits for);
    // the script adds them and writes report/versions.json.
    script:
    """
    cat > launch.json <<'JSON'
    ${groovy.json.JsonOutput.toJson(launchFacts())}
    JSON
    cat > expected.json <<'JSON'
    ${expected.replace('\n', '\n    ')}
    JSON
    mkdir report
    cat > report/params.json <<'JSON'
    ${parameters.replace('\n', '\n    ')}
    JSON
    cat > versions.json <<'JSON'
    ${versions.replace('\n', '\n    ')}
    JSON
    cat > failed_tasks.json <<'JSON'
    ${failed.replace('\n', '\n    ')}
    JSON
    report.py --summaries summaries --task_reports task_reports --plan ${plan} --models models.json ${collected ? "--collected ${collected}" : ''} \\
        --expected expected.json --params report/params.json --versions versions.json \\
        --failed_tasks failed_tasks.json --launch launch.json --multiqc_config ${multiqc_config} --out report
    """

    stub:
    """
    mkdir -p report/multiqc_report_data
    touch report/multiqc_report.html report/embedding_tasks.tsv report/failures.tsv
    echo '{"format": 1, "complete": true, "problems": []}' > report/summary.json
    echo '{}' | tee report/params.json > report/versions.json
    """
}

// A function, so that these are no values of the task: -resume, which hashes those, keeps a report that is complete, with
// the command line that made it.
def launchFacts() {
    return [
        command_line: workflow.commandLine,
        run_name: workflow.runName,
        session: "${workflow.sessionId}",
        started: "${workflow.start}",
        profile: workflow.profile,
        revision: workflow.revision,
        commit: workflow.commitId,
        main_script_id: workflow.scriptId,
        pipeline_folder: "${workflow.projectDir}",
        launch_folder: "${workflow.launchDir}",
        work_folder: "${workflow.workDir}",
    ]
}
