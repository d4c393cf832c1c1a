/*
 * fetch_models: a model bundle from the public sources, or from files that were brought along.
 *
 *     assets/models.yml ─ FETCH_MODELS ─ the bundle's folder ─ VERIFY (where the machine can hold it)
 */

include { gpuExecutor  } from './support/gpus'
include { FETCH_MODELS } from '../modules/local/fetch_models'

workflow FETCH {
    take:
    models // the bundle's folder as a text; made where it does not exist
    classifiers // list, or text with commas: virnucpro_500,virnucpro_300
    encoders // likewise; encoders beyond those that the classifiers need
    brought // folder with the files instead of the internet, as a text, or null
    sources // path of the list of sources
    verify // whether what was fetched is checked at the end: true, false, or auto, where the machine can hold it
    use_gpu // auto, true or false

    main:
    def folder = bundleFolder(models)
    def names = [namesIn(classifiers, '--classifier'), namesIn(encoders, '--encoders')]
    if (names.flatten().isEmpty()) {
        error("--workflow fetch_models needs --classifier (for example virnucpro_500) or --encoders; assets/models.yml lists them")
    }
    def from = brought ? file(brought, glob: false) : []
    if (from && !from.isDirectory()) {
        error("--from: there is no such folder: ${brought}")
    }

    fetched = FETCH_MODELS(folder, names[0], names[1], from, sources).log

    // A download of 6 GB takes a while, and Nextflow shows a task's output only when it has ended.
    def state = [running: true, last: '']
    fetched.subscribe(onNext: { path -> log.info(path.getText('UTF-8')) }, onComplete: { state.running = false })
    channel.interval('5s') { _tick -> state.running ? whatIsNew(folder.resolve('.fetch.txt'), state) : channel.STOP }
        .filter { text -> text }
        .subscribe { text -> log.info(text) }

    bundle = fetched.filter { _log -> isVerified(folder, verify, use_gpu) }.map { _log -> folder }

    emit:
    bundle // its folder, where it is to be verified
}

/** The bundle's folder, made where it does not exist; ends the run where it cannot be one. */
def bundleFolder(String models) {
    if (!models) {
        error("--models is needed: the folder in which the model bundle is to be built")
    }
    def folder = file(models, glob: false)
    if (folder.scheme != 'file') {
        error("--models: ${models}: a bundle is built in a folder of this machine; copy it to an object store afterwards")
    }
    folder.mkdirs()
    if (!folder.isDirectory()) {
        error("--models: ${models} is no folder and cannot be made one")
    }
    return folder
}

/** Whether what was fetched is to be checked; says so where it is left out for want of memory. */
def isVerified(folder, String verify, String use_gpu) {
    if (verify != 'auto') {
        return verify == 'true'
    }
    def sizes = []
    if (folder.resolve('encoders').isDirectory()) {
        folder.resolve('encoders').eachFileRecurse { path -> sizes << path.size() }
    }
    // A GPU task's tensors go to the GPU one by one. On a CPU weights of 16 bits become 32, and there is what they are read from.
    def on_gpu = gpuExecutor() != 'local' || (use_gpu != 'false' && file('/dev/nvidiactl', glob: false).exists())
    def memory = java.lang.management.ManagementFactory.operatingSystemMXBean.totalMemorySize
    def holds = on_gpu || 3 * ((sizes ?: [0]).max()) < memory
    if (!holds) {
        log.info("What was fetched is whole, and too large to be tried on this machine: run --workflow verify where tasks will run (docs/verify.md)")
    }
    return holds
}

/** Names as a list, from a list or a text with commas; ends the run at anything that is no name. */
def namesIn(names, String option) {
    def list = (names instanceof List ? names : (names ?: '').toString().tokenize(',')).collect { name -> name.toString().trim() }
    list.each { name ->
        if (!(name ==~ /[A-Za-z0-9][A-Za-z0-9._-]*/)) {
            error("${option}: '${name}' is no model's name; assets/models.yml lists them")
        }
    }
    return list
}

/** The fetch's latest line, '' where it has not changed since it was last asked for. */
def whatIsNew(note, Map state) {
    def text = note.exists() ? note.getText('UTF-8').trim() : ''
    def fresh = text != state.last ? text : ''
    state.last = text
    return fresh
}
