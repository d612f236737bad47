"""Run the stage: `python -m stages.corpus.inventory`."""

from fonoteka.core.run_stage import stage
from stages.corpus.inventory.stage import main

if __name__ == "__main__":
    stage(main)
