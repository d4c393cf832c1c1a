/*
 * train: from labelled FASTA to a calibrated classifier with its card.
 *
 *     tables, embeddings (READ_LABELLED) ─┬──────────────── TRAIN_CLASSIFIER ─ CALIBRATE ─ EVALUATION_REPORT
 *                                          └ SPLIT_GENOMES ─┘
 */

include { codeOf                } from './support/code'
include { damage                } from './support/files'
include { asJson ; versionsJson } from './support/json'
include { sheetJson             } from './support/labels'
include { SPLIT_GENOMES         } from '../modules/local/split_genomes'
include { TRAIN_CLASSIFIER      } from '../modules/local/train_classifier'
include { CALIBRATE             } from '../modules/local/calibrate'
include { EVALUATION_REPORT     } from '../modules/local/evaluation_report'

workflow TRAIN {
    take:
    labelled // list of [sample: ..., fasta: [...], code: ..., files: [...]] (readLabelled)
    of_samples // channel of [sample, [manifest, sequences, chunks]]
    embedded // channel of [sample, [embeddings, ...]]
    card // {encoders: [{kind, ...}, ...]}
    models // the same as a file
    options // map of the checked parameters

    main:
    def name = options.classifier ?: "trained_${options.chunk_length}"
    tables = of_samples
        .flatMap { _sample, files -> damage(files) ? error(damage(files)) : files }
        .toSortedList { a, b -> a.name <=> b.name }
    embeddings = embedded.flatMap { _sample, files -> files }.toSortedList { a, b -> a.name <=> b.name }
    def fasta = labelled.collectMany { s -> s.fasta }

    split = SPLIT_GENOMES(
        sheetJson(labelled),
        tables,
        fasta,
        labelled.collectMany { s -> s.annotations },
        readingOf(options),
        [options.validation_fraction, options.test_fraction],
        options.shared_words,
        options.seed,
        codeOf('split_genomes.py', ['training', 'frames']),
    )

    // What is trained, e.g. [all, [dnabert_s, esm2], false], [esm2, [esm2], false]; each encoder alone only to compare.
    variants = card.flatMap { c ->
        def kinds = c.encoders*.kind
        def alone = kinds.size() > 1 ? kinds.collect { kind -> [kind, [kind], false] } : []
        [['all', kinds, false]] + alone + (options.compare_split_by_frame ? [['by_frame', kinds, true]] : [])
    }
    trained = TRAIN_CLASSIFIER(
        variants,
        split.table,
        split.counted,
        tables,
        embeddings,
        models,
        [name, options.recipe, options.epochs, options.seed, options.train_memory],
        readingOf(options),
        codeOf('train_classifier.py', ['bundle', 'training', 'evaluation']),
    )
    folders = trained.classifier.toSortedList { a, b -> a[0] <=> b[0] }

    calibrated = CALIBRATE(
        name,
        folders.map { list -> list.collect { _variant, folder -> folder } },
        variants.filter { _variant, _kinds, by_frame -> !by_frame }.map { variant, _kinds, _by_frame -> variant }.toList(),
        options.compare_split_by_frame,
        split.table,
        tables,
        embeddings,
        fasta,
        options.classifier_texts ? file(options.classifier_texts, glob: false, checkIfExists: true) : [],
        [howSplit(options), options.seed],
        codeOf('calibrate_classifier.py', ['bundle', 'calling', 'evaluation', 'frames', 'training']),
    )

    report = EVALUATION_REPORT(
        calibrated.evaluation,
        asJson(options),
        channel.topic('versions')
            .unique()
            .toSortedList { a, b -> a[0] <=> b[0] }
            .map { list -> versionsJson(list) },
        file("${projectDir}/assets/multiqc_config.yml", glob: false),
        codeOf('evaluation_report.py', ['bundle', 'report']),
    )

    summary = calibrated.evaluation.combine(report.html).map { evaluation, _page -> evaluation }
    made = calibrated.classifier
        .flatMap { folder -> ['classifier.yml', 'model.safetensors'].collect { file -> "${folder.name}/${file}".toString() } }
        .mix(report.tables.flatten().mix(calibrated.scores).map { path -> "evaluation/${path.name}".toString() })

    emit:
    summary // evaluation.json
    made // names of the result files
}

/** [open, longest or every, residues of the shortest stretch to be read]: as asked for, else what suits the recipe. */
def readingOf(Map options) {
    def read = options.frames != 'auto' ? options.frames : options.recipe == 'ensemble' ? 'longest' : 'open'
    return [read, options.min_stretch ?: 40]
}

/** How sequences are shared out, for the classifier's card. */
def howSplit(Map options) {
    def relatives = options.shared_words ? "near relatives (${options.shared_words} shared 21-mers) together" : 'relatives not looked at'
    def shares = "${options.validation_fraction} of the bases to validate, ${options.test_fraction} to test"
    return "by genome, ${relatives}; ${shares}, seed ${options.seed}".toString()
}
