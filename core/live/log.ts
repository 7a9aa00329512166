import {
  configureSync,
  getConsoleSink,
  getLogger,
  jsonLinesFormatter,
  type Logger,
  type LogLevel,
  type LogRecord,
} from "@logtape/logtape";

export type { Logger };

/** Starts logging for a daemon: text for people, or one JSON object a line. To stderr. */
export function startLog(daemon: string, format: "text" | "json", level: LogLevel = "info"): void {
  configureSync({
    reset: true,
    sinks: {
      console: getConsoleSink({
        formatter: format === "json"
          ? jsonLinesFormatter
          : (record) => [formatText(daemon, record)],
        levelMap: STDERR,
      }),
    },
    loggers: [
      { category: ["skr8tr"], lowestLevel: level, sinks: ["console"] },
      { category: ["logtape", "meta"], lowestLevel: "error", sinks: ["console"] },
    ],
  });
}

// Everything goes to stderr: stdout belongs to a program's results.
const STDERR = {
  trace: "error",
  debug: "error",
  info: "error",
  warning: "error",
  error: "error",
  fatal: "error",
} as const;

function formatText(daemon: string, record: LogRecord): string {
  const time = new Date(record.timestamp).toISOString().slice(11, 23);
  const text = record.message.map((part) => typeof part === "string" ? part : String(part)).join(
    "",
  );
  return `${time} ${daemon} ${record.level.padEnd(7)} ${text}`;
}

/** A logger below this project's own category. */
export function logger(...category: string[]): Logger {
  return getLogger(["skr8tr", ...category]);
}
