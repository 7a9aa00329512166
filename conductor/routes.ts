import type { RouteSpec } from "../core/manifest/spec.ts";
import type { Route } from "../core/mesh.ts";
import { maySleep } from "../core/scale.ts";
import { type App, currentOf, generationOf, type State } from "./state.ts";

/** The table of routes that the signed manifests ask for. */
export function routesOf(state: Pick<State, "apps">): Route[] {
  return [...state.apps.values()].flatMap(routesOfApp);
}

function routesOfApp(app: App): Route[] {
  if (app.down) return [];
  const { spec } = currentOf(app);
  if (spec.routes.length === 0) return [];
  const all = { ...canaryOf(app), ...(maySleep(spec) ? { wake: true } : {}) };
  return spec.routes.map((route) => ({ ...toRoute(app.name, route), ...all }));
}

/** The table as it was last published: an app that changes is compared by itself. */
export class RouteTable {
  /** App -> its routes as text, if it has any. */
  readonly #texts = new Map<string, string>();
  #changed = true;

  constructor(apps: Iterable<App>) {
    for (const app of apps) this.note(app);
  }

  /** The app may have other routes than before. */
  note(app: App): void {
    const routes = routesOfApp(app);
    const text = routes.length === 0 ? undefined : JSON.stringify(routes);
    if (text === this.#texts.get(app.name)) return;
    this.#changed = true;
    if (text === undefined) this.#texts.delete(app.name);
    else this.#texts.set(app.name, text);
  }

  /** Whatever was published before counts for nothing. */
  publishAgain(): void {
    this.#changed = true;
  }

  /** Says whether the table has to be published, again or for the first time; once. */
  takeChanged(): boolean {
    const was = this.#changed;
    this.#changed = false;
    return was;
  }
}

/** The share of requests that a new generation gets from its first ready replica on. */
function canaryOf(app: App): Pick<Route, "canary"> {
  const { rollout } = app;
  if (!rollout || rollout.from === undefined || rollout.promoted) return {};
  const { kind, generation, from, phase } = rollout;
  if (kind === "deploy" && phase !== "done") {
    const percent = generationOf(app, generation)?.spec.rollout.canary?.percent;
    return percent === undefined ? {} : { canary: { generation, percent } };
  }
  // One that failed gets nothing more, as long as any of it is there: the old ones all are.
  const isLeft = [...app.placements.values()].some((each) => each.generation === from);
  const hadCanary = generationOf(app, from)?.spec.rollout.canary !== undefined;
  return kind === "back" && isLeft && hadCanary ? { canary: { generation: from, percent: 0 } } : {};
}

function toRoute(app: string, spec: RouteSpec): Route {
  const { rate } = spec;
  return {
    app,
    ...(spec.host === undefined ? {} : { host: spec.host }),
    path: spec.path,
    ...(spec.strip === undefined ? {} : { strip: spec.strip }),
    ...(rate === undefined ? {} : {
      rate: {
        perSecond: rate.perSecond,
        burst: rate.burst,
        per: rate.per === "ip" ? "ip" : `header:${rate.per.header}`,
      },
    }),
    sticky: spec.sticky === "cookie",
    ...(spec.timeoutMs === undefined ? {} : { timeoutMs: spec.timeoutMs }),
    ...(spec.retries === undefined ? {} : { retries: spec.retries }),
    weight: spec.weight,
    tlsRequired: spec.tlsRequired,
  };
}
