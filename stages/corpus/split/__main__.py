"""Run the stage: `python -m stages.corpus.split`."""

from fonoteka.core.run_stage import stage
from stages.corpus.split.stage import main

if __name__ == "__main__":
    stage(main)
