// Whom a conductor asks for artifacts: the nodes that hold them, or the conductor that leads.

import {
  type Address,
  CONDUCTOR_PORT,
  NODE_PORT,
  readAddress,
  showAddress,
} from "../../core/address.ts";
import { holdersOf } from "../artifacts.ts";
import type { ConductorMachine } from "../machine.ts";
import type { Source } from "./artifact_copies.ts";
import { askNode, type ConductorSeal } from "./seal.ts";
import type { Leads } from "./standby.ts";

/** By what it is found out whom to ask. */
export interface ArtifactSourcesParts {
  readonly machine: ConductorMachine;
  seal(): ConductorSeal | undefined;
  leads(): Leads;
}

export class ArtifactSources {
  constructor(private readonly parts: ArtifactSourcesParts) {}

  /** Where this artifact may be had now; nowhere while nobody leads. */
  of(sha256: string): Source[] {
    const { leads, leader } = this.parts.leads();
    if (leads) {
      return holdersOf(this.parts.machine, sha256)
        .map((at) => this.#asking(readAddress(at, "holder", NODE_PORT)));
    }
    if (leader === null) return [];
    return [this.#asking(readAddress(leader, "leader", CONDUCTOR_PORT), "conductor")];
  }

  /** How a node, or the conductor that leads, is asked for a file. */
  #asking(at: Address, role?: "conductor"): Source {
    return (path, init) => {
      const seal = this.parts.seal();
      if (!seal) return fetch(`http://${showAddress(at)}${path}`, init);
      if (role) return seal.fetch(at, { role }, path, init);
      const node = [...this.parts.machine.fleet.values()]
        .find(({ beat }) => beat?.host === at.hostname && beat.port === at.port);
      return askNode(seal, { ...at, ...(node?.address ?? {}), ...at }, path, init);
    };
  }
}
