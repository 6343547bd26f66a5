import type { ReactNode } from "react";

/** One sentence and one action in place of a list without entries. */
export function Empty({ text, children }: { text: string; children?: ReactNode }): ReactNode {
  return (
    <div className="flex flex-col items-center gap-3 p-6 text-center text-soft">
      <p>{text}</p>
      {children}
    </div>
  );
}
