/** The values that the samples of the README for browsers take as given. `readme.test.ts` sets `given`. */
declare global {
  var given: { email: string; password: string; accountId: string; code: string };
  var email: string;
  var password: string;
  var accountId: string;
  var title: string;
  function showPage(name: string): void;
  function showSignIn(message?: string): void;
  /** Asks the person for a code of the second factor. */
  function askForCode(): Promise<string>;
}

Object.assign(globalThis, {
  email: given.email,
  password: given.password,
  accountId: given.accountId,
  title: "Écharpe en laine",
  showPage: (name: string) => (document.title = `page of ${name}`),
  showSignIn: (message = "") => (document.title = `sign-in ${message}`),
  askForCode: () => Promise.resolve(given.code),
});

export {};
