"""Run the stage: `python -m stages.streaming.package_streaming`."""

from fonoteka.core.run_stage import stage
from stages.streaming.package_streaming.stage import main

if __name__ == "__main__":
    stage(main)
