// What a replica is started with: `${...}` in its program, arguments and environment replaced.

import type { AppSpec } from "./spec.ts";
import { substitute, type VariableName } from "./variables.ts";

/** What the variables stand for; one without a value stays as it is written. */
export type Values = { readonly [name in VariableName]?: string };

export interface Expanded {
  readonly exec?: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  /** In the order of the manifest; without what comes from volumes and the secret store. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Puts a replica's own values into its specification; `$$` becomes `$`. A literal in `env PORT`
 * that equals the app's port counts as `${PORT}`, so that manifests written for one replica a
 * node work for several.
 */
export function expand(spec: AppSpec, values: Values): Expanded {
  const put = (text: string) => substitute(text, values);
  const env = Object.entries(spec.env).map(([name, text]) => {
    const isPort = name === "PORT" && spec.port !== undefined && text === String(spec.port.number);
    return [name, put(isPort ? "${PORT}" : text)] as const;
  });
  return {
    ...(spec.exec === undefined ? {} : { exec: put(spec.exec) }),
    args: spec.args.map(put),
    ...(spec.cwd === undefined ? {} : { cwd: put(spec.cwd) }),
    env: Object.fromEntries(env),
  };
}
