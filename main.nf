#!/usr/bin/env nextflow

/*
 * nf-virnucpro: find viral sequences with DNABERT-S and ESM-2 embeddings (VirNucPro's method).
 */

include { checkedParameters ; helpText ; startSummary                                         } from './workflows/support/parameters'
include { readSamples ; samplesheetRows ; labelledRows                                        } from './workflows/support/samples'
include { readLabelled                                                                        } from './workflows/support/labels'
include { readCallers                                                                         } from './workflows/support/callers'
include { findBundle ; findClassifiers                                                        } from './workflows/support/models'
include { closingWords ; evaluationWords                                                      } from './workflows/support/closing'
include { sampleBatches ; noteBatches                                                         } from './workflows/support/batches'
include { gpuSlots                                                                            } from './workflows/support/gpus'
include { leaveNoFilesWithoutTasks ; removeReports ; setEarlierAside ; tellEarlyEnd           } from './workflows/support/results'
include { FETCH                                                                               } from './workflows/fetch_models'
include { PREDICT ; READ_LABELLED                                                             } from './workflows/predict'
include { TRAIN ; readingOf                                                                   } from './workflows/train'
include { VERIFY                                                                              } from './workflows/verify'
include { EVALUATE_CALLERS                                                                    } from './workflows/evaluate'

workflow {
    main:
    leaveNoFilesWithoutTasks()
    def options = checkedParameters(params, args)
    if (options.help) {
        println(helpText())
    }
    else if (options.workflow == 'fetch_models') {
        log.info(startSummary(options))
        def sources = file(options.model_sources ?: "${projectDir}/assets/models.yml", glob: false, checkIfExists: true)
        gpuSlots(options)
        fetched = FETCH(options.models, options.classifier, options.encoders, options.from, sources, options.verify, options.use_gpu)
        VERIFY(fetched.bundle, [], (options.classifier ?: '').tokenize(',')*.trim(), [], 'auto')
    }
    else if (options.workflow == 'verify') {
        log.info(startSummary(options))
        models = findBundle(options.models)
        def fasta = options.input ? readSamples(options.input, options.genetic_code).collectMany { _sample, files, _code -> files } : []
        gpuSlots(options)
        def classifiers = options.classifier ? findClassifiers(models, options.classifier) : []
        def elsewhere = classifiers.findAll { folder -> folder.parent.parent != models }
        def names = classifiers.collect { folder -> folder in elsewhere ? "classifiers/${folder.name}".toString() : folder.name }
        VERIFY(models, elsewhere, names, fasta, options.precision)
    }
    else {
        log.info(startSummary(options))
        def input = options.input ?: error('--input is needed: a samplesheet (sample,fasta), a FASTA file or a glob; see --help')
        // [[sample, [fasta, ...], genetic code], ...], e.g. [[gut, [gut_1.fa.gz, gut_2.fa.gz], 1]]
        def samples = options.workflow == 'evaluate' ? [] : readSamples(input, options.genetic_code)
        if (options.workflow != 'evaluate') {
            models = findBundle(options.models)
        }
        def classifiers = options.workflow == 'predict' ? findClassifiers(models, options.classifier) : []
        if (options.precision == 'bf16' && options.models) {
            log.warn('--precision bf16 keeps three bits less than fp16, and trained encoders lose by it; --workflow verify --precision bf16 tells how much yours do on this device (docs/verify.md)')
        }
        def batches = sampleBatches(samples, options.samples_per_task, options.outdir)
        if (!workflow.preview) {
            removeReports(options.outdir)
        }

        if (options.workflow == 'evaluate') {
            def faults = []
            results = EVALUATE_CALLERS(readCallers(samplesheetRows(input, ['caller', 'table'], faults), faults), options)
        }
        else if (options.workflow == 'train') {
            def labelled = readLabelled(input, samples, labelledRows(input))
            def encoders = (options.encoders ?: '').tokenize(',')*.trim()
            def unscreened = batches.collect { batch -> batch.collect { sample -> sample + [[]] } }
            embedded = READ_LABELLED(channel.fromList(unscreened), models, encoders, readingOf(options), options, gpuSlots(options))
            results = TRAIN(labelled, embedded.tables, embedded.embeddings, embedded.card, embedded.json, options)
        }
        else {
            results = PREDICT(channel.fromList(batches), models, classifiers, options, gpuSlots(options))
        }

        if (batches && !workflow.preview) {
            noteBatches(batches, options.samples_per_task, options.outdir)
        }

        // The run's end: what was found, else why it ended early; and what in --outdir is of an earlier run.
        def made = java.util.concurrent.ConcurrentHashMap.newKeySet()
        def words = []
        results.made.subscribe { name -> made << name }
        results.summary.subscribe { json -> words << (options.workflow == 'predict' ? closingWords(json, options.outdir) : evaluationWords(json, options.outdir)) }
        workflow.onComplete = {
            if (workflow.preview) {
                return
            }
            log.info((words ?: [tellEarlyEnd(options.outdir)]).join('\n'))
            log.info(setEarlierAside(options.outdir, made, words.isEmpty()))
        }
    }
}
