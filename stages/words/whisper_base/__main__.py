"""Run the stage: `python -m stages.words.whisper_base`."""

from fonoteka.core.run_stage import stage
from stages.words.whisper_base.stage import main

if __name__ == "__main__":
    stage(main)
