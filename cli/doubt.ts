// What is said of a command whose answer never came: whether it was executed nobody knows.

import type { OperatorCommand } from "../core/command.ts";
import { Failure } from "../core/errors.ts";

/** A command that may be sent again, since it carries an id. */
export type IdCommand = Extract<OperatorCommand, { id: string }>;

/** What nobody knows, which command tells it later, and what comes of giving the same one again. */
interface Doubt {
  readonly whether: string;
  readonly tells: string;
  readonly again: string;
}

const SAFE = "the same command may be given again";
const REFUSED = `${SAFE}: it is refused where it was executed`;

/** The failure that an unanswered command is, with what to do about it. */
export function inDoubt(command: IdCommand, why: Failure): Failure {
  const { whether, tells, again } = doubtOf(command);
  return new Failure(
    "unreachable",
    `nobody knows whether ${whether}: ${why.message}; ${tells} tells when the conductor is back, ` +
      `and ${again}`,
  );
}

function doubtOf(command: IdCommand): Doubt {
  const doubt = (whether: string, tells: string, again = SAFE) => ({ whether, tells, again });
  switch (command.verb) {
    case "APPLY": {
      const { app, generation } = command;
      return doubt(`generation ${generation} of ${app} was accepted`, `skr8tr history ${app}`);
    }
    case "RUN":
      return doubt(
        `a run of ${command.app} has begun`,
        `skr8tr runs ${command.app}`,
        "to give the same command again may start another",
      );
    case "DOWN":
      return doubt(`${command.app} was taken down`, "skr8tr list");
    case "STOP":
      return doubt(`${command.app} was stopped`, `skr8tr status ${command.app}`);
    case "START":
      return doubt(`${command.app} was started`, `skr8tr status ${command.app}`);
    case "SCALE":
      return doubt(`${command.app} was scaled`, `skr8tr status ${command.app}`);
    case "RESTART":
      return doubt(
        `the restart of ${command.app} has begun`,
        `skr8tr status ${command.app}`,
        "to give the same command again may restart it once more",
      );
    case "PAUSE":
      return doubt(
        `the rollout of ${command.app} was paused`,
        `skr8tr rollout status ${command.app}`,
      );
    case "RESUME":
      return doubt(
        `the rollout of ${command.app} was resumed`,
        `skr8tr rollout status ${command.app}`,
      );
    case "CORDON":
      return doubt(`${command.node} was cordoned`, "skr8tr nodes");
    case "UNCORDON":
      return doubt(`${command.node} takes replicas again`, "skr8tr nodes");
    case "DRAIN":
      return doubt(`the drain of ${command.node} has begun`, "skr8tr nodes");
    case "REBALANCE":
      return doubt("a rebalancing has begun", "skr8tr audit");
    case "RELEASE":
      return doubt(`the volumes of ${command.app} were given up`, "skr8tr volume list");
    case "UPLOAD":
      return doubt(`artifact ${command.sha256.slice(0, 12)} was announced`, "skr8tr audit");
    case "OPERATOR":
      return doubt(
        `operator ${command.name} was added`,
        "skr8tr operator list",
        REFUSED,
      );
    case "GRANT":
      return doubt(
        `${command.name} was given the grant`,
        "skr8tr operator list",
        "to give the same command again may make a second grant of it",
      );
    case "UNGRANT":
      return doubt(
        `grant ${command.grant} was taken from ${command.name}`,
        "skr8tr operator list",
        REFUSED,
      );
    case "ROTATE":
      return doubt(
        `${command.name} has another key`,
        "skr8tr operator list",
        "until then keep both keys: one of them is good",
      );
    case "REVOKE":
      return doubt(
        `${command.name} was revoked`,
        "skr8tr operator list",
        REFUSED,
      );
    case "QUOTA":
      return doubt(
        `the quota of ${command.namespace} was set`,
        `skr8tr quota ${command.namespace}`,
      );
    case "SECRET":
      return doubt(`secret ${command.secret} was set`, "skr8tr secret list");
    case "UNSECRET":
      return doubt(
        `secret ${command.secret} was removed`,
        "skr8tr secret list",
        REFUSED,
      );
    case "FORGET":
      return doubt(
        `${command.member} was forgotten`,
        "skr8tr nodes",
        REFUSED,
      );
    case "DECK":
      return doubt("the link is good", "skr8tr audit", "the same command makes another link");
    case "OPEN":
      return doubt(
        `the stream to ${command.replica} was opened`,
        "skr8tr audit",
        "to give the same command again opens another",
      );
    case "SUCCEED":
      return doubt(`${command.identity.slice(0, 12)} leads the log`, "skr8tr audit");
    default:
      return command satisfies never;
  }
}
