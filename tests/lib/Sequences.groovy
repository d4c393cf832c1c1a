/** FASTA whose chunks and open frames can be counted by hand. */
class Sequences {
    /** A triplet again and again: GCA and GCC have no stop in any of the six frames, at whatever base one begins. */
    static String open(String triplet, int bases) {
        return (triplet * bases).take(bases)
    }

    /** Its own reverse complement, with TAA in the first and third frame and TAG in the second. */
    static String closed(int bases) {
        return ('TTAGTTAACTAA' * bases).take(bases)
    }

    /**
     * Seven records. With chunks of 500 bases and --min_length 100: open_1 has 1 chunk and 6 open frames, long 3 and 18,
     * closed 1 and none, the second open_1 1 and 6; short is too short, protein and empty are no nucleotide sequences.
     */
    static String mixed() {
        return [
            '>open_1 alanine and such', open('GCA', 300),
            '>long', open('GCA', 1200),
            '>closed', closed(300),
            '>short', open('GCA', 60),
            '>protein', 'MKVLEFPQ' * 20,
            '>open_1 the same name once more', open('GCC', 300),
            '>empty', '',
        ].join('\n')
    }
}
