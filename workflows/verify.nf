/*
 * verify: whether a device computes with a bundle what VirNucPro computes, and what a run on an input will cost.
 *
 *     bundle, FASTA ─ VERIFY_MODELS ─ ASSERT_COMPLETE
 */

include { VERIFY_MODELS   } from '../modules/local/verify_models'
include { ASSERT_COMPLETE } from '../modules/local/assert_complete'

workflow VERIFY {
    take:
    models // folder of the model bundle, or a channel of it
    elsewhere // folders of classifiers that are not of the bundle
    names // of the classifiers that are asked for, in the bundle or of these folders; [] for all of the bundle
    fasta // files that a run shall be reckoned for, or []
    precision // auto, fp32, fp16 or bf16

    main:
    verified = VERIFY_MODELS(
        models,
        elsewhere,
        names,
        fasta,
        precision,
        file("${projectDir}/assets/golden", glob: false),
        ['lambda', 'ecoli'].collect { name -> file("${projectDir}/assets/example/${name}.fa.gz", glob: false) },
    )
    verified.table.subscribe { path -> log.info(path.getText('UTF-8')) }
    ASSERT_COMPLETE(verified.json)

    json = verified.json

    emit:
    json
}
