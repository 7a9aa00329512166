import { Failure } from "../../core/errors.ts";
import type { AppView, EventView, NodeDetailView } from "../../core/view.ts";
import { type Context, DONE } from "../command.ts";
import { type Conductor, conductorAt } from "../conductor.ts";
import { describeApp, describeNode, describeReplica } from "../render/describe.ts";
import type { AppsPage } from "../pages.ts";
import { show } from "../repeat.ts";
import { targetOf } from "../target.ts";

const EVENTS = 15;

/** Everything that is known of an app, a node or a replica. */
export async function run(context: Context): Promise<number> {
  const target = targetOf(context.arguments);
  const conductor = conductorAt(target.conductor, target.timeoutMs);
  await show(context, () => describe(conductor, context));
  return DONE;
}

async function describe(
  conductor: Conductor,
  { arguments: args, output }: Context,
): Promise<readonly string[]> {
  const name = args.positional[0]!;
  const json = args.has("json");
  const nowMs = Date.now();
  const app = await known<AppView>(conductor, `/api/apps/${encodeURIComponent(name)}`);
  if (app) {
    const path = `/api/apps/${app.app}/manifest`;
    const { manifest } = await conductor.get<{ manifest: string }>(path);
    const events = await eventsOf(conductor, (event) => event.app === name, `app=${name}&`);
    if (json) return [JSON.stringify({ ...app, manifest, events })];
    return describeApp(app, manifest, events, output, nowMs);
  }
  const owner = await ownerOf(conductor, name);
  if (owner) {
    const replica = owner.replicas.find((one) => one.replica === name)!;
    const mine = (event: EventView) => event.replica === name || event.text.includes(`${name} `);
    const events = await eventsOf(conductor, mine, `app=${owner.app}&`);
    if (json) return [JSON.stringify({ ...replica, app: owner.app, events })];
    return describeReplica(owner, replica, events, output, nowMs);
  }
  const detail = await known<NodeDetailView>(conductor, `/api/nodes/${encodeURIComponent(name)}`);
  if (detail) {
    const { node } = detail;
    const events = await eventsOf(conductor, (event) => event.node === node.name, "");
    const { apps } = await conductor.get<AppsPage>(`/api/apps?node=${node.id}`);
    const replicas = apps.flatMap((each) => each.replicas).filter((one) => one.nodeId === node.id);
    if (json) return [JSON.stringify({ ...node, placed: replicas, events })];
    return describeNode(node, replicas, events, output, nowMs);
  }
  const refusal = await refusalOf(conductor, name);
  throw new Failure(
    "not-found",
    `no app, node or replica is named ${name}; skr8tr status shows what there is${refusal}`,
  );
}

/** A view, or `null` where there is none. */
async function known<T>(conductor: Conductor, path: string): Promise<T | null> {
  try {
    return await conductor.get<T>(path);
  } catch (error) {
    if (error instanceof Failure && error.code === "not-found") return null;
    throw error;
  }
}

/** The app whose replica is called so: `web.12` is one of `web`. */
async function ownerOf(conductor: Conductor, replica: string): Promise<AppView | null> {
  const name = replica.slice(0, Math.max(0, replica.lastIndexOf(".")));
  if (name === "") return null;
  const app = await known<AppView>(conductor, `/api/apps/${encodeURIComponent(name)}`);
  return app?.replicas.some((one) => one.replica === replica) ? app : null;
}

/** What was asked of an app that never came to be, and why that was refused. */
async function refusalOf(conductor: Conductor, name: string): Promise<string> {
  const isRefusal = ({ kind, app }: EventView) => kind === "command-refused" && app === name;
  const last = (await eventsOf(conductor, isRefusal, `app=${encodeURIComponent(name)}&`)).at(-1);
  return last ? `. What was asked last was refused: ${last.text}` : "";
}

/** The latest events of one thing, oldest first. */
async function eventsOf(
  conductor: Conductor,
  isMine: (event: EventView) => boolean,
  query: string,
): Promise<EventView[]> {
  const events: EventView[] = [];
  for await (const event of conductor.lines<EventView>(`/api/events?${query}limit=2000`)) {
    if (isMine(event)) events.push(event);
  }
  return events.slice(-EVENTS);
}
