"""boto3's own transfer of one file, run by the interpreter of the S3 server's environment.

`python boto3_side.py put|get FILE BUCKET KEY`: prints seconds of the transfer and peak memory.
"""

import json
import sys
import time
from pathlib import Path

import boto3
from botocore.config import Config


def peak_mib() -> float:
    """Highest resident memory of this process (MiB)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def main(do: str, file: str, bucket: str, key: str) -> None:
    client = boto3.client("s3", config=Config(s3={"addressing_style": "path"}))
    client.head_bucket(Bucket=bucket)  # connected, as the other side is
    began = time.perf_counter()
    if do == "put":
        client.upload_file(file, bucket, key)
    else:
        client.download_file(bucket, key, file)
    seconds = time.perf_counter() - began
    print(json.dumps({"seconds": seconds, "peak_mib": peak_mib()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
