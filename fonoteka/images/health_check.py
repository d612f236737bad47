"""Exit with 0 if the service in this container answers: the HEALTHCHECK of the image.

python -m fonoteka.images.health_check
"""

from __future__ import annotations

import http.client
import os
import sys

TIMEOUT_S = 4  # below the 5 s after which the engine counts the check as failed


def is_healthy(port: int, timeout_s: float = TIMEOUT_S) -> bool:
    """Return whether /health on this port of the loopback answers 200 in time.

    A connection of http.client and not urllib, which would ask a proxy of the environment.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(not is_healthy(int(os.environ["FONOTEKA_PORT"])))
