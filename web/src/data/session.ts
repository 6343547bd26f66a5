import { AuthService, Code, ErrorReason, callError, isReason } from "@vintedbot/sdk";

import { authState, setAuth } from "./auth";
import { connection } from "./connection";

export { describe } from "./problem";

/** Asks the server whether a person is signed in. */
export async function probe(): Promise<void> {
  try {
    await connection.client(AuthService).getMe({});
    setAuth({ status: "in", hasEnded: false });
  } catch (thrown) {
    if (callError(thrown).code !== Code.Unauthenticated) throw thrown;
    // If the session has ended, `onSignedOut` has set the state.
    if (authState().status !== "out") setAuth({ status: "out", hasEnded: false });
  }
}

/** Signs a person in. Returns false if a code of the second factor is needed. */
export async function signIn(email: string, password: string, code: string): Promise<boolean> {
  try {
    await connection.session.signIn({ email, password, code });
  } catch (thrown) {
    if (isReason(thrown, ErrorReason.SECOND_FACTOR_REQUIRED)) return false;
    throw thrown;
  }
  setAuth({ status: "in", hasEnded: false });
  return true;
}

/** Ends this session, or all sessions of the person. */
export async function signOut(everywhere = false): Promise<void> {
  await connection.session.signOut({ everywhere });
  setAuth({ status: "out", hasEnded: false });
}
