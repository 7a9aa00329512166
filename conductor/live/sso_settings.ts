import { Failure } from "../../core/errors.ts";
import { parseSsoSettings, type SsoSettings } from "../trust/sso.ts";

/** Reads the file of `--sso`, which holds a secret. @throws {Failure} `usage`. */
export async function readSsoSettings(path: string): Promise<SsoSettings> {
  let json: string;
  try {
    json = await Deno.readTextFile(path);
    const { mode } = await Deno.stat(path);
    if (mode !== null && (mode & 0o077) !== 0) {
      throw new Error(`others can read it: run chmod 600 ${path}`);
    }
  } catch (error) {
    throw new Failure(
      "usage",
      `cannot use ${path} for single sign-on: ${(error as Error).message}`,
    );
  }
  return parseSsoSettings(json, path);
}
