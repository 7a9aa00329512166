/** A wall-clock time (Unix ms) on the scale of `performance.now()`. */
export function monoOf(wallMs: number): number {
  return wallMs - performance.timeOrigin;
}
