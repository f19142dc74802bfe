"""What the schemathesis runs of `test_schema.py` load.

Generated ids name nothing, so every answer beyond 404 would go unseen: half of the requests name what is there.
"""

from __future__ import annotations

import itertools
import json
import os
from typing import Any

import schemathesis

IDS: dict[str, Any] = json.loads(os.environ["HOSTILE_IDS"])
ENDLESS = "/api/v1/events"
_turns = itertools.count()

schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")  # the parts of tus


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:  # Any: the types of schemathesis' own
    """Signs in by the one header of the run, not by a second one made up; two at once are 401. Names what is there in
    every second request that takes nothing away. What would answer without end is asked for what there is not
    (`tests/plugins/api/test_live.py` listens to it)."""
    for name in [name for name in case.headers or () if name.lower() == "x-api-key"]:
        del case.headers[name]
    if case.operation.path == ENDLESS:
        case.query = {**(case.query if isinstance(case.query, dict) else {}), "kinds": "nothing"}
    if case.method == "DELETE" or next(_turns) % 2:
        return
    for values in (case.path_parameters, case.query, case.body):
        if isinstance(values, dict):
            values.update({name: IDS[name] for name in values if name in IDS})
