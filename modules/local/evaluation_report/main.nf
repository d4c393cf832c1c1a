// One page and tables of an evaluation: figures with intervals, curves, reliability, and what beats what.
process EVALUATION_REPORT {
    tag 'run'
    label 'process_low'

    input:
    path evaluation, stageAs: 'evaluation.json'
    val parameters // {name: value}
    val versions // {process: {tool: version}}
    path multiqc_config
    val code // digest of the modules that the script imports: -resume does not look at them by itself

    output:
    path 'report/multiqc_report.html', emit: html
    path 'report/multiqc_report_data', emit: data
    path 'report/*.tsv', emit: tables
    path 'report/{evaluation,params,versions}.json', emit: run

    // It takes the topic of versions, so its own tools cannot be in it (see REPORT).
    script:
    """
    mkdir report
    cat > report/params.json <<'JSON'
    ${parameters.replace('\n', '\n    ')}
    JSON
    cat > versions.json <<'JSON'
    ${versions.replace('\n', '\n    ')}
    JSON
    evaluation_report.py --evaluation evaluation.json --params report/params.json --versions versions.json \\
        --multiqc_config ${multiqc_config} --out report
    """

    stub:
    """
    mkdir -p report/multiqc_report_data
    touch report/multiqc_report.html report/figures.tsv
    echo '{}' | tee report/evaluation.json report/params.json > report/versions.json
    """
}
