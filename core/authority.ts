/**
 * The one table of who may do what: the role that each verb needs. Whoever adds a verb adds a line;
 * the compiler asks for it.
 */

import type { OperatorCommand } from "./command.ts";
import { parseManifest } from "./manifest/parse.ts";
import type { AppSpec } from "./manifest/spec.ts";
import type { Reach, Role } from "./roster.ts";

export const NEEDED_ROLE: { readonly [V in OperatorCommand["verb"]]: Role } = {
  APPLY: "deployer",
  DOWN: "deployer",
  STOP: "deployer",
  START: "deployer",
  RESTART: "deployer",
  SCALE: "deployer",
  PAUSE: "deployer",
  RESUME: "deployer",
  SUBMIT: "deployer",
  ROLLOUT: "deployer",
  EVICT: "deployer",
  UPLOAD: "deployer",
  RUN: "deployer",
  EXEC: "exec",
  OPEN: "exec",
  OPERATOR: "admin",
  GRANT: "admin",
  UNGRANT: "admin",
  /** But one's own key anybody may rotate. */
  ROTATE: "admin",
  REVOKE: "admin",
  QUOTA: "admin",
  /** What is done to a node concerns every namespace. */
  CORDON: "admin",
  UNCORDON: "admin",
  DRAIN: "admin",
  REBALANCE: "admin",
  RELEASE: "deployer",
  SECRET: "deployer",
  UNSECRET: "deployer",
  DECK: "viewer",
  FORGET: "admin",
  SUCCEED: "admin",
};

/**
 * Where a command acts.
 *
 * @param namespaceOf the namespace of an app that is known already
 * @param manifest what a v1 command found at its path
 */
export function reachOf(
  command: OperatorCommand,
  namespaceOf: (app: string) => string | undefined,
  manifest?: string,
): Reach {
  switch (command.verb) {
    case "APPLY":
      return reachOfManifest(command.manifest);
    case "SUBMIT":
    case "ROLLOUT":
      return manifest === undefined ? {} : reachOfManifest(manifest);
    default: {
      const app = "app" in command ? command.app : undefined;
      const namespace = "namespace" in command
        ? command.namespace
        : app === undefined
        ? undefined
        : namespaceOf(app);
      return {
        ...(namespace === undefined ? {} : { namespace }),
        ...(app === undefined ? {} : { app }),
      };
    }
  }
}

function reachOfManifest(manifest: string): Reach {
  const parsed = parseManifest(manifest);
  const spec: AppSpec | undefined = parsed.ok ? parsed.apps[0] : undefined;
  return spec ? { namespace: spec.namespace, app: spec.name } : {};
}
