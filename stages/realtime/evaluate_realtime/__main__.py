"""Run the stage: `python -m stages.realtime.evaluate_realtime`."""

from fonoteka.core.run_stage import stage
from stages.realtime.evaluate_realtime.stage import main

if __name__ == "__main__":
    stage(main)
