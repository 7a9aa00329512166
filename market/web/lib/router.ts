// Which page an address shows. Pure; `navigation.ts` does the browser's part.

/** Parameters of `path` under `pattern` (`/product/:id`), decoded; undefined if it differs. */
export function matchPath(pattern: string, path: string): Record<string, string> | undefined {
  const wanted = segments(pattern);
  const given = segments(path);
  if (wanted.length !== given.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, name] of wanted.entries()) {
    const segment = given[index]!;
    if (!name.startsWith(":")) {
      if (name !== segment) return undefined;
      continue;
    }
    const value = decode(segment);
    if (value === undefined) return undefined;
    params[name.slice(1)] = value;
  }
  return params;
}

/** The first route whose pattern fits, with its parameters. */
export function findRoute<R extends { readonly pattern: string }>(
  routes: readonly R[],
  path: string,
): { route: R; params: Record<string, string> } | undefined {
  for (const route of routes) {
    const params = matchPath(route.pattern, path);
    if (params) return { route, params };
  }
  return undefined;
}

/** A trailing slash makes no difference. */
function segments(path: string): string[] {
  return path.split("/").filter((segment) => segment !== "");
}

function decode(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}
