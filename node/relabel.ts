// Which generation of an app a replica may run as, and how one goes on under another one's name.

import { specOfPart } from "../core/before.ts";
import type { AppSpec } from "../core/manifest/spec.ts";
import { whyReplaced } from "../core/replacing.ts";
import { Records } from "./records.ts";
import type { Replica } from "./replica.ts";

/** A record by which a replica is to run. */
export interface Label {
  readonly generation: number;
  readonly sequence: number;
}

export type LabelAnswer =
  | { readonly at: "wait" }
  | { readonly at: "refused"; readonly reason: string }
  | { readonly at: "taken"; readonly spec: AppSpec };

/**
 * Says whether a running replica may go on as another record of its app says.
 *
 * @param permit what `records.permit` says of that generation
 */
export function takeLabel(
  records: Records,
  permit: ReturnType<Records["permit"]>,
  replica: Replica,
  label: Label,
): LabelAnswer {
  const { answer } = records.need(label.sequence);
  if (answer.at === "refused") return answer;
  if (answer.at !== "held" || !replica.spec) return { at: "wait" };
  const mismatch = Records.mismatch(answer, { app: replica.app, ...label });
  if (mismatch !== null) return { at: "refused", reason: mismatch };
  if (permit.at === "refused") return { at: "refused", reason: permit.reason };
  if (permit.at === "verifying") return { at: "wait" };
  const spec = specOfPart(answer.spec, replica.part);
  const why = spec ? whyReplaced(replica.spec, spec) : "before";
  if (!spec || why !== null) {
    const reason = `${replica.id} cannot go on as generation ${label.generation}: ` +
      `its ${why} is another one`;
    return { at: "refused", reason };
  }
  return { at: "taken", spec };
}
