import { cp, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { run } from "./command.js";

/** The version of the router in projects that Lovable made before it changed to TanStack Start. */
const routerVersion = "6.30.1";

interface Manifest {
  dependencies: Record<string, string>;
}

/** The projects in a temporary folder. They share one `node_modules`, which is in that folder. */
export interface Projects {
  /** The project with the guide's samples. */
  app: string;
  /** A copy of `examples/react-inbox`. */
  inbox: string;
}

/**
 * Packs the SDK, and installs it with the example's dependencies, whose versions are exact. Both projects use them; the
 * app also has a router.
 */
export async function makeProjects(
  folder: string,
  { sdk, example, samples }: { sdk: string; example: string; samples: Map<string, string> },
): Promise<Projects> {
  const projects = { app: join(folder, "app"), inbox: join(folder, "react-inbox") };
  await cp(join(sdk, "lovable/project"), projects.app, { recursive: true });
  for (const [path, code] of samples) {
    const file = join(projects.app, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, code);
  }
  await cp(example, projects.inbox, {
    recursive: true,
    filter: (path) => !/\/(node_modules|dist)$/.test(path),
  });
  // `prepack` builds the SDK.
  await run("npm", ["pack", "--pack-destination", folder], { cwd: sdk });
  const archive = (await readdir(folder)).find((name) => name.endsWith(".tgz"));
  if (archive === undefined) throw new Error("npm pack wrote no archive");
  const manifest = JSON.parse(await readFile(join(example, "package.json"), "utf8")) as Manifest;
  manifest.dependencies["@vintedbot/sdk"] = `file:${archive}`;
  manifest.dependencies["react-router-dom"] = routerVersion;
  await writeFile(join(folder, "package.json"), JSON.stringify(manifest));
  await run("npm", ["install", "--no-audit", "--no-fund", "--prefer-offline", "--ignore-scripts"], {
    cwd: folder,
  });
  return projects;
}

/** Checks the types of the app. */
export async function checkTypes({ app }: Projects): Promise<void> {
  await run(bin(app, "tsc"), [], { cwd: app });
}

/** Builds the app into its folder `dist`. An empty `baseUrl` counts as absent. */
export async function buildApp({ app }: Projects, baseUrl: string): Promise<void> {
  await run(bin(app, "vite"), ["build", "--logLevel", "warn"], env(app, baseUrl));
}

/** Checks and builds the example with its own script. */
export async function buildInbox({ inbox }: Projects, baseUrl: string): Promise<void> {
  await run("npm", ["run", "build"], env(inbox, baseUrl));
}

function env(cwd: string, baseUrl: string) {
  return { cwd, env: { VITE_API_BASE_URL: baseUrl } };
}

function bin(project: string, name: string): string {
  return join(project, "../node_modules/.bin", name);
}
