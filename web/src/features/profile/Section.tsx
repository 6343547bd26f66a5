import { useId, type ReactNode } from "react";

export function Section({
  title,
  hint,
  children,
}: {
  title: string;
  hint?: string;
  children: ReactNode;
}): ReactNode {
  const id = useId();
  return (
    <section aria-labelledby={id} className="flex flex-col gap-3 rounded-lg border border-line bg-card p-4">
      <h2 id={id} className="text-base font-semibold">
        {title}
      </h2>
      {hint !== undefined && <p className="text-sm text-soft">{hint}</p>}
      {children}
    </section>
  );
}
