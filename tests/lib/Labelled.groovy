/** Labelled sequences for training: two kinds, told apart by what their genes are made of. */
class Labelled {
    /** FASTA of `many` open genes of 1,203 bases, named <prefix>_0 and on; `rich`: of G and C. */
    static String genes(String prefix, int many, boolean rich) {
        def random = new Random(rich ? 1 : 2)
        def codons = rich ? ['GCC', 'GGC', 'CTG', 'CGC', 'GTC', 'ACC', 'GAC'] : ['AAA', 'ATT', 'TTA', 'AAT', 'GAA', 'TAT', 'CTT']
        return (0..<many).collect { i -> ">${prefix}_${i}\n${(0..400).collect { codons[random.nextInt(codons.size())] }.join()}\n" }.join()
    }

    /** What workflows/support/labels.nf makes of a sheet with the samples phage and host, of one file each. */
    static String sheet(Map phage = [:], Map host = [:]) {
        def file = { name, label, more -> [sample: name, files: [[name: "${name}.fa".toString(), label: label, group: '', split: '', annotation: null] + more]] }
        return groovy.json.JsonOutput.toJson([file('phage', 'virus', phage), file('host', 'other', host)])
    }
}
