"""What Stripe and Adyen send to a webhook, signed as they sign it."""

import base64
import hashlib
import hmac
import json
import time


def stripe_event(name, kind="payment_intent.succeeded", **members):
    """Its bytes."""
    payment = {"id": "pi_1", "object": "payment_intent", "amount": 1000, "currency": "eur", "metadata": {}}
    return json.dumps({"id": name, "object": "event", "type": kind, "livemode": False, "data": {"object": payment},
                       **members}).encode()


def stripe_signature(body, *secrets, at=None):
    """The header Stripe-Signature, by each of the secrets."""
    at = int(time.time() if at is None else at)
    macs = [hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest() for secret in secrets]
    return ",".join([f"t={at}", *(f"v1={mac}" for mac in macs), "v0=" + "0" * 64])


def adyen_item(psp_reference, key, code="CAPTURE", account="SwitchyardECOM", success="true", original="SYPSP00000000001",
               reference="cap_01", amount=1500):
    """An item of a request; `key` is the account's, in hexadecimal digits. `original`: what it is a change of, if any."""
    item = {"eventCode": code, "success": success, "eventDate": "2026-10-01T10:11:12+02:00", "merchantAccountCode": account,
            "pspReference": psp_reference, "originalReference": original, "merchantReference": reference,
            "amount": {"currency": "EUR", "value": amount}, "reason": ""}
    text = ":".join([psp_reference, original, account, reference, str(amount), "EUR", code, success])
    mac = hmac.new(bytes.fromhex(key), text.encode(), hashlib.sha256).digest()
    return {"NotificationRequestItem": {**item, "additionalData": {"hmacSignature": base64.b64encode(mac).decode()}}}


def adyen_request(*items, live="false"):
    """Its bytes."""
    return json.dumps({"live": live, "notificationItems": list(items)}).encode()
