// One page for the biologist and the operator, and tables for machines: what was found, what is missing, how the devices were used.
process REPORT {
    tag 'run'
    label 'process_low'
    container "${params.containers_tools}"

    input:
    path summaries, stageAs: 'summaries/*' // every sample's <sample>.summary.json
    path bin_reports, stageAs: 'bin_reports/*' // every embedding task's <bin>.report.json
    path plan // PACK_BINS
    path expected // {"samples": {name: [files]}}
    path models
    path run_params, stageAs: 'params.json'
    path run_versions, stageAs: 'versions_of_run.yml'
    path multiqc_config

    output:
    path 'report/multiqc_report.html', emit: html
    path 'report/multiqc_report_data', emit: data
    path 'report/summary.json', emit: summary
    path 'report/*.tsv', emit: tables
    path 'versions.yml', emit: versions

    script:
    """
    mkdir -p summaries bin_reports
    report.py \\
        --summaries summaries --bin_reports bin_reports \\
        --plan ${plan} --expected ${expected} --models ${models} \\
        --params params.json --versions versions_of_run.yml \\
        --multiqc_config ${multiqc_config} --out report

    cat <<-END_VERSIONS > versions.yml
    "${task.process}":
        python: \$(python3 -c 'import platform; print(platform.python_version())')
        multiqc: \$(python3 -c 'from importlib.metadata import version; print(version("multiqc"))')
    END_VERSIONS
    """

    stub:
    """
    mkdir -p report/multiqc_report_data
    touch report/multiqc_report.html report/bins.tsv report/failures.tsv
    echo '{"format": 1, "complete": true, "problems": []}' > report/summary.json
    touch versions.yml
    """
}
