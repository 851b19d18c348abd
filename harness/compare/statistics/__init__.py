"""The statistics of a comparison: pure functions over NumPy arrays that read, print and configure nothing.

From a curve to a number (`summaries`), from numbers to an interval (`intervals`, `tasks`), a test (`significance`,
`prompts`, `times`), a size (`effects`), a plan (`power`) and a sentence (`verdict`). A run is one repetition; runs of a
group differ in their seed. Shapes: N and M runs, T tasks, S seeds, P prompts. Every random thing takes a
``numpy.random.Generator``. What is malformed is a ValueError: whoever calls has made the arrays.
"""
