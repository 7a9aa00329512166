import type { RouteSpec } from "../core/manifest/spec.ts";
import type { Route } from "../core/mesh.ts";
import { maySleep } from "../core/scale.ts";
import { type App, currentOf, generationOf, type State } from "./state.ts";

/** The table of routes that the signed manifests ask for. */
export function routesOf(state: State): Route[] {
  return [...state.apps.values()].flatMap((app) => {
    if (app.down) return [];
    const { spec } = currentOf(app);
    const all = { ...canaryOf(app), ...(maySleep(spec) ? { wake: true } : {}) };
    return spec.routes.map((route) => ({ ...toRoute(app.name, route), ...all }));
  });
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
