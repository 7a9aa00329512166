// Does the steps of a plan to a world.

import type { Cast } from "./cast.ts";
import { commandsOf, type Daemon, STRANGER } from "./daemon.ts";
import type { ConductorHost } from "./conductor_host.ts";
import { NodeHost } from "./node_host.ts";
import type { SharedLog } from "./shared_log.ts";
import { ANN } from "./signers.ts";
import type { Deed } from "./steps.ts";

/** All daemons that can be named. */
export function daemonsOf(cast: Cast): Daemon[] {
  return [...cast.towers, ...cast.conductors, ...cast.ingresses, ...cast.nodes];
}

export function daemonOf(cast: Cast, name: string): Daemon {
  const daemon = daemonsOf(cast).find((each) => each.name === name);
  if (!daemon) throw new Error(`there is no ${name} in this world`);
  return daemon;
}

/** Does one thing; what it breaks is mended in time. */
export function doStep(cast: Cast, deed: Deed): void {
  const { timeline, checker, operator, network } = cast;
  const mend = (text: string, work: () => void) => {
    if (!("forMs" in deed)) return;
    if (deed.forMs === Infinity) return;
    timeline.after(deed.forMs, () => {
      checker.tell(text);
      work();
    });
  };
  switch (deed.do) {
    case "up":
      checker.tell(`operator: up ${deed.app}, ${deed.replicas} replicas (${deed.behaviour})`);
      return operator.up(deed.app, deed.replicas, deed.volume, deed.behaviour, deed.cargo);
    case "verb":
      checker.tell(`operator: ${deed.verb} ${deed.app}`);
      return operator.verb(deed.verb, deed.app);
    case "grant":
      checker.tell(`operator: ${deed.may ? "grant ann web" : "take it from ann again"}`);
      return operator.grant(deed.may);
    case "ann":
      checker.tell(`ann: ${deed.verb} ${deed.app}`);
      return operator.verb(deed.verb, deed.app, ANN);
    case "node":
      checker.tell(`operator: ${deed.verb.toLowerCase()} ${deed.node}`);
      return operator.node(deed.verb, deed.node);
    case "ask":
      checker.tell(`clients ask for ${deed.app}`);
      return cast.clients.askFor(deed.app, deed.forMs);
    case "load":
      checker.tell(`${deed.app} has work for ${deed.cores} cores`);
      return cast.loads.set(deed.app, deed.cores, timeline.nowMs);
    case "scale":
      checker.tell(`operator: scale ${deed.app}=${deed.count}`);
      return operator.scale(deed.app, deed.count);
    case "kill": {
      const daemon = daemonOf(cast, deed.daemon);
      checker.tell(`${daemon.name} is killed`);
      checker.excuses.killed(daemon, deed.forMs);
      daemon.kill();
      return mend(`${daemon.name} starts again`, () => daemon.start());
    }
    case "pause": {
      const daemon = daemonOf(cast, deed.daemon);
      checker.tell(`${daemon.name} is stopped by SIGSTOP`);
      checker.excuses.paused(daemon, deed.forMs);
      daemon.pause();
      return mend(`${daemon.name} goes on`, () => daemon.resume());
    }
    case "stop": {
      const conductor = daemonOf(cast, deed.daemon) as ConductorHost;
      checker.tell(`${conductor.name} is to end`);
      conductor.stop();
      return mend(`${conductor.name} starts again`, () => {
        conductor.kill();
        conductor.start();
      });
    }
    case "freeze-at-order": {
      const conductor = daemonOf(cast, deed.daemon) as ConductorHost;
      checker.tell(`${conductor.name} is to be stopped in the middle of an order`);
      checker.excuses.disturbed(deed.forMs);
      conductor.freezeAtOrder();
      return mend(`${conductor.name} goes on`, () => conductor.resume());
    }
    case "store-trouble": {
      const { store } = cast;
      if (!store) return;
      checker.tell("the store fails now and then");
      [store.troubled, store.delayMs] = [true, deed.delayMs];
      return mend("the store is well again", () => healStore(store));
    }
    case "power-off": {
      const node = daemonOf(cast, deed.daemon) as NodeHost;
      checker.tell(`${node.name} loses power`);
      checker.excuses.disturbed(deed.forMs);
      node.powerOff();
      return mend(`${node.name} has power again`, () => node.start());
    }
    case "crash": {
      const running = cast.nodes.flatMap((node) =>
        node.running().map((process) => ({ node, process }))
      );
      if (running.length === 0) return;
      const { node, process } = running[deed.nth % running.length]!;
      return node.endProcess(process, { signal: "SIGKILL" });
    }
    case "cut": {
      const { one, other, oneWay } = deed;
      checker.tell(`the way ${one} ${oneWay ? "->" : "<->"} ${other} is cut`);
      checker.excuses.cut(one, other, deed.forMs);
      const host = (name: string) =>
        name === cast.store?.name ? cast.store.host : daemonOf(cast, name).host;
      const others = other === "all"
        ? [...daemonsOf(cast), ...cast.store ? [cast.store] : []]
          .map((each) => each.name).filter((each) => each !== one)
        : [other];
      const mends = others.map((each) => network.cut(host(one), host(each), oneWay));
      return mend(
        `the way ${one} ${oneWay ? "->" : "<->"} ${other} is whole again`,
        () => mends.forEach((mend) => mend()),
      );
    }
    case "spoil": {
      const node = daemonOf(cast, deed.node) as NodeHost;
      checker.tell(`on ${node.name} ${node.cargo.spoil(deed.nth)} is changed`);
      return;
    }
    case "lose-cargo": {
      const conductor = daemonOf(cast, deed.daemon) as ConductorHost;
      checker.tell(`${conductor.name} is killed, and its artifacts are lost`);
      conductor.kill();
      conductor.cargo.lose();
      return mend(`${conductor.name} starts again`, () => conductor.start());
    }
    case "disk-full":
    case "disk-slow": {
      const owner = daemonOf(cast, deed.daemon) as NodeHost | Cast["conductor"];
      checker.tell(`the disk of ${owner.name} is ${deed.do === "disk-full" ? "full" : "slow"}`);
      if (owner instanceof NodeHost) checker.excuses.disturbed(deed.forMs);
      const before = owner.diskMs;
      if (deed.do === "disk-full") owner.diskFull = true;
      else owner.diskMs = deed.diskMs;
      return mend(`the disk of ${owner.name} is well again`, () => {
        owner.diskFull = false;
        owner.diskMs = Math.min(before, 1);
      });
    }
    case "clock": {
      checker.tell(`the clock of ${deed.host} is off by ${deed.skewMs / 1000} s`);
      const target = deed.host === "operator" ? operator : daemonOf(cast, deed.host);
      target.skewMs = deed.skewMs;
      return mend(`the clock of ${deed.host} is right again`, () => target.skewMs = 0);
    }
    case "replay": {
      const { overheard } = operator;
      if (overheard.length === 0) return;
      checker.tell(`a stranger repeats command ${1 + deed.nth % overheard.length}`);
      return network.send(
        overheard[deed.nth % overheard.length]!,
        STRANGER,
        commandsOf(cast.conductor.index),
      );
    }
    default:
      deed satisfies never;
  }
}

function healStore(store: SharedLog): void {
  [store.troubled, store.delayMs] = [false, 2];
}

/** Everything is mended and runs. */
export function healAll(cast: Cast): void {
  cast.checker.tell("everything is healed");
  cast.network.heal();
  Object.assign(cast.network.weather, { loss: 0, repeat: 0, delayMs: 2 });
  cast.operator.skewMs = 0;
  if (cast.store) healStore(cast.store);
  cast.clients.askFor("nap", 0);
  for (const app of cast.loads.names()) cast.loads.set(app, 0, cast.timeline.nowMs);
  for (const owner of [...cast.conductors, ...cast.nodes]) {
    owner.diskFull = false;
    owner.diskMs = 0.3;
  }
  for (const daemon of daemonsOf(cast)) {
    daemon.skewMs = 0;
    if (daemon.paused) daemon.resume();
    daemon.start();
  }
}
