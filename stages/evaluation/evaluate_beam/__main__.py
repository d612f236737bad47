"""Run the stage: `python -m stages.evaluation.evaluate_beam`."""

from fonoteka.core.run_stage import stage
from stages.evaluation.evaluate_beam.stage import main

if __name__ == "__main__":
    stage(main)
