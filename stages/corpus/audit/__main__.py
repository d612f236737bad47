"""Run the stage: `python -m stages.corpus.audit`."""

from fonoteka.core.run_stage import stage
from stages.corpus.audit.stage import main

if __name__ == "__main__":
    stage(main)
