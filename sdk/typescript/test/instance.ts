/** An instance in mock mode with one person, who owns the workspace. */
import { owner, startProgram, type Credentials } from "../testing/program.js";

export interface Instance {
  baseUrl: string;
  /** An API token with all scopes. */
  token: string;
  person: Credentials;
  /** Stops the program and removes its folder. */
  stop(): Promise<void>;
}

/** Starts an instance and waits until it listens. Pages of the given origins may call it. */
export async function startInstance(...allowedOrigins: string[]): Promise<Instance> {
  const program = await startProgram({ ALLOWED_ORIGINS: allowedOrigins.join(",") });
  program.createOwner();
  const { url: baseUrl, token, stop } = program;
  return { baseUrl, token, person: owner, stop };
}
