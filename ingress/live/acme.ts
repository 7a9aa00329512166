import https from "node:https";
import { Failure } from "../../core/errors.ts";
import { logger } from "../../core/live/log.ts";
import {
  ACME_ANSWER_MS,
  ACME_LOCK_BEAT_MS,
  ACME_LOCK_MS,
  ACME_RETRY_MAX_MS,
  ACME_RETRY_MIN_MS,
} from "../../core/limits.ts";
import { type CertificateFiles, namesOf } from "./certificates.ts";

/** Certificates from an ACME server (RFC 8555), proved over HTTP. */
export interface AcmeOptions {
  readonly domains: readonly string[];
  readonly email: string;
  readonly directoryUrl: string;
  /** Kept and shared with other ingresses: account, certificates, answers to challenges. */
  readonly folder: string;
  /** Trusted for talking to the server, beside the usual ones: PEM. */
  readonly caPem?: string;
}

/** Keeps certificates issued and renewed until closed. */
export interface Acme {
  close(): void;
}

const HOUR_MS = 3_600_000;

/** Where a domain's certificate lies. */
export function acmeFiles(folder: string, domain: string): CertificateFiles {
  return { certificate: `${folder}/${domain}.pem`, key: `${folder}/${domain}.key` };
}

/**
 * What answers an HTTP challenge with this token, or `null`. Any ingress that shares the folder can
 * say it, whichever of them asked for the certificate.
 */
export function challengeAnswer(folder: string, token: string): string | null {
  if (!/^[A-Za-z0-9_-]{1,128}$/.test(token)) return null;
  try {
    return Deno.readTextFileSync(`${folder}/challenge-${token}`);
  } catch {
    return null;
  }
}

/** When a certificate should be renewed: when a third of its life is left. */
export function renewAtMs(issuedMs: number, validToMs: number): number {
  return validToMs - (validToMs - issuedMs) / 3;
}

/**
 * Starts to keep certificates for all domains. What is there and good is used; what fails is tried
 * again with backoff, and the certificate before stays in use meanwhile.
 */
export function keepCertificates(options: AcmeOptions): Acme {
  Deno.mkdirSync(options.folder, { recursive: true, mode: 0o700 });
  const log = logger("ingress", "acme");
  let open = true;
  const timers = new Set<ReturnType<typeof setTimeout>>();
  const later = (waitMs: number, run: () => void) => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      if (open) run();
    }, waitMs);
    timers.add(timer);
  };
  const keep = async (domain: string, failures: number) => {
    const dueMs = dueInMs(options.folder, domain);
    if (dueMs > 0) return later(Math.min(dueMs, HOUR_MS), () => keep(domain, 0));
    try {
      if (await withLock(options.folder, domain, () => order(options, domain))) {
        log.info("got a certificate for {domain}", { domain });
      }
      later(1_000, () => keep(domain, 0));
    } catch (error) {
      const waitMs = Math.min(ACME_RETRY_MIN_MS * 2 ** failures, ACME_RETRY_MAX_MS);
      log.warn("no certificate for {domain} yet, trying again in {seconds} s: {reason}", {
        domain,
        seconds: Math.round(waitMs / 1000),
        reason: (error as Error).message,
      });
      later(waitMs, () => keep(domain, failures + 1));
    }
  };
  for (const domain of options.domains) keep(domain, 0);
  return {
    close() {
      open = false;
      for (const timer of timers) clearTimeout(timer);
    },
  };
}

/** How long a domain's certificate needs nothing, in ms; 0 where there is none. */
function dueInMs(folder: string, domain: string): number {
  try {
    const { certificate } = acmeFiles(folder, domain);
    const { mtime } = Deno.statSync(certificate);
    const { validToMs } = namesOf(Deno.readTextFileSync(certificate));
    return Math.max(0, renewAtMs(mtime?.getTime() ?? 0, validToMs) - Date.now());
  } catch {
    return 0;
  }
}

/** Runs `work` unless another ingress is at it; a lock that is too old was left by a dead one. */
async function withLock(
  folder: string,
  domain: string,
  work: () => Promise<void>,
): Promise<boolean> {
  const path = `${folder}/${domain}.lock`;
  try {
    const { mtime } = Deno.statSync(path);
    if (Date.now() - (mtime?.getTime() ?? 0) > ACME_LOCK_MS) Deno.removeSync(path);
  } catch {
    // There is none.
  }
  try {
    Deno.openSync(path, { write: true, createNew: true }).close();
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return false;
    throw error;
  }
  const beat = setInterval(() => {
    const now = new Date();
    Deno.utime(path, now, now).catch(() => {});
  }, ACME_LOCK_BEAT_MS);
  try {
    await work();
    return true;
  } finally {
    clearInterval(beat);
    await Deno.remove(path).catch(() => {});
  }
}

async function order(options: AcmeOptions, domain: string): Promise<void> {
  const { default: acme } = await import("acme-client");
  const { folder } = options;
  if (options.caPem !== undefined) {
    acme.axios.defaults.httpsAgent = new https.Agent({ ca: options.caPem });
  }
  acme.axios.defaults.timeout = ACME_ANSWER_MS;
  // What fails is tried again from the start, by a backoff of our own that is not in its hands.
  Object.assign(acme.axios.defaults, { acmeSettings: { retryMaxAttempts: 0 } });
  const client = new acme.Client({
    directoryUrl: options.directoryUrl,
    accountKey: await accountKey(folder, () => acme.crypto.createPrivateEcdsaKey()),
    backoffAttempts: 10,
    backoffMin: 500,
    backoffMax: 3_000,
  });
  const [key, csr] = await acme.crypto.createCsr(
    { commonName: domain, altNames: [domain] },
    await acme.crypto.createPrivateEcdsaKey(),
  );
  const certificate = await client.auto({
    csr,
    email: options.email,
    termsOfServiceAgreed: true,
    challengePriority: ["http-01"],
    skipChallengeVerification: true,
    challengeCreateFn: (_authorization, challenge, keyAuthorization) =>
      writeWhole(`${folder}/challenge-${challenge.token}`, keyAuthorization),
    challengeRemoveFn: async (_authorization, challenge) => {
      await Deno.remove(`${folder}/challenge-${challenge.token}`).catch(() => {});
    },
  });
  if (!namesOf(certificate).names.includes(domain)) {
    throw new Failure("bad-certificate", `the server's certificate is not for ${domain}`);
  }
  const files = acmeFiles(folder, domain);
  // Whoever reads between the two finds that they do not fit and keeps what it has.
  await writeWhole(files.key, key.toString());
  await writeWhole(files.certificate, certificate);
}

async function accountKey(folder: string, make: () => Promise<Uint8Array>): Promise<string> {
  const path = `${folder}/account.key`;
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const key = new TextDecoder().decode(await make());
  await writeWhole(path, key);
  return key;
}

/** Writes a file so that nobody ever sees a part of it. */
async function writeWhole(path: string, text: string): Promise<void> {
  const fresh = `${path}.${crypto.randomUUID()}.new`;
  await Deno.writeTextFile(fresh, text, { mode: 0o600 });
  await Deno.rename(fresh, path);
}
