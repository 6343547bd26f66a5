import assert from "node:assert/strict";

import type { Locator, Page } from "playwright-core";

import { createVintedbot, name } from "../src/index.js";
import type { Program } from "../testing/program.js";
import { buildApp, buildInbox, checkTypes, type Projects } from "./projects.js";
import { closedPort } from "./static-server.js";

/** What the steps share. */
export interface World {
  instance: Program;
  projects: Projects;
  /** The tab of the app. */
  page: Page;
  appOrigin: string;
  inboxOrigin: string;
  /** The number of the practice site's last record before the draft. */
  before?: number;
  /** The photo that was uploaded. */
  photoId?: string;
}

/** Makes a step, and returns what it has shown. It fails with an error that says what is wrong. */
type Step = (world: World) => Promise<string>;

const demoEmail = "demo@example.com";
const title = "Sweat gris, fait par une page";
const blockedTitle = "Sweat vert, devant un captcha";
/** The checks of a dry run: see `ConfirmPublishResponse.Check.Kind`. */
const checkCount = 6;
/** The server's browser fills a form with eleven fields, on a machine that may be busy. */
const jobMs = 180_000;

export const steps: readonly (readonly [string, Step])[] = [
  ["build", buildBoth],
  ["connect", connect],
  ["sign in", signIn],
  ["upload", upload],
  ["draft", draft],
  ["prepare", prepare],
  ["dry run", dryRun],
  ["publish", publish],
  ["captcha", captcha],
];

async function buildBoth({ projects, instance }: World): Promise<string> {
  await checkTypes(projects);
  await buildInbox(projects, instance.url);
  await buildApp(projects, "");
  return "the samples and examples/react-inbox compile against the packed SDK";
}

async function connect({ projects, instance, page, appOrigin }: World): Promise<string> {
  await page.goto(appOrigin);
  await shows(alert(page), "set VITE_API_BASE_URL");

  const closed = `http://127.0.0.1:${await closedPort()}`;
  await buildApp(projects, closed);
  await page.goto(appOrigin);
  await shows(alert(page), `nothing answers at ${closed}`);

  await buildApp(projects, instance.url);
  // The same page, from an origin that ALLOWED_ORIGINS does not list.
  await page.goto(appOrigin.replace("127.0.0.1", "localhost"));
  await shows(alert(page), "add this origin to ALLOWED_ORIGINS");

  await page.goto(appOrigin);
  await page.getByRole("button", { name: "Sign in" }).waitFor();
  return "three wrong addresses each show what to do, the right one asks for a sign-in";
}

async function signIn({ instance, page, appOrigin, inboxOrigin }: World): Promise<string> {
  await enter(page, "wrong password");
  await shows(alert(page), "password");
  await enter(page, await instance.dataFile("demo-password"));
  await page.getByText("live", { exact: true }).waitFor();

  const example = await page.context().newPage();
  try {
    await example.goto(inboxOrigin);
    await enter(example, await instance.dataFile("demo-password"));
    await example.getByText("live", { exact: true }).waitFor();
    await openPage(page, "Inbox");
    await receive(instance, page, example);
  } finally {
    await example.close();
  }
  assert.equal(new URL(page.url()).origin, appOrigin);
  return "a wrong password is refused; messages appear in both open inboxes; one reply is sent once";
}

/** Checks that messages of a buyer appear in open pages, and that a reply is sent after its confirmation. */
async function receive(instance: Program, page: Page, example: Page): Promise<void> {
  const sdk = connected(instance);
  const { accounts } = await sdk.accounts.listAccounts({});
  const account = accounts[0];
  assert.ok(account, "the example data has an account");
  const sync = (): Promise<unknown> => sdk.inbox.syncNow({ accountId: account.id });

  const first = "Bonjour, est-il toujours disponible ?";
  const conversation = await instance.site.openConversation(account.memberId, "acheteuse", first);
  await sync();
  for (const tab of [page, example]) await tab.getByRole("button", { name: first }).click();

  const second = "Je peux venir demain.";
  await instance.site.act(conversation, { do: "write", text: second });
  await sync();
  for (const tab of [page, example]) await tab.getByRole("paragraph").filter({ hasText: second }).waitFor();

  const reply = "Oui, il est disponible.";
  await example.locator("textarea").fill(reply);
  await example.getByRole("button", { name: "Review" }).click();
  const send = example.getByRole("button", { name: "Send it" });
  await send.waitFor();
  assert.equal(
    await instance.site.countMessages(account.memberId, reply),
    0,
    "the reply was sent unconfirmed",
  );
  await send.click();
  await example.locator(".ours").filter({ hasText: reply }).waitFor();
  assert.equal(await instance.site.countMessages(account.memberId, reply), 1, "the reply was not sent once");
}

async function upload(world: World): Promise<string> {
  const { page } = world;
  await openPage(page, "Upload");
  const buffer = await picture(page);
  // A slow line, so that the progress can be seen.
  const devTools = await page.context().newCDPSession(page);
  const line = { offline: false, latency: 0, downloadThroughput: -1 };
  await devTools.send("Network.emulateNetworkConditions", { ...line, uploadThroughput: buffer.length / 2 });
  await page.setInputFiles("input[type=file]", { name: "front.jpg", mimeType: "image/jpeg", buffer });
  const isUnderWay = (): boolean => {
    const { value } = document.querySelector("progress") as HTMLProgressElement;
    return value > 0 && value < 1;
  };
  await page.waitForFunction(isUnderWay, undefined, { polling: 20 });
  await page.waitForFunction(() => (document.querySelector("progress") as HTMLProgressElement).value === 1);
  const image = page.locator("img");
  await image.waitFor();
  await page.waitForFunction(() => (document.querySelector("img") as HTMLImageElement).naturalWidth > 0);
  await devTools.send("Network.emulateNetworkConditions", { ...line, uploadThroughput: -1 });
  await devTools.detach();
  const { photos } = await connected(world.instance).media.listPhotos({ pageSize: 1 });
  assert.equal(photos[0]?.fileName, "front.jpg");
  world.photoId = photos[0].id;
  return `the bar moves while ${(buffer.length / 1e6).toFixed(1)} MB are sent, then the photo appears`;
}

async function draft(world: World): Promise<string> {
  const { page, instance } = world;
  world.before = await instance.site.lastRecord();
  const fields = {
    title: `${title} ${"très ".repeat(30)}`,
    description: "Porté deux fois, aucun défaut.",
    price: "15",
    category: "Homme > Sweats",
    brand: "Nike",
    size: "M",
    condition: "bon",
    package_size: "petit",
    colors: "gris",
  };
  for (const [field, value] of Object.entries(fields)) await page.locator(`[name=${field}]`).fill(value);
  const save = page.getByRole("button", { name: "Save" });
  await save.click();
  await shows(page.locator("label", { has: page.locator("[name=title]") }), "at most 100 are allowed");
  await page.locator("[name=title]").fill(title);
  await save.click();
  await page.getByText("✓").waitFor();
  const { listings } = await connected(instance).listings.listListings({ titleContains: title });
  assert.equal(listings.length, 1, "the draft was not saved once");
  return "a title of 180 characters shows its error at the field; the corrected draft is saved";
}

async function prepare({ page, instance, before }: World): Promise<string> {
  await openPage(page, "Listings");
  await page.getByRole("button", { name: title }).click();
  await page.getByRole("button", { name: "Prepare" }).click();
  await reaches(page, "AWAITING_CONFIRMATION");
  const rows = await page
    .getByRole("paragraph")
    .filter({ hasText: /^[✓✗] \w+: / })
    .allInnerTexts();
  assert.ok(rows.includes(`✓ title: ${title}`), `the page does not show the title as read back: ${rows}`);
  assert.deepEqual(
    rows.filter((row) => row.startsWith("✗")),
    [],
  );
  const pictures = page.locator("img");
  await pictures.first().waitFor();
  const preview = await page.getByRole("link", { name: "Preview" }).getAttribute("href");
  const response = await fetch(preview ?? "");
  assert.ok((await response.text()).includes(title), "the preview does not show the title");
  await publishesNothing(instance, before);
  return `${rows.length} fields as read back, ${await pictures.count()} steps with pictures, a preview`;
}

async function dryRun({ page, instance, appOrigin, before }: World): Promise<string> {
  // The session outlives a reload, and the page forgets every choice that it was not told again.
  await page.goto(appOrigin);
  await openPage(page, "Listings");
  await page.getByRole("button", { name: title }).click();
  await reaches(page, "AWAITING_CONFIRMATION");
  assert.ok(await page.getByRole("checkbox").isChecked(), "the dry run is not on by default");
  await page.getByRole("button", { name: "Run the checks" }).click();
  const checks = page.getByText("✓", { exact: true });
  const last = checks.nth(checkCount - 1);
  await last.waitFor({ timeout: 10_000 }).catch(() => undefined);
  // A publication would begin within this time.
  await page.waitForTimeout(2_000);
  await publishesNothing(instance, before);
  const state = await page.getByRole("heading").innerText();
  assert.equal(state, "AWAITING_CONFIRMATION", `the dry run made the job ${state}`);
  assert.equal(await checks.count(), checkCount, "the page does not show that each check passes");
  return `${checkCount} checks pass, and the practice site recorded no item`;
}

async function publish({ page, instance, before }: World): Promise<string> {
  await page.getByRole("checkbox").uncheck();
  await page.getByRole("button", { name: "Publish now" }).click();
  await reaches(page, "PUBLISHED");
  assert.deepEqual(await instance.site.published(before), [title]);
  return "the practice site recorded exactly one item";
}

async function captcha({ page, instance, photoId = "" }: World): Promise<string> {
  const before = await instance.site.lastRecord();
  const sdk = connected(instance);
  const { accounts } = await sdk.accounts.listAccounts({});
  const { id: accountId = "", memberId = "" } = accounts[0] ?? {};
  const listing = {
    title: blockedTitle,
    description: "Coton épais, coupe ample.",
    price: { minorUnits: 2_200n },
    category: name("Homme > Sweats"),
    brand: name("Lacoste"),
    size: name("M"),
    condition: name("bon"),
    packageSize: name("petit"),
    colors: [name("vert")],
    photoIds: [photoId],
  };
  await sdk.listings.createListing({ accountId, listing });
  // The next listing form of the member is a captcha.
  await instance.site.script({ on: "form", member: Number(memberId), times: 1, do: "captcha_page" });
  await page.getByRole("button", { name: blockedTitle }).click();
  await page.getByRole("button", { name: "Prepare" }).click();
  await reaches(page, "BLOCKED");
  await shows(alert(page), "solve the captcha there, then resume the account");
  const { publishJobs } = await sdk.publish.listPublishJobs({ accountId, pageSize: 1, requiresAction: true });
  assert.ok(publishJobs[0]?.requiresAction, "no job requires action");
  await page.waitForTimeout(2_000);
  await reaches(page, "BLOCKED");
  await publishesNothing(instance, before);

  await page.getByRole("button", { name: "resume" }).click();
  await reaches(page, "AWAITING_CONFIRMATION");
  await publishesNothing(instance, before);
  return "the job stops and the page says what to do; after the person's click it waits for a confirmation again";
}

function connected({ url, token }: Program) {
  return createVintedbot({ baseUrl: url, auth: { token } });
}

async function enter(page: Page, password: string): Promise<void> {
  await page.locator("[name=email]").fill(demoEmail);
  await page.locator("[name=password]").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

async function openPage(page: Page, name: string): Promise<void> {
  await page.getByRole("link", { name, exact: true }).click();
}

function alert(page: Page): Locator {
  return page.getByRole("alert").filter({ hasText: /\S/ });
}

async function shows(place: Locator, words: string): Promise<void> {
  try {
    await place.filter({ hasText: words }).waitFor();
  } catch {
    const shown = await place.allInnerTexts();
    throw new Error(`the page does not show "${words}" but ${JSON.stringify(shown)}`);
  }
}

/** Waits until the page shows the state of the publish job. */
async function reaches(page: Page, state: string): Promise<void> {
  const heading = page.getByRole("heading");
  try {
    await heading.filter({ hasText: new RegExp(`^${state}$`) }).waitFor({ timeout: jobMs });
  } catch {
    throw new Error(`the page shows ${JSON.stringify(await heading.allInnerTexts())} instead of ${state}`);
  }
}

async function publishesNothing(instance: Program, after: number | undefined): Promise<void> {
  const published = await instance.site.published(after);
  assert.equal(published.length, 0, `the practice site recorded ${JSON.stringify(published)}`);
}

/** Returns a photo of about a megabyte, drawn by the page. */
async function picture(page: Page): Promise<Buffer> {
  const base64 = await page.evaluate(async () => {
    const canvas = new OffscreenCanvas(800, 600);
    const context = canvas.getContext("2d") as OffscreenCanvasRenderingContext2D;
    const image = context.createImageData(canvas.width, canvas.height);
    // Noise does not compress. An alpha of 255 keeps the colours.
    for (let at = 0; at < image.data.length; at += 65_536) {
      crypto.getRandomValues(image.data.subarray(at, at + 65_536));
    }
    for (let at = 3; at < image.data.length; at += 4) image.data[at] = 255;
    context.putImageData(image, 0, 0);
    const bytes = new Uint8Array(await (await canvas.convertToBlob({ type: "image/jpeg" })).arrayBuffer());
    let text = "";
    for (const byte of bytes) text += String.fromCharCode(byte);
    return btoa(text);
  });
  return Buffer.from(base64, "base64");
}
