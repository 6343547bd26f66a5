import { expect, test } from "./fixtures";

test("page is never stored and its files are stored compressed", async ({ instance }) => {
  const page = await fetch(`${instance.url}/inbox`, { headers: { accept: "text/html" } });
  expect(page.status).toBe(200);
  expect(page.headers.get("content-type")).toContain("text/html");
  expect(page.headers.get("cache-control")).toBe("no-store");
  expect(page.headers.get("content-security-policy")).toMatch(/^default-src 'none'; script-src 'self';/);
  const [script = ""] = /\/assets\/[^"]+\.js/.exec(await page.text()) ?? [];
  const plain = await fetch(instance.url + script, { headers: { "accept-encoding": "identity" } });
  const content = await plain.text();
  for (const [accepted, expected] of [
    ["gzip, deflate, br", "br"],
    ["gzip", "gzip"],
    ["br;q=0, gzip;q=0.0", null],
    ["identity", null],
  ] as const) {
    const file = await fetch(instance.url + script, { headers: { "accept-encoding": accepted } });
    expect(file.headers.get("content-encoding"), accepted).toBe(expected);
    expect(file.headers.get("vary")).toContain("accept-encoding");
    expect(file.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
    expect(file.headers.get("content-type")).toContain("javascript");
    expect(await file.text()).toBe(content);
  }
  const head = await fetch(instance.url + script, { method: "HEAD" });
  expect([head.status, await head.text()]).toEqual([200, ""]);
  const missing = await fetch(`${instance.url}/assets/gone.js`, { headers: { accept: "text/html" } });
  expect(missing.status).toBe(404);
});
