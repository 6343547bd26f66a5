import { spawn, type ChildProcess } from "node:child_process";

const running = new Set<ChildProcess>();

/** Runs a command to its end. Fails with the last lines of its output. */
export async function run(
  command: string,
  args: string[],
  { cwd, env = {} }: { cwd: string; env?: Record<string, string> },
): Promise<string> {
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(child);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  }
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  }).finally(() => running.delete(child));
  if (code !== 0) throw new Error(`${command} ${args.join(" ")} failed:\n${lastLines(output)}`);
  return output;
}

/** Ends the commands that are still running. */
export function stopCommands(): void {
  for (const child of running) child.kill();
}

export function lastLines(text: string, count = 30): string {
  return text.trimEnd().split("\n").slice(-count).join("\n");
}
