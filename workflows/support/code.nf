/*
 * -resume hashes the script in bin/ that a task calls, but not what that script imports. Each process therefore takes the
 * digest of the library's files that it may use as an input: an edit to one reruns the tasks that use it.
 */

/**
 * Digest of bin/<script>, of the ground floor of bin/virnucpro with what it says of each kind of encoder, and of the rooms
 * named. `without`: files or folders of these rooms that the script never imports, e.g. ['encoders/esm2'].
 * tests/unit/test_code_digests.py holds what is named here to what the scripts import.
 */
def codeOf(String script, List rooms, List without = []) {
    def library = file("${projectDir}/bin/virnucpro", glob: false)
    def named = []
    rooms.each { room -> library.resolve(room).eachFileRecurse { path -> named << path } }
    def left_out = without.collectMany { name -> ["${name}.py", "${name}/"] }
    named = named.findAll { path -> !left_out.any { name -> "${library.relativize(path)}".startsWith(name) } }
    def digest = java.security.MessageDigest.getInstance('SHA-256')
    ([file("${projectDir}/bin/${script}", glob: false)] + library.listFiles().toList() + kindsOf(library) + named)
        .findAll { path -> path.name.endsWith('.py') }
        .toUnique { path -> path.toString() }
        .toSorted { path -> path.toString() }
        .each { path -> digest.update(path.bytes) }
    return digest.digest().encodeHex().toString().take(16)
}

/** What every script may ask of the kinds of encoder: their list and their descriptions, not the encoders themselves. */
def kindsOf(library) {
    def found = []
    library.resolve('encoders').eachFileRecurse { path -> found << path }
    return found.findAll { path -> path.name in ['__init__.py', 'kind.py', 'kinds.py', 'transformer_config.py', 'description.py'] }
}
