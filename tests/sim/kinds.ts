import { MILD, SEVERAL, WILD, type WorldOptions } from "./world.ts";

/** Kinds of worlds that a task can name. */
export const KINDS = { mild: MILD, wild: WILD, several: SEVERAL } as const;
export type Kind = keyof typeof KINDS;

/** The one command that shows a world again. */
export function repetition(kind: Kind, options: WorldOptions): string {
  const steps = options.steps === KINDS[kind].steps ? "" : ` --steps ${options.steps}`;
  return `deno task sim --${kind} --seed ${options.seed}${steps}`;
}
