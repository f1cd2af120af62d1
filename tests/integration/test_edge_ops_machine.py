"""deploy/gateway/install.sh on a whole machine: real systemd, real Mosquitto by TLS, the hardened units, journal and watchdog."""

import json
import re
from collections.abc import Iterator

import pytest
from small_machine import SmallMachine, small_machine, why_not

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("machine"),
    pytest.mark.timeout(600),
    pytest.mark.skipif(bool(why_not()), reason=f"NOT TESTED: install.sh on a real systemd {why_not()}"),
]

INSTALL = "bash /opt/source/deploy/gateway/install.sh --program-is-there --no-apt"
CONFIG = "/etc/shelfloop/edge.toml"
PLACES = "/etc /opt/shelfloop/bin /usr/local/bin /var/lib/shelfloop -xdev -not -path '/var/lib/shelfloop/edge/*' -not -name 'ld.so.cache*'"
SNAPSHOT = f"find {PLACES} -printf '%p %m %U:%G %l\\n' | sort; find {PLACES} -type f -print0 | sort -z | xargs -0 sha256sum"
IS_UP = f"shelfloop edge status --config {CONFIG} --json"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallMachine]:
    """A machine on which install.sh has just run for the first time."""
    with small_machine(tmp_path_factory.mktemp("gateway")) as machine:
        machine.run("! getent passwd shelfloop && ! test -e /etc/shelfloop")
        machine.run(
            f"{INSTALL} --gateway gw-1 --store store-1 --device till-1 --device till-2 --host gw-1.shop.example"
        )
        machine.wait_until(IS_UP, "the gateway")
        yield machine


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
    day, line = (
        "2026-03-02",
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


def test_the_gateway_itself_may_stand_apart_from_its_broker_and_come_by_tls(gateway: SmallMachine) -> None:
    """Its own process with its own credentials; and it connects to no broker whose certificate is a stranger's."""
    text = f"sed 's#/var/lib/shelfloop/edge#/tmp/far#; s/8703/8704/; s/gw-1/gw-2/' {CONFIG}"
    far = f"{text} > /tmp/far.toml; echo 'broker_port = 8883' >> /tmp/far.toml; chmod 644 /tmp/far.toml"
    edge = "setpriv --reuid shelfloop --regid shelfloop --clear-groups /opt/shelfloop/bin/shelfloop edge"
    for ca, is_well in (("/etc/shelfloop/ca.crt", True), ("/tmp/strange/ca.crt", False)):
        gateway.run(f"{far}; echo 'tls_ca_file = \"{ca}\"' >> /tmp/far.toml; chmod -R a+rX /tmp/strange")
        gateway.run(f"{edge} run --config /tmp/far.toml > /tmp/far.log 2>&1 & echo $! > /tmp/far.pid")
        asked = "shelfloop edge status --config /tmp/far.toml --json"
        if is_well:
            gateway.wait_until(f"{asked} | grep -q '\"is_connected\": true'", "the connection by TLS")
        else:
            gateway.wait_until(asked, "the gateway")
            gateway.run(f"sleep 2; {asked} | grep -q '\"is_connected\": false'")
            doctor = gateway.run("shelfloop doctor --edge /tmp/far.toml", may_fail=True)
            assert "CERTIFICATE_VERIFY_FAILED" in doctor
        gateway.run(
            "kill $(cat /tmp/far.pid); while kill -0 $(cat /tmp/far.pid) 2>/dev/null; do sleep 0.1; done"
        )


def test_the_shops_page_and_health_answer_in_there(gateway: SmallMachine) -> None:
    page = gateway.run("curl -sf http://127.0.0.1:8703/")
    assert "store-1 · gateway gw-1" in page
    assert gateway.run("curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:8703/healthz") == "200"
    assert "shelfloop_edge_receipts_total 1.0" in gateway.run("curl -sf http://127.0.0.1:8703/metrics")
    gateway.run("systemctl stop mosquitto")
    status = gateway.wait_until(
        "curl -s -w '%{http_code}' http://127.0.0.1:8703/healthz | grep 503", "the 503"
    )
    assert "no connection to the broker 127.0.0.1:1883" in status
    gateway.run("systemctl start mosquitto")
    gateway.wait_until("curl -sf http://127.0.0.1:8703/healthz", "health")


def test_the_journal_has_the_fields_of_each_change_and_one_line_for_each(gateway: SmallMachine) -> None:
    """After the broker was stopped and started once by the test before."""
    found = [
        json.loads(line)
        for line in gateway.wait_until(
            "journalctl -o json --no-pager SHELFLOOP_EVENT='a problem begins' | grep .", "the journal's line"
        ).splitlines()
    ]
    broken = [entry for entry in found if entry["SHELFLOOP_CONDITION"] == "broker"]
    assert len(broken) == 1
    assert broken[0]["PRIORITY"] == "4"
    assert broken[0]["_SYSTEMD_UNIT"] == "shelfloop-edge.service"
    assert "127.0.0.1:1883" in broken[0]["SHELFLOOP_TEXT"]
    ended = gateway.wait_until(
        "journalctl -o json --no-pager SHELFLOOP_EVENT='a problem ends' SHELFLOOP_CONDITION=broker | grep .",
        "its end",
    )
    assert len(ended.splitlines()) == 1


def test_a_loop_that_hangs_is_ended_and_started_again(gateway: SmallMachine) -> None:
    gateway.run(
        "mkdir -p /run/systemd/system/shelfloop-edge.service.d\n"
        "printf '[Service]\\nWatchdogSec=5\\n' > /run/systemd/system/shelfloop-edge.service.d/test.conf\n"
        "systemctl daemon-reload; systemctl restart shelfloop-edge"
    )
    gateway.wait_until(IS_UP, "the gateway")
    # Longer than the watchdog's period: what feeds it is the loop.
    gateway.run("sleep 6; test $(systemctl show -P NRestarts shelfloop-edge) = 0")
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
        "find / -xdev -iname '*shelfloop*' -not -path '/opt/site/*' -not -path '/opt/source/*' -not -path '/tmp/*' "
        "-not -path '/work/*' -not -path '/proc/*' 2>/dev/null; getent passwd shelfloop; getent group shelfloop",
        may_fail=True,
    )
    assert [
        line
        for line in left.splitlines()
        if line.startswith(("/etc", "/var/lib", "/usr/local", "/opt/shelfloop", "shelfloop"))
    ] == []
