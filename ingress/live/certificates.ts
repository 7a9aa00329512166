import { createPrivateKey, X509Certificate } from "node:crypto";
import tls, { type SecureContext } from "node:tls";
import { Failure } from "../../core/errors.ts";
import { logger } from "../../core/live/log.ts";

/** A certificate chain and its key, as files. */
export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
}

interface Loaded {
  readonly names: readonly string[];
  readonly context: SecureContext;
  readonly validToMs: number;
}

/** The names that a certificate is for, in lower case. */
export function namesOf(certificatePem: string): { names: string[]; validToMs: number } {
  const certificate = new X509Certificate(certificatePem);
  const names = [...(certificate.subjectAltName ?? "").matchAll(/(?:DNS|IP Address):([^,\s]+)/g)]
    .map((each) => each[1]!.toLowerCase());
  return { names, validToMs: Date.parse(certificate.validTo) };
}

/**
 * The certificates that the ingress shows, by name. A file that changes is loaded again without
 * touching a connection; one that cannot be loaded leaves the one before in place.
 */
export class Certificates {
  private readonly fromFiles = new Map<CertificateFiles, Loaded>();
  private readonly stamps = new Map<CertificateFiles, string>();

  /**
   * @param files must be there at the start
   * @param expected appear later (ACME)
   */
  constructor(
    private readonly files: readonly CertificateFiles[],
    private readonly expected: readonly CertificateFiles[] = [],
  ) {}

  /** Loads all files. @throws {Failure} `bad-certificate`, with the file and the reason. */
  load(): void {
    for (const each of this.files) {
      this.stamps.set(each, stampOf(each));
      this.fromFiles.set(each, loadFiles(each));
    }
    this.refresh();
  }

  /** Loads again what has changed; to be called from time to time. */
  refresh(): void {
    const log = logger("ingress", "tls");
    for (const each of [...this.files, ...this.expected]) {
      try {
        if (this.expected.includes(each) && !exists(each.certificate)) continue;
        const stamp = stampOf(each);
        if (stamp === this.stamps.get(each)) continue;
        this.fromFiles.set(each, loadFiles(each));
        this.stamps.set(each, stamp);
        log.info("loaded {file}", { file: each.certificate });
      } catch (error) {
        // Often a moment in which only one of the two files is new: tried again next time.
        log.warn("keeping the certificate before: {reason}", { reason: (error as Error).message });
      }
    }
  }

  /** The context for the name that a client asks for; the first certificate for any other. */
  contextFor(name: string): SecureContext | undefined {
    const wanted = name.toLowerCase();
    const dot = wanted.indexOf(".");
    const wildcard = dot > 0 ? `*${wanted.slice(dot)}` : "";
    let fallback: SecureContext | undefined;
    let byWildcard: SecureContext | undefined;
    for (const each of this.fromFiles.values()) {
      if (each.names.includes(wanted)) return each.context;
      if (each.names.includes(wildcard)) byWildcard ??= each.context;
      fallback ??= each.context;
    }
    return byWildcard ?? fallback;
  }

  /** When each certificate ends, for the metrics: milliseconds since 1970 by name. */
  *expiries(): Iterable<readonly [name: string, validToMs: number]> {
    for (const each of this.fromFiles.values()) {
      yield [each.names[0] ?? "", each.validToMs];
    }
  }
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

function stampOf(files: CertificateFiles): string {
  return [files.certificate, files.key].map((path) => {
    try {
      const { mtime, size, ino } = Deno.statSync(path);
      return `${mtime?.getTime()} ${size} ${ino}`;
    } catch (error) {
      throw new Failure("bad-certificate", `cannot read ${path}: ${(error as Error).message}`);
    }
  }).join();
}

function loadFiles(files: CertificateFiles): Loaded {
  try {
    return loaded(Deno.readTextFileSync(files.certificate), Deno.readTextFileSync(files.key));
  } catch (error) {
    throw new Failure(
      "bad-certificate",
      `cannot use ${files.certificate} with ${files.key}: ${(error as Error).message}`,
      { cause: error },
    );
  }
}

function loaded(certificatePem: string, keyPem: string): Loaded {
  const { names, validToMs } = namesOf(certificatePem);
  const certificate = new X509Certificate(certificatePem);
  // A pair that does not belong together would only show at the first handshake.
  if (!certificate.checkPrivateKey(createPrivateKey(keyPem))) {
    throw new Error("the key is not the certificate's");
  }
  return {
    names,
    validToMs,
    context: tls.createSecureContext({ cert: certificatePem, key: keyPem }),
  };
}
