/*
 * predict: from FASTA to viral calls.
 *
 *     samples ─ EXTRACT_FRAMES ─ PACK_BINS ─┬ EMBED_DNABERT_S ┬ CLASSIFY ─ COLLECT ─ REPORT
 *               (per sample)     (once)     └ EMBED_ESM2      ┘ (per sample)
 *                                             (per task, 1 GPU)
 */

include { EMBED_FRAMES    } from './front'
include { codeOf          } from './support/code'
include { damage          } from './support/files'
include { failedTasks     } from './support/failures'
include { asJson ; versionsJson }     from './support/json'
include { screeningModel ; stateOf }  from './support/models'
include { CHECK_MODELS    } from '../modules/local/check_models'
include { SCREEN          } from '../modules/local/screen'
include { CLASSIFY        } from '../modules/local/classify'
include { COLLECT         } from '../modules/local/collect'
include { REPORT          } from '../modules/local/report'
include { ASSERT_COMPLETE } from '../modules/local/assert_complete'

workflow PREDICT {
    take:
    samples // channel of [sample, [fasta, ...], genetic code]
    models // folder of the model bundle
    classifiers // folders of one or two classifiers, in the bundle or elsewhere
    options // map of the checked parameters
    gpus // how many may work at once

    main:
    // Which classifier, and which encoders it needs: {classifier: {...}, encoders: [{kind, folder, layer, digest}, ...]}
    checked = CHECK_MODELS(
        models,
        classifiers,
        classifiers.collect { folder -> folder.parent.parent == models ? folder.name : "./${folder.name}".toString() },
        stateOf([models] + classifiers),
        codeOf('check_models.py', ['bundle']),
    )
    // JsonSlurperClassic: the maps of JsonSlurper build themselves when first read, and several operators read this one at once.
    card = checked.json.map { json -> new groovy.json.JsonSlurperClassic().parseText(json.getText('UTF-8')) }

    // [sample, [fasta, ...], genetic code, table of the sequences that need not be read or []]
    looked_at = options.screen
        ? samples.join(
            SCREEN(
                samples,
                screeningModel(options.screen),
                options.screen_sensitivity,
                codeOf('screen.py', ['bundle', 'calling', 'frames', 'screening', 'encoders/composition']),
            ).screened,
            remainder: true,
        ).map { sample, fasta, code, table -> [sample, fasta, code, table ?: unscreened(sample)] }
        : samples.map { sample, fasta, code -> [sample, fasta, code, []] }

    front = EMBED_FRAMES(
        looked_at,
        models,
        card,
        card.map { c -> stretchesOf(c.classifier, options) + (c.second ? ([c.second.chunk_length] + stretchesOf(c.second, options)).join(',') : '') },
        options,
        gpus,
    )

    calls = CLASSIFY(
        front.tables
            .join(samples.map { sample, fasta, _code -> [sample, fasta] })
            .join(front.embeddings, remainder: true)
            .map { sample, tables, fasta, files -> damage(tables) ? error(damage(tables)) : [sample, tables, fasta, (files ?: []).toSorted { path -> path.name }] },
        card.map { c -> [classifiers, c.digest] },
        options.min_score,
        options.prevalence,
        options.max_fdr,
        codeOf('classify.py', ['bundle', 'calling', 'frames']),
    )

    // [[gut, lake], [gut's sequences.tsv, ...], [gut's viruses.fasta.gz, ...]]
    collected = COLLECT(
        calls.tables
            .map { sample, files -> [sample, files.find { path -> path.name == 'sequences.tsv' }] }
            .join(calls.viruses)
            .toSortedList { a, b -> a[0] <=> b[0] }
            .filter { samples_files -> samples_files }
            .map { samples_files -> samples_files.transpose() },
        codeOf('collect.py', ['collecting']),
    )

    summaries = calls.summary.collect(sort: { path -> path.name }).ifEmpty([])
    task_reports = front.reports.collect(sort: { path -> path.name }).ifEmpty([])

    // Tags of the tasks that should have ended by now and left nothing: those have failed.
    missing = front.names
        .mix(samples.map { sample, _fasta, _code -> sample }, calls.summary.take(1).map { _json -> 'run' })
        .toList()
        .combine(summaries.mix(task_reports, collected.summary).flatten().map { path -> path.name.tokenize('.')[0..-3].join('.') }.toList().map { list -> [list] })
        .map { all -> all.dropRight(1) - all.last() }

    report = REPORT(
        summaries,
        task_reports,
        front.plan,
        checked.json,
        collected.summary.ifEmpty([]),
        samples
            .map { sample, fasta, _code -> [sample, fasta*.name] }
            .toSortedList { a, b -> a[0] <=> b[0] }
            .map { list -> asJson([samples: list.collectEntries(), collected: true]) },
        asJson(options),
        missing.map { tags -> asJson(failedTasks(tags)) },
        channel.topic('versions')
            .unique()
            .toSortedList { a, b -> a[0] <=> b[0] }
            .map { list -> versionsJson(list) },
        file("${projectDir}/assets/multiqc_config.yml", glob: false),
        codeOf('report.py', ['bundle', 'report']),
    )

    if (!options.allow_partial) {
        ASSERT_COMPLETE(report.summary)
    }

    // Names below --outdir, as conf/publish.config puts the files there, e.g. gut/sequences.tsv
    tables = calls.tables
        .mix(calls.viruses, calls.regions, calls.compatible)
        .flatMap { sample, files -> [files].flatten().collect { path -> "${sample}/${path.name}".toString() } }
    saved = front.embeddings
        .filter { _sample, _files -> options.save_embeddings }
        .flatMap { sample, files -> files.collect { path -> "${sample}/embeddings/${path.name}".toString() } }
    made = tables.mix(saved, collected.fasta.mix(collected.tables).flatten().map { path -> path.name })
    summary = report.summary

    emit:
    summary // summary.json: totals, what is missing, and whether the run is complete
    made // names of the result files of the samples and the run
}

/**
 * What train begins with. It stands here since 25.04's strict parser lets only one script include a module that includes
 * others, as front.nf does.
 */
workflow READ_LABELLED {
    take:
    samples // channel of [sample, [fasta, ...], genetic code, []]
    models // folder of the model bundle
    encoders // names of its encoders, or their kinds; [] for all
    reading // [open, longest or every; residues of the shortest stretch]
    options // map of the checked parameters
    gpus // how many may work at once

    main:
    checked = CHECK_MODELS(models, [], encoders, stateOf([models]), codeOf('check_models.py', ['bundle']))
    card = checked.json.map { json -> new groovy.json.JsonSlurperClassic().parseText(json.getText('UTF-8')) + [classifier: [chunk_length: options.chunk_length]] }
    front = EMBED_FRAMES(samples, models, card, reading + [''], options, gpus)
    tables = front.tables
    embeddings = front.embeddings
    json = checked.json

    emit:
    tables // [sample, [manifest, sequences, chunks]]
    embeddings // [sample, [embeddings, ...]]
    card // {encoders: [{kind, folder, layer, digest}, ...]}
    json // the same as a file
}

/** [open, longest or every, residues of the shortest stretch to be read]: as asked for, else as the classifier was trained. */
def stretchesOf(card, Map options) {
    return [options.frames == 'auto' ? card.frames : options.frames, options.min_stretch ?: card.min_stretch]
}

/** Nothing is left out of a sample whose screening failed. */
def unscreened(String sample) {
    log.warn("Sample ${sample} could not be screened: all of it is read.")
    return []
}
