"""Run the stage: `python -m stages.streaming.train_stream`."""

from fonoteka.core.run_stage import stage
from stages.streaming.train_stream.stage import main

if __name__ == "__main__":
    stage(main)
