/** The values that the samples of the README for Node take as given. `readme.test.ts` sets the variables. */
import { readFile } from "node:fs/promises";

import { createVintedbot, name, settled, type PublishJob_State, type Vintedbot } from "@vintedbot/sdk";

declare global {
  var baseUrl: string;
  var token: string;
  var email: string;
  var password: string;
  var vintedbot: Vintedbot;
  /** An account whose catalogue is read. */
  var accountId: string;
  /** A listing that can be published. */
  var listingId: string;
  var title: string;
  var brand: string;
  var file: File;
  var leaving: AbortController;
  function store(cursor: string): void;
}

const baseUrl = variable("SAMPLES_URL");
const token = variable("SAMPLES_TOKEN");
const vintedbot = createVintedbot({ baseUrl, auth: { token } });
const { account } = await vintedbot.accounts.createAccount({ displayName: "Samples", market: "fr" });
const accountId = account?.id ?? "";
await catalogueIsRead();

const file = new File([await readFile(variable("SAMPLES_PHOTO"))], "front.jpg", { type: "image/jpeg" });
const { photo } = await vintedbot.uploadPhoto(file);
const { listing } = await vintedbot.listings.createListing({
  accountId,
  listing: {
    title: "Sweat gris chiné",
    description: "Porté deux fois, aucun défaut.",
    price: { minorUnits: 1500n, currencyCode: "EUR" },
    category: name("Hommes > Sweats"),
    brand: name("Nike"),
    size: name("M"),
    condition: name("bon"),
    colors: [name("gris")],
    materials: [name("coton")],
    packageSize: name("petit"),
    photoIds: [photo?.id ?? ""],
  },
});
const listingId = listing?.id ?? "";

export const cursors: string[] = [];
export const leaving = new AbortController();

Object.assign(globalThis, {
  ...{ baseUrl, token, vintedbot, accountId, listingId, file, leaving },
  email: variable("SAMPLES_EMAIL"),
  password: variable("SAMPLES_PASSWORD"),
  title: "Écharpe en laine",
  brand: "Nikee",
  store: (cursor: string) => cursors.push(cursor),
});

/** Waits until the publish job of the listing has ended, and returns its state. */
export async function publishedState(): Promise<PublishJob_State> {
  const { publishJobs } = await vintedbot.publish.listPublishJobs({ listingId });
  const job = await settled(vintedbot.publish, publishJobs[0]?.id ?? "");
  return job.state;
}

/** The worker reads the catalogue of a new account within seconds. */
async function catalogueIsRead(): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await vintedbot.catalog.listConditions({ accountId });
      return;
    } catch (thrown) {
      if (attempt === 300) throw thrown;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

function variable(key: string): string {
  const value = process.env[key];
  if (value === undefined) throw new Error(`${key} must be set`);
  return value;
}
