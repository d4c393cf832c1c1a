/*
 * How many GPUs may work at once. The plan of tasks follows it; which GPU a task gets is not decided here (the scheduler
 * does, or bin/virnucpro/embedding/gpus.py on one machine).
 */

/** At least 1: --gpus where it is given, else the GPUs of this machine where GPU tasks run on it. */
def gpuSlots(Map options) {
    if (options.gpus) {
        return options.gpus
    }
    if (options.use_gpu == 'false') {
        return 1
    }
    def executor = gpuExecutor()
    if (executor != 'local') {
        log.info("GPU tasks go to ${executor}: tasks are chosen for one GPU, since --gpus does not say how many you may use")
        return 1
    }
    makeLockFolder()
    def found = countGpus(gpuListing(), System.getenv('CUDA_VISIBLE_DEVICES'))
    if (found) {
        log.info("GPUs of this machine: ${found}")
    }
    else if (options.use_gpu == 'true') {
        log.warn('--use_gpu true, but nvidia-smi lists no GPU that this run may use')
    }
    return [found, 1].max()
}

/** Executor of the processes with the label process_gpu: a configuration may send only these to a cluster. */
def gpuExecutor() {
    def config = workflow.session.config
    def process = config.process ?: [:]
    def named = config.executor instanceof CharSequence ? config.executor : config.executor?.name
    return process['withLabel:process_gpu']?.executor ?: process.executor ?: named ?: System.getenv('NXF_EXECUTOR') ?: 'local'
}

/** What `nvidia-smi -L` prints; '' where there is none, or it does not answer in a minute. */
def gpuListing() {
    def output = new StringBuilder()
    try {
        def command = ['nvidia-smi', '-L'].execute()
        def reader = command.consumeProcessOutputStream(output)
        command.consumeProcessErrorStream(new StringBuilder())
        command.waitForOrKill(60000)
        reader.join(1000) // the process may end before its last lines are read
        return output.toString() // also where it fails: one lost GPU is enough for that
    }
    catch (IOException _e) {
        return ''
    }
}

/** GPUs in the listing, a GPU with MIG devices counting as these, that CUDA_VISIBLE_DEVICES (null: all) leaves. */
def countGpus(String listing, String narrowed) {
    // [[index, GPU-..., [MIG-..., ...]], ...]; a lost GPU leaves a gap
    def gpus = []
    listing.eachLine { line ->
        def uuid = line.find(/\(UUID: ([^)]+)\)/) { _all, id -> id }
        def number = line.find(/^\s*GPU (\d+):/) { _all, digits -> digits }
        if (uuid && line.trim().startsWith('MIG ')) {
            gpus[-1][2] << uuid
        }
        else if (uuid && number) {
            gpus << [number, uuid, []]
        }
    }
    def tokens = narrowed == null ? gpus.collect { gpu -> gpu[0] } : narrowed.tokenize(', ')
    return tokens.collectMany { token ->
        gpus.collectMany { gpu ->
            def (number, uuid, parts) = gpu
            def whole = token == number || (token.startsWith('GPU-') && uuid.startsWith(token))
            whole ? (parts ?: [uuid]) : parts.findAll { part -> token.startsWith('MIG-') && part.startsWith(token) }
        }
    }.unique().size()
}

/** Containers mount the folder of the GPU leases; were it missing, Docker would make one that only root can write. */
def makeLockFolder() {
    def folder = System.getenv('NF_VIRNUCPRO_GPU_LOCKS') ?: '/tmp/nf-virnucpro-gpus'
    if (folder != 'off' && !file(folder, glob: false).exists()) {
        ['mkdir', '-p', '-m', '1777', folder].execute().waitFor()
    }
}
