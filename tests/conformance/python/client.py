"""The facilitator client of the Python package `x402` against a running facilitator: it reads our answers.

The argument is the file that tests/it/conformance.rs writes: `dev` as `sotto dev --json` told it, and `bare`, a session without
a session key. Every step asserts; the first failure ends the process.
"""

import importlib.metadata
import json
import re
import signal
import sys
import uuid

from x402.http import FacilitatorConfig
from x402.http.facilitator_client import HTTPFacilitatorClientSync
from x402.schemas import PaymentPayload, PaymentRequirements
from x402.schemas.v1 import PaymentPayloadV1, PaymentRequirementsV1

with open(sys.argv[1], encoding="utf-8") as told:
    WORLD = json.load(told)
DEV, BARE = WORLD["dev"], WORLD["bare"]
PRICE = "10000"
signal.alarm(180)  # a server that does not answer is a failure
FACILITATOR = HTTPFacilitatorClientSync(FacilitatorConfig(url=DEV["facilitator"]))


def offer(network="solana:localnet", amount=PRICE, pay_to=DEV["recipient"]):
    """What a merchant requires."""
    return PaymentRequirements(
        scheme="session", network=network, amount=amount, asset=DEV["mint"], pay_to=pay_to, max_timeout_seconds=60, extra={}
    )


def payment(required, session=BARE["sessionId"], nonce=None):
    """A payment of an offer by the session's id alone."""
    payload = {"sessionId": session, "amount": required.amount, "nonce": nonce or uuid.uuid4().hex}
    return PaymentPayload(x402_version=2, accepted=required, payload=payload)


def fails_with(status, word, call):
    """The package raises for every status but 200; the body is in what it says."""
    try:
        told = call()
    except ValueError as fault:
        assert f"({status})" in str(fault) and word in str(fault), fault
    else:
        raise AssertionError(f"{told} instead of {status} {word}")


def what_is_supported():
    """Kinds in both versions, extensions and signers."""
    supported = FACILITATOR.get_supported()
    assert supported.kinds[0].x402_version == 2
    assert {kind.network for kind in supported.kinds if kind.x402_version == 1} == set(BARE["networks"])
    assert all(kind.extra["spender"] == DEV["spender"] for kind in supported.kinds)
    assert "payment-identifier" in supported.extensions
    assert DEV["spender"] in supported.signers["solana:*"]


def a_payment_is_verified_and_settled():
    """In every spelling of the network, which is echoed."""
    for network in BARE["networks"]:
        required = offer(network=network)
        paid = payment(required)
        verified = FACILITATOR.verify(paid, required)
        assert (verified.is_valid, verified.payer) == (True, DEV["payer"]), verified
        settled = FACILITATOR.settle(paid, required)
        assert (settled.success, settled.network, settled.amount) == (True, network, PRICE), settled
        assert 64 <= len(settled.transaction) <= 88
        assert settled.extensions["session"]["settlement"] == "captured"


def a_refusal_is_an_answer_with_its_word():
    """Of both routes alike."""
    nobody = "00000000-0000-4000-8000-000000000000"
    for word, session, required in [
        ("session_not_found", nobody, offer()),
        ("recipient_mismatch", BARE["sessionId"], offer(pay_to=DEV["spender"])),
        ("per_call_limit_exceeded", BARE["sessionId"], offer(amount="1000001")),
    ]:
        paid = payment(required, session)
        assert FACILITATOR.verify(paid, required).invalid_reason == word
        settled = FACILITATOR.settle(paid, required)
        assert (settled.success, settled.error_reason, settled.transaction) == (False, word, ""), settled


def a_repeat_is_told_as_one():
    """The success of a payment is told once."""
    paid = payment(offer())
    first, again = FACILITATOR.settle(paid, offer()), FACILITATOR.settle(paid, offer())
    assert (first.success, again.success, again.error_reason) == (True, False, "duplicate_settlement")
    assert again.transaction == first.transaction


def what_has_another_status_is_raised():
    """What is malformed, and a conflict."""
    required = offer()
    malformed = payment(required)
    malformed.payload["nonce"] = "with a space"
    fails_with(400, "bad_request", lambda: FACILITATOR.verify(malformed, required))
    fails_with(400, "bad_request", lambda: FACILITATOR.settle(malformed, required))
    assert FACILITATOR.settle(payment(required, nonce="one-of-two"), required).success
    other = offer(amount="20000")
    fails_with(409, "nonce_conflict", lambda: FACILITATOR.settle(payment(other, nonce="one-of-two"), other))


def bodies_of_version_1_are_served():
    """The amount under its old name, scheme and network beside the payload."""
    required = PaymentRequirementsV1(
        scheme="session", network="solana:localnet", max_amount_required=PRICE, resource="https://shop.example/weather",
        pay_to=DEV["recipient"], max_timeout_seconds=60, asset=DEV["mint"],
    )  # fmt: skip
    payload = {"sessionId": BARE["sessionId"], "amount": PRICE, "nonce": uuid.uuid4().hex}
    paid = PaymentPayloadV1(scheme="session", network="solana:localnet", payload=payload)
    assert FACILITATOR.verify(paid, required).is_valid
    assert FACILITATOR.settle(paid, required).success


def no_package_asks_for_more_than_its_notice():
    """Nothing here is under the GPL or one of its kin."""
    known = re.compile(r"MIT|BSD|Apache|PSF|MPL|Mozilla Public License 2.0|ISC", re.IGNORECASE)
    for package in importlib.metadata.distributions():
        if package.name in ("pip", "setuptools"):
            continue
        told = package.metadata
        said = [told.get("License-Expression") or "", told.get("License") or "", *(told.get_all("Classifier") or [])]
        licences = [text for text in said[:2] if text] + [text for text in said[2:] if text.startswith("License")]
        assert any(known.search(text) for text in licences), (package.name, licences)
        assert not any(re.search(r"\b[AL]?GPL|General Public", text) for text in licences), (package.name, licences)


for step in [
    no_package_asks_for_more_than_its_notice,
    what_is_supported,
    a_payment_is_verified_and_settled,
    a_refusal_is_an_answer_with_its_word,
    a_repeat_is_told_as_one,
    what_has_another_status_is_raised,
    bodies_of_version_1_are_served,
]:
    step()
    print(f"ok - {step.__name__.replace('_', ' ')}")
