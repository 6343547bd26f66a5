import { CircleUser, Keyboard, LogOut } from "lucide-react";
import { lazy, Suspense, useEffect, useState, type ReactNode } from "react";
import { NavLink, Outlet, useLocation, useNavigate } from "react-router";

import { describe, signOut } from "../data/session";
import { useTexts } from "../i18n";
import { Boundary } from "../ui/Boundary";
import { buttonClasses, IconButton } from "../ui/Button";
import { classes } from "../ui/classes";
import { useCommands, type Command } from "../ui/commands";
import { listenToKeys } from "../ui/hotkeys";
import { Skeleton } from "../ui/Skeleton";
import { toast, undoLast } from "../ui/toasts";
import { Banner } from "./Banner";
import { pages } from "./paths";

const Palette = lazy(() => import("./Palette"));
const Help = lazy(() => import("./Help"));
const Toaster = lazy(() => import("../ui/Toaster"));

/** The frame of all pages: navigation, banner, messages, palette and help. */
export function Shell(): ReactNode {
  const t = useTexts();
  const navigate = useNavigate();
  const [open, setOpen] = useState<"palette" | "help">();
  const go = (path: string): void => void navigate(path);
  const commands: Command[] = [
    { id: "palette", name: t.app.palette, key: "Ctrl+K", run: () => setOpen("palette") },
    { id: "help", name: t.app.help, key: "?", run: () => setOpen("help") },
    { id: "undo", name: t.app.undo, key: "Ctrl+Z", run: () => undoLast() },
    { id: "go.inbox", name: t.inbox.commands.goInbox, key: "g i", run: () => go("/inbox") },
    { id: "go.profile", name: t.inbox.commands.goProfile, key: "g p", run: () => go("/profile") },
    { id: "sign-out", name: t.app.signOut, run: () => leave() },
  ];
  useCommands(commands);
  useEffect(listenToKeys, []);
  return (
    <div className="flex h-full flex-col-reverse md:flex-row">
      <a
        href="#content"
        className="sr-only z-30 rounded-md bg-card px-3 py-2 focus:not-sr-only focus:fixed focus:top-2 focus:left-2"
      >
        {t.app.skip}
      </a>
      <nav
        aria-label={t.app.navigation}
        className="flex shrink-0 items-center justify-around border-t border-line bg-card p-1 md:w-16 md:flex-col md:justify-start md:gap-1 md:border-t-0 md:border-r md:py-3"
      >
        {pages.map(({ id, path, icon: Icon, isReady }) =>
          isReady ? (
            <Item key={id} path={path} name={t.app.pages[id]}>
              <Icon aria-hidden size={20} />
            </Item>
          ) : null,
        )}
        <span aria-hidden className="hidden md:block md:flex-1" />
        <IconButton label={t.app.help} onClick={() => setOpen("help")}>
          <Keyboard aria-hidden size={20} />
        </IconButton>
        <Item path="/profile" name={t.app.pages.profile}>
          <CircleUser aria-hidden size={20} />
        </Item>
        <IconButton label={t.app.signOut} onClick={leave}>
          <LogOut aria-hidden size={20} />
        </IconButton>
      </nav>
      <div className="flex min-h-0 min-w-0 flex-1 flex-col">
        <Banner />
        <main id="content" tabIndex={-1} className="min-h-0 flex-1 outline-none">
          <Boundary key={useLocation().pathname.split("/")[1]}>
            <Suspense fallback={<Skeleton label={t.app.loading} />}>
              <Outlet />
            </Suspense>
          </Boundary>
        </main>
      </div>
      <Suspense fallback={null}>
        <Toaster undoLabel={t.app.undo} closeLabel={t.app.close} />
        {open === "palette" && <Palette onClose={() => setOpen(undefined)} />}
        {open === "help" && <Help onClose={() => setOpen(undefined)} />}
      </Suspense>
    </div>
  );
}

function leave(): void {
  signOut().catch(async (thrown: unknown) => {
    const { text, next } = await describe(thrown);
    toast({ kind: "problem", text: `${text} ${next}` });
  });
}

function Item({ path, name, children }: { path: string; name: string; children: ReactNode }): ReactNode {
  return (
    <NavLink
      to={path}
      title={name}
      aria-label={name}
      className={({ isActive }) =>
        classes(buttonClasses("quiet", true), isActive && "bg-accent-soft text-accent")
      }
    >
      {children}
    </NavLink>
  );
}
