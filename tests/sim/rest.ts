import type { Cast } from "./cast.ts";

/** What is still missing for everything to be as signed; empty when all is well. */
export function unfinished(cast: Cast): string[] {
  const { conductor, tower, ingresses, nodes, operator } = cast;
  const missing: string[] = [];
  operator.settle();
  if (!operator.idle) missing.push("the operator waits for an answer");
  for (const said of operator.said) {
    if (said.isDone && !cast.checker.history.has(said.id)) {
      missing.push(`${said.id} was acknowledged and is not in the log`);
    }
  }
  const running = nodes.flatMap((node) => node.running().map((process) => ({ node, process })));
  for (const wish of operator.wishes.values()) {
    const mine = running.filter(({ process }) => process.app === wish.app);
    const wanted = wish.down ? 0 : wish.replicas;
    const current = mine.filter(({ process }) => process.generation === wish.generation);
    if (mine.length !== wanted || current.length !== wanted) {
      missing.push(
        `${wish.app} shall have ${wanted} of generation ${wish.generation}, has ` +
          mine.map(({ node, process }) => `${process.replica}@${node.name}`).join(" "),
      );
    }
  }
  const ids = (list: Iterable<string>) => [...list].sort().join(" ");
  const alive = ids(running.map(({ process }) => process.replica));
  const listed = ids(
    [...operator.wishes.keys()].flatMap((app) =>
      [...tower.machine?.registry.ofApp(app) ?? []].map((entry) => entry.endpoint.replica)
    ),
  );
  if (listed !== alive) missing.push(`the tower lists [${listed}], running are [${alive}]`);
  for (const ingress of ingresses) {
    const routed = ids(ingress.targets().map((each) => each.replica));
    if (routed !== alive) {
      missing.push(`${ingress.name} sends to [${routed}], running are [${alive}]`);
    }
  }
  for (const app of conductor.machine?.state.apps.values() ?? []) {
    for (const placement of app.placements.values()) {
      if (placement.leaving) missing.push(`${placement.replica} is still leaving`);
    }
  }
  return missing;
}
