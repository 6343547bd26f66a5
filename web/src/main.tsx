import "./styles.css";

import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { Root } from "./app/Root";
import { reloadForUpdate } from "./data/update";
import { applyTheme, storedTheme } from "./ui/theme";
import { preferredLanguage, setLanguage } from "./i18n";

applyTheme(storedTheme());

window.addEventListener("vite:preloadError", () => void reloadForUpdate());

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
