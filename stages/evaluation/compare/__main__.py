"""Run the stage: `python -m stages.evaluation.compare`."""

from fonoteka.core.run_stage import stage
from stages.evaluation.compare.stage import main

if __name__ == "__main__":
    stage(main)
