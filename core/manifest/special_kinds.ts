// Kinds of values that belong to one key each, or to a few.

import { cronFaults } from "./cron.ts";
import { type Fault, quoted } from "./errors.ts";
import {
  choice,
  duration,
  type Fail,
  flag,
  int,
  type Kind,
  listOf,
  percent,
  text,
} from "./kinds.ts";
import type { AppSpec, HealthCheck, Label, PlaceSpec, RatePer, RolloutSpec } from "./spec.ts";
import { splitWords } from "./words.ts";

/** Says that `written` is not `form`, about the whole value. */
function refuse(fail: Fail, written: string, form: string): undefined {
  fail({ code: "wrong-kind", message: `${quoted(written)} is not ${form}` });
  return undefined;
}

// --- names --------------------------------------------------------------------------------------

export const APP_NAME = text({
  name: "name",
  form: "a name: 1 to 63 of a-z 0-9 -, starting with a letter",
  pattern: /^[a-z][a-z0-9-]{0,62}$/,
});

export const APP_NAMES = listOf(APP_NAME);

export const ENV_NAME = text({
  name: "name",
  form: "the name of a variable (letters, digits and _, not a digit first), followed by a blank " +
    "and the value",
  pattern: /^[A-Za-z_][A-Za-z0-9_]*$/,
  maxLength: 255,
});

export const ENV_VALUE = text({ form: "a text", anyCharacter: true, variables: true });

export const SECRET_NAME = text({
  name: "name",
  form: 'the name of a secret: 1 to 253 of A-Z a-z 0-9 . _ / -; "file" and a blank before it: ' +
    "the variable is the path of a file that holds it",
  pattern: /^(?:file )?[A-Za-z0-9][A-Za-z0-9._/-]{0,252}$/,
});

export const USER = text({
  name: "name",
  form: "a user of the node: a name or a number",
  pattern: /^(?:[a-z_][a-z0-9_-]{0,31}|[0-9]{1,10})$/,
});

// --- paths and commands -------------------------------------------------------------------------

export const PROGRAM = text({
  name: "path",
  form: 'a program: an absolute path, or a name to be found; its arguments stand in "args"',
  oneWord: true,
  variables: true,
});

export const FOLDER = text({ name: "path", form: "a path", oneWord: true });
export const NODE_FOLDER = text({ name: "path", form: "a path", oneWord: true, variables: true });
export const PATHS = listOf(NODE_FOLDER);

const climbs = (path: string) =>
  path.split("/").includes("..") ? `${quoted(path)} climbs out of its folder by ".."` : undefined;

export const VOLUME_PATH = text({
  name: "path",
  form: "a path, absolute or below the node's state folder",
  oneWord: true,
  check: climbs,
});

export const INNER_PATH = text({
  name: "path",
  form: "a path below its folder",
  oneWord: true,
  check: (path) =>
    path.startsWith("/")
      ? `${quoted(path)} is absolute; it must stand below its folder`
      : climbs(path),
});

export const COMMAND: Kind<string> = {
  name: "command",
  form: "a command line",
  mode: "plain",
  print: (command) => command,
  parse(written, fail) {
    const split = splitWords(written);
    if (split.ok && split.words.length > 0) return written;
    if (split.ok) return refuse(fail, written, "a command line");
    fail(split.fault, split.fault.start, split.fault.length);
    return undefined;
  },
};

// --- network ------------------------------------------------------------------------------------

const PORT_NUMBER = int(1, 65_535);
export const PORT_OF_SERVER = PORT_NUMBER;

export const PORT: Kind<NonNullable<AppSpec["port"]>> = {
  name: "port",
  form: 'a port from 1 to 65535, then "fixed" if no other will do',
  mode: "plain",
  print: ({ number, fixed }) => `${number}${fixed ? " fixed" : ""}`,
  parse(written, fail) {
    const [, digits, word] = /^(\S+)(?:[ \t]+(.*))?$/s.exec(written) ?? [];
    if (digits === undefined) return refuse(fail, written, PORT.form);
    const number = PORT_NUMBER.parse(digits, (fault) => fail(fault, 0, digits.length), false);
    if (word !== undefined && word !== "fixed") {
      fail(
        {
          code: "wrong-kind",
          message: `${quoted(word)} may not follow the port; only "fixed" may`,
          nearest: "fixed",
        },
        written.length - word.length,
        word.length,
      );
      return undefined;
    }
    return number === undefined ? undefined : { number, fixed: word !== undefined };
  },
};

export const HOST = text({
  name: "host",
  form: "a host name such as shop.example.com",
  maxLength: 253,
  pattern: /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/,
  change: (host) => host.toLowerCase(),
});

export const HOSTS = listOf(text({
  name: "host",
  form: "a host, host:port, address or network such as 10.0.0.0/8",
  pattern: /^[A-Za-z0-9*[][A-Za-z0-9*._:[\]/-]{0,252}$/,
}));

export const ROUTE_PATH = text({
  name: "path",
  form: "a path such as /api: a / and whole segments, none of them empty, . or ..",
  maxLength: 1_024,
  pattern: /^\/$|^(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._~!$&'()*+,;=:@%-]+)+$/,
  change: (path) => path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path,
});

/** `yes`, `no`, or a leading part of the route's path. */
export const STRIP: Kind<boolean | string> = {
  name: "boolean or path",
  form: "yes, no, or a leading part of the route's path",
  mode: "plain",
  words: ["yes", "no"],
  print: (strip) => typeof strip === "string" ? strip : flag.print(strip),
  parse: (written, fail, isQuoted) =>
    written.startsWith("/")
      ? ROUTE_PATH.parse(written, fail, isQuoted)
      : flag.parse(written, fail, isQuoted),
};

export const PER: Kind<RatePer> = {
  name: "choice",
  form: "ip, or header:X with the name of a request header",
  mode: "plain",
  words: ["ip", "header:"],
  print: (per) => per === "ip" ? per : `header:${per.header}`,
  parse(written, fail) {
    if (written === "ip") return "ip";
    const header = /^header:([A-Za-z0-9!#$%&'*+.^_`|~-]{1,100})$/.exec(written)?.[1];
    return header === undefined
      ? refuse(fail, written, PER.form)
      : { header: header.toLowerCase() };
  },
};

const TLS_WORD = choice(["required", "optional"]);

/** Whether TLS is required. */
export const TLS: Kind<boolean> = {
  ...TLS_WORD,
  print: (required) => required ? "required" : "optional",
  parse(written, fail, isQuoted) {
    const word = TLS_WORD.parse(written, fail, isQuoted);
    return word === undefined ? undefined : word === "required";
  },
};

// --- health -------------------------------------------------------------------------------------

const CHECK_FORM = '"GET /path 200", "TCP" or "EXEC command"';

export const CHECK: Kind<HealthCheck> = {
  name: "check",
  form: CHECK_FORM,
  mode: "plain",
  words: ["GET", "TCP", "EXEC"],
  print: printCheck,
  parse(written, fail, isQuoted) {
    const [, word, rest] = /^(\S+)(?:[ \t]+(.*))?$/s.exec(written) ?? [];
    switch (word?.toUpperCase()) {
      case "GET":
        return parseGet(written, rest ?? "", fail);
      case "TCP":
        return rest === undefined ? { kind: "tcp" } : refuse(fail, written, CHECK_FORM);
      case "EXEC": {
        const command = COMMAND.parse(
          rest ?? "",
          at(fail, written.length - (rest ?? "").length),
          isQuoted,
        );
        return command === undefined ? undefined : { kind: "exec", command };
      }
      default:
        return refuse(fail, written, `a health check: ${CHECK_FORM}`);
    }
  },
};

function printCheck(check: HealthCheck): string {
  switch (check.kind) {
    case "get":
      return `GET ${check.path} ${check.status}`;
    case "tcp":
      return "TCP";
    case "exec":
      return `EXEC ${check.command}`;
    default:
      return check satisfies never;
  }
}

function parseGet(written: string, rest: string, fail: Fail): HealthCheck | undefined {
  const [, path, status] = /^(\/[!-~]*)(?:[ \t]+(\S+))?$/.exec(rest) ?? [];
  if (path === undefined) return refuse(fail, written, 'a GET check such as "GET /health 200"');
  if (status === undefined) return { kind: "get", path, status: 200 };
  const start = written.length - status.length;
  const code = STATUS.parse(status, at(fail, start, status.length), false);
  return code === undefined ? undefined : { kind: "get", path, status: code };
}

const STATUS = int(200, 599);

/** The same faults, `offset` further on; without a place of their own they take `length`. */
function at(fail: Fail, offset: number, length = 1): Fail {
  return (fault: Fault, start, itsLength) =>
    fail(fault, offset + (start ?? 0), itsLength ?? length);
}

// --- placement ----------------------------------------------------------------------------------

const LABEL_KEY = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$/;

const LABEL: Kind<Label> = {
  name: "label",
  form: "a label such as zone=eu",
  mode: "plain",
  print: ({ key, value }) => `${key}=${value}`,
  parse(written, fail) {
    const [, key, value] = /^([^=]+)=([A-Za-z0-9._/:+@-]{1,253})$/.exec(written) ?? [];
    if (key === undefined || value === undefined || !LABEL_KEY.test(key)) {
      return refuse(fail, written, LABEL.form);
    }
    return { key, value };
  },
};

export const LABELS = listOf(LABEL);

export const SPREAD: Kind<PlaceSpec["spread"]> = {
  name: "choice",
  form: "node, or label:K with the key of a node label",
  mode: "plain",
  words: ["node", "label:"],
  print: (spread) => spread === "node" ? spread : `label:${spread.label}`,
  parse(written, fail) {
    if (written === "node") return "node";
    const label = /^label:(.*)$/s.exec(written)?.[1];
    return label !== undefined && LABEL_KEY.test(label)
      ? { label }
      : refuse(fail, written, SPREAD.form);
  },
};

// --- the rest -----------------------------------------------------------------------------------

const SIGNALS = [
  "SIGTERM",
  "SIGINT",
  "SIGQUIT",
  "SIGHUP",
  "SIGUSR1",
  "SIGUSR2",
  "SIGABRT",
  "SIGALRM",
  "SIGWINCH",
  "SIGKILL",
] as const;

export const SIGNAL: Kind<string> = choice(
  SIGNALS,
  Object.fromEntries(SIGNALS.map((signal) => [signal.slice(3), signal])),
);

export const CRON: Kind<string> = {
  name: "cron",
  form: "five fields: minute, hour, day of the month, month, day of the week",
  mode: "plain",
  print: (cron) => cron,
  parse(written, fail) {
    const faults = cronFaults(written);
    for (const fault of faults) fail(fault, fault.start, fault.length);
    return faults.length > 0 ? undefined : written.trim().replace(/[ \t]+/g, " ");
  },
};

export const TIMEZONE = text({
  name: "time zone",
  form: "a time zone such as Europe/Berlin or UTC",
  pattern: /^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/,
  check(zone) {
    try {
      new Intl.DateTimeFormat("en", { timeZone: zone });
      return undefined;
    } catch {
      return `there is no time zone ${quoted(zone)}; one is Europe/Berlin`;
    }
  },
});

export const SHA256 = text({
  name: "digest",
  form: "64 hexadecimal digits",
  pattern: /^[0-9a-f]{64}$/,
  change: (digest) => digest.toLowerCase(),
});

const CANARY_PERCENT = percent(1, 100);
const CANARY_DURATION = duration(1_000, 30 * 86_400_000);
const CANARY_REQUESTS = int(1, 1_000_000_000);
const CANARY_FORM =
  'a share, a time and at will "min-requests N", as in "10% 60s min-requests 100"';

export const CANARY: Kind<NonNullable<RolloutSpec["canary"]>> = {
  name: "canary",
  form: CANARY_FORM,
  mode: "plain",
  print: ({ percent, durationMs, minRequests }) =>
    `${CANARY_PERCENT.print(percent)} ${CANARY_DURATION.print(durationMs)}` +
    (minRequests === 100 ? "" : ` min-requests ${minRequests}`),
  parse(written, fail) {
    const words = [...written.matchAll(/[^ \t]+/g)];
    const named = words[2]?.[0] === "min-requests";
    if (words.length !== 2 && !(words.length === 4 && named)) {
      return refuse(fail, written, CANARY_FORM);
    }
    const read = (kind: Kind<number>, index: number) => {
      const word = words[index]!;
      return kind.parse(word[0], at(fail, word.index, word[0].length), false);
    };
    const percent = read(CANARY_PERCENT, 0);
    const durationMs = read(CANARY_DURATION, 1);
    const minRequests = words.length === 4 ? read(CANARY_REQUESTS, 3) : 100;
    if (percent === undefined || durationMs === undefined || minRequests === undefined) {
      return undefined;
    }
    return { percent, durationMs, minRequests };
  },
};
