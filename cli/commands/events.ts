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
  const query = new URLSearchParams({
    limit: String(args.integer("lines", 0, EVENTS, LINES)),
    ...(app === undefined ? {} : { app }),
    ...(args.has("follow") ? { follow: "1" } : {}),
  });
  const conductor = conductorAt(target.conductor, target.timeoutMs);
  for await (const event of conductor.lines<EventView>(`/api/events?${query}`)) {
    output.print(
      args.has("json") ? JSON.stringify(event) : eventLine(event, output.paint, Date.now()),
    );
  }
  return DONE;
}
