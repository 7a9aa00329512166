// Autoscaling's arithmetic, in a Web Worker that may do nothing at all but answer.

/// <reference lib="deno.worker" />
import { CpuHistory } from "../autoscale.ts";
import type { FromAutoscale, ToAutoscale } from "./autoscaler.ts";

const say = (message: FromAutoscale) => self.postMessage(message);
let history: CpuHistory | null = null;

self.onmessage = (event: MessageEvent<ToAutoscale>) => {
  const message = event.data;
  if (message.k === "ping") return say({ k: "pong", number: message.number });
  history ??= new CpuHistory(message.rules);
  say({ k: "wishes", wishes: history.take(message.atMs, message.apps) });
};
