"""Every address answers what its schema says, whatever it is asked: drawn by schemathesis, the same each time."""

from __future__ import annotations

from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)
from tests.hosts.server.asking import PORT, TOKEN, Client, desk_with, noise

CLIENT = Client(desk_with(upload_bytes=100_000, upload_pixels=10_000, upload_model=True))
RUN = CLIENT.run(CLIENT.add_picture(noise(20, 20))["id"])
HEADERS = {"Authorization": f"Bearer {TOKEN}", "Host": f"127.0.0.1:{PORT}"}
schema = schemathesis.openapi.from_asgi("/openapi.json", CLIENT.app, headers=HEADERS)
CHECKS = [
    not_a_server_error,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@schema.parametrize()
@settings(
    max_examples=25,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_address(case: Any) -> None:
    parameters = case.path_parameters or {}
    if "run" in parameters and case.method != "DELETE":  # half of what is drawn asks for what there is
        parameters["run"] = RUN["id"]
        if case.query and len(str(case.query)) % 2:
            case.query["layer"] = "conv"
    if "model" in parameters:
        parameters["model"] = "0"
    case.call_and_validate(
        headers=HEADERS,
        checks=[
            not_a_server_error,
            content_type_conformance,
            response_headers_conformance,
            response_schema_conformance,
        ],
    )
