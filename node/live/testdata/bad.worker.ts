// A health worker that answers as the real one, until a probe's path tells it to misbehave:
// /throw, /hang, /eat. It says `passed` to everything else.

/// <reference lib="deno.worker" />
self.onmessage = (event: MessageEvent) => {
  const message = event.data;
  if (message.k === "ping") return self.postMessage({ k: "pong", number: message.number });
  switch (message.check.path) {
    case "/throw":
      throw new Error("thrown by the worker");
    case "/hang":
      for (;;);
    case "/eat": {
      const eaten: number[][] = [];
      for (;;) eaten.push(Array.from({ length: 1_000_000 }, (_, index) => index + eaten.length));
    }
    default:
      self.postMessage({ k: "probed", probe: message.probe, result: "passed", detail: "" });
  }
};
