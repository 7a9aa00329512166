import { UNPLACED_NODES } from "../../core/limits.ts";

/**
 * Why replicas of an app found no node, a line for each node: `cannot place cart-svc on node-3: needs
 * 256 MiB, 181 MiB free`. With many nodes the last line counts the rest by their reasons.
 *
 * @param refusals `node-3: needs 256 MiB, 181 MiB free`, or why there is no node at all.
 */
export function unplacedLines(what: string, refusals: readonly string[]): string[] {
  const lines = refusals.slice(0, UNPLACED_NODES).map((refusal) =>
    refusal.includes(": ")
      ? `cannot place ${what} on ${refusal}`
      : `cannot place ${what}: ${refusal}`
  );
  const rest = refusals.slice(UNPLACED_NODES);
  if (rest.length === 0) return lines;
  const counts = new Map<string, number>();
  for (const refusal of rest) {
    // Figures differ from node to node; the kind of reason does not.
    const reason = refusal.slice(refusal.indexOf(": ") + 2).replace(/, .*/, "");
    counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  const kinds = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 5);
  const said = kinds.map(([reason, count]) => `${reason} (${count})`).join("; ");
  return [...lines, `cannot place ${what} on ${rest.length} more nodes: ${said}`];
}
