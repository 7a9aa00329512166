// For tests: a worker that throws or hangs when told to, and says what it may do.

/// <reference lib="deno.worker" />
self.onmessage = async ({ data }) => {
  if (data.k === "ping") self.postMessage({ k: "pong", number: data.number });
  else if (data.k === "throw") throw new Error("thrown by the worker");
  else if (data.k === "hang") { for (;;); }
  else if (data.k === "echo") self.postMessage({ k: "echo" });
  else if (data.k === "pry") {
    const tries = [
      () => Deno.readTextFile(new URL(import.meta.url)),
      () => Deno.writeTextFile("/tmp/pried", ""),
      () => Deno.connect({ hostname: "127.0.0.1", port: 1 }),
      () => Promise.resolve(Deno.env.get("HOME")),
      () => new Deno.Command("true").output(),
      () => Promise.resolve(Deno.osRelease()),
    ];
    const errors: string[] = [];
    for (const each of tries) {
      try {
        await each();
        errors.push("allowed");
      } catch (error) {
        errors.push((error as Error).name);
      }
    }
    self.postMessage({ k: "pried", errors });
  }
};
