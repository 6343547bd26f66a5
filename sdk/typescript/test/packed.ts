/** The package as a project gets it: built and packed. */
import { execFileSync } from "node:child_process";
import { copyFile, mkdir, symlink } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";

export interface Tarball {
  path: string;
  /** The paths of the files in the package. */
  files: string[];
}

/** Builds and packs the package in a folder, apart from `dist`, which another command may be replacing. */
export async function pack(folder: string): Promise<Tarball> {
  const source = join(folder, "package");
  await mkdir(source, { recursive: true });
  execFileSync("node_modules/.bin/tsc", ["-p", "tsconfig.build.json", "--outDir", join(source, "dist")]);
  for (const file of ["package.json", "README.md"]) await copyFile(file, join(source, file));
  const json = execFileSync("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", folder], {
    cwd: source,
    encoding: "utf8",
  });
  const [packed] = JSON.parse(json) as [{ filename: string; files: { path: string }[] }];
  return { path: join(folder, packed.filename), files: packed.files.map(({ path }) => path) };
}

/** Unpacks the package into `node_modules` of a folder, next to links to the given installed packages. */
export async function unpack(folder: string, ...linked: string[]): Promise<void> {
  const target = join(folder, "node_modules/@vintedbot/sdk");
  const tarball = await pack(folder);
  await mkdir(target, { recursive: true });
  execFileSync("tar", ["-xzf", tarball.path, "-C", target, "--strip-components=1"]);
  for (const name of linked) {
    const link = join(folder, "node_modules", name);
    await mkdir(dirname(link), { recursive: true });
    await symlink(resolve("node_modules", name), link);
  }
}
