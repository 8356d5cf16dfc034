"""Train and draw with the generated Python client: `python generated_client.py URL`, beside the package `generated`.

Runs in the generator's own environment. Prints the job's state and the first bytes of the sample as JSON.
"""

import json
import sys
import time
from typing import Any

from generated import Client  # type: ignore[import-not-found]
from generated.api.inference import get_sample  # type: ignore[import-not-found]
from generated.api.jobs import create_job, get_job  # type: ignore[import-not-found]
from generated.models.train_in import TrainIn  # type: ignore[import-not-found]

ENDED = ("succeeded", "failed", "cancelled")


def main(url: str) -> None:
    client = Client(base_url=url, raise_on_unexpected_status=True)
    body = TrainIn.from_dict({"recipe": "gan", "dataset": "digits", "budget": {"steps": 10}})
    job: Any = create_job.sync(client=client, body=body)
    while job.state not in ENDED:
        time.sleep(0.2)
        job = get_job.sync(client=client, job_id=job.id)
    sample: Any = get_sample.sync(client=client, model=job.result.model)
    print(json.dumps({"state": job.state, "sample": sample.payload.read(8).hex()}))


if __name__ == "__main__":
    main(sys.argv[1])
