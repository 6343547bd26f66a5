import { lazy, Suspense, useEffect, useState, type ReactNode } from "react";

import { useAuth } from "../data/auth";
import { useTexts } from "../i18n";
import { Boundary } from "../ui/Boundary";
import { Skeleton } from "../ui/Skeleton";

const App = lazy(() => import("./App"));
const SignIn = lazy(() => import("../features/signin/SignIn"));

/** How long a first visit waits for the server before it shows the form. */
const checkingMs = 500;

/** Shows the pages, or the form that signs a person in. The address stays the same, so sign-in leads back to it. */
export function Root(): ReactNode {
  const { status, hasEnded } = useAuth();
  const t = useTexts();
  const isLate = useProbe(status === "checking");
  return (
    <Boundary>
      <Suspense fallback={<Skeleton label={t.app.loading} />}>
        {status === "in" && <App />}
        {(status === "out" || (status === "checking" && isLate)) && <SignIn hasEnded={hasEnded} />}
        {status === "checking" && !isLate && <Skeleton label={t.app.loading} />}
      </Suspense>
    </Boundary>
  );
}

/** Asks the server who is signed in. Returns true when the answer takes long. */
function useProbe(isChecking: boolean): boolean {
  const [isLate, setLate] = useState(false);
  useEffect(() => {
    if (!isChecking) return undefined;
    const timer = setTimeout(() => setLate(true), checkingMs);
    // If the server does not answer, the form shows the problem when it is used.
    import("../data/session").then(({ probe }) => probe()).catch(() => setLate(true));
    return () => clearTimeout(timer);
  }, [isChecking]);
  return isLate;
}
