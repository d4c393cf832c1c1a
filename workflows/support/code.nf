/*
 * -resume hashes the script in bin/ that a task calls, but not what that script imports. Each process therefore takes the
 * digest of the library modules it uses as an input: an edit to one reruns the tasks that use it, and no others.
 */

/** Digest of bin/<script>, of what else is named, and of all modules of bin/virnucpro that these import, directly or not. */
def codeOf(String script, String more = script) {
    def files = reached(reached([:], script), more).keySet().sort()
    def digest = java.security.MessageDigest.getInstance('SHA-256')
    files.each { name -> digest.update(file("${projectDir}/bin/${name}", glob: false).bytes) }
    return digest.digest().encodeHex().toString().take(16)
}

/** Adds `name` (a path under bin/) and all it imports to `found`. */
def reached(Map found, String name) {
    def path = file("${projectDir}/bin/${name}", glob: false)
    if (found.containsKey(name) || !path.exists()) {
        return found
    }
    found[name] = true
    def pattern = /(?m)^[ \t]*(?:from[ \t]+(virnucpro[\w.]*)[ \t]+import[ \t]+(\([^)]*\)|[^\n]*)|import[ \t]+(virnucpro[\w.]*))/
    (path.getText('UTF-8') =~ pattern).each { _all, from, names, module ->
        def base = (from ?: module).replace('.', '/')
        def members = (names ?: '').replaceAll(/#[^\n]*|[()]/, '').split(',').collect { part -> part.trim().split(/\s+/)[0] }
        def parents = base.split('/').toList().inject([]) { list, part -> list + [list ? "${list[-1]}/${part}" : part] }
        def candidates = ["${base}.py"] + parents.collect { parent -> "${parent}/__init__.py" }
        candidates += members.findAll { member -> member }.collect { member -> "${base}/${member}.py" }
        candidates.each { candidate -> reached(found, candidate.toString()) }
    }
    return found
}
