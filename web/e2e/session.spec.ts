import { expect, expectAccessible, owner, test } from "./fixtures";

test("wrong password is refused with what to do", async ({ page }) => {
  await page.goto("/inbox?view=unread");
  await page.getByLabel("E-mail address").fill(owner.email);
  await page.getByLabel("Password").fill("another wrong password");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("alert")).toContainText("The address or the password is wrong.");
  await expect(page.getByLabel("E-mail address")).toHaveValue(owner.email);
  await expectAccessible(page);
});

test("sign-in leads back to the address and out again", async ({ page }) => {
  await page.goto("/profile");
  await page.getByLabel("E-mail address").fill(owner.email);
  await page.getByLabel("Password").fill(owner.password);
  await page.getByLabel("Password").press("Enter");
  await expect(page.getByRole("heading", { name: "Profile", level: 1 })).toBeVisible();
  await page.reload();
  await expect(page.getByText(owner.email)).toBeVisible();
  await page.getByRole("button", { name: "Sign out", exact: true }).click();
  await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
  await page.reload();
  await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
});

test("no token is in the storage of the page", async ({ page, signIn, context }) => {
  await signIn();
  const stored = await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }));
  expect(stored).not.toMatch(/eyJ|vbr_|refresh/i);
  const cookies = await context.cookies();
  expect(cookies.map(({ name, httpOnly, sameSite }) => ({ name, httpOnly, sameSite }))).toEqual([
    { name: "vb_access", httpOnly: true, sameSite: "Strict" },
    { name: "vb_refresh", httpOnly: true, sameSite: "Strict" },
  ]);
});
