"""Run the stage: `python -m stages.export.package`."""

from fonoteka.core.run_stage import stage
from stages.export.package.stage import main

if __name__ == "__main__":
    stage(main)
