import "./styles.css";

import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { Root } from "./app/Root";
import { applyTheme, storedTheme } from "./ui/theme";
import { preferredLanguage, setLanguage } from "./i18n";

applyTheme(storedTheme());

// A page that was open during an update asks for files that the new version does not have.
window.addEventListener("vite:preloadError", () => location.reload());

async function start(): Promise<void> {
  await setLanguage(preferredLanguage());
  const root = document.getElementById("root");
  if (root === null) throw new Error("the page has no root");
  createRoot(root).render(
    <StrictMode>
      <Root />
    </StrictMode>,
  );
}

void start();
