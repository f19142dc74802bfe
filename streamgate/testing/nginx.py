"""nginx, as the machine has it, in front of a server or beside it."""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Sequence
from pathlib import Path

from streamgate.testing.server_process import ServerProcess

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
NO_NGINX = "nginx is not installed"


class Nginx(ServerProcess):
    """One worker, on a port and in a folder of its own.

    Args:
        http: the inside of its `http` block; `@PORT@` in it becomes the port, `@FOLDER@` the folder.
        user: and group, as whom its worker runs where we are root; else it is who we are.
    """

    kind = "nginx"

    def __init__(self, http: str, *, user: str = "nobody nogroup") -> None:
        super().__init__()
        self._http = http
        self._user = user

    def spawn(self) -> None:
        http = self._http.replace("@PORT@", str(self.port)).replace("@FOLDER@", str(self.directory))
        user = f"user {self._user};" if os.geteuid() == 0 else ""
        (self.directory / "nginx.conf").write_text(
            f"""{user} worker_processes 1; daemon off; pid nginx.pid; error_log error.log;
            events {{ worker_connections 1024; }}
            http {{
                access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;
                client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
                uwsgi_temp_path uwsgi; scgi_temp_path scgi;
                {http}
            }}"""
        )
        super().spawn()

    def prepare(self) -> None:
        self.directory.chmod(0o755)
        if os.geteuid() == 0:
            os.chown(self.directory, pwd.getpwnam(self._user.split()[0]).pw_uid, -1)

    def command(self) -> Sequence[str]:
        assert NGINX is not None, NO_NGINX
        return [NGINX, "-p", str(self.directory), "-c", "nginx.conf"]

    @property
    def pids(self) -> tuple[int, ...]:
        """The master's and its worker's."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return (self.pid, *map(int, children))
