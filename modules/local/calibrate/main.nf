// Calibrates a trained classifier on the genomes that validate, measures it on those that test, and writes its card.
process CALIBRATE {
    tag "${name}"
    label 'process_medium'

    input:
    val name
    path classifiers, stageAs: 'trained/*' // TRAIN_CLASSIFIER's folders: all; of each encoder alone; by_frame
    val variants // names of those to be measured, the one that is meant first
    val by_frame // whether there is one that was split by frame
    path split // SPLIT_GENOMES' table
    path tables, stageAs: 'tables/*' // every sample's manifest and tables
    path embeddings, stageAs: 'embeddings/*' // of every shard by every encoder
    path fasta, stageAs: 'fasta?/*' // every sample's files, in the sheet's order
    path texts, stageAs: 'texts.yml' // what a person says of the classifier, or []
    tuple val(how), val(seed) // how sequences were shared out, in words
    val code // digest of the modules that the script imports: -resume does not look at them by itself

    output:
    path "finished/${name}", emit: classifier
    path 'finished/evaluation.json', emit: evaluation
    path 'finished/test_scores.tsv', emit: scores
    tuple val(task.process), eval('tool_versions.py numpy polars pyarrow pyyaml safetensors scikit-learn scipy'), topic: versions

    script:
    """
    calibrate_classifier.py --classifier ${variants.collect { variant -> "trained/${variant}" }.join(' ')} \\
        ${by_frame ? '--by_frame trained/by_frame/training.json' : ''} --split ${split} --tables tables --embeddings embeddings \\
        --fasta ${fasta} ${texts ? "--texts ${texts}" : ''} --how '${how}' --seed ${seed} --out finished
    """

    stub:
    """
    mkdir -p finished/${name}
    touch finished/${name}/classifier.yml finished/${name}/model.safetensors finished/test_scores.tsv
    echo '{"format": 1, "name": "${name}", "verdicts": []}' > finished/evaluation.json
    """
}
