"""Run the stage: `python -m stages.corpus.synthesize`."""

from fonoteka.core.run_stage import stage
from stages.corpus.synthesize.stage import main

if __name__ == "__main__":
    stage(main)
