import { toBinary } from "@bufbuild/protobuf";
import type { Page } from "@playwright/test";
import { create, ListRepliesResponseSchema, Reply_State } from "@vintedbot/sdk";

import { expect, expectAccessible, test } from "./fixtures";

const row = (page: Page, login: string) =>
  page.getByRole("region", { name: "Conversations" }).getByRole("link", { name: login });
const composer = (page: Page) => page.getByRole("textbox", { name: "Reply" });

test("new message appears without a reload and is read", async ({ page, enter, instance }) => {
  await enter();
  const conversation = await instance.converse("lea_live", "Is it still available?");
  await expect(row(page, "lea_live")).toContainText("Is it still available?");
  await row(page, "lea_live").click();
  await expect(page.getByRole("log")).toContainText("Is it still available?");
  await instance.act(conversation, { do: "write", text: "Could you send more photos?" });
  await expect(page.getByRole("log")).toContainText("Could you send more photos?");
  await expect
    .poll(async () =>
      (await instance.api.inbox.listThreads({ unread: true })).threads.map(({ person }) => person?.login),
    )
    .not.toContain("lea_live");
  await expectAccessible(page);
});

test("day without a mouse: next, open, archive, undo, snooze, search, help", async ({
  page,
  enter,
  instance,
}) => {
  await instance.converse("kim_keys", "Third in the list");
  await instance.converse("lou_keys", "Second in the list");
  await instance.converse("max_keys", "First in the list");
  await enter();
  await expect(row(page, "max_keys")).toBeVisible();
  await page.keyboard.press("j");
  await expect(row(page, "max_keys")).toBeFocused();
  await page.keyboard.press("j");
  await page.keyboard.press("k");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: "max_keys", level: 2 }).first()).toBeVisible();
  await page.keyboard.press("e");
  await expect(row(page, "max_keys")).toHaveCount(0);
  // The next conversation is open, and the one before can be taken back.
  await expect(page.getByRole("heading", { name: "lou_keys", level: 2 }).first()).toBeVisible();
  await expect
    .poll(async () => (await instance.api.inbox.listThreads({ archived: true })).threads.length)
    .toBe(1);
  await page.keyboard.press("Control+z");
  await expect(row(page, "max_keys")).toBeVisible();
  await expect
    .poll(async () => (await instance.api.inbox.listThreads({ archived: true })).threads.length)
    .toBe(0);
  await page.keyboard.press("s");
  await expect(page.getByRole("menuitem", { name: /Tomorrow morning/ })).toBeVisible();
  await expectAccessible(page);
  await page.getByRole("menuitem", { name: /Tomorrow morning/ }).press("Enter");
  await expect(row(page, "lou_keys")).toHaveCount(0);
  await page.getByRole("link", { name: /^Snoozed/ }).click();
  await expect(row(page, "lou_keys")).toContainText("Snoozed until");
  await page.keyboard.press("g");
  await page.keyboard.press("i");
  await expect(row(page, "max_keys")).toBeVisible();
  await page.keyboard.press("/");
  await page.keyboard.type("third list");
  await expect(page.getByText("1 result")).toBeVisible();
  await expect(page.locator("mark").first()).toBeVisible();
  await page.keyboard.press("Escape");
  await page.keyboard.press("?");
  const help = page.getByRole("dialog", { name: "Keyboard shortcuts" });
  await expect(help).toContainText("Archive");
  await expectAccessible(page);
  await help.getByRole("checkbox", { name: "Single-letter keys" }).uncheck();
  await page.keyboard.press("Escape");
  await expect(help).toHaveCount(0);
  await page.keyboard.press("?");
  await expect(help).toHaveCount(0);
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: "Search commands" }).fill("profile");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: "Profile", level: 1 })).toBeVisible();
});

test("undo button takes back within its time", async ({ page, enter, instance }) => {
  await instance.converse("uma_undo", "Please keep it for me");
  await enter();
  await row(page, "uma_undo").click();
  await page.getByRole("button", { name: "Archive (e)" }).click();
  await expect(row(page, "uma_undo")).toHaveCount(0);
  await page.getByRole("button", { name: "Undo" }).click();
  await expect(row(page, "uma_undo")).toBeVisible();
});

test("refused command comes back and says why", async ({ page, enter, instance }) => {
  await instance.converse("rod_refused", "Hello there");
  await enter();
  await row(page, "rod_refused").click();
  await page.route("**/vintedbot.v1.InboxService/ArchiveThreads", async (route) => {
    const { threads } = await instance.api.inbox.listThreads({});
    const id = threads.find(({ person }) => person?.login === "rod_refused")?.id ?? "";
    // The request is changed to an id that does not exist, so that the server itself refuses it.
    const body = route.request().postDataBuffer() ?? Buffer.alloc(0);
    const text = body.toString("latin1").replace(id, "00000000-0000-4000-8000-000000000000");
    await route.continue({ postData: Buffer.from(text, "latin1") });
  });
  await page.keyboard.press("e");
  await expect(row(page, "rod_refused")).toHaveCount(0);
  await expect(page.getByText("This no longer exists.").first()).toBeVisible();
  await expect(row(page, "rod_refused")).toBeVisible();
});

test("draft survives thread change and reload and stays in its thread", async ({ page, enter, instance }) => {
  await instance.converse("dan_draft", "What is the size?");
  await instance.converse("eva_draft", "Which colour is it?");
  await enter();
  await row(page, "dan_draft").click();
  await composer(page).fill("It is a medium");
  await row(page, "eva_draft").click();
  await expect(composer(page)).toHaveValue("");
  await composer(page).fill("It is blue");
  await page.reload();
  await expect(composer(page)).toHaveValue("It is blue");
  await row(page, "dan_draft").click();
  await expect(composer(page)).toHaveValue("It is a medium");
  await expect
    .poll(async () => {
      const { threads } = await instance.api.inbox.listThreads({});
      return threads.find(({ person }) => person?.login === "dan_draft")?.draft?.text;
    })
    .toBe("It is a medium");
});

test("draft of another device is shown and not overwritten", async ({ page, enter, instance }) => {
  await instance.converse("cal_conflict", "Do you ship?");
  await enter();
  await row(page, "cal_conflict").click();
  await composer(page).fill("Yes, tomorrow");
  await expect(page.getByText("Draft saved")).toBeVisible();
  const { threads } = await instance.api.inbox.listThreads({});
  const thread = threads.find(({ person }) => person?.login === "cal_conflict");
  await page.route("**/vintedbot.v1.InboxService/SaveDraft", (route) => route.abort());
  await composer(page).fill("Yes, on Monday");
  await instance.api.inbox.saveDraft({
    threadId: thread?.id ?? "",
    text: "No, sorry",
    expectedVersion: thread?.draft?.version ?? 0n,
  });
  await expect(page.getByRole("alert")).toContainText("No, sorry");
  await page.unroute("**/vintedbot.v1.InboxService/SaveDraft");
  await page.getByRole("button", { name: "Keep this text" }).click();
  await expect(page.getByText("Draft saved")).toBeVisible();
  await expect(composer(page)).toHaveValue("Yes, on Monday");
});

test("reply is confirmed in a second step and sent once", async ({ page, enter, instance }) => {
  const text = "I send it on Friday";
  await instance.converse("ria_reply", "When do you send it?");
  await enter();
  await row(page, "ria_reply").click();
  await page.keyboard.press("r");
  await expect(composer(page)).toBeFocused();
  await page.keyboard.type(text);
  await page.getByRole("button", { name: "Review" }).dblclick();
  const question = page.locator("[data-reply=AWAITING_CONFIRMATION]");
  await expect(question).toContainText("To ria_reply, from Shop, on practice:");
  await expect(question).toContainText(text);
  expect(await instance.countOnSite(text)).toBe(0);
  await expectAccessible(page);
  // A reload changes nothing: the reply still waits.
  await page.reload();
  await expect(question).toContainText(text);
  await question.getByRole("button", { name: "Send" }).dblclick();
  await expect(page.getByRole("log")).toContainText(text, { timeout: 20_000 });
  await expect(page.locator("[data-reply]")).toHaveCount(0);
  await expect(composer(page)).toHaveValue("");
  expect(await instance.countOnSite(text)).toBe(1);
});

test("reply goes back to editing without being sent", async ({ page, enter, instance }) => {
  const text = "Maybe next week";
  await instance.converse("ben_back", "Can you reserve it?");
  await enter();
  await row(page, "ben_back").click();
  await composer(page).fill(text);
  await page.getByRole("button", { name: "Review" }).click();
  await page.getByRole("button", { name: "Back to editing" }).click();
  await expect(page.locator("[data-reply]")).toHaveCount(0);
  await expect(composer(page)).toHaveValue(text);
  expect(await instance.countOnSite(text)).toBe(0);
});

test("reply in doubt is checked and offers nothing meanwhile", async ({ page, enter, instance }) => {
  const text = "It costs twelve euros";
  await instance.converse("dot_doubt", "How much is it?");
  await instance.site.script({
    on: "reply",
    title_contains: text,
    times: 1,
    do: { accept_then_cut: true, never_list: true, delay_visible_ms: 60_000 },
  });
  await enter();
  await row(page, "dot_doubt").click();
  await composer(page).fill(text);
  await page.getByRole("button", { name: "Review" }).click();
  await page.getByRole("button", { name: "Send" }).click();
  const doubt = page.locator("[data-reply=UNCONFIRMED]");
  await expect(doubt).toContainText("It is not certain whether this reply was sent.", { timeout: 20_000 });
  await expect(doubt.getByRole("button")).toHaveCount(0);
  await expectAccessible(page);
});

test("reply that a person has to resolve asks a plain question", async ({ page, enter, instance }) => {
  await instance.converse("quin_question", "Which size is it?");
  const { threads } = await instance.api.inbox.listThreads({});
  const thread = threads.find(({ person }) => person?.login === "quin_question");
  const reply = {
    id: "00000000-0000-4000-8000-000000000001",
    threadId: thread?.id ?? "",
    accountId: instance.accountId,
    state: Reply_State.UNCONFIRMED,
    requiresAction: true,
    text: "It is a large",
    sequence: 1n,
  };
  const answer = Buffer.from(
    toBinary(ListRepliesResponseSchema, create(ListRepliesResponseSchema, { replies: [reply] })),
  );
  await page.route("**/vintedbot.v1.InboxService/ListReplies", (route) =>
    route.fulfill({
      contentType: "application/grpc-web+proto",
      body: Buffer.concat([frame(0, answer), frame(0x80, Buffer.from("grpc-status: 0\r\n"))]),
    }),
  );
  await enter();
  await row(page, "quin_question").click();
  const question = page.locator("[data-reply=UNCONFIRMED]");
  await expect(question.getByRole("heading")).toHaveText("Was this reply sent?");
  await expect(question).toContainText("It is a large");
  await expect(question).toContainText("No message of this account is known here.");
  await expect(question.getByRole("button")).toHaveText(["Yes, it was sent", "No, it was not sent"]);
  await expectAccessible(page);
  // The server does not know this reply, and its refusal is shown.
  await question.getByRole("button", { name: "Yes, it was sent" }).click();
  await expect(question.getByRole("alert")).toContainText("This no longer exists.");
});

/** A frame of gRPC-web. */
function frame(flags: number, content: Buffer): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt8(flags);
  header.writeUInt32BE(content.length, 1);
  return Buffer.concat([header, content]);
}

test("label and note are changed at once and kept", async ({ page, enter, instance }) => {
  await instance.converse("lia_label", "Is it authentic?");
  await enter();
  await row(page, "lia_label").click();
  await page.keyboard.press("l");
  const dialog = page.getByRole("dialog", { name: "Labels" });
  await dialog.getByLabel("New label").fill("to ship");
  await dialog.getByRole("button", { name: "Add" }).click();
  await expect(dialog.getByRole("checkbox", { name: "to ship" })).toBeChecked();
  await expectAccessible(page);
  await page.keyboard.press("Escape");
  await expect(row(page, "lia_label")).toContainText("to ship");
  await page.getByRole("textbox", { name: "Note", exact: true }).fill("asks a lot");
  await page.getByRole("button", { name: "Save" }).click();
  await page.reload();
  await expect(page.getByRole("textbox", { name: "Note", exact: true })).toHaveValue("asks a lot");
  await page.getByRole("combobox", { name: "Labels" }).selectOption("to ship");
  await expect(row(page, "lia_label")).toBeVisible();
  await expect(page).toHaveURL(/label=to\+ship/);
});

test("open thread stays in the list of unread ones", async ({ page, enter, instance }) => {
  await instance.converse("una_unread", "Unread so far");
  await enter();
  await page.getByRole("link", { name: /^Unread/ }).click();
  await row(page, "una_unread").click();
  await expect(page.getByRole("log")).toContainText("Unread so far");
  await expect
    .poll(async () =>
      (await instance.api.inbox.listThreads({ unread: true })).threads.map(({ person }) => person?.login),
    )
    .not.toContain("una_unread");
  await expect(row(page, "una_unread")).toBeVisible();
});

test("scrolled list does not jump and counts what is new", async ({ page, enter, instance }) => {
  for (const buyer of ["sia_1", "sia_2", "sia_3", "sia_4", "sia_5"]) await instance.converse(buyer, "Hello");
  await enter();
  const list = page.getByRole("region", { name: "Conversations" });
  await expect(list.getByRole("listitem").first()).toBeVisible();
  await page.setViewportSize({ width: 1360, height: 420 });
  await list.hover();
  await page.mouse.wheel(0, 200);
  await expect.poll(() => list.evaluate((box) => box.scrollTop)).toBeGreaterThan(100);
  const before = await list.getByRole("listitem").allInnerTexts();
  await instance.converse("nia_new", "Something new");
  await expect(page.getByRole("button", { name: "1 new" })).toBeVisible();
  expect((await list.getByRole("listitem").allInnerTexts()).length).toBe(before.length);
  await page.getByRole("button", { name: "1 new" }).click();
  await expect(row(page, "nia_new")).toBeVisible();
});

test("cut line shows the age of the data and drafts go on", async ({ page, enter, instance, line }) => {
  await instance.converse("cia_cut", "Are you there?");
  await enter();
  await row(page, "cia_cut").click();
  await expect(page.getByRole("log")).toContainText("Are you there?");
  // The last part of the page to be loaded.
  await expect(page.getByLabel("Note")).toBeVisible();
  line.refuse(true);
  line.cut();
  await expect(page.getByTestId("line")).toContainText("The connection to the server is lost.", {
    timeout: 10_000,
  });
  await composer(page).fill("Yes, I am here");
  await expect(page.getByText("Draft kept on this device")).toBeVisible();
  await expectAccessible(page);
  await instance.api.inbox.listThreads({});
  line.refuse(false);
  await expect(page.getByTestId("line")).toHaveCount(0, { timeout: 20_000 });
  await expect(page.getByText("Draft saved")).toBeVisible({ timeout: 20_000 });
});

test("phone shows one pane at a time and nothing scrolls sideways", async ({ page, enter, instance }) => {
  await instance.converse(
    "pia_phone",
    "A rather long message, which has to be wrapped on a narrow screen of a phone.",
  );
  await page.setViewportSize({ width: 360, height: 740 });
  await enter();
  const isNarrow = (): Promise<boolean> =>
    page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth);
  await expect(row(page, "pia_phone")).toBeVisible();
  expect(await isNarrow()).toBe(true);
  await expectAccessible(page);
  await row(page, "pia_phone").click();
  await expect(page.getByRole("log")).toBeVisible();
  await expect(row(page, "pia_phone")).toBeHidden();
  expect(await isNarrow()).toBe(true);
  const small = await page
    .locator("button:visible, nav a:visible")
    .evaluateAll((targets) =>
      targets
        .filter(
          (target) => target.getBoundingClientRect().height < 44 && target.getBoundingClientRect().height > 1,
        )
        .map((target) => target.outerHTML.slice(0, 120)),
    );
  expect(small).toEqual([]);
  await expectAccessible(page);
  await page.getByRole("button", { name: "Show person" }).click();
  await expect(page.getByRole("textbox", { name: "Note", exact: true })).toBeVisible();
  await page.goBack();
  await expect(page.getByRole("log")).toBeVisible();
  await page.getByRole("link", { name: "Back to the list" }).click();
  await expect(row(page, "pia_phone")).toBeVisible();
});

test("dark appearance is accessible", async ({ page, enter, instance }) => {
  await page.emulateMedia({ colorScheme: "dark" });
  await instance.converse("noe_night", "Good evening");
  await enter();
  await row(page, "noe_night").click();
  await expect(page.getByRole("log")).toContainText("Good evening");
  await expectAccessible(page);
  await page.screenshot({ path: "test-results/screens/inbox-dark.png" });
  await page.emulateMedia({ colorScheme: "light" });
  await page.screenshot({ path: "test-results/screens/inbox-light.png" });
});
