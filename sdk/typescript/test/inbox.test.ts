import assert from "node:assert/strict";
import { test } from "node:test";

import { Code, ConnectError, createRouterTransport } from "@connectrpc/connect";

import { callError, createServices, ErrorReason } from "../src/index.js";
import { ErrorInfoSchema } from "../src/gen/google/rpc/error_details_pb.js";
import { InboxService, Reply_State, type SendReplyRequest } from "../src/gen/vintedbot/v1/inbox_pb.js";
import { SearchResult_Kind } from "../src/gen/vintedbot/v1/search_pb.js";
import { TemplateService } from "../src/gen/vintedbot/v1/template_pb.js";

function scripted() {
  const asked: SendReplyRequest[] = [];
  const transport = createRouterTransport(({ service }) => {
    service(InboxService, {
      listThreads: ({ unread }) => ({
        threads: [{ id: "t1", snippet: "Toujours disponible ?", unread: unread ?? false }],
      }),
      search: ({ query }) => ({
        results: [
          { kind: SearchResult_Kind.MESSAGE, snippet: [{ text: "L'" }, { text: query, highlighted: true }] },
        ],
        indexComplete: true,
      }),
      sendReply: (request) => {
        asked.push(request);
        if (request.text.length > 4_000) {
          throw new ConnectError("no", Code.InvalidArgument, undefined, [
            {
              desc: ErrorInfoSchema,
              value: { reason: "ERROR_REASON_VALIDATION_FAILED", domain: "vintedbot", metadata: {} },
            },
          ]);
        }
        return { reply: { id: "r1", threadId: request.threadId, state: Reply_State.QUEUED } };
      },
    });
    service(TemplateService, {
      previewTemplate: () => ({ text: "Bonjour {{person}}", unfilledVariables: ["person"] }),
    });
  });
  return { asked, vintedbot: createServices(transport) };
}

test("threads are listed and answered", async () => {
  const { asked, vintedbot } = scripted();
  const { threads } = await vintedbot.inbox.listThreads({ unread: true });
  assert.deepEqual(
    threads.map(({ id, unread }) => ({ id, unread })),
    [{ id: "t1", unread: true }],
  );
  const { reply } = await vintedbot.inbox.sendReply({ threadId: "t1", text: "Oui", photoIds: ["p1"] });
  assert.equal(reply?.state, Reply_State.QUEUED);
  assert.deepEqual(asked[0]?.photoIds, ["p1"]);
});

test("refused reply has a reason", async () => {
  const { vintedbot } = scripted();
  const refused = vintedbot.inbox.sendReply({ threadId: "t1", text: "x".repeat(5_000) });
  const error = callError(await refused.catch((thrown: unknown) => thrown));
  assert.equal(error.code, Code.InvalidArgument);
  assert.equal(error.reason, ErrorReason.VALIDATION_FAILED);
});

test("template preview lists its unfilled variables", async () => {
  const { vintedbot } = scripted();
  const filled = await vintedbot.templates.previewTemplate({ source: { case: "templateId", value: "x" } });
  assert.deepEqual(filled.unfilledVariables, ["person"]);
});

test("search result highlights its matches", async () => {
  const { vintedbot } = scripted();
  const { results, indexComplete } = await vintedbot.inbox.search({ query: "écharpe" });
  assert.ok(indexComplete);
  const marked = results[0]?.snippet.map(({ text, highlighted }) => (highlighted ? `[${text}]` : text));
  assert.equal(marked?.join(""), "L'[écharpe]");
});
