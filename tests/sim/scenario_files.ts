/** Where the scenarios are. */
export const SCENARIOS = new URL("../scenarios/", import.meta.url);

/** The scenarios' file names, in their order. */
export function scenarioNames(): string[] {
  return [...Deno.readDirSync(SCENARIOS)].map(({ name }) => name)
    .filter((name) => name.endsWith(".txt")).sort();
}
