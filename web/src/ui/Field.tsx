import { useId, type ComponentProps, type ReactNode } from "react";

import { classes } from "./classes";

export const inputClasses =
  "min-h-11 w-full rounded-md border border-line bg-card px-3 py-2 text-base text-text md:min-h-9 md:text-sm placeholder:text-soft";

interface Described {
  label: string;
  hint?: string | undefined;
  error?: string | undefined;
}

interface Ids {
  id: string;
  "aria-describedby": string | undefined;
  "aria-invalid": boolean | undefined;
}

/** A label, a control, and below it a hint or what is wrong. */
function Labelled({
  label,
  hint,
  error,
  children,
}: Described & { children: (ids: Ids) => ReactNode }): ReactNode {
  const id = useId();
  const below = error ?? hint;
  return (
    <div className="flex flex-col gap-1">
      <label htmlFor={id} className="text-sm font-medium">
        {label}
      </label>
      {children({
        id,
        "aria-describedby": below === undefined ? undefined : `${id}-below`,
        "aria-invalid": error === undefined ? undefined : true,
      })}
      {below !== undefined && (
        <p
          id={`${id}-below`}
          className={classes("text-sm", error === undefined ? "text-soft" : "text-danger")}
        >
          {below}
        </p>
      )}
    </div>
  );
}

export function Field({
  label,
  hint,
  error,
  className,
  ...rest
}: Described & ComponentProps<"input">): ReactNode {
  return (
    <Labelled label={label} hint={hint} error={error}>
      {(ids) => <input {...ids} className={classes(inputClasses, className)} {...rest} />}
    </Labelled>
  );
}

export function TextArea({
  label,
  hint,
  error,
  className,
  ...rest
}: Described & ComponentProps<"textarea">): ReactNode {
  return (
    <Labelled label={label} hint={hint} error={error}>
      {(ids) => <textarea {...ids} className={classes(inputClasses, className)} {...rest} />}
    </Labelled>
  );
}

export function Select({
  label,
  hint,
  error,
  className,
  ...rest
}: Described & ComponentProps<"select">): ReactNode {
  return (
    <Labelled label={label} hint={hint} error={error}>
      {(ids) => <select {...ids} className={classes(inputClasses, className)} {...rest} />}
    </Labelled>
  );
}
