// Trains a classifier on CPUs: what takes time is reading the embeddings, not the arithmetic.
process TRAIN_CLASSIFIER {
    tag "${variant}"
    label 'process_high'

    input:
    tuple val(variant), val(kinds), val(by_frame) // e.g. [all, [dnabert_s, esm2], false]
    path split // SPLIT_GENOMES' table
    path counted // likewise: frames that count where an annotation was given
    path tables, stageAs: 'tables/*' // every sample's manifest and tables
    path embeddings, stageAs: 'embeddings/*' // of every shard by every encoder
    path models, stageAs: 'models.json' // CHECK_MODELS
    tuple val(name), val(recipe), val(epochs), val(seed), val(memory) // GB for rows
    tuple val(read), val(min_stretch) // what was read of chunks, for the card
    val code // digest of the modules that the script imports: -resume does not look at them by itself

    output:
    tuple val(variant), path(variant), emit: classifier
    tuple val(task.process), eval('tool_versions.py numpy pyarrow pyyaml safetensors torch'), topic: versions

    script:
    """
    train_classifier.py --name '${name}' --split ${split} --counted ${counted} --tables tables --embeddings embeddings --models models.json \\
        --encoders ${kinds.join(',')} --recipe ${recipe} --epochs ${epochs} --seed ${seed} ${by_frame ? '--by_frame' : ''} \\
        --frames ${read} --min_stretch ${min_stretch} --memory ${memory} --threads ${task.cpus} --out ${variant}
    """

    stub:
    """
    mkdir ${variant}
    touch ${variant}/classifier.yml ${variant}/model.safetensors
    echo '{}' > ${variant}/training.json
    """
}
