// What operators are shown of one node, and of volumes and where they live.

import type { Instant } from "../../core/instant.ts";
import type { NodeDetailView, VolumeView } from "../../core/view.ts";
import type { ConductorMachine } from "../machine.ts";
import { findNode, homesOf } from "./node_verbs.ts";
import { currentOf, generationOf, placementOf } from "../state.ts";
import { nodeView } from "../views/views.ts";

/** One node with what is placed there and why it stays; `null` if no one node is named so. */
export function nodeDetail(
  machine: ConductorMachine,
  named: string,
  now: Instant,
): NodeDetailView | null {
  const names = new Map([...machine.fleet.values()].map((node) => [node.id, node.name]));
  const found = findNode(names, named);
  const node = "id" in found ? machine.fleet.get(found.id) : undefined;
  if (!node) return null;
  const placed = [...machine.state.byNode.get(node.id) ?? []].sort().flatMap((replica) => {
    const placement = placementOf(machine.state, replica);
    const app = machine.state.apps.get(placement?.app ?? "");
    if (!placement || !app) return [];
    const isHome = app.home === node.id && !placement.leaving;
    const unplaced = machine.unplaced.get(app.name) ?? [];
    const stays = isHome
      ? `its volume is here; skr8tr volume rm ${app.name} gives it up`
      : unplaced.join("; ");
    return [{
      replica,
      app: app.name,
      state: node.statuses.get(replica)?.state ?? "placed" as const,
      leaving: placement.leaving,
      ...(isHome ? { home: true as const } : {}),
      ...(stays === "" ? {} : { stays }),
    }];
  });
  return { node: nodeView(machine, node, now), placed };
}

/** Every volume of every app that is up, or whose home is kept. */
export function volumeViews(machine: ConductorMachine): VolumeView[] {
  const name = (node: string) => machine.fleet.get(node)?.name ?? node;
  return [...machine.state.apps.values()].sort((a, b) => a.name < b.name ? -1 : 1)
    .flatMap((app) =>
      currentOf(app).spec.volumes.map((volume): VolumeView => {
        const homes = volume.shared ? [] : app.home === undefined ? [] : homesOf(app);
        const isLost = homes.some((node) => machine.fleet.get(node)?.state !== "ready");
        return {
          app: app.name,
          path: volume.path,
          shared: volume.shared,
          ...(homes[0] === undefined ? {} : { home: name(homes[0]) }),
          replicas: [...app.placements.values()].filter((place) =>
            !place.leaving && generationOf(app, place.generation) !== undefined
          ).length,
          state: volume.shared
            ? "shared"
            : homes.length === 0
            ? "none"
            : isLost
            ? "unreachable"
            : app.down
            ? "kept"
            : "in use",
        };
      })
    );
}
