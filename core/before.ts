/**
 * The `before` of a manifest as something that a node can run: once, to its end, without a port,
 * probes or routes, with all else as the app has it.
 */

import type { AppSpec } from "./manifest/spec.ts";

/** The program of the app's `before`; `null` where it has none. */
export function specOfBefore(app: AppSpec): AppSpec | null {
  const { before } = app;
  if (!before) return null;
  const { port: _port, health: _health, scale: _scale, serve: _serve, ...rest } = app;
  return {
    ...rest,
    exec: before.exec,
    args: before.args,
    replicas: 1,
    restart: "never",
    drainMs: 0,
    routes: [],
  };
}

/** What runs of an app: the app itself, or its `before`. */
export function specOfPart(app: AppSpec, part: "before" | undefined): AppSpec | null {
  return part === undefined ? app : specOfBefore(app);
}
