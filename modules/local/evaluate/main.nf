// Holds tables of virus callers, as they wrote them, against the truth, all on the same sequences.
process EVALUATE {
    tag 'run'
    label 'process_medium'

    input:
    val sheet // JSON: caller and sample of each table
    path tables, stageAs: 'tables?/*' // in the sheet's order
    path truth, stageAs: 'truth/*'
    val seed
    val code // digest of the modules that the script imports: -resume does not look at them by itself

    output:
    path 'judged/evaluation.json', emit: evaluation
    path 'judged/scores.tsv', emit: scores
    tuple val(task.process), eval('tool_versions.py numpy polars'), topic: versions

    script:
    """
    cat > sheet.json <<'JSON'
    ${sheet}
    JSON
    evaluate_callers.py --sheet sheet.json --tables ${tables} --truth ${truth} --seed ${seed} --out judged
    """

    stub:
    """
    mkdir judged
    touch judged/scores.tsv
    echo '{"format": 1, "kind": "evaluation", "verdicts": []}' > judged/evaluation.json
    """
}
