// How the launcher's exit code reads: 128 + n stands for signal n, as shells have it.

const LINUX: Readonly<Record<number, string>> = {
  1: "SIGHUP",
  2: "SIGINT",
  3: "SIGQUIT",
  4: "SIGILL",
  5: "SIGTRAP",
  6: "SIGABRT",
  7: "SIGBUS",
  8: "SIGFPE",
  9: "SIGKILL",
  10: "SIGUSR1",
  11: "SIGSEGV",
  12: "SIGUSR2",
  13: "SIGPIPE",
  14: "SIGALRM",
  15: "SIGTERM",
  16: "SIGSTKFLT",
  24: "SIGXCPU",
  25: "SIGXFSZ",
  31: "SIGSYS",
};
const DARWIN: Readonly<Record<number, string>> = {
  ...LINUX,
  7: "SIGEMT",
  10: "SIGBUS",
  12: "SIGSYS",
  16: "SIGURG",
  30: "SIGUSR1",
  31: "SIGUSR2",
};

/**
 * A shell's `$?` as a code or a signal. A program that itself exits with 128 + n cannot be told
 * apart from one that signal n ended.
 */
export function decodeExit(
  status: number,
  os = "linux",
): { readonly code: number } | { readonly signal: string } {
  const signal = status > 128 ? (os === "darwin" ? DARWIN : LINUX)[status - 128] : undefined;
  return signal === undefined ? { code: status & 0xff } : { signal };
}
