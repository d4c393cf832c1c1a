/*
 * What predict and train begin with: from FASTA to embeddings.
 *
 *     samples ─ EXTRACT_FRAMES ─ PACK_BINS ─┬ EMBED_DNABERT_S ┬ embeddings by sample
 *               (per batch)      (once)     ├ EMBED_ESM2      ┤
 *                                           └ EMBED_LIGHT     ┘
 */

include { leftAlone                              } from './support/batches'
include { codeOf                                 } from './support/code'
include { damage ; tellingNames                  } from './support/files'
include { sampleOfEmbeddings ; sampleOfTable ; manifestOfShard } from './support/names'
include { keptTasks                              } from './support/plan'
include { EXTRACT_FRAMES                         } from '../modules/local/extract_frames'
include { EXTRACT_FRAMES as EXTRACT_FRAMES_ALONE } from '../modules/local/extract_frames'
include { PACK_BINS                              } from '../modules/local/pack_bins'
include { EMBED as EMBED_DNABERT_S               } from '../modules/local/embed'
include { EMBED as EMBED_ESM2                    } from '../modules/local/embed'
include { EMBED_LIGHT                            } from '../modules/local/embed_light'

workflow EMBED_FRAMES {
    take:
    batches // channel of [[sample, [fasta, ...], genetic code, table of screened sequences or []], ...]: samples that share tasks
    models // folder of the model bundle
    card // what CHECK_MODELS found: {classifier: {chunk_length, ...}, encoders: [{kind, folder, layer, digest}, ...]}
    reading // [open, longest or every; residues of the shortest stretch; how to cut once more what could not be read, or '']
    options // map of the checked parameters
    gpus // how many may work at once

    main:
    chunk_length = card.map { c -> c.classifier.chunk_length }
    def code = codeOf('extract_frames.py', ['frames'])
    frames = EXTRACT_FRAMES(
        batches.map { batch -> inOneTask(batch) },
        chunk_length,
        options.min_length,
        reading,
        options.shard_size,
        code,
    )
    again = EXTRACT_FRAMES_ALONE(
        leftAlone(batches, frames.tables).map { batch -> inOneTask(batch) },
        chunk_length,
        options.min_length,
        reading,
        options.shard_size,
        code,
    )

    manifests = frames.manifest.mix(again.manifest).flatten().collect(sort: { path -> path.name }).ifEmpty([])
    def planned_by = planningOptions().collectEntries { name -> [name, options[name]] } + [gpus: gpus]
    packed = PACK_BINS(
        manifests,
        card.map { c -> c.encoders*.kind },
        gpus,
        options.tasks_per_encoder,
        options.task_weight,
        options.max_task_tokens,
        manifests.map { files -> keptTasks(files, options.outdir, planned_by) },
        codeOf('pack_bins.py', ['packing']),
    )

    // Tasks of shards, e.g. [esm2, esm2_001, [gut.shard_00001.parquet, lake.shard_00004.parquet, ...]]
    shards = frames.shards
        .mix(again.shards, frames.manifest, again.manifest)
        .flatten()
        .toList()
        .map { files -> damage(files) ? error(damage(files)) : files.collectEntries { path -> [path.baseName, path] } }
    tasks = packed.plan
        .combine(shards)
        .flatMap { plan, by_name -> goneShard(plan, by_name) ? error(goneShard(plan, by_name)) : tasksOf(plan, by_name) }

    makeStore(options.embedding_store)
    dnabert_s = EMBED_DNABERT_S(
        tasks.filter { kind, _task, _files -> kind == 'dnabert_s' }.map { _kind, task, files -> [task, files] },
        card.map { c -> encoderOf(c, 'dnabert_s', models) },
        options.precision,
        options.batch_tokens,
        codeOf('embed.py', ['embedding', 'encoders'], ['encoders/esm2', 'encoders/composition']),
    )
    esm2 = EMBED_ESM2(
        tasks.filter { kind, _task, _files -> kind == 'esm2' }.map { _kind, task, files -> [task, files] },
        card.map { c -> encoderOf(c, 'esm2', models) },
        options.precision,
        options.batch_tokens,
        codeOf('embed.py', ['embedding', 'encoders'], ['encoders/dnabert_s', 'encoders/composition']),
    )
    light = EMBED_LIGHT(
        tasks.filter { kind, _task, _files -> kind == 'composition' }.map { _kind, task, files -> [task, files] },
        card.map { c -> encoderOf(c, 'composition', models) },
        codeOf('embed.py', ['embedding', 'encoders'], ['encoders/dnabert_s', 'encoders/esm2']),
    )

    // Embeddings by sample, e.g. [gut, [gut.shard_00001.esm2.parquet, ...]]; absent where none of its tasks succeeded.
    embeddings = dnabert_s.embeddings
        .mix(esm2.embeddings, light.embeddings)
        .flatten()
        .map { path -> damage([path]) ? error(damage([path])) : [sampleOfEmbeddings(path), path] }
        .groupTuple()

    tables = frames.tables
        .mix(again.tables)
        .flatMap { _names, files -> files.groupBy { path -> sampleOfTable(path) }.collect { sample, own -> [sample, own] } }
    plan = packed.plan
    reports = dnabert_s.report.mix(esm2.report, light.report)
    names = tasks.map { _kind, task, _files -> task }

    emit:
    tables // [sample, [manifest, sequences, chunks]]
    embeddings
    plan
    reports // one of each embedding task that succeeded
    names // of all embedding tasks
}

/** Parameters that the plan of embedding tasks follows. */
def planningOptions() {
    return [
        'task_weight',
        'tasks_per_encoder',
        'max_task_tokens',
        'shard_size',
        'min_length',
        'frames',
        'min_stretch',
        'genetic_code',
        'classifier',
        'workflow',
        'chunk_length',
        'encoders',
    ]
}

/**
 * What EXTRACT_FRAMES takes of a batch: names, how many files each sample has, the files, the genetic code, tables of
 * screened sequences, names to tell files by.
 */
def inOneTask(List batch) {
    def (names, fasta, codes, screened) = batch.transpose()
    def alike = [names, fasta].transpose().findAll { _name, files -> files*.name.toUnique().size() < files.size() }
    def file_names = alike.collectEntries { name, files -> [name, tellingNames(files)] }
    return [names, fasta*.size(), fasta.flatten(), codes[0], screened.flatten(), file_names]
}

/**
 * [kind, folder, layer, digest of the weights, digest of all files] of an encoder; the folder is [] where the classifier
 * needs none of the kind.
 */
def encoderOf(card, String kind, models) {
    def encoder = card.encoders.find { e -> e.kind == kind }
    return encoder ? [kind, models.resolve(encoder.folder), encoder.layer, encoder.sha256, encoder.digest] : [kind, [], 0, '', '']
}

/** Makes the store's folder; ends the run where tasks could not share it. */
def makeStore(String folder) {
    def path = folder ? file(folder, glob: false) : null
    if (path && (path.scheme != 'file' || path.toString() =~ /['"$`\\\s]/)) {
        error("--embedding_store: ${folder} cannot be used; a folder of a shared file system is needed, without blanks or quotes in its path")
    }
    path?.mkdirs()
}

/** [kind of encoder, task, [shard files]] of every task in the plan. */
def tasksOf(plan, Map by_name) {
    return new groovy.json.JsonSlurper().parse(plan).encoders.collectMany { kind, packing ->
        packing.tasks.collect { t -> [kind, t.task, t.shards.collect { name -> by_name[name] }] }
    }
}

/** A shard of the plan that was removed since its task ended, by a clean-up of the work folder perhaps. */
def goneShard(plan, Map by_name) {
    def planned = tasksOf(plan, [:].withDefault { name -> name }).collectMany { _kind, _task, names -> names }
    def name = planned.find { one -> !by_name[one] }
    def manifest = name ? by_name[manifestOfShard(name)] : null
    return name ? "${name}.parquet is gone from ${manifest.parent}. Remove ${manifest.parent.parent} and run again with -resume." : null
}
