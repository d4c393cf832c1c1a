// Writes into the bundle's own folder, so that 6 GB are not copied from a work directory to it; what is there and
// whole is left alone, so the task may run again at any time.
process FETCH_MODELS {
    tag "${(classifiers + encoders).join(', ')}"
    label 'process_low'
    cache false
    stageInMode 'symlink' // the bundle's folder is written through its link; a copy would be thrown away
    executor 'local' // compute nodes often have no internet; sites whose nodes have it override this by name
    time { task.executor == 'local' ? null : 48.h }
    errorStrategy 'terminate' // nothing else would run; the script itself retries and says what to do

    input:
    path models, stageAs: 'models' // the bundle's folder, which exists and can be written
    val classifiers // names in the sources file; their encoders come with them
    val encoders // names of further encoders
    path brought, stageAs: 'brought' // folder with the files, [] to download them
    path sources, stageAs: 'models.yml'

    output:
    path 'fetched.txt', emit: log // what was done, a line each
    tuple val(task.process), eval('tool_versions.py numpy pyyaml requests urllib3'), topic: versions

    script:
    def from = brought ? '--from brought' : ''
    """
    [ -L models ] || { echo "error: stageInMode must be 'symlink' for FETCH_MODELS: the models would be lost with the task" >&2; exit 2; }
    fetch_models.py --models models --sources models.yml --note models/.fetch.txt ${from} \\
        --classifier ${classifiers.join(' ')} --encoder ${encoders.join(' ')} > fetched.txt
    rm -f models/.fetch.txt
    """

    stub:
    """
    fetch_models.py --sources models.yml --list > fetched.txt
    """
}
