// What the programs are put together with: one module a program over HTTP, or several in one.

import { createDirectory, type Directory } from "./directory.ts";
import { remoteKeys } from "./keys.ts";
import type { Module } from "./modules.ts";
import { createService, type Service, type Surroundings } from "./service.ts";
import { createServiceCheck, type ServiceProof } from "./service_auth.ts";

/** How a program finds others, and who may ask it for more than the world may. */
export interface Neighbours {
  /** Apps that it asks, or whose keys it needs. */
  readonly apps: readonly string[];
  /** Apps that may use what is for services only. */
  readonly callers?: readonly string[];
}

/** Creates a directory of these neighbours. */
export function directoryOf(around: Surroundings, { apps, callers = [] }: Neighbours): Directory {
  return createDirectory(around, [...new Set([...apps, ...callers])]);
}

/** How a program's modules are served. */
export interface Serving {
  /** Apps that may use what is for services only. */
  readonly callers?: readonly string[];
  /** Whose keys are shown at GET /keys. */
  readonly proof?: ServiceProof;
  /** What stands before the paths of the modules: `/api`. */
  readonly base?: string;
  /** A module whose paths have nothing before them: it takes what nobody else has. */
  readonly front?: Pick<Module<unknown>, "routes">;
}

/** The same directory for apps whose paths all begin with `base`. */
export function under(directory: Directory, base: string): Directory {
  return { call: (app, path, options) => directory.call(app, base + path, options) };
}

/** Serves one module, or several in one process, as a program's handler. */
export function serveModules(
  around: Surroundings,
  directory: Directory,
  modules: readonly Pick<Module<unknown>, "routes">[],
  { callers = [], proof, base = "", front }: Serving,
): Service {
  const keysOf = (app: string) => remoteKeys(directory, app, around.now);
  const ownServicesOnly = createServiceCheck(around, keysOf, callers);
  return createService(around, (kit) => {
    if (proof) kit.app.get("/keys", (c) => c.json(proof.keys));
    const api = base === "" ? kit : { ...kit, app: kit.app.basePath(base) };
    for (const module of modules) module.routes(api, ownServicesOnly);
    front?.routes(kit, ownServicesOnly);
  });
}
