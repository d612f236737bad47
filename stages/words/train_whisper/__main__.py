"""Run the stage: `python -m stages.words.train_whisper`."""

from fonoteka.core.run_stage import stage
from stages.words.train_whisper.stage import main

if __name__ == "__main__":
    stage(main)
