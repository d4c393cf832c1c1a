"""Whether this installation computes what VirNucPro computes, on this device, and what a run will cost.

`task` runs the checks; each is a file with a function that gives `results.Result`s. Encoders are run by `measuring`
alone, once for each precision; the checks compare what it kept. docs/verify.md is for users.
"""
