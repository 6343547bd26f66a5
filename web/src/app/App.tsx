import { lazy, useEffect, type ReactNode } from "react";
import { BrowserRouter, Link, Navigate, Route, Routes } from "react-router";

import { forgetAll, startLive } from "../data/store";
import { probe } from "../data/session";
import { useTexts } from "../i18n";
import { buttonClasses } from "../ui/Button";
import { Empty } from "../ui/Empty";
import { Shell } from "./Shell";

const InboxPage = lazy(() => import("../features/inbox/InboxPage"));
const ProfilePage = lazy(() => import("../features/profile/ProfilePage"));

/** The pages of a signed-in person. */
export default function App(): ReactNode {
  useEffect(() => {
    startLive();
    // The hint that a person is signed in may be wrong. Without an answer, the banner shows the lost line.
    probe().catch(() => undefined);
    return forgetAll;
  }, []);
  return (
    <BrowserRouter basename={import.meta.env.BASE_URL.replace(/\/$/, "")}>
      <Routes>
        <Route element={<Shell />}>
          <Route index element={<Navigate replace to="/inbox" />} />
          <Route path="inbox" element={<InboxPage />} />
          <Route path="inbox/:threadId" element={<InboxPage />} />
          <Route path="profile" element={<ProfilePage />} />
          <Route path="*" element={<NotFound />} />
        </Route>
      </Routes>
    </BrowserRouter>
  );
}

function NotFound(): ReactNode {
  const t = useTexts().app;
  return (
    <Empty text={t.notFound}>
      <Link to="/inbox" className={buttonClasses()}>
        {t.toInbox}
      </Link>
    </Empty>
  );
}
