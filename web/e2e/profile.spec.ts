import { createHmac } from "node:crypto";

import { expect, expectAccessible, owner, test } from "./fixtures";

/** The code of an authenticator app (RFC 6238). */
function appCode(secret: string, offset = 0): string {
  const bits = [...secret]
    .map((letter) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter).toString(2).padStart(5, "0"))
    .join("");
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + offset));
  const digest = createHmac("sha1", key).update(counter).digest();
  const at = (digest.at(-1) ?? 0) & 15;
  return String((digest.readUInt32BE(at) & 0x7fff_ffff) % 1_000_000).padStart(6, "0");
}

test("name is changed", async ({ page, signIn }) => {
  await signIn();
  await page.keyboard.press("g");
  await page.keyboard.press("p");
  await page.getByRole("textbox", { name: "Name" }).fill("Anna of the shop");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("Saved", { exact: true })).toBeVisible();
  await page.reload();
  await expect(page.getByRole("textbox", { name: "Name" })).toHaveValue("Anna of the shop");
  await expectAccessible(page);
});

test("weak password is refused at its field", async ({ page, signIn }) => {
  await signIn();
  await page.goto("/profile");
  await page.getByLabel("Current password").fill(owner.password);
  await page.getByLabel("New password").fill("password");
  await page.getByRole("button", { name: "Change password" }).click();
  await expect(page.getByLabel("New password")).toHaveAttribute("aria-invalid", "true");
});

test("other session is listed and ended", async ({ page, signIn, browser, line }) => {
  const other = await browser.newContext({ baseURL: line.url, userAgent: "Another device" });
  const tab = await other.newPage();
  await tab.goto("/profile");
  await tab.getByLabel("E-mail address").fill(owner.email);
  await tab.getByLabel("Password").fill(owner.password);
  await tab.getByRole("button", { name: "Sign in" }).click();
  await expect(tab.getByRole("heading", { name: "Profile", level: 1 })).toBeVisible();
  await signIn();
  await page.goto("/profile");
  const entry = page.getByRole("listitem").filter({ hasText: "Another device" });
  await entry.getByRole("button", { name: "End" }).click();
  await expect(entry).toHaveCount(0);
  await expect(page.getByText("This session")).toHaveCount(1);
  await expect(tab.getByRole("heading", { name: "Sign in" })).toBeVisible({ timeout: 15_000 });
  await expect(tab.getByRole("status")).toContainText("Your session has ended.");
  await other.close();
});

test("language and appearance are chosen", async ({ page, signIn }) => {
  await signIn();
  await page.goto("/profile");
  await page.getByLabel("Language").selectOption("fr");
  await expect(page.getByRole("heading", { name: "Profil", level: 1 })).toBeVisible();
  await expect(page.locator("html")).toHaveAttribute("lang", "fr");
  await page.getByLabel("Apparence").selectOption("dark");
  await expectAccessible(page);
  await page.reload();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  await page.getByLabel("Langue").selectOption("de");
  await expect(page.getByRole("heading", { name: "Zweiter Faktor" })).toBeVisible();
});

test("second factor is set up, used with app and recovery code, and turned off", async ({ page, signIn }) => {
  await signIn();
  await page.goto("/profile");
  const section = page.getByRole("region", { name: "Second factor" });
  await section.getByRole("button", { name: "Set up" }).click();
  await section.getByLabel("Current password").fill(owner.password);
  await section.getByRole("button", { name: "Continue" }).click();
  const secret = (await section.getByTestId("secret").innerText()).trim();
  await section.getByLabel("Code of your app").fill(appCode(secret));
  await section.getByRole("button", { name: "Confirm" }).click();
  await expect(section.getByTestId("codes").getByRole("listitem")).toHaveCount(10);
  const codes = await section.getByTestId("codes").getByRole("listitem").allInnerTexts();
  await expectAccessible(page);
  await section.getByRole("button", { name: "I have saved the codes" }).click();
  await page.getByRole("button", { name: "Sign out", exact: true }).click();

  await page.getByLabel("E-mail address").fill(owner.email);
  await page.getByLabel("Password").fill(owner.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByLabel("Code of your app").fill("000000");
  await page.getByRole("button", { name: "Continue" }).click();
  await expect(page.getByRole("alert")).toContainText("The code is wrong");
  await page.getByLabel("Code of your app").fill(appCode(secret, 1));
  await page.getByRole("button", { name: "Continue" }).click();
  await expect(page.getByRole("heading", { name: "Profile", level: 1 })).toBeVisible();
  await page.getByRole("button", { name: "Sign out", exact: true }).click();

  await page.getByLabel("E-mail address").fill(owner.email);
  await page.getByLabel("Password").fill(owner.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("button", { name: "Use a recovery code" }).click();
  await page.getByLabel("Recovery code").fill(codes[0] ?? "");
  await page.getByRole("button", { name: "Continue" }).click();
  await section.getByRole("button", { name: "Turn off" }).click();
  await section.getByLabel("Current password").fill(owner.password);
  await section.getByLabel("Code of your app").fill(codes[1] ?? "");
  await section.getByRole("button", { name: "Turn off" }).click();
  await expect(section.getByRole("button", { name: "Set up" })).toBeVisible();
});
