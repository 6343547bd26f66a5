"""Verifies requests, one JSON a line on standard input, with the official package; answers "good" or "bad" for each."""

import json
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

for line in sys.stdin:
    request = json.loads(line)
    try:
        Webhook(request["secret"]).verify(request["body"], request["headers"])
        print("good")
    except WebhookVerificationError:
        print("bad")
