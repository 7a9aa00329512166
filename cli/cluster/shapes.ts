// The market's two shapes: where their manifests and programs are, and how one makes way for the other.

import type { StatusView } from "../../core/view.ts";
import { type Asking, commandedBy } from "../commanding.ts";
import { commandId } from "../send.ts";
import { type Shape, SHAPES } from "./options.ts";

/** Where a shape's manifests and its programs are, from the project's folder. */
export interface ShapePlaces {
  readonly manifests: string;
  readonly programs: string;
  /** Which of them serves the front. */
  readonly front: string;
}

export const SHAPE_PLACES: { readonly [S in Shape]: ShapePlaces } = {
  nine: { manifests: "market/manifests", programs: "market/services", front: "frontend-svc" },
  five: { manifests: "market/manifests/five", programs: "market/five", front: "core-api" },
};

const SUFFIX = ".skr8tr";

/** The apps of a shape by name, sorted. */
export async function appsOfShape(root: string, shape: Shape): Promise<readonly string[]> {
  const entries = await Array.fromAsync(Deno.readDir(`${root}/${SHAPE_PLACES[shape].manifests}`));
  const names = entries.map(({ name }) => name).filter((name) => name.endsWith(SUFFIX));
  return names.map((name) => name.slice(0, -SUFFIX.length)).sort();
}

/** The file of an app's manifest. */
export function manifestFile(root: string, shape: Shape, app: string): string {
  return `${root}/${SHAPE_PLACES[shape].manifests}/${app}${SUFFIX}`;
}

/**
 * Takes down what an earlier run deployed of other shapes: two of them would claim the same routes.
 *
 * @returns the apps that were up.
 * @throws {Failure} `unreachable`, `unauthorized` or `refused`.
 */
export async function makeWay(
  root: string,
  shape: Shape,
  asking: Asking,
): Promise<readonly string[]> {
  const others = SHAPES.filter((each) => each !== shape);
  const names = (await Promise.all(others.map((each) => appsOfShape(root, each)))).flat();
  const { apps } = await asking.conductor.get<StatusView>("/api/status");
  const { command } = commandedBy(asking);
  const up = apps.filter(({ app, state }) => names.includes(app) && state !== "down");
  for (const { app } of up) {
    await command({ verb: "DOWN", id: commandId(), app });
  }
  return up.map(({ app }) => app);
}
