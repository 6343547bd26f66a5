import { createRoot } from "react-dom/client";

import "./style.css";

const root = createRoot(document.getElementById("root") as HTMLElement);

// The import fails if VITE_API_BASE_URL is missing or wrong. Without this, the page would stay blank.
import("./App").then(
  ({ App }) => root.render(<App />),
  (error: unknown) => root.render(<p role="alert">{String(error)}</p>),
);
