/*
 * The model bundle, as far as it can be judged before a task starts; CHECK_MODELS looks inside the files.
 */

/** The bundle's folder, where none is named that of the small model which comes along; ends the run where there is none. */
def findBundle(String folder) {
    if (!folder) {
        log.info("""\
            No --models: the bundle compact is used, a small model that comes with the pipeline and needs no GPU.
            VirNucPro's published models are larger; one command fetches them (docs/models.md).""".stripIndent())
        return file("${projectDir}/assets/compact_models", glob: false)
    }
    def models = file(folder, glob: false)
    if (!models.isDirectory()) {
        error("--models: there is no such folder: ${folder}")
    }
    if (!models.resolve('manifest.yml').exists()) {
        error("--models: ${folder} is no model bundle, it has no manifest.yml; make one with --workflow fetch_models (docs/models.md)")
    }
    return models
}

/**
 * Folders of the classifiers that are named: one, or a second one for what the first cannot read. Ends the run if one is
 * not there.
 */
def findClassifiers(models, String given) {
    def names = (given ?: '').tokenize(',')*.trim().findAll { name -> name }
    if (names.size() > 2) {
        error("--classifier: ${given}: two at most, a second one for sequences of which the first can read nothing")
    }
    def folders = (names ?: ['']).collect { name -> findClassifier(models, name) }
    if (folders*.name.toSet().size() < folders.size()) {
        error("--classifier: ${given}: the two must differ in name")
    }
    return folders
}

/**
 * Folder of the classifier that is named, or given by its path, else the bundle's only one, or the one of 500 bases that
 * has the name in its manifest: compact_500 of compact, demo_500 of demo. Ends the run if there is none.
 */
def findClassifier(models, String given) {
    def folder = models.resolve('classifiers')
    def names = folder.isDirectory() ? folder.listFiles().findAll { path -> path.isDirectory() }*.name.sort() : []
    def bundle = models.resolve('manifest.yml').readLines().find { line -> line.startsWith('name: ') }
    def own = names.find { folder_name -> folder_name == "${bundle?.substring(6)?.trim()}_500".toString() }
    if (!given && !own && names.size() != 1) {
        error("--classifier is needed: the bundle ${models.name} has ${names ? names.join(', ') : 'none'}")
    }
    def name = given ?: own ?: names[0]
    if (name in names) {
        return folder.resolve(name)
    }
    def elsewhere = file(name, glob: false)
    if (name.contains('/') && elsewhere.isDirectory() && elsewhere.resolve('classifier.yml').exists()) {
        return elsewhere
    }
    error("--classifier: ${name} is neither a classifier of the bundle (it has ${names ? names.join(', ') : 'none'}) nor the path of a folder with a classifier.yml")
}

/** [classifier, encoder, what a change of them shows in] of the small model that looks first. */
def screeningModel(String name) {
    def bundle = file("${projectDir}/assets/${name}_models", glob: false)
    def folders = [bundle.resolve("classifiers/${name}_500"), bundle.resolve("encoders/${name}")]
    return folders + [stateOf(folders)]
}

/** Path, size and time of every file of the bundle and the classifier: what a change of them shows in. */
def stateOf(List folders) {
    return folders.collectMany { folder ->
        def state = []
        folder.eachFileRecurse { path ->
            if (path.isFile() && !path.name.startsWith('.')) {
                state << "${folder.relativize(path)} ${path.size()} ${path.lastModified()}".toString()
            }
        }
        state.sort()
    }
}
