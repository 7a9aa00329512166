import { EVENTS } from "../../core/limits.ts";
import type { EventView } from "../../core/view.ts";
import { type Context, DONE } from "../command.ts";
import { conductorAt } from "../conductor.ts";
import { eventLine } from "../render/views.ts";
import { targetOf } from "../target.ts";

const LINES = 100;

export async function run({ arguments: args, output }: Context): Promise<number> {
  const target = targetOf(args);
  const [app] = args.positional;
  const sinceWallMs = Date.now() - args.durationMs("since", Infinity);
  const grep = args.value("grep") ?? "";
  const isSought = grep !== "" || sinceWallMs !== -Infinity;
  const lines = args.integer("lines", 0, EVENTS, LINES);
  const follow = args.has("follow");
  const query = new URLSearchParams({
    limit: String(isSought ? EVENTS : lines),
    ...(app === undefined ? {} : { app }),
    ...(follow ? { follow: "1" } : {}),
  });
  const conductor = conductorAt(target.conductor, target.timeoutMs);
  const print = (event: EventView) =>
    output.print(
      args.has("json") ? JSON.stringify(event) : eventLine(event, output.paint, Date.now()),
    );
  // Of what is there already the last that match are wanted; what comes is shown as it comes.
  const past: EventView[] = [];
  for await (const event of conductor.lines<EventView>(`/api/events?${query}`)) {
    if (event.wallMs < sinceWallMs || !event.text.includes(grep)) continue;
    if (follow) print(event);
    else if (past.push(event) > lines) past.shift();
  }
  past.forEach(print);
  return DONE;
}
