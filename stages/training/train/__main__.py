"""Run the stage: `python -m stages.training.train`."""

from fonoteka.core.run_stage import stage
from stages.training.train.stage import main

if __name__ == "__main__":
    stage(main)
