/*
 * predict: from FASTA to viral calls.
 *
 *     samples ─ EXTRACT_FRAMES ─ PACK_BINS ─┬ EMBED_DNABERT_S ┬ CLASSIFY ─ COLLECT ─ REPORT
 *               (per batch)      (once)     └ EMBED_ESM2      ┘ (per batch)
 *                                             (per task, 1 GPU)
 */

include { EMBED_FRAMES                } from './front'
include { leftAlone                   } from './support/batches'
include { codeOf                      } from './support/code'
include { damage                      } from './support/files'
include { failedTasks                 } from './support/failures'
include { asJson ; versionsJson       } from './support/json'
include { screeningModel ; stateOf    } from './support/models'
include { taskOfReport                } from './support/names'
include { CHECK_MODELS                } from '../modules/local/check_models'
include { SCREEN                      } from '../modules/local/screen'
include { CLASSIFY                    } from '../modules/local/classify'
include { CLASSIFY as CLASSIFY_ALONE  } from '../modules/local/classify'
include { COLLECT                     } from '../modules/local/collect'
include { REPORT                      } from '../modules/local/report'
include { ASSERT_COMPLETE             } from '../modules/local/assert_complete'

workflow PREDICT {
    take:
    batches // channel of [[sample, [fasta, ...], genetic code], ...]: the samples of a batch share tasks
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

    // [[sample, [fasta, ...], genetic code, table of the sequences that need not be read or []], ...]
    looked_at = options.screen
        ? batches.map { batch -> [batch*.first(), batch] }.join(
            SCREEN(
                batches.map { batch -> toScreen(batch) },
                screeningModel(options.screen),
                options.screen_sensitivity,
                codeOf('screen.py', ['bundle', 'calling', 'frames', 'screening', 'encoders/composition']),
            ).screened,
            remainder: true,
        ).map { names, batch, files -> withTables(batch, files ? [files].flatten() : unscreened(names)) }
        : batches.map { batch -> withTables(batch, batch.collect { _sample -> [] }) }

    front = EMBED_FRAMES(
        looked_at,
        models,
        card,
        card.map { c -> howToRead(c, options) },
        options,
        gpus,
    )

    // [[gut, [fasta, ...], [manifest, sequences, chunks], [embeddings, ...]], ...]: of each batch the samples that were read
    to_call = batches
        .flatMap { batch -> batch.collect { sample, fasta, _code -> [sample, batch*.first(), fasta] } }
        .join(front.tables)
        .join(front.embeddings, remainder: true)
        .map { sample, batch, fasta, tables, files ->
            def embeddings = (files ?: []).toSorted { path -> path.name }
            damage(tables) ? error(damage(tables)) : [batch, [sample, fasta, tables, embeddings]]
        }
        .groupTuple()
        .map { batch, list -> list.toSorted { sample -> batch.indexOf(sample[0]) } }
    weights = card.map { c -> [classifiers, c.digest] }
    def code = codeOf('classify.py', ['bundle', 'calling', 'frames'])
    calls = CLASSIFY(
        to_call.map { batch -> inOneTask(batch) },
        weights,
        options.min_score,
        options.prevalence,
        options.max_fdr,
        code,
    )
    again = CLASSIFY_ALONE(
        leftAlone(to_call, calls.viruses).map { batch -> inOneTask(batch) },
        weights,
        options.min_score,
        options.prevalence,
        options.max_fdr,
        code,
    )
    // [gut, [its files]]
    tables = calls.tables.mix(again.tables).flatMap { _names, files -> bySample(files) }
    viruses = calls.viruses.mix(again.viruses).flatMap { _names, files -> bySample(files) }
    others = calls.regions.mix(again.regions, calls.compatible, again.compatible).flatMap { _names, files -> bySample(files) }
    summary_files = calls.summary.mix(again.summary).flatten()

    // [[gut, lake], [gut's sequences.tsv, ...], [gut's viruses.fasta.gz, ...]]
    collected = COLLECT(
        tables
            .map { sample, files -> [sample, files.find { path -> path.name == 'sequences.tsv' }] }
            .join(viruses.map { sample, files -> [sample, files[0]] })
            .toSortedList { a, b -> a[0] <=> b[0] }
            .filter { samples_files -> samples_files }
            .map { samples_files -> samples_files.transpose() },
        codeOf('collect.py', ['collecting']),
    )

    samples = batches.flatMap { batch -> batch }
    summaries = summary_files.collect(sort: { path -> path.name }).ifEmpty([])
    task_reports = front.reports.collect(sort: { path -> path.name }).ifEmpty([])

    // Tags of the tasks that should have ended by now and left nothing: those have failed.
    missing = front.names
        .mix(samples.map { sample, _fasta, _code -> sample }, summary_files.take(1).map { _json -> 'run' })
        .toList()
        .combine(
            summaries
                .mix(task_reports, collected.summary)
                .flatten()
                .map { path -> taskOfReport(path) }
                .toList()
                .map { list -> [list] }
        )
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
    results = tables
        .mix(viruses, others)
        .flatMap { sample, files -> files.collect { path -> "${sample}/${path.name}".toString() } }
    saved = front.embeddings
        .filter { _sample, _files -> options.save_embeddings }
        .flatMap { sample, files -> files.collect { path -> "${sample}/embeddings/${path.name}".toString() } }
    made = results.mix(saved, collected.fasta.mix(collected.tables).flatten().map { path -> path.name })
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
    batches // channel of [[sample, [fasta, ...], genetic code, []], ...]
    models // folder of the model bundle
    encoders // names of its encoders, or their kinds; [] for all
    reading // [open, longest or every; residues of the shortest stretch]
    options // map of the checked parameters
    gpus // how many may work at once

    main:
    checked = CHECK_MODELS(models, [], encoders, stateOf([models]), codeOf('check_models.py', ['bundle']))
    card = checked.json.map { json ->
        new groovy.json.JsonSlurperClassic().parseText(json.getText('UTF-8')) + [classifier: [chunk_length: options.chunk_length]]
    }
    front = EMBED_FRAMES(batches, models, card, reading + [''], options, gpus)
    tables = front.tables
    embeddings = front.embeddings
    json = checked.json

    emit:
    tables // [sample, [manifest, sequences, chunks]]
    embeddings // [sample, [embeddings, ...]]
    card // {encoders: [{kind, folder, layer, digest}, ...]}
    json // the same as a file
}

/** What EMBED_FRAMES takes as `reading`, by the cards of one classifier or two. */
def howToRead(card, Map options) {
    def second = card.second ? ([card.second.chunk_length] + stretchesOf(card.second, options)).join(',') : ''
    return stretchesOf(card.classifier, options) + [second]
}

/**
 * [open, longest or every, residues of the shortest stretch to be read]: as asked for, else as the classifier was
 * trained.
 */
def stretchesOf(card, Map options) {
    return [options.frames == 'auto' ? card.frames : options.frames, options.min_stretch ?: card.min_stretch]
}

/** What SCREEN takes of a batch: names, how many files each sample has, these, the genetic code. */
def toScreen(List batch) {
    def (names, fasta, codes) = batch.transpose()
    return [names, fasta*.size(), fasta.flatten(), codes[0]]
}

/** The samples of a batch, each with its table of screened sequences, or []. */
def withTables(List batch, List tables) {
    return [batch, tables].transpose().collect { sample, table -> sample + [table] }
}

/** Nothing is left out of samples whose screening failed. */
def unscreened(List names) {
    log.warn("Without a screening, as its task failed: ${names.join(', ')}. All of ${names.size() > 1 ? 'them' : 'it'} is read.")
    return names.collect { _name -> [] }
}

/** What CLASSIFY takes of a batch: names, how many FASTA files each sample has, these, folders of tables, embeddings. */
def inOneTask(List batch) {
    def (names, fasta, tables, embeddings) = batch.transpose()
    return [names, fasta*.size(), fasta.flatten(), tables.flatten()*.parent.toUnique(), embeddings.flatten()]
}

/** [[gut, [file, ...]], ...] of result files, each in its sample's folder. */
def bySample(files) {
    return [files].flatten().groupBy { path -> path.parent.name }.collect { sample, own -> [sample, own] }
}
