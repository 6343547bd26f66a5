// Verifies requests, one JSON a line on standard input, with the official package; answers "good" or "bad" for each.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(process.argv[2]);
const { Webhook, WebhookVerificationError } = require("standardwebhooks");

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  try {
    new Webhook(request.secret).verify(request.body, request.headers);
    console.log("good");
  } catch (error) {
    if (!(error instanceof WebhookVerificationError)) throw error;
    console.log("bad");
  }
}
