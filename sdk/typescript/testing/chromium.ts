/** How tests start Chromium: BROWSER_BINARY names another one. */
export const chromiumLaunch = {
  executablePath: process.env["BROWSER_BINARY"] || "/usr/bin/chromium",
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
  ],
};
