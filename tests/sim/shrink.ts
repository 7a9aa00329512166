import { type Outcome, simulate, type WorldOptions } from "./world.ts";

/**
 * Makes a failing world smaller: leaves out the weather and steps as long as it still fails in the
 * same way, by halves, quarters and so on to single steps.
 *
 * @param runs the most worlds to be tried
 */
export function shrink(options: WorldOptions, failed: Outcome, runs = 300): Outcome {
  const kind = kindOf(failed.violation ?? "");
  let smallest = failed;
  let left = runs;
  let weather = options.weather;
  const fails = (plan: Outcome["plan"], tried = weather): boolean => {
    if (left-- <= 0) return false;
    const outcome = simulate({ ...options, weather: tried, plan });
    if (outcome.violation === null || kindOf(outcome.violation) !== kind) return false;
    smallest = outcome;
    return true;
  };
  const calm = { loss: 0, repeat: 0, delayMs: 2 };
  if (fails(smallest.plan, calm)) weather = calm;
  for (let size = Math.ceil(smallest.plan.length / 2); size >= 1 && left > 0;) {
    let shrunk = false;
    for (let from = 0; from < smallest.plan.length && left > 0;) {
      const { plan } = smallest;
      if (fails([...plan.slice(0, from), ...plan.slice(from + size)])) shrunk = true;
      else from += size;
    }
    if (size === 1 && !shrunk) break;
    if (size > 1) size = Math.ceil(size / 2);
  }
  return smallest;
}

/** What went wrong, without who and how much. */
function kindOf(violation: string): string {
  return violation.replace(/\S*\d\S*/g, "#").split(" ").slice(0, 4).join(" ");
}
