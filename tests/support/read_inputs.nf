/*
 * What the pipeline makes of each input of a list, in one start of Nextflow: conftest.py's `read_inputs`. It gives
 * --inputs, a JSON list of {workflow, input}, and gets --told, a JSON list of {fault: text, or '' where nothing is wrong;
 * samples: {name: [names of files]}}.
 */

include { labelledRows ; readSamples } from './workflows/support/samples'
include { readLabelled               } from './workflows/support/labels'

workflow {
    def inputs = new groovy.json.JsonSlurper().parse(file(params.inputs))
    file(params.told).text = groovy.json.JsonOutput.toJson(inputs.collect { one -> told(one.workflow, one.input) })
}

def told(String name, String input) {
    try {
        def samples = readSamples(input, '1')
        if (name == 'train') {
            readLabelled(input, samples, labelledRows(input))
        }
        return [fault: '', samples: samples.collectEntries { sample, fasta, _code -> [sample, fasta*.name] }]
    }
    catch (Exception e) {
        return [fault: e.message ?: e.cause?.message ?: "$e", samples: [:]]
    }
}
