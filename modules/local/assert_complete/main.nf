// The run's exit status: this last task fails where something could not be scored or does not hold, after
// all else was delivered.
process ASSERT_COMPLETE {
    tag 'run'
    label 'process_low'

    input:
    path summary // REPORT's summary.json, or VERIFY_MODELS' verify.json

    script:
    """
    assert_complete.py ${summary}
    """

    stub:
    """
    assert_complete.py ${summary}
    """
}
