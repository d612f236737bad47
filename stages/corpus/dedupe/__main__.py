"""Run the stage: `python -m stages.corpus.dedupe`."""

from fonoteka.core.run_stage import stage
from stages.corpus.dedupe.stage import main

if __name__ == "__main__":
    stage(main)
