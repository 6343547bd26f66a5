import { Component, type ReactNode } from "react";

import { texts } from "../i18n";
import { Button } from "./Button";

/** Contains the failure of one part of the page, so that the other parts go on. */
export class Boundary extends Component<{ children: ReactNode }, { hasFailed: boolean }> {
  override state = { hasFailed: false };

  static getDerivedStateFromError(): { hasFailed: boolean } {
    return { hasFailed: true };
  }

  override render(): ReactNode {
    if (!this.state.hasFailed) return this.props.children;
    const t = texts().app;
    return (
      <div role="alert" className="flex flex-col items-start gap-3 p-4">
        <p>
          <strong>{t.broken}</strong> {t.brokenNext}
        </p>
        <div className="flex gap-2">
          <Button onClick={() => this.setState({ hasFailed: false })}>{t.reopen}</Button>
          <Button onClick={() => location.reload()}>{t.reload}</Button>
        </div>
      </div>
    );
  }
}
