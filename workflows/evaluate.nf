/*
 * evaluate: tables of virus callers against the truth.
 *
 *     caller,table ─ EVALUATE ─ EVALUATION_REPORT
 */

include { codeOf                } from './support/code'
include { asJson ; versionsJson } from './support/json'
include { EVALUATE              } from '../modules/local/evaluate'
include { EVALUATION_REPORT     } from '../modules/local/evaluation_report'

workflow EVALUATE_CALLERS {
    take:
    tables // list of [caller: mine, sample: gut, table: path] (readCallers)
    options // map of the checked parameters

    main:
    if (!options.truth) {
        error('--workflow evaluate needs --truth: a table (CSV or TSV) with the columns sequence_id,label; the label is virus or other')
    }

    judged = EVALUATE(
        groovy.json.JsonOutput.toJson(tables.collect { row -> [caller: row.caller, sample: row.sample] }),
        tables*.table,
        file(options.truth, glob: false, checkIfExists: true),
        options.seed,
        codeOf('evaluate_callers.py', ['evaluation']),
    )

    report = EVALUATION_REPORT(
        judged.evaluation,
        asJson(options),
        channel.topic('versions')
            .unique()
            .toSortedList { a, b -> a[0] <=> b[0] }
            .map { list -> versionsJson(list) },
        file("${projectDir}/assets/multiqc_config.yml", glob: false),
        codeOf('evaluation_report.py', ['bundle', 'report']),
    )

    summary = judged.evaluation.combine(report.html).map { evaluation, _page -> evaluation }
    made = report.tables.flatten().mix(judged.scores).map { path -> "evaluation/${path.name}".toString() }

    emit:
    summary // evaluation.json
    made // names of the result files
}
