import type { RouteSpec } from "../core/manifest/spec.ts";
import type { Route } from "../core/mesh.ts";
import { maySleep } from "../core/scale.ts";
import { currentOf, type State } from "./state.ts";

/** The table of routes that the signed manifests ask for. */
export function routesOf(state: State): Route[] {
  return [...state.apps.values()].flatMap((app) => {
    if (app.down) return [];
    const { spec } = currentOf(app);
    const wake = maySleep(spec) ? { wake: true } : {};
    return spec.routes.map((route) => ({ ...toRoute(app.name, route), ...wake }));
  });
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
