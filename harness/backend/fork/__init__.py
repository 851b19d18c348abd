"""Ray's workers forked from one process that has imported what they need, in place of each importing it anew.

A run on a CPU has some seven workers, and each would spend ten seconds of a core on importing Ray, torch and verl.
Ray's raylet starts `harness.backend.fork.starter` in place of its own starter; that asks the
`harness.backend.fork.server` of the run, which forks.
"""
