"""Run the stage: `python -m stages.realtime.package_realtime`."""

from fonoteka.core.run_stage import stage
from stages.realtime.package_realtime.stage import main

if __name__ == "__main__":
    stage(main)
