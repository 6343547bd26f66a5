import { AuthService, type EnrollSecondFactorResponse } from "@vintedbot/sdk";
import { useState, type FormEvent, type ReactNode } from "react";

import { call, refresh } from "../../data/query";
import { describe } from "../../data/session";
import { useTexts } from "../../i18n";
import { Button } from "../../ui/Button";
import { copyText } from "../../ui/copy";
import { Field } from "../../ui/Field";
import { Notice, type Problem } from "../../ui/Notice";
import { toast } from "../../ui/toasts";
import { Section } from "./Section";

type Step =
  | { name: "idle" }
  | { name: "password" }
  | { name: "code"; enrolled: EnrollSecondFactorResponse }
  | { name: "codes"; codes: readonly string[] }
  | { name: "disable" };

/** Sets the second factor up, shows its recovery codes once, and turns it off. */
export function SecondFactor({ isEnabled }: { isEnabled: boolean }): ReactNode {
  const t = useTexts();
  const [step, setStep] = useState<Step>({ name: "idle" });
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const [problem, setProblem] = useState<Problem>();

  const show = (next: Step): void => {
    setStep(next);
    setPassword("");
    setCode("");
    setProblem(undefined);
  };
  const attempt = async (event: FormEvent, run: () => Promise<Step>): Promise<void> => {
    event.preventDefault();
    setProblem(undefined);
    try {
      show(await run());
    } catch (thrown) {
      setProblem(await describe(thrown));
    }
  };
  const enroll = async (): Promise<Step> => ({
    name: "code",
    enrolled: await call(AuthService.method.enrollSecondFactor, { password }),
  });
  const confirm = async (): Promise<Step> => {
    const { recoveryCodes } = await call(AuthService.method.confirmSecondFactor, { code: code.trim() });
    refresh(AuthService.method.getMe);
    return { name: "codes", codes: recoveryCodes };
  };
  const disable = async (): Promise<Step> => {
    await call(AuthService.method.disableSecondFactor, { password, code: code.trim() });
    refresh(AuthService.method.getMe);
    toast({ text: t.profile.disabled });
    return { name: "idle" };
  };

  const passwordField = (
    <Field
      label={t.profile.current}
      type="password"
      autoComplete="current-password"
      required
      value={password}
      error={problem?.fields?.["password"]}
      onChange={(event) => setPassword(event.target.value)}
    />
  );
  const codeField = (
    <Field
      label={t.signIn.code}
      autoComplete="one-time-code"
      required
      value={code}
      error={problem?.fields?.["code"]}
      onChange={(event) => setCode(event.target.value)}
    />
  );
  const actions = (label: string, kind: "primary" | "danger" = "primary"): ReactNode => (
    <div className="flex gap-2">
      <Button kind={kind} type="submit">
        {label}
      </Button>
      <Button onClick={() => show({ name: "idle" })}>{t.app.cancel}</Button>
    </div>
  );

  return (
    <Section title={t.profile.factor} hint={isEnabled ? t.profile.factorOn : t.profile.factorOff}>
      {problem !== undefined && <Notice problem={problem} />}
      {step.name === "idle" && (
        <Button className="self-start" onClick={() => show({ name: isEnabled ? "disable" : "password" })}>
          {isEnabled ? t.profile.disable : t.profile.enable}
        </Button>
      )}
      {step.name === "password" && (
        <form className="flex flex-col gap-3" onSubmit={(event) => void attempt(event, enroll)}>
          <p className="text-sm">{t.profile.enrollPassword}</p>
          {passwordField}
          {actions(t.signIn.continue)}
        </form>
      )}
      {step.name === "code" && (
        <form className="flex flex-col gap-3" onSubmit={(event) => void attempt(event, confirm)}>
          <p className="text-sm">{t.profile.enrollSecret}</p>
          <p className="flex flex-wrap items-center gap-2">
            <code data-testid="secret" className="rounded bg-raised px-2 py-1 select-all">
              {step.enrolled.secret}
            </code>
            <Button kind="quiet" onClick={() => void copyText(step.enrolled.secret)}>
              {t.app.copy}
            </Button>
          </p>
          <a href={step.enrolled.uri} className="text-sm text-accent underline">
            {t.profile.enrollLink}
          </a>
          <p className="text-sm">{t.profile.enrollCode}</p>
          {codeField}
          {actions(t.profile.confirm)}
        </form>
      )}
      {step.name === "codes" && (
        <div className="flex flex-col gap-3">
          <h3 className="font-semibold">{t.profile.codesTitle}</h3>
          <p className="text-sm">{t.profile.codesHint}</p>
          <ul data-testid="codes" className="grid grid-cols-2 gap-1">
            {step.codes.map((one) => (
              <li key={one}>
                <code>{one}</code>
              </li>
            ))}
          </ul>
          <div className="flex gap-2">
            <Button onClick={() => void copyText(step.codes.join("\n"))}>{t.app.copy}</Button>
            <Button kind="primary" onClick={() => show({ name: "idle" })}>
              {t.profile.codesDone}
            </Button>
          </div>
        </div>
      )}
      {step.name === "disable" && (
        <form className="flex flex-col gap-3" onSubmit={(event) => void attempt(event, disable)}>
          <p className="text-sm">{t.profile.disableHint}</p>
          {passwordField}
          {codeField}
          {actions(t.profile.disable, "danger")}
        </form>
      )}
    </Section>
  );
}
