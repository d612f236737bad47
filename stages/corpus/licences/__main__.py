"""Run the stage: `python -m stages.corpus.licences`."""

from fonoteka.core.run_stage import stage
from stages.corpus.licences.stage import main

if __name__ == "__main__":
    stage(main)
