/*
 * What --workflow evaluate takes: a sheet (CSV) with the columns caller,table[,sample].
 */

/**
 * List of [caller: ..., sample: ..., table: path] in the order of the sheet; ends the run with one line per fault. A
 * folder of results of predict gives the tables of sequences, chunks and frames of each of its samples.
 * rows: what samplesheetRows made of the sheet, with its faults.
 */
def readCallers(List rows, List faults) {
    def found = rows.collectMany { row ->
        def places = [file(row.table, glob: false), row.folder.resolve(row.table)]
        def place = places.find { path -> path.exists() }
        if (!place) {
            faults << "${row.where}: there is no such table: ${row.table}"
            return []
        }
        if (!(row.caller ==~ /[^\s\t"'<>&][^\t"'<>&]{0,63}/)) {
            faults << "${row.where}: the caller '${row.caller}' cannot be used; a name of up to 64 letters, digits, blanks and signs is needed"
        }
        def tables = place.isDirectory() ? place.listFiles().findAll { path -> path.resolve('sequences.tsv').exists() }.sort() : []
        if (place.isDirectory() && !tables) {
            faults << "${row.where}: ${row.table} is a folder without results of predict (<sample>/sequences.tsv)"
        }
        place.isDirectory()
            ? tables.collectMany { folder -> tablesOf(folder).collect { table -> [caller: row.caller, sample: folder.name, table: table] } }
            : [[caller: row.caller, sample: row.sample ?: '', table: place]]
    }
    if (faults) {
        error("The input cannot be used:\n  ${faults.join('\n  ')}")
    }
    return found
}

/** What a sample's folder has of predict's tables that evaluate reads. */
def tablesOf(folder) {
    return ['sequences.tsv', 'chunks.tsv', 'prediction_results.txt'].collect { name -> folder.resolve(name) }.findAll { table -> table.exists() }
}
