import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import process from "node:process";

import { callError, createVintedbot, EventKind, localTokens, paginate } from "@vintedbot/sdk";

const [baseUrl = "", token = "", email = "", password = "", photoFile = ""] = process.argv.slice(2);
const vintedbot = createVintedbot({ baseUrl, auth: { token } });

const messages = vintedbot.watch();
await messages.next();
const { account } = await vintedbot.accounts.createAccount({ displayName: "Node", market: "fr" });
for await (const { message } of messages) {
  if (message.case !== "event" || message.value.resourceId !== account?.id) continue;
  assert.equal(message.value.kind, EventKind.ACCOUNT_CREATED);
  break;
}

const sent: number[] = [];
const photo = new Blob([await readFile(photoFile)]);
await vintedbot.uploadPhoto(photo, { fileName: "front.jpg", onProgress: (bytes) => sent.push(bytes) });
assert.deepEqual(sent, [photo.size], "Node reports the end only");

const names: string[] = [];
const request = { pageSize: 1 };
for await (const { displayName } of paginate(vintedbot.accounts.listAccounts, request, "accounts")) {
  names.push(displayName);
}
assert.ok(names.includes("Node"));

const { session, auth } = createVintedbot({ baseUrl, auth: {} });
await session.signIn({ email, password });
assert.equal((await auth.getMe({})).user?.email, email);
assert.equal(localTokens().load(), undefined, "Node has no localStorage");

const nowhere = createVintedbot({ baseUrl: "http://127.0.0.1:9", auth: { token }, retry: false });
const error = callError(await nowhere.auth.getMe({}).catch((thrown: unknown) => thrown));
assert.equal(error.problem, "unreachable");
