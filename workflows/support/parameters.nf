/*
 * Parameters: nextflow_schema.json is the one source of their names, types, ranges and help. On Nextflow 26 every value
 * given on the command line arrives as a String, so each is converted here, once, and nothing else reads `params`.
 */

/** Groups of the schema, in order: [title: ..., properties: [name: definition]]. */
def parameterGroups() {
    def schema = new groovy.json.JsonSlurper().parse(file("${projectDir}/nextflow_schema.json", glob: false))
    return schema['$defs'].values() as List
}

/** The values that a parameter may have, where the schema lists them. */
def allowedValues(String name) {
    return parameterGroups().collectMany { group -> group.properties[name]?.get('enum') ?: [] }
}

/**
 * Convert and check all parameters; ends the run with one line per fault. `given_besides`: the arguments that are no
 * parameter's.
 * Returns a map of every parameter in the schema, typed: Boolean, Integer, BigDecimal, String or null.
 */
def checkedParameters(Map given, List given_besides) {
    def definitions = [:]
    parameterGroups().each { group -> definitions.putAll(group.properties) }
    def faults = []
    given.keySet().each { name ->
        if (!definitions.containsKey(name)) {
            faults << "--${name}: there is no such parameter${nearest(name, definitions.keySet())}"
        }
    }
    // Nextflow adds 'true' to its own option -stub, and takes it for an argument then.
    def stray = given_besides.findAll { argument -> argument != 'true' }
    if (stray) {
        // What the shell makes of --input *.fa: the first file is the value, and the others would be left out unseen.
        faults << "${stray.collect { argument -> "'${argument}'" }.join(', ')}: no parameter takes this; each has one value, and a glob needs quotes: --input '*.fa'"
    }
    def checked = [:]
    definitions.each { name, definition ->
        def value = given[name]
        checked[name] = isUnset(value) ? definition.default : converted(name, definition, value, faults)
    }
    faults += givenTooLate(checked)
    if (faults) {
        error("Parameters are wrong:\n  ${faults.join('\n  ')}\nSee all of them with --help.")
    }
    return checked
}

/** A line for each parameter that a configuration file gave after the settings which take it had been read. */
def givenTooLate(Map checked) {
    def taken = workflow.session.config.process?.ext?.read_early ?: [:]
    return taken.findAll { name, value -> "${value}" != "${checked[name]}" }.collect { name, value ->
        "--${name} is '${checked[name]}' in a configuration file, which comes too late for it ('${value}' is in use already); give it on the command line or in a -params-file"
    }
}

def isUnset(value) {
    return value == null || "${value}" == ''
}

/** The value as the schema's type; adds to `faults` what does not fit. */
def converted(String name, Map definition, value, List faults) {
    def text = "${value}".toString().trim()
    if (definition.type == 'boolean') {
        return text in ['true', 'false'] ? text == 'true' : unfit(faults, name, text, 'true or false is needed')
    }
    if (definition.type in ['integer', 'number']) {
        def whole = definition.type == 'integer'
        if (!(text ==~ (whole ? /[+-]?\d{1,15}/ : /[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?/))) {
            return unfit(faults, name, text, whole ? 'a whole number is needed' : 'a number is needed')
        }
        def number = new BigDecimal(text)
        if (definition.minimum != null && number < definition.minimum) {
            return unfit(faults, name, text, "at least ${definition.minimum} is needed")
        }
        if (definition.maximum != null && number > definition.maximum) {
            return unfit(faults, name, text, "at most ${definition.maximum} is allowed")
        }
        return whole ? number.longValueExact() : number
    }
    // An option without its value is true: a Boolean on Nextflow 25, the text on 26.
    if (text in ['true', 'false'] && !definition['enum']) {
        return unfit(faults, name, text, 'it needs a value')
    }
    if (definition['enum'] && !(text in definition['enum'])) {
        return unfit(faults, name, text, "one of ${definition['enum'].join(', ')} is needed")
    }
    if (definition.pattern && !(text ==~ definition.pattern)) {
        return unfit(faults, name, text, "it must match ${definition.pattern}")
    }
    return text
}

/** Notes a value that does not fit; the value is then null. */
def unfit(List faults, String name, String text, String needed) {
    faults << "--${name} is '${text}': ${needed}"
    return null
}

/** ', did you mean --x?' where a known name is close, else ''. */
def nearest(String name, names) {
    def near = names.closest(name)
    return near ? ", did you mean --${near[0]}?" : ''
}

/** Text of --help. */
def helpText() {
    def lines = ["nf-virnucpro ${workflow.manifest.version}: ${workflow.manifest.description}", '', 'Usage:',
        '  nextflow run . -profile <docker|singularity|slurm,...> --input samples.csv --models models --outdir results', '']
    parameterGroups().each { group ->
        lines << group.title
        group.properties.each { name, p ->
            def about = [p['enum'] ? p['enum'].join('|') : p.type, p.default == null ? null : "default ${p.default}"]
            lines << "  --${name.padRight(17)} ${p.description} [${about.findAll { part -> part }.join(', ')}]"
        }
        lines << ''
    }
    return lines.join('\n')
}

/** What a run prints at its start: where it runs, and every parameter that is not at its default. */
def startSummary(Map options) {
    def lines = ["nf-virnucpro ${workflow.manifest.version}", '']
    def facts = [run: workflow.runName, profile: workflow.profile, workDir: workflow.workDir, launchDir: workflow.launchDir]
    facts.each { name, value -> lines << "  ${name.padRight(17)} ${value}" }
    parameterGroups().each { group ->
        def set = group.properties.findAll { name, p -> name != 'help' && "${options[name]}" != "${p.default}" }
        if (set) {
            lines << group.title
            set.each { name, _p -> lines << "  ${name.padRight(17)} ${options[name]}" }
        }
    }
    return lines.join('\n')
}
