import { CircleAlert } from "lucide-react";
import { useState, type ReactNode } from "react";

import { useTexts } from "../i18n";
import { Button } from "./Button";
import { copyText } from "./copy";

/** What happened, what to do, and the id to find it in the server's log. */
export interface Problem {
  text: string;
  next: string;
  requestId: string;
  /** The texts of wrong fields by their path. */
  fields?: Readonly<Record<string, string>>;
}

export function Notice({ problem, onRetry }: { problem: Problem; onRetry?: () => void }): ReactNode {
  const t = useTexts();
  const [isCopied, setCopied] = useState(false);
  return (
    <div
      role="alert"
      className="flex gap-3 rounded-md border border-danger bg-danger-soft p-3 text-sm text-text"
    >
      <CircleAlert aria-hidden size={18} className="mt-0.5 shrink-0 text-danger" />
      <div className="flex min-w-0 flex-1 flex-col gap-2">
        <p>
          <strong>{problem.text}</strong> {problem.next}
        </p>
        {onRetry !== undefined && (
          <p>
            <Button onClick={onRetry}>{t.app.retry}</Button>
          </p>
        )}
        {problem.requestId !== "" && (
          <p className="flex flex-wrap items-center gap-2 text-soft">
            {t.app.requestId}: <code className="select-all">{problem.requestId}</code>
            <Button
              kind="quiet"
              onClick={() => {
                void copyText(problem.requestId).then(setCopied);
              }}
            >
              {isCopied ? t.app.copied : t.app.copy}
            </Button>
          </p>
        )}
      </div>
    </div>
  );
}
