// Certificates for tests, made by openssl.

import type { CertificateFiles } from "./certificates.ts";

export const hasOpenssl = await new Deno.Command("openssl", { args: ["version"] }).output()
  .then(({ success }) => success, () => false);

export const certificateFolder = await Deno.makeTempDir({ prefix: "ingress-tls-" });
globalThis.addEventListener(
  "unload",
  () => Deno.removeSync(certificateFolder, { recursive: true }),
);

/**
 * Makes a self-signed certificate for these names at `<file>.pem` and `<file>.key`; `null` without
 * openssl.
 */
export async function certify(file: string, ...names: string[]): Promise<CertificateFiles | null> {
  if (!hasOpenssl) return null;
  const certificate = `${certificateFolder}/${file}.pem`;
  const key = `${certificateFolder}/${file}.key`;
  const alternatives = names.map((name) => /^[\d.]+$/.test(name) ? `IP:${name}` : `DNS:${name}`);
  const { success, stderr } = await new Deno.Command("openssl", {
    args: [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
      ...["-keyout", key, "-out", certificate, "-days", "2", "-subj", `/CN=${names[0]}`],
      ...["-addext", `subjectAltName=${alternatives.join(",")}`],
      ...["-addext", "basicConstraints=critical,CA:FALSE"],
    ],
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return { certificate, key };
}
