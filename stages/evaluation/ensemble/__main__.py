"""Run the stage: `python -m stages.evaluation.ensemble`."""

from fonoteka.core.run_stage import stage
from stages.evaluation.ensemble.stage import main

if __name__ == "__main__":
    stage(main)
