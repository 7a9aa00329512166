/** What of a span says where it stands in its trace. */
export interface Call {
  readonly id: string;
  /** The span that asked for it; `null`: nobody, or nobody knows. */
  readonly asker: string | null;
  readonly startMs: number;
}

/**
 * Puts each span behind the one that asked for it, those of one asker as they began, and tells how
 * many askers above each are known. Times alone do not tell: they come in whole milliseconds and from
 * several machines' clocks.
 */
export function inCallOrder<Span>(
  spans: readonly Span[],
  callOf: (span: Span) => Call,
): { readonly span: Span; readonly depth: number }[] {
  const calls = spans.map((span) => ({ span, ...callOf(span) }));
  const known = new Set(calls.map(({ id }) => id));
  const asked = Map.groupBy(
    calls.toSorted((a, b) => a.startMs - b.startMs),
    ({ asker }) => asker !== null && known.has(asker) ? asker : null,
  );
  const open: { readonly id: string; readonly span: Span; readonly depth: number }[] = [];
  const push = (asker: string | null, depth: number) => {
    for (const { id, span } of asked.get(asker)?.toReversed() ?? []) open.push({ id, span, depth });
    asked.delete(asker);
  };
  push(null, 0);
  const done: { readonly span: Span; readonly depth: number }[] = [];
  for (let next = open.pop(); next; next = open.pop()) {
    const { id, span, depth } = next;
    done.push({ span, depth });
    push(id, depth + 1);
  }
  // Spans that ask for each other in a circle have no beginning, and are still told of.
  for (const rest of asked.values()) done.push(...rest.map(({ span }) => ({ span, depth: 0 })));
  return done;
}
