import type { ReactNode } from "react";

/** The outline of rows that are being loaded. It appears after 150 ms, so that a fast answer does not flicker. */
export function Skeleton({ rows = 6, label }: { rows?: number; label: string }): ReactNode {
  return (
    <div role="status" className="late flex flex-col gap-3 p-3">
      <span className="sr-only">{label}</span>
      {Array.from({ length: rows }, (_, at) => (
        <div key={at} aria-hidden className="flex flex-col gap-2">
          <div className="h-4 w-2/5 rounded bg-raised" />
          <div className="h-4 w-4/5 rounded bg-raised" />
        </div>
      ))}
    </div>
  );
}
