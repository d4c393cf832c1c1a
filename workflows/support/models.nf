/*
 * The model bundle, as far as it can be judged before a task starts; CHECK_MODELS looks inside the files.
 */

/** The bundle's folder; ends the run where there is none. */
def findBundle(String folder) {
    if (!folder) {
        error("--models is needed: the folder of a model bundle (docs/models.md says how to get one; `-profile test` uses the demo bundle)")
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

/** Folder of the classifier that is named, or given by its path, or the only one of the bundle; ends the run if none. */
def findClassifier(models, String wanted) {
    def folder = models.resolve('classifiers')
    def names = folder.isDirectory() ? folder.listFiles().findAll { path -> path.isDirectory() }*.name.sort() : []
    if (!wanted && names.size() != 1) {
        error("--classifier is needed: the bundle ${models.name} has ${names ? names.join(', ') : 'none'}")
    }
    def name = wanted ?: names[0]
    if (name in names) {
        return folder.resolve(name)
    }
    def elsewhere = file(name, glob: false)
    if (name.contains('/') && elsewhere.isDirectory() && elsewhere.resolve('classifier.yml').exists()) {
        return elsewhere
    }
    error("--classifier: ${name} is neither a classifier of the bundle (it has ${names ? names.join(', ') : 'none'}) nor the path of a folder with a classifier.yml")
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
