import type { ComponentProps, ReactNode } from "react";

import { classes } from "./classes";

export type ButtonKind = "primary" | "plain" | "quiet" | "danger";

const looks: Record<ButtonKind, string> = {
  primary: "border-transparent bg-accent text-accent-text hover:opacity-90",
  plain: "border-line bg-card text-text hover:bg-raised",
  quiet: "border-transparent hover:bg-raised",
  danger: "border-transparent bg-danger text-danger-text hover:opacity-90",
};

export function buttonClasses(kind: ButtonKind = "plain", isIcon = false): string {
  return classes(
    "inline-flex min-h-11 items-center justify-center gap-2 rounded-md border text-sm font-medium md:min-h-9",
    "aria-disabled:opacity-60 disabled:opacity-60",
    isIcon ? "w-11 md:w-9" : "px-3",
    looks[kind],
  );
}

export interface ButtonProps extends ComponentProps<"button"> {
  kind?: ButtonKind;
  /** Shows that the action is under way, and ignores further clicks. */
  busy?: boolean;
}

export function Button({
  kind = "plain",
  busy = false,
  className,
  onClick,
  children,
  ...rest
}: ButtonProps): ReactNode {
  return (
    <button
      type="button"
      className={classes(buttonClasses(kind), className)}
      aria-disabled={busy || undefined}
      onClick={(event) => {
        if (busy) event.preventDefault();
        else onClick?.(event);
      }}
      {...rest}
    >
      {children}
    </button>
  );
}

export interface IconButtonProps extends ButtonProps {
  /** The name of the action, for screen readers and as a tooltip. */
  label: string;
}

export function IconButton({
  label,
  kind = "quiet",
  className,
  children,
  ...rest
}: IconButtonProps): ReactNode {
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      className={classes(buttonClasses(kind, true), className)}
      {...rest}
    >
      {children}
    </button>
  );
}
