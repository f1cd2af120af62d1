"""deploy/gateway/install.sh on a whole machine: real systemd, real Mosquitto by TLS, the hardened units, journal and watchdog."""

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from howto_runner import wait_out_midnight
from small_machine import REPO, SmallMachine, small_machine, why_not

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(bool(why_not()), reason=f"NOT TESTED: install.sh on a real systemd {why_not()}"),
]

INSTALL = "bash /opt/source/deploy/gateway/install.sh --program-is-there --no-apt"
CONFIG = "/etc/shelfloop/edge.toml"
PLACES = "/etc /opt/shelfloop/bin /usr/local/bin /var/lib/shelfloop -xdev -not -path '/var/lib/shelfloop/edge/*' -not -name 'ld.so.cache*'"
SNAPSHOT = f"find {PLACES} -printf '%p %m %U:%G %l\\n' | sort; find {PLACES} -type f -print0 | sort -z | xargs -0 sha256sum"
IS_UP = "curl -sf http://127.0.0.1:8703/report"
CENTRE = "http://127.0.0.1:8700"
SHOP = {
    "": {"name": "Market Street", "timezone": "Europe/Berlin", "currency": "EUR",
         "hours": [{"weekday": day, "opens_minute": 0, "closes_minute": 1440} for day in range(7)]},
    "/items": {"items": [{"sku": "4011", "gtins": ["9521234567899"], "name": "Bananas", "category": "Fruit"}]},
    "/prices": {"prices": [{"sku": "4011", "price_cents": 5, "from_ms": 0}]},
}  # fmt: skip


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallMachine]:
    """A machine on which install.sh has just run for the first time, as docs/howto/gateway.md says; its centre is in there too."""
    with small_machine(tmp_path_factory.mktemp("gateway")) as machine:
        machine.run("! getent passwd shelfloop && ! test -e /etc/shelfloop")
        _start_centre(machine)
        machine.run(
            f"{INSTALL} --gateway gw-1 --store store-1 --central {CENTRE} --key-file /root/gw-1.key --device till-1 "
            "--device till-2 --host gw-1.shop.example"
        )
        machine.wait_until(IS_UP, "the gateway")
        yield machine


def _start_centre(machine: SmallMachine) -> None:
    machine.run(
        "cd /root; echo 'state_dir = \"/root/centre\"' > central.toml\n"
        'central() { /opt/shelfloop/bin/shelfloop central "$@" --config central.toml; }\n'
        "central init; central gateway add --store store-1 --gateway gw-1 --key-file gw-1.key\n"
        "central token create --scope admin --name setup --token-file admin.token\n"
        "central run > /root/central.log 2>&1 &\n"
    )
    machine.wait_until(f"curl -sf {CENTRE}/healthz || {{ tail -5 /root/central.log; false; }}", "the centre")
    for path, body in SHOP.items():
        machine.run(
            f"curl -sf -X PUT {CENTRE}/v1/stores/store-1{path} -H 'Content-Type: application/json' "
            f"-H \"Authorization: Bearer $(cat /root/admin.token)\" -d '{json.dumps(body)}'"
        )


def _report(machine: SmallMachine) -> dict[str, object]:
    found: dict[str, object] = json.loads(machine.wait_until(IS_UP, "the gateway"))
    return found


def test_systemd_waited_for_the_loop_and_keeps_its_watchdog(gateway: SmallMachine) -> None:
    shown = gateway.run("systemctl show shelfloop-edge -p ActiveState,Type,WatchdogUSec,NRestarts,StatusText")
    assert "ActiveState=active" in shown
    assert "Type=notify" in shown
    assert "WatchdogUSec=1min" in shown
    gateway.wait_until(
        "systemctl show shelfloop-edge -p StatusText | grep -q 'all is well'", "the status line"
    )


def test_who_may_read_what(gateway: SmallMachine) -> None:
    modes = gateway.run(
        "cd /; stat -c '%n %a %U:%G' etc/shelfloop etc/shelfloop/* etc/shelfloop/ca/* etc/shelfloop/devices/* "
        "etc/mosquitto/shelfloop/* var/lib/shelfloop/edge var/lib/shelfloop/edge/edge.sqlite"
    )
    found = {line.split(" ", 1)[0]: line.split(" ", 1)[1] for line in modes.splitlines()}
    assert found["etc/shelfloop"] == "750 root:shelfloop"
    assert found["etc/shelfloop/edge.toml"] == "640 root:shelfloop"
    assert found["etc/shelfloop/gateway.password"] == "600 shelfloop:shelfloop"
    assert found["etc/shelfloop/ca/ca.key"] == "600 root:root"
    assert found["etc/shelfloop/devices/till-1.password"] == "600 root:root"
    assert found["etc/mosquitto/shelfloop/passwd"] == "640 root:mosquitto"
    assert found["etc/mosquitto/shelfloop/broker.key"] == "640 root:mosquitto"
    assert found["var/lib/shelfloop/edge"] == "700 shelfloop:shelfloop"
    assert found["var/lib/shelfloop/edge/edge.sqlite"] == "600 shelfloop:shelfloop"
    secrets = gateway.run("cat /etc/shelfloop/*.password /etc/shelfloop/devices/*").split()
    assert len(set(secrets)) == 4
    hashed = gateway.run("cat /etc/mosquitto/shelfloop/passwd")
    assert not any(secret in hashed for secret in secrets)


def test_a_second_run_changes_nothing_and_restarts_nothing(gateway: SmallMachine) -> None:
    before = gateway.run(SNAPSHOT), gateway.run("systemctl show mosquitto shelfloop-edge -p InvocationID")
    gateway.run(f"{INSTALL} --device till-1")
    assert before == (gateway.run(SNAPSHOT), gateway.run(
        "systemctl show mosquitto shelfloop-edge -p InvocationID"
    ))  # fmt: skip


def test_the_broker_lets_a_device_be_itself_by_tls_and_nobody_else(gateway: SmallMachine) -> None:
    wait_out_midnight()  # the next test looks at the shop's today
    day, line = (
        gateway.run("TZ=Europe/Berlin date +%F").strip(),
        '{"kind": "sale", "gtin": "9521234567899", "quantity_units": 1, "unit_price_cents": 5, "extended_cents": 5}',
    )
    receipt = (
        '{"device": "till-1", "boot_id": "b1", "seq": 1, "kept_from_seq": 1, "t_device_ms": 1, "register_id": "till-1", '
        f'"business_date": "{day}", "sequence": 1, "lines": [{line}], "total_cents": 5}}'
    )
    gateway.run("shelfloop ca init --folder /tmp/strange --name Stranger")
    said = gateway.run(
        f"echo '{receipt}' | /opt/shelfloop/bin/python /opt/source/tests/integration/broker_attack.py /tmp/strange/ca.crt"
    )
    found = json.loads(said.splitlines()[-1])
    assert found["till"] == "Success"
    for refused in ("anonymous", "guess", "another's password"):
        assert found[refused] == "Not authorized", found
    assert "CERTIFICATE_VERIFY_FAILED" in found["strange certificate"]
    assert (
        "mismatch" in found["strange host name"] or "certificate is not valid" in found["strange host name"]
    )
    assert found["no TLS on the shop's port"] != "Success"
    assert found["own stream"] == "Success"
    for refused in ("another's stream", "a command to itself", "a command to another", "outside of the tree",
                    "a command of the bridge"):  # fmt: skip
        assert found[refused] == "Not authorized", (refused, found)
    assert found["the bridge as a device"] == "Success"
    assert found["a receipt"] == "Success"
    assert found["stored"] == 'shelfloop/1/till-1/cmd/stored {"boot_id":"b1","through_seq":1}'
    assert found["heard by another"] == []
    listening = gateway.run("ss -Hltn | awk '{print $4}' | sort")
    assert set(listening.split()) >= {"127.0.0.1:1883", "127.0.0.1:8703"}
    assert not re.search(r"(0\.0\.0\.0|\*|\[::\]):(1883|8703)", listening)


def test_the_shop_shows_at_the_centre(gateway: SmallMachine) -> None:
    """With the receipt of the test before, sold by TLS at till-1."""
    token = '-H "Authorization: Bearer $(cat /root/admin.token)"'
    has_it = """echo "$shown"; echo "$shown" | grep -qE '"receipts": ?1[,}]'"""
    shown = gateway.wait_until(
        f"shown=$(curl -sf {token} {CENTRE}/v1/stores/store-1); {has_it}", "the receipt at the centre"
    )
    shop = json.loads(shown)
    assert (shop["name"], shop["units"], shop["cents"]) == ("Market Street", 1, 5)
    status = gateway.run("shelfloop edge status")
    assert "Market Street · gateway gw-1" in status
    assert re.search(r"Centre +answered", status)


def test_the_quarantine_is_read_and_replayed_by_root_with_the_gateways_rights_at_the_broker(
    gateway: SmallMachine,
) -> None:
    gateway.run(
        "mosquitto_pub -h localhost -p 8883 --cafile /etc/shelfloop/ca.crt -u till-1 "
        "-P $(cat /etc/shelfloop/devices/till-1.password) -q 1 -t shelfloop/1/till-1/receipt -m 'no receipt'"
    )
    gateway.wait_until("shelfloop edge dump --summary | grep 'till-1  receipt'", "the quarantine")
    assert re.match(r"sent [1-9]\d* messages again", gateway.run("shelfloop edge replay"))
    gateway.run(
        "systemctl stop shelfloop-edge; shelfloop edge dump | grep -q till-1; systemctl start shelfloop-edge"
    )
    gateway.wait_until(IS_UP, "the gateway, whose files root has read")
    gateway.run("sed -i 's/readwrite/read/' /etc/mosquitto/shelfloop/acl; systemctl restart mosquitto")
    gateway.wait_until("curl -sf http://127.0.0.1:8703/healthz", "health")
    status, said = gateway.ask("shelfloop edge replay")
    assert status == 78
    assert re.search(r"the broker refused (\d+) of \1 messages", said)
    gateway.run(
        "sed -i 's/topic read shelfloop.1.+.+$/topic readwrite shelfloop\\/1\\/+\\/+/' /etc/mosquitto/shelfloop/acl"
    )
    gateway.run(
        "cmp /opt/source/deploy/mosquitto/shelfloop.acl /etc/mosquitto/shelfloop/acl; systemctl restart mosquitto"
    )
    gateway.wait_until("curl -sf http://127.0.0.1:8703/healthz", "health")


def test_the_gateway_itself_may_stand_apart_from_its_broker_and_come_by_tls(gateway: SmallMachine) -> None:
    """Its own process with its own credentials; a broker whose certificate is a stranger's is none of its own."""
    edge = "setpriv --reuid shelfloop --regid shelfloop --clear-groups /opt/shelfloop/bin/shelfloop edge"
    gateway.run(
        f"sed '/central_url/d; s#/var/lib/shelfloop/edge#/tmp/far#; s/8703/8704/; s/gw-1/gw-2/' {CONFIG} > /tmp/far.toml\n"
        "echo 'broker_port = 8883' >> /tmp/far.toml; chmod -R a+rX /tmp/strange\n"
        "for ca in /etc/shelfloop/ca.crt /tmp/strange/ca.crt; do\n"
        '  { cat /tmp/far.toml; echo "tls_ca_file = \\"$ca\\""; } > /tmp/far-$(basename $(dirname $ca)).toml\n'
        "done; chmod 644 /tmp/far*.toml\n"
        f"{edge} run --config /tmp/far-shelfloop.toml > /tmp/far.log 2>&1 & echo $! > /tmp/far.pid"
    )
    gateway.wait_until(
        "curl -sf http://127.0.0.1:8704/report | grep -q '\"is_connected\": true'", "the connection by TLS"
    )
    gateway.run("kill $(cat /tmp/far.pid)")
    strange = gateway.run("shelfloop doctor --edge /tmp/far-strange.toml", may_fail=True)
    assert "CERTIFICATE_VERIFY_FAILED" in strange


def test_the_shops_page_and_health_answer_in_there(gateway: SmallMachine) -> None:
    page = gateway.run("curl -sf http://127.0.0.1:8703/")
    assert "Market Street · gateway gw-1" in page
    assert gateway.run("curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:8703/healthz") == "200"
    assert "shelfloop_edge_receipts_total 1.0" in gateway.run("curl -sf http://127.0.0.1:8703/metrics")
    doctor = gateway.run(f"shelfloop doctor --edge {CONFIG}", may_fail=True)
    assert "fail " not in doctor, doctor
    assert "ok    service shelfloop-edge.service: runs: all is well" in doctor
    assert "ok    broker's certificate: " in doctor
    gateway.run("systemctl stop mosquitto")
    status = gateway.wait_until(
        "curl -s -w '%{http_code}' http://127.0.0.1:8703/healthz | grep 503", "the 503"
    )
    assert "no connection to the broker 127.0.0.1:1883" in status
    gateway.run("systemctl start mosquitto")
    gateway.wait_until("curl -sf http://127.0.0.1:8703/healthz", "health")


def test_the_journal_has_the_fields_of_each_change_and_one_line_for_each(gateway: SmallMachine) -> None:
    """After the broker was stopped and started once by the test before."""
    this_run = "journalctl -o json --no-pager _SYSTEMD_INVOCATION_ID=$(systemctl show -P InvocationID shelfloop-edge)"
    [began], [ended] = (
        [
            json.loads(line)
            for line in gateway.wait_until(
                f"{this_run} SHELFLOOP_CONDITION=broker SHELFLOOP_EVENT='a problem {what}' | grep .", what
            ).splitlines()[-1:]
        ]
        for what in ("begins", "ends")
    )
    assert (began["PRIORITY"], ended["PRIORITY"]) == ("4", "6")
    assert began["_SYSTEMD_UNIT"] == "shelfloop-edge.service"
    assert "127.0.0.1:1883" in began["SHELFLOOP_TEXT"]
    assert float(ended["SHELFLOOP_LASTED_S"]) > 0


def test_a_loop_that_hangs_is_ended_and_started_again(gateway: SmallMachine) -> None:
    gateway.run(
        "mkdir -p /run/systemd/system/shelfloop-edge.service.d\n"
        "printf '[Service]\\nWatchdogSec=10\\n' > /run/systemd/system/shelfloop-edge.service.d/test.conf\n"
        "systemctl daemon-reload; systemctl restart shelfloop-edge"
    )
    gateway.wait_until(IS_UP, "the gateway")
    # Longer than the watchdog's period: what feeds it is the loop.
    gateway.run("sleep 11; test $(systemctl show -P NRestarts shelfloop-edge) = 0")
    gateway.run("kill -STOP $(systemctl show -P MainPID shelfloop-edge)")
    gateway.wait_until("test $(systemctl show -P NRestarts shelfloop-edge) -ge 1", "the watchdog")
    gateway.wait_until(IS_UP, "the gateway after it")
    assert "Watchdog timeout" in gateway.run("journalctl --no-pager -u shelfloop-edge")
    assert _report(gateway)["counters"]["receipts_total"] == 1  # type: ignore[index]  # what was stored is there


def test_a_bad_setting_is_named_and_not_tried_for_ever(gateway: SmallMachine) -> None:
    gateway.run(f"cp {CONFIG} /tmp/good.toml; echo 'colour = \"red\"' >> {CONFIG}")
    try:
        status, _ = gateway.ask("systemctl restart shelfloop-edge")
        assert status != 0
        gateway.wait_until("systemctl is-failed shelfloop-edge", "the failure")
        gateway.run("sleep 3; systemctl is-failed shelfloop-edge")
        shown = gateway.run("systemctl show shelfloop-edge -p ExecMainStatus,NRestarts")
        assert "ExecMainStatus=78" in shown
        assert "NRestarts=0" in shown
        assert "colour" in gateway.run("journalctl --no-pager -u shelfloop-edge -n 20")
        doctor = gateway.run("shelfloop doctor --edge /tmp/good.toml", may_fail=True)
        assert "service shelfloop-edge.service: a bad setting stops its start" in doctor
    finally:
        gateway.run(f"cat /tmp/good.toml > {CONFIG}; systemctl restart shelfloop-edge")


def test_devices_come_and_go(gateway: SmallMachine) -> None:
    gateway.run(f"{INSTALL} --device scale-7 --remove-device till-2")
    users = gateway.run("cut -d: -f1 /etc/mosquitto/shelfloop/passwd").split()
    assert sorted(users) == ["bridge-1", "gateway", "scale-7", "till-1"]
    gateway.run("! test -e /etc/shelfloop/devices/till-2.password")
    gateway.wait_until(IS_UP, "the gateway")


WORDS_WITHOUT_SENSE = {
    "--device Till_1": "id 'Till_1'",
    "--device gateway": "the gateway's own",
    "--cert /etc/hostname": "go together",
    "--colour red": "no option --colour",
    "--purge": "--uninstall",
    "--key-file /nowhere": "/nowhere: no such file",
    "--device": "--device needs a value",
}


def test_a_word_that_makes_no_sense_is_named_and_changes_nothing(gateway: SmallMachine) -> None:
    before = gateway.run(SNAPSHOT)
    for words, told in WORDS_WITHOUT_SENSE.items():
        status, said = gateway.ask(f"{INSTALL} {words}")
        assert status == 78, words
        assert told in said
    assert gateway.run(SNAPSHOT) == before


@pytest.mark.soak
def test_the_program_itself_is_installed_and_renewed_by_pip(tmp_path: Path) -> None:
    """On a machine of its own, from wheels that were fetched before: it has no network."""
    wheels = tmp_path / "wheels"
    asked = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "-d",
        str(wheels),
        "-c",
        str(REPO / "constraints.txt"),
    ]
    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    needed = (
        project["dependencies"]
        + extras["bridge"]
        + [each for each in extras["edge"] if "shelfloop" not in each]
    )
    subprocess.run([*asked, *needed, "setuptools>=77", "pip", "wheel"], check=True, timeout=500)
    with small_machine(tmp_path, {wheels: "/opt/wheels"}) as machine:
        machine.run("rm -rf /opt/shelfloop")
        words = "PATH=/opt/python/bin:$PATH PIP_NO_INDEX=1 PIP_FIND_LINKS=/opt/wheels bash"
        install = f"{words} /opt/source/deploy/gateway/install.sh --no-apt"
        assert "installing the program" in machine.run(
            f"{install} --gateway gw-1 --store store-1", limit_s=500
        )
        machine.wait_until(IS_UP, "the gateway")
        before = machine.run("systemctl show shelfloop-edge -p InvocationID")
        assert "installing the program" not in machine.run(install)
        assert machine.run("systemctl show shelfloop-edge -p InvocationID") == before
        machine.run(
            "mkdir /tmp/newer; tar -C /opt/source --exclude=./.git --exclude=./.venv --exclude=./var -cf - . | tar -C /tmp/newer -xf -\n"
            "sed -i 's/^version = .*/version = \\x229.9.9\\x22/' /tmp/newer/pyproject.toml"
        )
        assert "installing" in machine.run(install.replace("/opt/source", "/tmp/newer"), limit_s=500)
        machine.wait_until(f"{IS_UP} | grep -q 9.9.9", "the newer version")
        machine.run("! ls -d /tmp/shelfloop-build.*")


def test_uninstall_keeps_the_data_and_purge_leaves_nothing(gateway: SmallMachine) -> None:
    """The last test of this machine."""
    gateway.run(f"{INSTALL} --uninstall")
    gateway.run(
        "! systemctl is-active shelfloop-edge && ! test -e /etc/systemd/system/shelfloop-edge.service "
        "&& test -e /var/lib/shelfloop/edge/edge.sqlite && test -e /etc/shelfloop/edge.toml && systemctl is-active mosquitto"
    )
    gateway.run(INSTALL)
    assert _report(gateway)["counters"]["receipts_total"] == 1  # type: ignore[index]
    gateway.run(f"{INSTALL} --uninstall --purge")
    left = gateway.run(
        "find /etc /var/lib /usr/local -xdev -iname '*shelfloop*'; find /opt -maxdepth 1 -iname 'shelfloop*'; "
        "getent passwd shelfloop; getent group shelfloop",
        may_fail=True,
    )
    assert left.splitlines() == []
