"""Sweeps: search values of params.yaml that lower the error of a trained head.

    space      the file that describes a sweep: keys, ranges, training command, inputs
    mark       what a sweep depends on, so that a changed space or input is refused
    suggest    values of the next round, by Optuna or by a random list
    training   one training in a folder of its own, with its own params.yaml
    journal    finished trials, in Optuna's journal
    batch      several trainings side by side
    held_out   today's and the found values on the test part
    outcome    the table of trials, the report, the patch and the figure

See docs/sweeps.md.
"""
