"""A bundle reaches a real gateway while it is killed again and again: at each start a good bundle runs, the last one is new."""

import contextlib
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from edge_rig import START_MS, Broker, Centre, Gateway, shop_documents, wait_for
from soak import seeds, tell

from runtime.clock import ClockOwner

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "edge"))

from edge_bundles import PUBLIC, bundle_document, models_document, sha_of, variant


class BundleCentre(Centre):
    """Sends a bundle until `have` names it, as the real centre does."""

    def take(self, headers, body):
        code, answer = super().take(headers, body)
        if code == 200:
            from contract.codec import batch_from_bytes

            have = batch_from_bytes(body, headers["Content-Encoding"]).have
            answer["documents"] = [
                document
                for document in answer["documents"]
                if document["kind"] != "bundle" or f"bundle:{document['sha256']}" not in have
            ]
        return code, answer


def plain(document):
    return document.model_dump(mode="json")


def bundle_states(centre):
    return [(row.name, row.state.value) for row in centre.of_kind("staging") if row.what == "bundle"]


@pytest.mark.parametrize("seed", seeds(1, 10))
def test_kills_in_the_middle_of_staging_leave_the_last_good_bundle_and_the_new_one_arrives(tmp_path, seed):
    chance = random.Random(seed)
    first, second = variant(tmp_path / "first", "1"), variant(tmp_path / "second", "2", scale=1.02)
    bad = variant(tmp_path / "bad", "bad", scale=1.3, golden=False)
    key = tmp_path / "public.pem"
    key.write_bytes(PUBLIC)
    with contextlib.ExitStack() as stack:
        clock = ClockOwner(tmp_path / "clock", START_MS)
        broker = Broker(tmp_path)
        stack.callback(broker.stop)
        documents = [
            *shop_documents(),
            plain(models_document(1, first, trial_days=0)),
            plain(bundle_document(first)),
        ]
        centre = BundleCentre(documents=documents)
        stack.callback(centre.stop)
        gateway = Gateway(
            tmp_path, broker.port, centre.port, clock_file=clock.path, bundle_public_key_file=str(key)
        )
        stack.callback(gateway.stop)
        gateway.start()
        wait_for(lambda: gateway.status()["bundle"] == "test@1", "the first bundle")
        gateway.kill()
        # From here on a newer one is wanted, with kills from the first moments of a start to the end of staging.
        centre.documents = [*shop_documents(), plain(models_document(2, second, trial_days=0)), plain(bundle_document(second))]  # fmt: skip
        for _ in range(5):
            with (tmp_path / "edge.log").open("ab") as log:
                process = subprocess.Popen(
                    [sys.executable, "-m", "edge", "run", "--config", str(gateway.config)], stderr=log
                )
            time.sleep(chance.uniform(0.3, 2.5))  # the moment of the kill, not a wait for anything
            assert process.poll() is None
            process.kill()
            process.wait(10)
            tell("kills of the gateway while a bundle is staged")
        gateway.start()
        assert gateway.status()["bundle"] in ("test@1", "test@2")
        wait_for(lambda: gateway.status()["bundle"] == "test@2", "the new bundle")
        wait_for(lambda: ("test@2", "good") in bundle_states(centre), "its news")
        stored = {path.name for path in (tmp_path / "state" / "bundles").iterdir() if path.is_dir()}
        assert sha_of(second) in stored
        centre.documents = [*shop_documents(), plain(models_document(3, bad)), plain(bundle_document(bad))]
        wait_for(lambda: ("test@bad", "refused") in bundle_states(centre), "the refusal")
        assert gateway.status()["bundle"] == "test@2"
        (why,) = {row.reason for row in centre.of_kind("staging") if row.state == "refused"}
        assert why.startswith("golden:")
