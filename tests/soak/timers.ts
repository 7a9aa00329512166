// Loaded into each daemon of a soak before its own program: says on standard error every few seconds
// how many timers are set, and how much is on the heap when all that is garbage has been collected.

const alive = new Set<unknown>();
const { setTimeout: setOnce, setInterval: setAgain, clearTimeout: clear } = globalThis;

globalThis.setTimeout = ((run: (...args: unknown[]) => void, ms?: number, ...args: unknown[]) => {
  const timer = setOnce(() => {
    alive.delete(timer);
    run(...args);
  }, ms);
  alive.add(timer);
  return timer;
}) as typeof setTimeout;
globalThis.setInterval = ((...args: Parameters<typeof setInterval>) => {
  const timer = setAgain(...args);
  alive.add(timer);
  return timer;
}) as typeof setInterval;
globalThis.clearTimeout = globalThis.clearInterval = (timer?: unknown) => {
  alive.delete(timer);
  clear(timer as number);
};

// By --v8-flags=--expose-gc.
const { gc } = globalThis as unknown as { gc: () => void };
const saying = setAgain(() => {
  gc();
  console.error(`held: ${alive.size} timers, ${Deno.memoryUsage().heapUsed} bytes`);
}, 4_000);
Deno.unrefTimer(saying);
