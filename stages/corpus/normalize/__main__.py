"""Run the stage: `python -m stages.corpus.normalize`."""

from fonoteka.core.run_stage import stage
from stages.corpus.normalize.stage import main

if __name__ == "__main__":
    stage(main)
