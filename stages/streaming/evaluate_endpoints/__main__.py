"""Run the stage: `python -m stages.streaming.evaluate_endpoints`."""

from fonoteka.core.run_stage import stage
from stages.streaming.evaluate_endpoints.stage import main

if __name__ == "__main__":
    stage(main)
