"""Run the stage: `python -m stages.evaluation.evaluate`."""

from fonoteka.core.run_stage import stage
from stages.evaluation.evaluate.stage import main

if __name__ == "__main__":
    stage(main)
