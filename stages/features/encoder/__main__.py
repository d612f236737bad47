"""Run the stage: `python -m stages.features.encoder`."""

from fonoteka.core.run_stage import stage
from stages.features.encoder.stage import main

if __name__ == "__main__":
    stage(main)
