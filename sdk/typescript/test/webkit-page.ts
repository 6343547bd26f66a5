/**
 * The page that `webkit.test.ts` opens. It lists accounts, watches and uploads with the SDK, and shows each result. The
 * address and the token follow the `#` of its own address.
 */
import { callError, createVintedbot, EventKind, localTokens, paginate } from "../src/index.js";

const { baseUrl, token, person } = JSON.parse(decodeURIComponent(location.hash.slice(1))) as {
  baseUrl: string;
  token: string;
  person?: { email: string; password: string };
};

const vintedbot = createVintedbot({ baseUrl, auth: { token } });

function show(selector: string, text: string): void {
  const target = document.querySelector(selector);
  if (target === null) throw new Error(`${selector} is missing`);
  const entry = document.createElement(target instanceof HTMLOListElement ? "li" : "span");
  entry.textContent = text;
  if (target instanceof HTMLOListElement) target.append(entry);
  else target.replaceChildren(entry);
}

function fail(thrown: unknown): void {
  const { problem = "", reasonName, message } = callError(thrown);
  show("#error", [problem, reasonName, message].join(" ").trim());
}

async function list(): Promise<void> {
  for await (const listing of paginate(vintedbot.listings.listListings, { pageSize: 2 }, "listings")) {
    show("#listings", listing.title);
  }
}

async function watch(): Promise<void> {
  const messages = vintedbot.watch({ onState: ({ status }) => show("#state", status) });
  for await (const { cursor, message } of messages) {
    if (cursor !== "") show("#cursor", cursor);
    if (message.case === "event") {
      show("#events", `${EventKind[message.value.kind]} ${message.value.resourceId}`);
    }
  }
}

async function upload(file: File): Promise<void> {
  let progress = 0;
  const { photo } = await vintedbot.uploadPhoto(file, {
    onProgress: (sentBytes, totalBytes) => (progress = sentBytes / totalBytes),
  });
  const image = new Image();
  image.src = photo?.url ?? "";
  await image.decode();
  document.body.append(image);
  show("#photo", `${photo?.id} ${image.naturalWidth} x ${image.naturalHeight} after ${progress * 100} %`);
}

async function signIn(): Promise<void> {
  if (person === undefined) return;
  const connection = createVintedbot({ baseUrl, auth: { tokens: localTokens() } });
  await connection.session.signIn(person);
  const { user } = await connection.auth.getMe({});
  show("#person", user?.email ?? "");
}

document.querySelector<HTMLInputElement>("#file")?.addEventListener("change", ({ target }) => {
  const file = (target as HTMLInputElement).files?.[0];
  if (file !== undefined) upload(file).catch(fail);
});
document.querySelector("#create")?.addEventListener("click", () => {
  vintedbot.accounts
    .createAccount({ displayName: document.title, market: "fr" })
    .then(({ account }) => show("#created", account?.id ?? ""))
    .catch(fail);
});

for (const start of [list, watch, signIn]) start().catch(fail);
