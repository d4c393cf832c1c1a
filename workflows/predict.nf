/*
 * predict: from FASTA to viral calls.
 *
 *     samples ─ EXTRACT_FRAMES ─ PACK_BINS ─┬ EMBED_DNABERT_S ┬ CLASSIFY ─ REPORT
 *               (per sample)     (once)     └ EMBED_ESM2      ┘ (per sample)
 *                                             (per bin, 1 GPU)
 */

include { codeOf          } from './support/code'
include { stateOf         } from './support/models'
include { CHECK_MODELS    } from '../modules/local/check_models'
include { EXTRACT_FRAMES  } from '../modules/local/extract_frames'
include { PACK_BINS       } from '../modules/local/pack_bins'
include { EMBED_DNABERT_S } from '../modules/local/embed_dnabert_s'
include { EMBED_ESM2      } from '../modules/local/embed_esm2'
include { CLASSIFY        } from '../modules/local/classify'
include { REPORT          } from '../modules/local/report'
include { ASSERT_COMPLETE } from '../modules/local/assert_complete'

workflow PREDICT {
    take:
    samples // channel of [sample, [fasta, ...]]
    models // folder of the model bundle
    classifier // folder of the classifier, in the bundle or elsewhere
    options // map of the checked parameters

    main:
    // Which classifier, and which encoders it needs: {classifier: {...}, encoders: [{kind, folder, layer, digest}, ...]}
    checked = CHECK_MODELS(models, classifier, classifier.parent.parent == models, stateOf([models, classifier]), codeOf('check_models.py'))
    // JsonSlurperClassic: the maps of JsonSlurper build themselves when first read, and several operators read this one at once.
    card = checked.json.map { json -> new groovy.json.JsonSlurperClassic().parseText(json.getText('UTF-8')) }

    frames = EXTRACT_FRAMES(
        samples,
        card.map { c -> c.classifier.chunk_length },
        options.min_length,
        options.shard_size,
        codeOf('extract_frames.py'),
    )

    packed = PACK_BINS(
        frames.manifest.collect(sort: { path -> path.name }).ifEmpty([]),
        card.map { c -> c.encoders*.kind },
        options.gpus,
        options.bins,
        options.bin_weight,
        options.max_bin_tokens,
        codeOf('pack_bins.py'),
    )

    // Bins of shards, e.g. [esm2, esm2_001, [gut.shard_00001.parquet, lake.shard_00004.parquet, ...]]
    shards = frames.shards.flatten().toList().map { files -> files.collectEntries { path -> [path.baseName, path] } }
    bins = packed.plan
        .combine(shards)
        .flatMap { plan, by_name -> binsOf(plan, by_name) }
        .branch { encoder, bin, files ->
            dnabert_s: encoder == 'dnabert_s'
                return [bin, files]
            esm2: encoder == 'esm2'
                return [bin, files]
        }

    def store = storeFolder(options.embedding_store)
    dnabert_s = EMBED_DNABERT_S(bins.dnabert_s, card.map { c -> encoderOf(c, 'dnabert_s', models) }, options.precision, options.batch_tokens, store, codeOf('embed_dnabert_s.py', 'virnucpro/encoders/dnabert_s.py'))
    esm2 = EMBED_ESM2(bins.esm2, card.map { c -> encoderOf(c, 'esm2', models) }, options.precision, options.batch_tokens, store, codeOf('embed_esm2.py', 'virnucpro/encoders/esm2.py'))

    // Embeddings by sample, e.g. [gut, [gut.shard_00001.esm2.parquet, ...]]; absent where none of its bins succeeded.
    embeddings = dnabert_s.embeddings
        .mix(esm2.embeddings)
        .flatten()
        .map { path -> [sampleOf(path), path] }
        .groupTuple()

    calls = CLASSIFY(
        frames.tables
            .join(samples)
            .join(embeddings, remainder: true)
            .map { sample, tables, fasta, files -> [sample, tables, fasta, (files ?: []).toSorted { path -> path.name }] },
        card.map { c -> [classifier, c.digest] },
        options.min_score,
        codeOf('classify.py'),
    )

    report = REPORT(
        calls.summary.collect(sort: { path -> path.name }).ifEmpty([]),
        dnabert_s.report.mix(esm2.report).collect(sort: { path -> path.name }).ifEmpty([]),
        packed.plan,
        checked.json,
        samples.map { sample, fasta -> [sample, fasta*.name] }.toSortedList { a, b -> a[0] <=> b[0] }.map { list -> asJson([samples: list.collectEntries()]) },
        asJson(options),
        channel.topic('versions').unique().toSortedList { a, b -> a[0] <=> b[0] }.map { list -> versionsJson(list) },
        file("${projectDir}/assets/multiqc_config.yml", glob: false),
        codeOf('report.py'),
    )

    if (!options.allow_partial) {
        ASSERT_COMPLETE(report.summary)
    }

    emit:
    report.summary // summary.json: totals, what is missing, and whether the run is complete
}

/** [folder, layer, digest of the weights, digest of all files] of an encoder; the folder is [] where the classifier does not need it. */
def encoderOf(card, String kind, models) {
    def encoder = card.encoders.find { e -> e.kind == kind }
    return encoder ? [models.resolve(encoder.folder), encoder.layer, encoder.sha256, encoder.digest] : [[], 0, '', '']
}

/** The store's folder as a text; ends the run where tasks could not share it. */
def storeFolder(String folder) {
    if (!folder) {
        return ''
    }
    def path = file(folder, glob: false)
    if (path.scheme != 'file' || path.toString() =~ /['"$`\\\s]/) {
        error("--embedding_store: ${folder} cannot be used; a folder of a shared file system is needed, without blanks or quotes in its path")
    }
    path.mkdirs()
    return path.toString()
}

/** [encoder, bin, [shard files]] of every bin in the plan. */
def binsOf(plan, Map by_name) {
    return new groovy.json.JsonSlurper().parse(plan).encoders.collectMany { encoder, packing ->
        packing.bins.collect { b -> [encoder, b.bin, b.shards.collect { name -> by_name[name] }] }
    }
}

def asJson(value) {
    return groovy.json.JsonOutput.prettyPrint(groovy.json.JsonOutput.toJson(value))
}

/** {process: {tool: version}} from the topic's [process, '{"tool": "version"}']. */
def versionsJson(List rows) {
    return asJson(rows.collectEntries { process, json -> [process.tokenize(':').last(), new groovy.json.JsonSlurper().parseText(json)] } + [Workflow: [Nextflow: "${workflow.nextflow.version}", 'nf-virnucpro': workflow.manifest.version]])
}

/** The sample whose shard an embedding file belongs to. */
def sampleOf(path) {
    return path.name.replaceFirst(/\.shard_\d+\.(dnabert_s|esm2)\.parquet$/, '')
}
