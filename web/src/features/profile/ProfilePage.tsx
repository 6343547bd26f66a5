import { AuthService, timestampDate, type GetMeResponse, type UserSession } from "@vintedbot/sdk";
import { useEffect, useState, type FormEvent, type ReactNode } from "react";

import { useProblem } from "../../data/problem";
import { call, refresh, replaceAnswer, useCall } from "../../data/query";
import { describe, signOut } from "../../data/session";
import { currentLanguage, languages, setLanguage, storeLanguage, useTexts, type Language } from "../../i18n";
import { Button } from "../../ui/Button";
import { Field, Select } from "../../ui/Field";
import { Notice, type Problem } from "../../ui/Notice";
import { Skeleton } from "../../ui/Skeleton";
import { storedTheme, storeTheme, type Theme } from "../../ui/theme";
import { Time } from "../../ui/Time";
import { toast } from "../../ui/toasts";
import { SecondFactor } from "./SecondFactor";
import { Section } from "./Section";

/** The person's own data: name, password, second factor, sessions and preferences. */
export default function ProfilePage(): ReactNode {
  const t = useTexts();
  const me = useCall(AuthService.method.getMe, {});
  const problem = useProblem(me.error);
  useEffect(() => {
    document.title = `${t.profile.title} · vintedbot`;
  }, [t]);
  return (
    <div className="h-full overflow-auto">
      <div className="mx-auto flex max-w-2xl flex-col gap-6 p-4">
        <h1 className="text-xl font-semibold">{t.profile.title}</h1>
        {problem !== undefined && <Notice problem={problem} onRetry={() => void me.refetch()} />}
        {me.isPending && <Skeleton label={t.app.loading} />}
        {me.data !== undefined && (
          <>
            <Name me={me.data} />
            <Password />
            <SecondFactor isEnabled={me.data.user?.secondFactorEnabled ?? false} />
            <Sessions />
          </>
        )}
        <Preferences />
      </div>
    </div>
  );
}

function Name({ me }: { me: GetMeResponse }): ReactNode {
  const t = useTexts();
  const { user, workspaceName } = me;
  const [name, setName] = useState(user?.displayName ?? "");
  const [problem, setProblem] = useState<Problem>();
  const save = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    setProblem(undefined);
    try {
      const { user: changed } = await call(AuthService.method.updateMe, { displayName: name });
      replaceAnswer(AuthService.method.getMe, {}, (known) =>
        changed === undefined ? known : { ...known, user: changed },
      );
      toast({ text: t.app.saved });
    } catch (thrown) {
      setProblem(await describe(thrown));
    }
  };
  return (
    <Section title={t.profile.name}>
      <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1 text-sm">
        <dt className="text-soft">{t.profile.email}</dt>
        <dd>{user?.email}</dd>
        <dt className="text-soft">{t.profile.workspace}</dt>
        <dd>{workspaceName}</dd>
        <dt className="text-soft">{t.profile.role}</dt>
        <dd>{t.profile.roles[user?.role ?? 0]}</dd>
      </dl>
      <form className="flex flex-col gap-3" onSubmit={(event) => void save(event)}>
        {problem !== undefined && <Notice problem={problem} />}
        <Field
          label={t.profile.name}
          hint={t.profile.nameHint}
          error={problem?.fields?.["display_name"]}
          autoComplete="name"
          maxLength={100}
          required
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
        <Button type="submit" className="self-start">
          {t.app.save}
        </Button>
      </form>
    </Section>
  );
}

function Password(): ReactNode {
  const t = useTexts();
  const [current, setCurrent] = useState("");
  const [next, setNext] = useState("");
  const [problem, setProblem] = useState<Problem>();
  const change = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    setProblem(undefined);
    try {
      await call(AuthService.method.changePassword, { currentPassword: current, newPassword: next });
      setCurrent("");
      setNext("");
      refresh(AuthService.method.listUserSessions);
      toast({ text: t.profile.changed });
    } catch (thrown) {
      setProblem(await describe(thrown));
    }
  };
  return (
    <Section title={t.profile.password}>
      <form className="flex flex-col gap-3" onSubmit={(event) => void change(event)}>
        {problem !== undefined && <Notice problem={problem} />}
        <Field
          label={t.profile.current}
          error={problem?.fields?.["current_password"]}
          type="password"
          autoComplete="current-password"
          required
          value={current}
          onChange={(event) => setCurrent(event.target.value)}
        />
        <Field
          label={t.profile.next}
          hint={t.profile.nextHint}
          error={problem?.fields?.["new_password"]}
          type="password"
          autoComplete="new-password"
          required
          value={next}
          onChange={(event) => setNext(event.target.value)}
        />
        <Button type="submit" className="self-start">
          {t.profile.change}
        </Button>
      </form>
    </Section>
  );
}

function Sessions(): ReactNode {
  const t = useTexts();
  const answer = useCall(AuthService.method.listUserSessions, { pageSize: 200 });
  const problem = useProblem(answer.error);
  const end = async ({ id }: UserSession): Promise<void> => {
    try {
      await call(AuthService.method.revokeUserSession, { id });
      refresh(AuthService.method.listUserSessions);
      toast({ text: t.profile.ended });
    } catch (thrown) {
      const { text, next } = await describe(thrown);
      toast({ kind: "problem", text: `${text} ${next}` });
    }
  };
  return (
    <Section title={t.profile.sessions} hint={t.profile.sessionsHint}>
      {problem !== undefined && <Notice problem={problem} onRetry={() => void answer.refetch()} />}
      {answer.isPending && <Skeleton rows={2} label={t.app.loading} />}
      <ul className="flex flex-col divide-y divide-line">
        {answer.data?.sessions.map((session) => (
          <li key={session.id} className="flex flex-wrap items-center justify-between gap-2 py-2 text-sm">
            <div className="min-w-0 flex-1">
              <p className="font-medium">{session.device}</p>
              <p className="text-soft">
                {session.address} · {t.profile.lastUse}{" "}
                {session.lastUseTime && <Time date={timestampDate(session.lastUseTime)} />}
              </p>
            </div>
            {session.current ? (
              <strong className="text-accent">{t.profile.thisSession}</strong>
            ) : (
              <Button onClick={() => void end(session)}>{t.profile.end}</Button>
            )}
          </li>
        ))}
      </ul>
      <Button className="self-start" onClick={() => void signOut(true)}>
        {t.profile.endAll}
      </Button>
    </Section>
  );
}

function Preferences(): ReactNode {
  const t = useTexts();
  const change = (language: Language): void => {
    storeLanguage(language);
    void setLanguage(language);
  };
  return (
    <Section title={t.profile.preferences}>
      <Select
        label={t.app.language}
        value={currentLanguage()}
        onChange={(event) => change(event.target.value as Language)}
      >
        {Object.entries(languages).map(([language, name]) => (
          <option key={language} value={language}>
            {name}
          </option>
        ))}
      </Select>
      <ThemeChoice />
    </Section>
  );
}

function ThemeChoice(): ReactNode {
  const t = useTexts().app;
  const [theme, setTheme] = useState(storedTheme);
  return (
    <Select
      label={t.theme}
      value={theme}
      onChange={(event) => {
        const next = event.target.value as Theme;
        setTheme(next);
        storeTheme(next);
      }}
    >
      {(["system", "light", "dark"] as const).map((name) => (
        <option key={name} value={name}>
          {t.themes[name]}
        </option>
      ))}
    </Select>
  );
}
