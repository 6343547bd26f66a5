import { callError, ErrorReason, fieldErrors } from "@vintedbot/sdk";
import { useEffect, useState } from "react";

import { loadReasons, texts, type ReasonName } from "../i18n";

/** A failed call in the words of the person. */
export interface ProblemText {
  text: string;
  next: string;
  requestId: string;
  fields: Readonly<Record<string, string>>;
}

/** Describes what happened and what to do. */
export async function describe(thrown: unknown): Promise<ProblemText> {
  const { reason, reasonName, problem, requestId, message, metadata } = callError(thrown);
  const { problems } = texts();
  const base = { requestId, fields: fieldErrors(thrown) };
  if (reason !== ErrorReason.UNSPECIFIED) {
    const [text, next] = (await loadReasons())[ErrorReason[reason] as ReasonName];
    // The site's own message is more exact than the reason.
    const siteMessage = metadata["site_message"] ?? "";
    return { ...base, text: siteMessage === "" ? text : `${text} ${siteMessage}`, next };
  }
  // A newer server may have reasons that this console does not know.
  if (reasonName !== "") return { ...base, text: message, next: problems.unknown[1] };
  const isCall = requestId !== "";
  const [text, next] = problems[problem ?? (isCall ? "broken" : "unknown")];
  return { ...base, text, next };
}

/** The description of an error, as soon as it is loaded. */
export function useProblem(thrown: unknown): ProblemText | undefined {
  const [problem, setProblem] = useState<ProblemText>();
  useEffect(() => {
    let isCurrent = true;
    setProblem(undefined);
    if (thrown === undefined || thrown === null) return undefined;
    void describe(thrown).then((found) => {
      if (isCurrent) setProblem(found);
    });
    return () => {
      isCurrent = false;
    };
  }, [thrown]);
  return problem;
}

/** Returns the text and the next step of a reason that a resource has, such as a failed reply. */
export async function describeReason(reason: ErrorReason): Promise<readonly [string, string] | undefined> {
  if (reason === ErrorReason.UNSPECIFIED) return undefined;
  return (await loadReasons())[ErrorReason[reason] as ReasonName];
}
