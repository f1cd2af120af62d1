"""The API does what its own description says: no fault and no status that is not in it, whatever is sent."""

import os
from collections import Counter
from collections.abc import Iterator

import pytest
import schemathesis
from central_rig import STORE, CentreProcess, Gateway, kill_leftover
from central_rows import alert, proposal, receipt
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from soak import IS_SOAK
from test_central_loop import set_up_store

CHECKS = (
    not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
)  # fmt: skip
ANSWER_LIMIT_S = 60
"""The library's own ten are too few where many processes share the machine."""
EXAMPLES = 300 if IS_SOAK else 2
NAMES = {
    "store": STORE, "sku": "sku-1", "gateway": "gw-1", "trigger": "store-1-r1", "member": "m-1", "campaign": "c-1",
    "webhook": "wh-1",
}  # fmt: skip


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CentreProcess]:
    process = CentreProcess(tmp_path_factory.mktemp("openapi"), auto_approve_below_cents=1_000_000)
    process.command("init")
    process.start()
    set_up_store(process.client())
    gateway = Gateway(process, process.add_gateway())
    gateway.send(receipt(1), proposal(1), proposal(2), alert())
    yield process
    kill_leftover(process.process)


def tamed(case: schemathesis.Case) -> None:
    """Half of the names are known ones, so that answers have rows; nothing waits and no stranger's host is looked up."""
    if case.path_parameters and sum(map(ord, str(case.path_parameters))) % 2:
        case.path_parameters.update({name: NAMES[name] for name in case.path_parameters if name in NAMES})
    if case.query and "wait" in case.query:
        case.query["wait"] = 0
    if isinstance(case.body, dict) and isinstance(case.body.get("url"), str) and "://" in case.body["url"]:
        case.body["url"] = "http://127.0.0.1:9/" + str(len(case.body["url"]))


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["good", "bad"])
def test_no_route_fails_or_answers_what_its_description_lacks(
    centre: CentreProcess, mode: GenerationMode
) -> None:
    headers = {"Authorization": f"Bearer {centre.token('admin')}"}
    schema = schemathesis.openapi.from_url(f"{centre.url}/openapi.json", timeout=ANSWER_LIMIT_S)
    problems: list[str] = []
    answers: Counter[int] = Counter()
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) >= 40
    for operation in operations:

        @settings(
            max_examples=EXAMPLES, deadline=None, database=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck), derandomize=bool(os.environ.get("CI")),
        )  # fmt: skip
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: schemathesis.Case) -> None:
            tamed(case)
            reply = case.call(headers=headers, timeout=ANSWER_LIMIT_S)
            answers[reply.status_code] += 1
            case.validate_response(reply, checks=CHECKS)

        try:
            ask()
        except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - all routes are asked; every failure is told at the end
            if "Unsatisfiable" not in type(error).__name__:
                problems.append(f"{operation.label}: {type(error).__name__}: {str(error)[:900]}")
    assert not problems, "\n\n".join(problems)
    usual = {200, 404, 422} if mode is GenerationMode.POSITIVE else {422}
    assert usual <= set(answers), f"the routes were not really asked: {answers}"
    assert centre.is_up()
    assert centre.status()["counters"]["failed_jobs"] == 0
