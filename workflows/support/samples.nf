/*
 * Samples: read from a samplesheet (CSV with the columns sample,fasta[,genetic_code]), a FASTA file or a glob of them.
 * Whatever reaches a path or a shell later is checked here: a sample's name becomes a folder and begins file names.
 */

include { allowedValues } from './parameters'

/** Names that a sample may have: up to 64 letters, digits, '.', '_' and '-', beginning with a letter or digit. */
def namePattern() {
    return /[A-Za-z0-9][A-Za-z0-9._-]{0,63}/
}

/** What else lies at the top of --outdir, beside the samples' folders: what conf/publish.config and results.nf put there. */
def reservedNames() {
    return [
        'multiqc_report.html',
        'multiqc_report_data',
        'pipeline_info',
        'earlier_results',
        'evaluation',
        'verify',
        'viruses.tsv',
        'viruses.fasta.gz',
        'viruses.parquet',
        'sequences.parquet',
    ]
}

/**
 * List of [sample, [fasta, ...], genetic code], in the order of the input; ends the run with one line per fault.
 * genetic_code: that of samples without one of their own.
 */
def readSamples(String input, String genetic_code) {
    def faults = []
    def rows = input.toLowerCase().endsWith('.csv') ? samplesheetRows(input, ['sample', 'fasta'], faults) : fastaRows(input, faults)
    def samples = [:]
    def places = [:]
    def codes = rows.groupBy { row -> row.sample }.collectEntries { sample, same -> [sample, codeOfSample(sample, same, genetic_code, faults)] }
    rows.each { row ->
        checkName(row, faults)
        def fasta = row.fasta ? findFasta(row, faults) : null
        if (fasta) {
            samples.computeIfAbsent(row.sample) { _name -> [] } << fasta
            // By the file itself: another spelling of the path, or a link, gives the same sequences.
            def file = fasta.scheme == 'file' ? fasta.toRealPath() : fasta
            places.computeIfAbsent([row.sample, file]) { _key -> [] } << row
        }
    }
    // A file may belong to several samples, but twice in one it would double all counts.
    places.findAll { _key, same -> same.size() > 1 }.each { key, same ->
        faults << "${same*.where.join(' and ')}: the same file twice for the sample '${key[0]}': ${same*.fasta.unique(false).join(' and ')}; remove one"
    }
    // Sample names become folders, and not every file system tells A from a.
    rows*.sample.findAll { name -> name }.unique().groupBy { name -> name.toLowerCase() }.each { _key, names ->
        if (names.size() > 1) {
            faults << "${input}: the samples ${names.join(' and ')} differ in upper and lower case only; rename one"
        }
    }
    if (faults) {
        error("The input cannot be used:\n  ${faults.join('\n  ')}")
    }
    return samples.collect { name, files -> [name, files, codes[name]] }
}

/**
 * The rows of a samplesheet that readSamples found no fault with, each `annotation` as a path or null; none where the
 * input is not one. Ends the run with one line per annotation that cannot be used.
 */
def labelledRows(String input) {
    def faults = []
    def rows = input.toLowerCase().endsWith('.csv') ? samplesheetRows(input, ['sample', 'fasta'], []) : []
    def found = rows.collect { row -> row + [annotation: row.annotation ? findFasta(row + [fasta: row.annotation], faults) : null] }
    if (faults) {
        error("The input cannot be used:\n  ${faults.join('\n  ')}")
    }
    return found
}

/** The genetic code of a sample's rows; a fault where it is none, or where they have several. */
def codeOfSample(String sample, List rows, String otherwise, List faults) {
    def given = rows*.genetic_code.collect { code -> code ?: otherwise }
    rows.findAll { row -> row.genetic_code && !(row.genetic_code in allowedValues('genetic_code')) }.each { row ->
        faults << "${row.where}: the genetic_code '${row.genetic_code}' cannot be used; one of ${allowedValues('genetic_code').join(', ')} is needed"
    }
    if (given.toUnique().size() > 1) {
        faults << "${rows*.where.join(' and ')}: the sample '${sample}' has the genetic codes ${given.toUnique().join(' and ')}; one sample has one, or auto"
    }
    return given[0]
}

def checkName(Map row, List faults) {
    if (!row.sample) {
        faults << "${row.where}: the sample has no name"
    }
    else if (!(row.sample ==~ namePattern()) || row.sample.contains('..')) {
        faults << "${row.where}: the sample name '${row.sample}' cannot be used; allowed are up to 64 letters, digits, '.', '_' and '-' (no '..'), beginning with a letter or digit${remedyOf(row)}"
    }
    else if (row.sample.toLowerCase() in reservedNames()) {
        faults << "${row.where}: the sample name '${row.sample}' is reserved; choose another${remedyOf(row)}"
    }
}

/** What else to do about a name that comes from a file's. */
def remedyOf(Map row) {
    return row.named_after_file ? '; or name it in a samplesheet (columns sample,fasta)' : ''
}

/** The file of a row, or null and a fault. A relative path is looked up from the launch folder, then from the samplesheet's. */
def findFasta(Map row, List faults) {
    // An address may end with what its server wants (Zenodo: ?download=1); it is no part of the file's name.
    def path = row.fasta ==~ /https?:.*/ ? row.fasta.replaceFirst(/\?[\w.=&%-]*$/, '') : row.fasta
    def unsafe = path.find(/[\x00-\x1f\\`$"'!*?<>|;&(){}\[\]]/)
    if (unsafe) {
        faults << "${row.where}: the path '${row.fasta}' holds the character '${unsafe}', which is not safe in every shell; rename the file"
        return null
    }
    def places = [file(row.fasta, glob: false), row.folder ? row.folder.resolve(row.fasta) : null]
    def found = places.find { place -> place && place.exists() }
    if (!found || found.isDirectory()) {
        faults << "${row.where}: ${found ? 'a folder, not a FASTA file' : 'there is no such file'}: ${row.fasta}"
        return null
    }
    if (found.scheme == 'file' && !java.nio.file.Files.isRegularFile(found)) {
        faults << "${row.where}: not a plain file (a named pipe, say): ${row.fasta}; write its content to one, as it is read twice"
        return null
    }
    if (!java.nio.file.Files.isReadable(found)) {
        faults << "${row.where}: ${row.fasta} may not be read: you lack the permission"
        return null
    }
    if (found.name.startsWith('-')) {
        faults << "${row.where}: the file name '${found.name}' begins with '-'; rename the file"
        return null
    }
    return found
}

/** Rows of a samplesheet that needs two columns, the second of which names a file: its columns, and where, folder. */
def samplesheetRows(String input, List needed, List faults) {
    def sheet = file(input, glob: false)
    if (!sheet.exists() || sheet.isDirectory()) {
        faults << "--input: there is no such samplesheet: ${input}"
        return []
    }
    def text = sheetText(sheet, faults)
    if (text == null) {
        return []
    }
    // Spreadsheets add rows of commas alone.
    def lines = text.split('\n').toList().withIndex(1).findAll { line, _number -> line.replaceAll(/[,"\s]/, '') }
    if (!lines) {
        faults << "${sheet.name}: the samplesheet is empty"
        return []
    }
    def columns = cells(lines[0][0])
    def missing = needed.findAll { name -> !(name in columns) }
    def doubled = (needed + ['sample', 'genetic_code', 'label', 'group', 'split', 'annotation']).unique().findAll { name -> columns.count(name) > 1 }
    if (missing) {
        faults << "${sheet.name}: the column ${missing.join(' and ')} is missing; the first line has: ${columns.join(', ')}${separatorHint(lines[0][0])}"
        return []
    }
    if (doubled) {
        faults << "${sheet.name}: the column ${doubled.join(' and ')} stands twice in the first line; several files of a sample are rows of their own"
        return []
    }
    if (lines.size() == 1) {
        faults << "${sheet.name}: the samplesheet names no sample"
    }
    return lines.drop(1).collect { line, number ->
        def values = cells(line)
        def where = "${sheet.name}, line ${number}"
        if (line.count('"') % 2) {
            faults << "${where}: a quotation mark is not closed: ${line}"
            return [where: where, unread: true]
        }
        if (values.size() != columns.size()) {
            faults << "${where}: ${values.size()} columns, the first line has ${columns.size()}"
        }
        def row = [columns, values].transpose().collectEntries()
        if (values.size() == columns.size() && !row[needed[1]]) {
            faults << "${where}: no ${needed[1] == 'fasta' ? 'FASTA file' : needed[1]} is given"
        }
        row + [sample: row.sample ?: '', where: where, folder: sheet.parent]
    }.findAll { row -> !row.unread }
}

/** A samplesheet's text with ends of line as on Unix; null and a fault where it cannot be read. */
def sheetText(sheet, List faults) {
    if (!java.nio.file.Files.isReadable(sheet)) {
        faults << "--input: ${sheet.name} may not be read: you lack the permission"
        return null
    }
    // Excel's "Unicode text" is UTF-16, which begins with a mark of its own.
    def bytes = sheet.bytes
    def wide = bytes.size() > 1 && [bytes[0] & 0xff, bytes[1] & 0xff] in [[0xff, 0xfe], [0xfe, 0xff]]
    try {
        def decoder = java.nio.charset.Charset.forName(wide ? 'UTF-16' : 'UTF-8').newDecoder()
        def text = decoder.decode(java.nio.ByteBuffer.wrap(bytes)).toString()
        return text.replace('\uFEFF', '').replace('\r\n', '\n').replace('\r', '\n')
    }
    catch (java.nio.charset.CharacterCodingException _e) {
        faults << "${sheet.name}: the samplesheet is not UTF-8 text; save it as 'CSV UTF-8'"
        return null
    }
}

/** What to do about a first line that something other than a comma separates. */
def separatorHint(String line) {
    def found = [';': 'semicolons', '\t': 'tabs'].find { mark, _name -> line.contains(mark) }
    return found ? "; it seems to be separated by ${found.value}: commas are needed" : ''
}

/** Cells of a CSV line, trimmed; a cell in double quotes may hold commas. */
def cells(String line) {
    return "${line},".findAll(/\s*("(?:[^"]|"")*"|[^,]*)\s*,/) { _all, cell ->
        cell.trim().startsWith('"') ? cell.trim()[1..-2].replace('""', '"') : cell.trim()
    }
}

/** Rows of a FASTA file or a glob: each file is a sample, named after it. */
def fastaRows(String input, List faults) {
    // A path that exists is meant literally, whatever characters it holds.
    def literal = file(input, glob: false)
    def found = literal.exists() ? literal : file(input, glob: true)
    def files = (found instanceof Collection ? found : [found]).sort { path -> path.toString() }
    if (!files || !files.every { path -> path.exists() }) {
        faults << "--input: there is no such file: ${input}"
        return []
    }
    def rows = files.collect { path ->
        def sample = path.name.replaceFirst(/(?i)\.gz$/, '').replaceFirst(/(?i)\.(fa|fasta|fna|ffn|fas|fsa)$/, '')
        if (sample == path.name.replaceFirst(/(?i)\.gz$/, '')) {
            faults << "--input: ${path.name} is neither a samplesheet (.csv) nor FASTA (.fa, .fasta or .fna, plain or .gz)"
        }
        [sample: sample, fasta: path.toUriString(), path: path, where: path.name, folder: null, named_after_file: true]
    }
    def named = rows.groupBy { row -> row.path.name }.collectMany { _name, same -> namedByFolder(same) }.toSorted { row -> row.fasta }
    named.groupBy { row -> row.sample }.findAll { _sample, same -> same.size() > 1 }.each { sample, same ->
        faults << "--input: ${same*.fasta.join(' and ')} would both be sample '${sample}'; rename one or use a samplesheet"
    }
    return named
}

/** Rows of files that have one name: their samples are named after the nearest folders that tell them apart. */
def namedByFolder(List rows) {
    def paths = rows.collect { row -> row.path.toAbsolutePath() }
    def above = rows.size() == 1 ? null : (2..paths*.nameCount.min()).find { n -> foldersAbove(paths, n).toUnique().size() == rows.size() }
    return above ? [rows, foldersAbove(paths, above)].transpose().collect { row, folder -> row + [sample: folder] } : rows
}

/** Of each path its n-th part from the end. */
def foldersAbove(List paths, int n) {
    return paths.collect { path -> path.getName(path.nameCount - n).toString() }
}
