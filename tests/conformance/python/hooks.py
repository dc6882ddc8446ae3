"""What schemathesis is told of `docs/openapi.json` beyond what a schema can say.

Values of our own formats; what belongs together in a request; real sessions and payments for half of the valid requests, so that
not only refusals are held against the document; and two checks of our own: that everything about a request's form is in
the document, and that what breaks the form never pays.
"""

import base64
import hashlib
import json
import os
import signal
import time
import zlib

import requests
import schemathesis
from hypothesis import strategies as st

with open(os.environ["SOTTO_WORLD"], encoding="utf-8") as told:
    WORLD = json.load(told)
DEV, BARE = WORLD["dev"], WORLD["bare"]
signal.alarm(420)  # a run that does not end is a failure
ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def base58(data):
    """Base58 of bytes, in Bitcoin's alphabet."""
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = ALPHABET[digit] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


MOST = 2**63 - 1
schemathesis.openapi.format("solana-key", st.binary(min_size=32, max_size=32).map(base58))
schemathesis.openapi.format("solana-signature", st.binary(min_size=64, max_size=64).map(base58))
schemathesis.openapi.format("base-units", st.integers(0, MOST).map(str))
schemathesis.openapi.format("event-id", st.just("0-0"))
schemathesis.openapi.format("positive-base-units", st.integers(1, MOST).map(str))


def is_valid(case):
    """Whether the request was made to be what the document allows."""
    return case.meta is not None and case.meta.generation.mode.is_positive


def real_payment(amount, nonce):
    """A payment of the real session."""
    offer = {
        "scheme": "session", "network": "solana:localnet", "amount": amount, "asset": DEV["mint"], "payTo": DEV["recipient"],
        "maxTimeoutSeconds": 60,
    }  # fmt: skip
    paid = {"sessionId": BARE["sessionId"], "amount": amount, "nonce": nonce}
    return {"paymentPayload": {"x402Version": 2, "accepted": offer, "payload": paid}, "paymentRequirements": offer}


# The buyer's two channels: vouchers are drawn of one, and the other is closed.
DRAWN, CLOSED = WORLD["channels"]
REFUSED_WITH_200 = ("/verify", "/settle", "/mpp/settle", "/mpp/session/open", "/mpp/session/voucher", "/mpp/session/close")


def public_id(secret):
    """The name of a channel that its secret makes."""
    return "ch_" + hashlib.sha256(("sotto-mpp-channel:1:" + secret).encode()).hexdigest()[:32]


SIGNED_READ = ("session-read-at", "session-read-signature", "at", "signature")
NONCE = f"payment-{os.getpid()}-{time.time_ns()}"
PAID = requests.post(f"{DEV['facilitator']}/settle", json=real_payment("100", NONCE), timeout=60).json()
assert PAID["success"], PAID


def drop(case, names):
    """Leaves these out of headers and query."""
    for members in (case.headers, case.query):
        for name in names:
            (members or {}).pop(name, None)


def one_identity(paid):
    """Nonce, signed nonce and identifier of a payment have to be the same, so one of them is kept."""
    payload = paid["payload"]
    if "authorization" in payload and "signature" in payload:
        payload.pop("nonce", None)
    else:
        payload.pop("authorization", None)
        payload.pop("signature", None)
    paid.get("extensions", {}).pop("payment-identifier", None)


def plain(value):
    """The value with whole numbers as the document wants them written: `1`, not `1.0`, which is an integer to a schema."""
    if isinstance(value, dict):
        return {name: plain(member) for name, member in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**63
    return int(value) if whole else value


def complete(case):
    """Brings a valid request into the form that the document asks for in words."""
    if isinstance(case.body, dict):
        case.body = plain(case.body)
    for members, pair in [(case.headers, SIGNED_READ[:2]), (case.query, SIGNED_READ[2:])]:
        if sum(name in (members or {}) for name in pair) == 1:
            drop(case, pair)
    if case.method == "POST" and case.path == "/sessions":
        message = base64.b64decode(case.body["authMessage"])
        case.body["settleMessage"] = "x402-session:1:" + hashlib.sha256(message).hexdigest()
        if "authSignature" in case.body:
            case.body.setdefault("settleSignature", case.body["authSignature"])
    if case.path in ("/verify", "/settle"):
        one_identity(case.body["paymentPayload"])
    if case.path.startswith("/mpp/") and isinstance(case.body, dict) and case.body.get("network") is not None:
        case.body["network"] = "devnet"
    if case.path == "/api/sessions/onboard/status":
        case.query = {"buyer_wallet": DEV["payer"]}


def real_channel(case, draw):
    """Half of the requests for a channel are for a real one."""
    if draw % 2 == 1:
        return
    if "id" in (case.path_parameters or {}):
        case.path_parameters["id"] = public_id(DRAWN)
    elif case.path == "/mpp/session/voucher":
        case.body |= {"channel_id": DRAWN, "amount": str(1 + draw % 100_000)}
        case.body.pop("cumulative_amount", None)
    elif case.path == "/mpp/session/close":
        case.body["channel_id"] = CLOSED


@schemathesis.hook
def before_call(context, case, kwargs):
    """Only valid requests are touched; which half becomes real is decided by their content, so that runs repeat."""
    if not is_valid(case):
        return
    complete(case)
    if "events" in case.path:
        case.headers["last-event-id"] = "0-0"  # a stream that begins with something
    draw = zlib.crc32(repr((case.path_parameters, case.body)).encode())
    real = draw % 2 == 0
    if real and "id" in (case.path_parameters or {}):
        case.path_parameters["id"] = BARE["sessionId"]
        if "payment" in case.path_parameters:
            case.path_parameters["payment"] = NONCE
        if draw % 4 == 0:
            # Nobody signs: a session without a key is shown to whoever knows its id.
            drop(case, SIGNED_READ)
    if case.path.startswith("/mpp/session/"):
        real_channel(case, draw)
    if real and case.path in ("/verify", "/settle"):
        payload = case.body["paymentPayload"]["payload"]
        case.body = real_payment(str(100 + int(payload["amount"]) % 100), payload.get("nonce", NONCE))


@schemathesis.check
def the_form_is_in_the_document(ctx, response, case):
    """What the document allows is never refused for its form."""
    if is_valid(case) and case.method in ("GET", "POST") and response.status_code == 400:
        word = refusal(response.json())
        assert word != "bad_request" and not word.startswith("missing_"), f"{word} for what the document allows"


@schemathesis.check
def what_breaks_the_form_never_pays(ctx, response, case):
    """These routes answer refusals with 200, so the status alone does not tell."""
    pays = case.method == "POST" and case.path in REFUSED_WITH_200
    if not is_valid(case) and pays and response.status_code == 200:
        assert refusal(response.json()), response.text


def refusal(body):
    """The word, whichever route it is of."""
    return body.get("error") or body.get("errorReason") or body.get("invalidReason")
