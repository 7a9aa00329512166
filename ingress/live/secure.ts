import { acmeFiles, type AcmeOptions, challengeAnswer, keepCertificates } from "./acme.ts";
import { type CertificateFiles, Certificates } from "./certificates.ts";
import type { ClientSet } from "./client_set.ts";
import type { Proxy } from "./proxy.ts";
import { openTlsListener, type TlsListener } from "./tls_listener.ts";

/** How HTTPS is served. */
export interface TlsSettings {
  /** Where it listens, if not where everything does. */
  readonly hostname?: string;
  readonly port: number;
  readonly files: readonly CertificateFiles[];
  /** Seconds for Strict-Transport-Security; 0: none. */
  readonly hstsS: number;
  /** Plain requests are redirected to HTTPS. */
  readonly redirect: boolean;
  /** Certificates that are fetched; `keeper`: by this ingress, not by another thread. */
  readonly acme?: AcmeOptions & { readonly keeper: boolean };
}

/** How often certificate files are looked at, in ms. */
const CHECK_MS = 1_000;

/**
 * Serves HTTPS with certificates from files and from an ACME server.
 *
 * @throws {Failure} `bad-certificate`, `port-taken` or `cannot-listen` (rejection).
 */
export async function openSecure(
  proxy: Proxy,
  clients: ClientSet,
  settings: TlsSettings,
  common: {
    readonly hostname: string;
    readonly maxConnections: number;
    readonly reusePort: boolean;
    readonly proxyProtocol: boolean;
  },
): Promise<TlsListener> {
  const { acme, files, port, hstsS } = settings;
  const expected = acme?.domains.map((domain) => acmeFiles(acme.folder, domain));
  const certificates = new Certificates(files, expected);
  certificates.load();
  const listener = await openTlsListener(proxy, clients, certificates, { ...common, port, hstsS });
  proxy.metrics.certificates = () => certificates.expiries();
  if (acme !== undefined) proxy.challengeAnswer = (token) => challengeAnswer(acme.folder, token);
  const keeping = acme?.keeper ? keepCertificates(acme) : null;
  const checks = setInterval(() => certificates.refresh(), CHECK_MS);
  return {
    ...listener,
    get size() {
      return listener.size;
    },
    close() {
      clearInterval(checks);
      keeping?.close();
      listener.close();
    },
  };
}
