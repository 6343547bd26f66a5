import { createRoot } from "react-dom/client";
import { BrowserRouter, NavLink, Route, Routes } from "react-router-dom";

const root = createRoot(document.getElementById("root") as HTMLElement);

// As the guide says: without an address of the server the module throws, and the page shows why.
import("./vintedbot").then(
  ({ Shell, ...pages }) =>
    root.render(
      <BrowserRouter>
        <Shell>
          <nav>
            {Object.keys(pages).map((name) => (
              <NavLink key={name} to={`/${name.toLowerCase()}`}>
                {name}
              </NavLink>
            ))}
          </nav>
          <Routes>
            {Object.entries(pages).map(([name, Page]) => (
              <Route key={name} path={name.toLowerCase()} element={<Page />} />
            ))}
          </Routes>
        </Shell>
      </BrowserRouter>,
    ),
  (error: unknown) => root.render(<p role="alert">{String(error)}</p>),
);
