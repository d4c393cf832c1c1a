#!/usr/bin/env nextflow

/*
 * nf-virnucpro: find viral sequences with DNABERT-S and ESM-2 embeddings (VirNucPro's method).
 */

include { checkedParameters ; helpText ; startSummary } from './workflows/support/parameters'
include { readSamples                                 } from './workflows/support/samples'
include { findBundle ; findClassifier                 } from './workflows/support/models'
include { closingWords                                } from './workflows/support/closing'
include { gpuSlots                                    } from './workflows/support/gpus'
include { FETCH                                       } from './workflows/fetch_models'
include { PREDICT                                     } from './workflows/predict'

workflow {
    main:
    def options = checkedParameters(params, args)
    if (options.help) {
        println(helpText())
    }
    else if (options.workflow == 'fetch_models') {
        log.info(startSummary(options))
        FETCH(options.models, options.classifier, options.encoders, options.from, file(options.model_sources ?: "${projectDir}/assets/models.yml", glob: false, checkIfExists: true))
    }
    else {
        log.info(startSummary(options))
        // [sample, [fasta, ...]], e.g. [gut, [gut_1.fa.gz, gut_2.fa.gz]]
        samples = channel.fromList(readSamples(options.input ?: error('--input is needed: a samplesheet (sample,fasta), a FASTA file or a glob; see --help')))
        models = findBundle(options.models)
        summary = PREDICT(samples, models, findClassifier(models, options.classifier), options + [gpus: gpuSlots(options)])
        summary.subscribe { json -> log.info(closingWords(json, options.outdir)) }
    }
}
