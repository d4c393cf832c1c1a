import groovy.json.JsonSlurper
import java.util.zip.GZIPInputStream

/**
 * Readers of the files that tests look into. nf-test takes every text in a snapshot that happens to be a path for that file:
 * hence names of columns go into one joined up, so that a column called `bin` is not the folder bin/.
 */
class Tables {
    /** Rows of a tab-separated file, each a map of column to text. */
    static List<Map> tsv(path) {
        def lines = new File("${path}").readLines('UTF-8')
        def columns = lines[0].split('\t', -1).toList()
        return lines.drop(1).collect { line -> [columns, line.split('\t', -1).toList()].transpose().collectEntries() }
    }

    /** [rows: [{column: value}], columns: [...], metadata: {...}] of a Parquet file. Needs python3 with pyarrow on PATH. */
    static Map parquet(path) {
        def code = '''
            import json, sys
            import pyarrow.parquet as pq
            table = pq.read_table(sys.argv[1])
            metadata = {k.decode(): v.decode() for k, v in (table.schema.metadata or {}).items() if k != b"ARROW:schema"}
            json.dump({"columns": table.column_names, "rows": table.to_pylist(), "metadata": metadata}, sys.stdout)'''.stripIndent().trim()
        return new JsonSlurper().parseText(run(['python3', '-c', code, "${path}".toString()]))
    }

    /** {frame_key: [x, y, ...]} of embedding files, in the order of their names. */
    static Map embeddings(paths) {
        def files = [paths].flatten().collect { path -> "${path}".toString() }.sort()
        return files.collectMany { path -> parquet(path).rows }.collectEntries { row -> [row.frame_key, row.embedding] }
    }

    static double cosine(List a, List b) {
        def dot = { x, y -> [x, y].transpose().sum { p, q -> (p as double) * (q as double) } }
        return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))
    }

    /** {task: 'COMPLETED 0'} of a test's run: what each task's end was. */
    static Map trace(launchDir) {
        return tsv("${launchDir}/meta/trace.csv").collectEntries { task -> [task.name, "${task.status} ${task.exit}".toString()] }
    }

    static Map json(path) {
        return new JsonSlurper().parse(new File("${path}"))
    }

    static String gunzip(path) {
        return new GZIPInputStream(new FileInputStream("${path}")).getText('UTF-8')
    }

    /** File names, sorted. */
    static List<String> names(paths) {
        return [paths].flatten().collect { path -> new File("${path}").name }.sort()
    }

    /** Paths of all files below a folder, sorted. */
    static List<String> tree(folder) {
        def root = new File("${folder}").toPath()
        def paths = []
        root.toFile().eachFileRecurse { f ->
            if (f.isFile()) {
                paths << root.relativize(f.toPath()).toString()
            }
        }
        return paths.sort()
    }

    /** What a command prints; an error where it fails. */
    static String run(List command) {
        def process = command*.toString().execute()
        def output = new StringBuilder()
        def errors = new StringBuilder()
        process.waitForProcessOutput(output, errors)
        if (process.exitValue() != 0) {
            throw new IOException("${command.join(' ')} failed: ${errors}")
        }
        return output.toString()
    }
}
