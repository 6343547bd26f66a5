import { useEffect, useRef, useState, type FormEvent, type ReactNode } from "react";

import { useTexts } from "../../i18n";
import { Button } from "../../ui/Button";
import { Field } from "../../ui/Field";
import { Notice, type Problem } from "../../ui/Notice";

type Step = "password" | "code" | "recovery";

/** The SDK is loaded while the person types. */
const session = (): Promise<typeof import("../../data/session")> => import("../../data/session");

/** Signs a person in, with a code of the second factor if the server asks for one. */
export default function SignIn({ hasEnded }: { hasEnded: boolean }): ReactNode {
  const t = useTexts();
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const [step, setStep] = useState<Step>("password");
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  const codeField = useRef<HTMLInputElement>(null);

  useEffect(() => {
    document.title = `${t.signIn.title} · vintedbot`;
    void session();
  }, [t]);
  useEffect(() => {
    if (step !== "password") codeField.current?.focus();
  }, [step]);

  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    if (isBusy) return;
    setBusy(true);
    setProblem(undefined);
    const { signIn, describe } = await session();
    try {
      const isIn = await signIn(email.trim(), password, step === "password" ? "" : code.trim());
      if (!isIn) setStep("code");
    } catch (thrown) {
      setProblem(await describe(thrown));
      setCode("");
    } finally {
      setBusy(false);
    }
  };

  const credential = (
    name: "email" | "password",
    autoComplete: string,
    value: string,
    onType: (value: string) => void,
  ): ReactNode => (
    <Field
      label={t.signIn[name]}
      type={name}
      name={name}
      autoComplete={autoComplete}
      required
      value={value}
      error={problem?.fields?.[name]}
      onChange={(event) => onType(event.target.value)}
    />
  );

  return (
    <main className="grid min-h-full place-items-center p-4">
      <form
        className="flex w-full max-w-sm flex-col gap-4 rounded-lg border border-line bg-card p-6"
        onSubmit={(event) => void submit(event)}
      >
        <h1 className="text-xl font-semibold">{t.signIn.title}</h1>
        {hasEnded && problem === undefined && <p role="status">{t.signIn.ended}</p>}
        {problem !== undefined && <Notice problem={problem} />}
        {step === "password" ? (
          <>
            {credential("email", "username", email, setEmail)}
            {credential("password", "current-password", password, setPassword)}
          </>
        ) : (
          <Field
            ref={codeField}
            key={step}
            label={step === "code" ? t.signIn.code : t.signIn.recovery}
            hint={step === "code" ? t.signIn.codeHint : t.signIn.recoveryHint}
            name="code"
            required
            autoComplete={step === "code" ? "one-time-code" : "off"}
            inputMode={step === "code" ? "numeric" : "text"}
            value={code}
            onChange={(event) => setCode(event.target.value)}
          />
        )}
        <Button kind="primary" type="submit" busy={isBusy}>
          {step === "password" ? t.signIn.submit : t.signIn.continue}
        </Button>
        {step !== "password" && (
          <div className="flex flex-wrap justify-between gap-2">
            <Button kind="quiet" onClick={() => setStep("password")}>
              {t.signIn.back}
            </Button>
            <Button
              kind="quiet"
              onClick={() => {
                setCode("");
                setStep(step === "code" ? "recovery" : "code");
              }}
            >
              {step === "code" ? t.signIn.useRecovery : t.signIn.useApp}
            </Button>
          </div>
        )}
      </form>
    </main>
  );
}
