// Loaded into each daemon of a soak before its own program: counts the timers that are set, and says
// so on standard error every few seconds.

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

const saying = setAgain(() => console.error(`timers: ${alive.size}`), 2_000);
Deno.unrefTimer(saying);
