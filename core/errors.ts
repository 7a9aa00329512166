/**
 * A fact of life, as opposed to a bug: something a caller, an operator or the world got wrong.
 * Code decides by `code`, people read `message`; nobody matches the message.
 */
export class Failure extends Error {
  override readonly name = "Failure";

  constructor(
    /** Stable, kebab-case, for programs. */
    readonly code: string,
    /** What, where, why, and what to do. */
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Stops on a bug: a condition that this program itself promised. Always on. */
export function invariant(condition: unknown, promise: string): asserts condition {
  if (!condition) throw new Error(`bug: ${promise}`);
}
