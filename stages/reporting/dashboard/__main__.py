"""Run the stage: `python -m stages.reporting.dashboard`."""

from fonoteka.core.run_stage import stage
from stages.reporting.dashboard.stage import main

if __name__ == "__main__":
    stage(main)
