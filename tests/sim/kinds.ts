import { MILD, SEVERAL, WILD, type WorldOptions } from "./world.ts";

/** Kinds of worlds that a task can name. */
export const KINDS = { mild: MILD, wild: WILD, several: SEVERAL } as const;
export type Kind = keyof typeof KINDS;

/** What a task may say of a world besides its kind and seed. */
export interface Choice {
  readonly steps?: number | undefined;
  readonly towers?: number | undefined;
}

/** The world of this kind and seed: unless it is said, every fourth has two towers or three. */
export function worldOf(kind: Kind, seed: number, choice: Choice = {}): WorldOptions {
  const options = KINDS[kind];
  const { steps = options.steps, towers = towersOf(seed) } = choice;
  return { ...options, seed, steps, towers };
}

function towersOf(seed: number): number {
  return seed % 4 === 3 ? 2 + (seed >> 2) % 2 : 1;
}

/** The one command that shows a world again. */
export function repetition(kind: Kind, { seed, steps, towers = 1 }: WorldOptions): string {
  return `deno task sim --${kind} --seed ${seed}` +
    (steps === KINDS[kind].steps ? "" : ` --steps ${steps}`) +
    (towers === towersOf(seed) ? "" : ` --towers ${towers}`);
}
